"""URLs, tokens, states, configurations: what the clients know without a server."""

from __future__ import annotations

import numpy as np
import pytest

from pytriton.client import auth, utils
from pytriton.client import exceptions as errors
from pytriton.client.asyncio_utils import (
    _DEFAULT_ASYNC_SLEEP_FACTOR_S,
    _DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S,
)
from pytriton.client.client import _DEFAULT_SYNC_INIT_TIMEOUT_S, DEFAULT_INFERENCE_TIMEOUT_S
from pytriton.client.utils import LATEST_MODEL_VERSION, ModelState, TritonUrl
from pytriton.client.warnings import NotSupportedTimeoutWarning, PyTritonWarning
from pytriton.exceptions import PyTritonModelConfigError
from pytriton.model_config.common import DeviceKind, DynamicBatcher, QueuePolicy, TimeoutAction
from pytriton.model_config.parser import ModelConfigParser
from pytriton.model_config.triton_model_config import (
    ResponseCache,
    TensorSpec,
    TritonModelConfig,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("localhost", "http://localhost:8000"),
        ("localhost:9000", "http://localhost:9000"),
        ("http://localhost:9000", "http://localhost:9000"),
        ("grpc://localhost", "grpc://localhost:8001"),
        ("GRPC://host:1", "grpc://host:1"),
        ("http://u:p@h/path", "http://h:8000"),
        ("grpc:8001", "http://grpc:8001"),
        ("https://h", "https://h:443"),
        ("grpcs://[::1]:5", "grpcs://[::1]:5"),
    ],
)
def test_urls_have_defaults(url, expected):
    parsed = TritonUrl.from_url(url)
    assert parsed.with_scheme == expected
    assert parsed.without_scheme == expected.partition("://")[2]


@pytest.mark.parametrize("url", ["", "ftp://h", "http://h:99999", "http://h:x", "http://"])
def test_unusable_urls_are_refused(url):
    with pytest.raises(errors.PyTritonClientInvalidUrlError, match="Invalid url"):
        TritonUrl.from_url(url)


def test_a_url_must_be_a_string():
    with pytest.raises(errors.PyTritonClientInvalidUrlError, match="Url must be a string"):
        TritonUrl.from_url(["localhost"])


def test_tokens_travel_in_the_protocols_header():
    assert auth.create_auth_headers("t", "HTTP") == {"triton-access-token": "t"}
    grpc = auth.create_auth_headers("t", "grpc")
    assert grpc == {"triton-grpc-protocol-triton-access-token": "t"}
    with pytest.raises(ValueError, match="access_token cannot be None or empty"):
        auth.create_auth_headers("", "http")
    with pytest.raises(ValueError, match="Invalid protocol 'ftp'"):
        auth.create_auth_headers("t", "FTP")
    assert auth.extract_access_token_from_headers(None) is None
    assert auth.extract_access_token_from_headers({"Triton-Access-Token": "t"}) is None
    assert auth.extract_access_token_from_headers(grpc) == "t"
    with pytest.raises(ValueError, match="Conflicting authentication headers found"):
        auth.extract_access_token_from_headers({**grpc, "triton-access-token": "u"})


def test_exceptions_carry_their_text():
    for name in errors.__all__:
        error = getattr(errors, name)("text")
        assert isinstance(error, errors.PyTritonClientError)
        assert (str(error), error.message) == ("text", "text")
    assert issubclass(errors.PyTritonClientInvalidUrlError, errors.PyTritonClientValueError)
    assert issubclass(NotSupportedTimeoutWarning, PyTritonWarning)


def test_constants_are_where_programs_look():
    assert (DEFAULT_INFERENCE_TIMEOUT_S, _DEFAULT_SYNC_INIT_TIMEOUT_S) == (60.0, 300.0)
    assert (utils._DEFAULT_NETWORK_TIMEOUT_S, utils._DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S) == (60, 300)
    assert utils._DEFAULT_WAIT_FOR_SERVER_READY_TIMEOUT_S == 60.0
    assert (_DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S, _DEFAULT_ASYNC_SLEEP_FACTOR_S) == (60.0, 0.1)
    assert LATEST_MODEL_VERSION == "<latest>"


def test_states_come_from_the_index():
    index = [
        {"name": "a", "version": "1", "state": "READY", "reason": ""},
        {"name": "a", "version": "10", "state": "UNAVAILABLE", "reason": "unloaded"},
        {"name": "b", "version": "1"},
        {"name": "c"},
    ]
    assert utils.parse_http_response(index) == {
        ("a", "1"): ModelState.READY,
        ("a", "10"): ModelState.UNAVAILABLE,
        ("b", "1"): ModelState.LOADING,
    }
    assert utils.state_in(index, "a", None) == ModelState.UNAVAILABLE
    assert utils.state_in(index, "a", "1") == ModelState.READY
    assert utils.state_in(index, "z", None) == ModelState.UNAVAILABLE


CONFIG = {
    "name": "m",
    "max_batch_size": 8,
    "input": [{"name": "a", "data_type": "TYPE_FP32", "dims": ["-1", 2], "optional": True}],
    "output": [
        {"name": "b", "data_type": "TYPE_BOOL", "dims": [1]},
        {"name": "s", "data_type": "TYPE_STRING", "dims": [1]},
    ],
    "instance_group": [{"kind": "KIND_CPU", "count": 2}],
    "dynamic_batching": {
        "preferred_batch_size": [8],
        "max_queue_delay_microseconds": "100",
        "default_queue_policy": {"timeout_action": "DELAY", "max_queue_size": 3},
        "priority_levels": 2,
        "priority_queue_policy": {"1": {"max_queue_size": 4}},
    },
    "model_transaction_policy": {"decoupled": True},
    "parameters": {"p": {"string_value": "v"}},
    "response_cache": {"enable": True},
}


def test_configurations_are_parsed():
    assert ModelConfigParser.from_dict(CONFIG) == TritonModelConfig(
        model_name="m",
        max_batch_size=8,
        batching=True,
        inputs=[TensorSpec("a", (-1, 2), np.float32, True)],
        outputs=[
            TensorSpec("b", (1,), np.dtype("bool"), False),
            TensorSpec("s", (1,), np.bytes_, False),
        ],
        instance_group={DeviceKind.KIND_CPU: 2},
        batcher=DynamicBatcher(
            100,
            [8],
            False,
            2,
            0,
            QueuePolicy(TimeoutAction.DELAY, max_queue_size=3),
            {1: QueuePolicy(max_queue_size=4)},
        ),
        decoupled=True,
        backend_parameters={"p": "v"},
        response_cache=ResponseCache(enable=True),
    )


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({}, "Name for input at index 0 not provided"),
        ({"name": "x"}, "Data type for input with name `x` not defined"),
        ({"name": "x", "data_type": "FP32"}, "Invalid data type `FP32` for input"),
        ({"name": "x", "data_type": "TYPE_NO"}, "Unsupported data type `TYPE_NO` for input"),
        ({"name": "x", "data_type": "TYPE_FP32"}, "Dimension for input with name `x` not defined"),
    ],
)
def test_configurations_that_are_not_complete_are_refused(item, message):
    with pytest.raises(PyTritonModelConfigError, match=message):
        ModelConfigParser.from_dict({"name": "m", "input": [item]})
