# ruff: noqa: UP006, UP035, UP045  (the fields' types are read at run time, also by Python 3.9)
"""Configuration of a server: TritonConfig and what goes with it."""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
import re
import typing
from typing import Any, Dict, List, Mapping, Optional, Tuple

from pytriton.exceptions import PyTritonValidationError
from pytriton.utils.dataclasses import kwonly_dataclass

LOGGER = logging.getLogger("pytriton.triton")

ENV_PREFIX = "PYTRITON_TRITON_CONFIG_"
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off", "")


@kwonly_dataclass
class TritonConfig:
    """Options of a server; None means the option's default.

    Every field is the option of the same name (with dashes) of `python -m pytriton.serve --help`,
    which tells defaults and units.
    """

    model_repository: Optional[pathlib.Path] = None
    id: Optional[str] = None
    log_verbose: Optional[int] = None
    log_file: Optional[pathlib.Path] = None
    exit_timeout_secs: Optional[int] = None
    exit_on_error: Optional[bool] = None
    strict_readiness: Optional[bool] = None
    allow_http: Optional[bool] = None
    http_address: Optional[str] = None
    http_port: Optional[int] = None
    http_header_forward_pattern: Optional[str] = None
    http_thread_count: Optional[int] = None
    http_restricted_api: Optional[str] = None
    allow_grpc: Optional[bool] = None
    grpc_address: Optional[str] = None
    grpc_port: Optional[int] = None
    grpc_header_forward_pattern: Optional[str] = None
    grpc_infer_allocation_pool_size: Optional[int] = None
    grpc_use_ssl: Optional[bool] = None
    grpc_use_ssl_mutual: Optional[bool] = None
    grpc_server_cert: Optional[pathlib.Path] = None
    grpc_server_key: Optional[pathlib.Path] = None
    grpc_root_cert: Optional[pathlib.Path] = None
    grpc_infer_response_compression_level: Optional[str] = None
    grpc_keepalive_time: Optional[int] = None
    grpc_keepalive_timeout: Optional[int] = None
    grpc_keepalive_permit_without_calls: Optional[bool] = None
    grpc_http2_max_pings_without_data: Optional[int] = None
    grpc_http2_min_recv_ping_interval_without_data: Optional[int] = None
    grpc_http2_max_ping_strikes: Optional[int] = None
    grpc_restricted_protocol: Optional[str] = None
    allow_metrics: Optional[bool] = None
    allow_gpu_metrics: Optional[bool] = None
    allow_cpu_metrics: Optional[bool] = None
    metrics_interval_ms: Optional[int] = None
    metrics_port: Optional[int] = None
    metrics_address: Optional[str] = None
    allow_sagemaker: Optional[bool] = None
    sagemaker_port: Optional[int] = None
    sagemaker_safe_port_range: Optional[str] = None
    sagemaker_thread_count: Optional[int] = None
    allow_vertex_ai: Optional[bool] = None
    vertex_ai_port: Optional[int] = None
    vertex_ai_thread_count: Optional[int] = None
    vertex_ai_default_model: Optional[str] = None
    metrics_config: Optional[List[str]] = None
    trace_config: Optional[List[str]] = None
    cache_config: Optional[List[str]] = None
    cache_directory: Optional[str] = None
    buffer_manager_thread_count: Optional[int] = None

    def __post_init__(self) -> None:
        """Refuses a server that nobody could talk to."""
        if self.allow_http not in (True, None) and self.allow_grpc not in (True, None):
            raise PyTritonValidationError("The `http` or `grpc` endpoint has to be allowed.")

    def to_dict(self) -> Dict[str, Any]:
        """All fields, also those that are None."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> TritonConfig:
        """A configuration from names and values, which may be texts.

        Unknown names are logged and left out.

        Raises:
            ValueError: A text is not of the field's type.
        """
        types = field_types()
        known = {}
        for name, value in config.items():
            if name in types:
                known[name] = _cast(name, value, types[name])
                continue
            LOGGER.warning(
                "Ignoring %s=%s as could not find matching config field. Available fields: %s",
                name,
                value,
                ", ".join(types),
            )
        return cls(**known)

    @classmethod
    def from_env(cls) -> TritonConfig:
        """A configuration from the variables PYTRITON_TRITON_CONFIG_<FIELD>.

        A list field also takes its elements from <FIELD>_0, <FIELD>_1, ...

        Raises:
            ValueError: A text is not of the field's type.
        """
        return cls.from_dict(environment_values())


def field_types() -> Dict[str, Any]:
    """The inner type of every field, in order."""
    hints = typing.get_type_hints(TritonConfig)
    return {
        field.name: typing.get_args(hints[field.name])[0]
        for field in dataclasses.fields(TritonConfig)
    }


def environment_values() -> Dict[str, Any]:
    """What PYTRITON_TRITON_CONFIG_* variables say, by lower-case names; lists are joined."""
    values: Dict[str, Any] = {}
    elements: Dict[str, List[Tuple[int, str]]] = {}
    for name, value in os.environ.items():
        if not name.startswith(ENV_PREFIX):
            continue
        name = name[len(ENV_PREFIX) :].lower()
        numbered = re.fullmatch(r"(.+)_(\d+)", name)
        if numbered:
            elements.setdefault(numbered.group(1), []).append((int(numbered.group(2)), value))
        else:
            values[name] = value
    for name, items in elements.items():
        values[name] = [value for _, value in sorted(items)]
    return values


def _cast(name: str, value: Any, target: Any) -> Any:
    if target is bool:
        return _to_bool(name, value)
    if typing.get_origin(target) is list:
        return [value] if isinstance(value, str) else list(value)
    return target(value)


def _to_bool(name: str, value: Any) -> bool:
    if not isinstance(value, str):
        return bool(value)
    text = value.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"{name}: expected true or false, got {value!r}")


@dataclasses.dataclass
class TritonLifecyclePolicy:
    """When the server starts and where models are kept.

    Attributes:
        launch_triton_on_startup: Start on entering the context; else on `run` or `serve` only.
        local_model_store: Write bound models to files. Bound models need none here, so it has no
            effect.
    """

    launch_triton_on_startup: bool = True
    local_model_store: bool = False


DefaultTritonLifecyclePolicy = TritonLifecyclePolicy(
    launch_triton_on_startup=True, local_model_store=False
)
VertextAILifecyclePolicy = TritonLifecyclePolicy(
    launch_triton_on_startup=False, local_model_store=True
)
