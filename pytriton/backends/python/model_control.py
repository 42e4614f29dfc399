"""Loading, unloading and asking for other models."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from .._channel import CallError
from . import runtime


def _require(value: Any, expected: type, argument: str) -> None:
    if not isinstance(value, expected):
        raise TypeError(f"expected {expected.__name__} for {argument}, got {type(value)}")


def _call(kind: str, payload: Dict[str, Any], what: str) -> Dict[str, Any]:
    current = runtime.current()
    try:
        return current.channel.call(kind, payload)
    except CallError as error:
        raise current.failed(what, str(error)) from None


def load_model(
    model_name: str, config: str = "", files: Optional[Mapping[str, bytes]] = None
) -> None:
    """Loads or reloads a model; returns when it is ready.

    Args:
        model_name: its name.
        config: its configuration as JSON text; empty: that of the repository.
        files: bytes by "file:<version>/<name>"; they replace the model's directory and need a
            configuration.

    Raises:
        TypeError: arguments of other types.
        TritonModelException: the server's model control mode isn't EXPLICIT, or the load failed.
    """
    _require(model_name, str, "model_name")
    _require(config, str, "config")
    given: Dict[str, bytes] = {}
    if files is not None:
        _require(files, dict, "files")
        for name, content in files.items():
            _require(name, str, "the name of a file")
            _require(content, bytes, "the content of a file")
            given[name] = content
    payload: Dict[str, Any] = {"name": model_name, "config": config}
    if given:
        payload["files"] = given
    _call("load_model", payload, "Failed to load model")


def unload_model(model_name: str, unload_dependents: bool = False) -> None:
    """Unloads a model in the background; nothing happens if there is none of that name.

    Raises:
        TypeError: arguments of other types.
        TritonModelException: the server's model control mode isn't EXPLICIT.
    """
    _require(model_name, str, "model_name")
    _require(unload_dependents, bool, "unload_dependents")
    payload = {"name": model_name, "unload_dependents": unload_dependents}
    _call("unload_model", payload, "Failed to unload model")


def is_model_ready(model_name: str, model_version: str = "") -> bool:
    """Whether a model can be asked now.

    Args:
        model_name: its name.
        model_version: number as text; empty: any version.

    Raises:
        TypeError: arguments of other types.
        TritonModelException: the version is no number.
    """
    _require(model_name, str, "model_name")
    _require(model_version, str, "model_version")
    payload = {"name": model_name, "version": model_version}
    return bool(_call("is_model_ready", payload, "Failed to check model readiness")["ready"])
