from __future__ import annotations

import copy
import dataclasses
import logging
import os
import pathlib
import pickle
from unittest import mock

import pytest

from pytriton import _core, _options
from pytriton.exceptions import PyTritonValidationError
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig


def environment(**values: str):
    prefixed = {f"PYTRITON_TRITON_CONFIG_{name}": value for name, value in values.items()}
    return mock.patch.dict(os.environ, prefixed, clear=True)


def test_every_field_has_an_option_row():
    options = {row["name"] for row in _core.option_table()}
    fields = [field.name for field in dataclasses.fields(TritonConfig)]
    assert len(fields) == 50
    assert [name for name in fields if name.replace("_", "-") not in options] == []


def test_first_and_last_fields_keep_their_order():
    fields = [field.name for field in dataclasses.fields(TritonConfig)]
    assert fields[:3] == ["model_repository", "id", "log_verbose"]
    assert fields[-1] == "buffer_manager_thread_count"


def test_refuses_positional_arguments():
    with pytest.raises(TypeError, match="can't be used with positional arguments"):
        TritonConfig("/models")


def test_refuses_both_endpoints_off():
    with pytest.raises(PyTritonValidationError, match="The `http` or `grpc` endpoint has to be"):
        TritonConfig(allow_http=False, allow_grpc=False)


def test_copies_and_pickles():
    config = TritonConfig(http_port=1234, metrics_config=["a=b"])
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config
    assert dataclasses.replace(config, http_port=1).http_port == 1


def test_to_dict_has_every_field():
    assert len(TritonConfig().to_dict()) == 50


def test_from_dict_casts_and_warns(caplog):
    with caplog.at_level(logging.WARNING):
        config = TritonConfig.from_dict(
            {"http_port": "8123", "log_file": "/tmp/x", "allow_grpc": "false", "nonsense": 1}
        )
    assert (config.http_port, config.log_file) == (8123, pathlib.Path("/tmp/x"))
    assert config.allow_grpc is False
    assert "Ignoring nonsense=1 as could not find matching config field" in caplog.text


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("Yes", True), ("false", False), ("0", False), ("", False)],
)
def test_from_dict_reads_booleans(text, value):
    assert TritonConfig.from_dict({"allow_metrics": text}).allow_metrics is value


def test_from_dict_refuses_a_text_that_is_no_boolean():
    with pytest.raises(ValueError, match="allow_metrics: expected true or false, got 'maybe'"):
        TritonConfig.from_dict({"allow_metrics": "maybe"})


def test_a_text_for_a_list_is_one_element():
    assert TritonConfig.from_dict({"cache_config": "local,size=1"}).cache_config == ["local,size=1"]


def test_from_env_reads_lists_in_order():
    with environment(TRACE_CONFIG_2="c", TRACE_CONFIG_0="a", LOG_VERBOSE="4"):
        config = TritonConfig.from_env()
    assert config.trace_config == ["a", "c"]
    assert config.log_verbose == 4


def test_explicit_wins_over_environment_over_default():
    with environment(HTTP_PORT="1", GRPC_PORT="2"):
        triton = Triton(config=TritonConfig(http_port=3))
    assert (triton._config.http_port, triton._config.grpc_port) == (3, 2)
    assert triton._config.metrics_port is None


def test_environment_reaches_options_that_are_no_field():
    with environment(MAX_CONNECTIONS="77"):
        triton = Triton()
    assert triton._core_options()["max-connections"] == "77"


def test_core_gets_texts():
    texts = _options.to_texts({"allow_http": True, "http_port": 5, "log_file": None, "xs": ["a"]})
    assert texts == {"allow-http": "true", "http-port": "5", "xs": ["a"]}


def test_options_without_effect_give_one_warning(caplog):
    with caplog.at_level(logging.WARNING):
        Triton(config=TritonConfig(sagemaker_thread_count=4, http_thread_count=3))._core_options()
    warnings = [r for r in caplog.records if "have no effect" in r.getMessage()]
    assert len(warnings) == 1
    assert "sagemaker-thread-count" in caplog.text
    assert "http-thread-count" in caplog.text


def test_ineffective_options_say_why(caplog):
    with caplog.at_level(logging.WARNING):
        Triton(config=TritonConfig(grpc_keepalive_time=5, http_thread_count=3))._core_options()
    assert "grpc-keepalive-time (clients' pings are answered, the server sends none)" in caplog.text
    assert "http-thread-count (loop-threads serves all protocols)" in caplog.text


@pytest.mark.parametrize("name", ["grpc_use_ssl", "grpc_use_ssl_mutual"])
def test_nobody_gets_cleartext_who_asked_for_tls(name):
    with pytest.raises(
        PyTritonValidationError,
        match="expected --grpc-server-cert with --" + name.replace("_", "-"),
    ):
        Triton(config=TritonConfig(**{name: True})).run()
    Triton(config=TritonConfig(**{name: False}))._core_options()


def test_bad_option_value_says_what_was_expected():
    with pytest.raises(PyTritonValidationError, match="http-port"):
        Triton(options={"http-port": 70000}).run()


def test_security_defaults():
    config = TritonSecurityConfig()
    assert len(config.access_token) == 43
    assert config.restricted_endpoints == [
        "shared-memory",
        "model-repository",
        "statistics",
        "trace",
        "logging",
    ]
    assert Triton(security_config=config).get_access_token() == config.access_token


def test_security_off():
    config = TritonSecurityConfig(restricted_endpoints=[])
    assert config.access_token is None
    assert config.to_options() == {}


def test_security_refuses_unknown_endpoints():
    with pytest.raises(PyTritonValidationError, match=r"Invalid endpoint names: a, b\. Valid"):
        TritonSecurityConfig(restricted_endpoints=["b", "a"])


def test_security_refuses_an_empty_token():
    with pytest.raises(ValueError, match="access_token cannot be None or empty"):
        Triton(security_config=TritonSecurityConfig(access_token=""))
