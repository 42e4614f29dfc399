"""Options of the core: from TritonConfig, the environment and the command line to its table."""

from __future__ import annotations

import contextvars
import dataclasses
import logging
from collections.abc import Mapping
from typing import Any, Union

from pytriton import _core
from pytriton._triton_config import TritonConfig, environment_values, field_types

LOGGER = logging.getLogger("pytriton.triton")

OptionTexts = dict[str, Union[str, list[str]]]

# What `python -m pytriton.serve` was given; it wins over the configuration in the script it runs.
COMMAND_LINE: contextvars.ContextVar[OptionTexts] = contextvars.ContextVar("pytriton_command_line")


def merge_environment(config: TritonConfig) -> tuple[TritonConfig, OptionTexts]:
    """Fills what the configuration leaves open from PYTRITON_TRITON_CONFIG_* variables.

    Args:
        config: What the user has given.

    Returns:
        The configuration, and the options from the environment that are no field of it.

    Raises:
        ValueError: A variable's text is not of the option's type.
    """
    values = environment_values()
    names = {row["name"] for row in _core.option_table()}
    others: OptionTexts = {}
    for name in set(values) - set(field_types()):
        if name.replace("_", "-") in names:
            others[name.replace("_", "-")] = values.pop(name)
    from_env = TritonConfig.from_dict(values)
    given = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if getattr(config, field.name) is not None
    }
    return dataclasses.replace(from_env, **given), others


def to_texts(options: Mapping[str, Any]) -> OptionTexts:
    """Options as the core takes them: by command-line names, as texts; without those that are None.

    Args:
        options: Values by names with dashes or underscores.
    """
    texts: OptionTexts = {}
    for name, value in options.items():
        if value is None:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        rendered = [_to_text(item) for item in values]
        name = name.replace("_", "-")
        texts[name] = rendered if isinstance(value, (list, tuple)) else rendered[0]
    return texts


def _to_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# Why options have no effect, by the beginning of their names.
_WHY = {
    "grpc-keepalive": "clients' pings are answered, the server sends none",
    "grpc-http2": "pings are not counted",
    "http-thread-count": "loop-threads serves all protocols",
    "grpc-infer-thread-count": "loop-threads serves all protocols",
    "buffer-manager-thread-count": "the instance's thread gathers",
    "sagemaker-thread-count": "loop-threads serves all protocols",
    "vertex-ai-thread-count": "loop-threads serves all protocols",
    "grpc-infer-allocation-pool-size": "requests need no pool",
    "cache-directory": "the cache is built in",
    "allow-gpu-metrics": "there are none of GPUs",
}


def warn_of_ineffective(options: OptionTexts) -> None:
    """One warning that names the options which the core accepts without effect, and why."""
    ineffective = [
        row["name"] for row in _core.option_table() if row["name"] in options and not row["active"]
    ]
    if ineffective:
        LOGGER.warning(
            "These options have no effect in this version: %s",
            ", ".join(name + _why(name) for name in ineffective),
        )


def _why(name: str) -> str:
    for beginning, reason in _WHY.items():
        if name.startswith(beginning):
            return f" ({reason})"
    return ""
