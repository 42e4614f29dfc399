"""ModelConfigGenerator: a model's configuration as Triton's dict and file."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from pytriton._datatypes import wire_type
from pytriton.exceptions import PyTritonBadParameterError
from pytriton.model_config.common import DynamicBatcher, ModelWarmup, QueuePolicy, WarmupInput
from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig

__all__ = ["ModelConfigGenerator"]


class ModelConfigGenerator:
    """Writes the configuration of a bound model in Triton's terms."""

    def __init__(self, config: TritonModelConfig) -> None:
        """Keeps the configuration.

        Args:
            config: Of one version of a model.
        """
        self._config = config

    def get_config(self) -> dict[str, Any]:
        """The configuration as Triton's JSON has it; what has its default is left out.

        Raises:
            PyTritonBadParameterError: The configuration contradicts itself.
        """
        result: dict[str, Any] = {"name": self._config.model_name, "backend": self._config.backend}
        self._set_batching(result)
        self._set_model_signature(result)
        self._set_instance_group(result)
        self._set_model_transaction_policy(result)
        self._set_backend_parameters(result)
        self._set_response_cache(result)
        self._set_model_warmup(result)
        return result

    def to_file(self, config_path: str | pathlib.Path) -> str:
        """Writes config.pbtxt and makes the directories it needs.

        Args:
            config_path: The file.

        Returns:
            What was written.

        Raises:
            PyTritonBadParameterError: The configuration contradicts itself.
        """
        text = "".join(_field(_snake(name), value, 0) for name, value in self.get_config().items())
        path = pathlib.Path(config_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return text

    # Each sets its part in `result`, where there is something to say. PyTriton's tests know them.

    def _set_batching(self, result: dict[str, Any]) -> None:
        config = self._config
        if config.batching and config.max_batch_size < 1:
            raise PyTritonBadParameterError("The `max_batch_size` must be greater or equal to 1.")
        result["max_batch_size"] = config.max_batch_size if config.batching else 0
        if config.batching and isinstance(config.batcher, DynamicBatcher):
            result["dynamic_batching"] = _batcher(config.batcher)

    def _set_model_signature(self, result: dict[str, Any]) -> None:
        config = self._config
        if config.inputs:
            result["input"] = [_io(spec, "input") for spec in config.inputs]
        if config.outputs:
            _check_outputs(config.outputs)
            result["output"] = [_io(spec, "output") for spec in config.outputs]

    def _set_instance_group(self, result: dict[str, Any]) -> None:
        if self._config.instance_group:
            result["instance_group"] = [
                {"count": count, "kind": kind.value}
                for kind, count in self._config.instance_group.items()
            ]

    def _set_model_transaction_policy(self, result: dict[str, Any]) -> None:
        if self._config.decoupled:
            result["model_transaction_policy"] = {"decoupled": True}

    def _set_backend_parameters(self, result: dict[str, Any]) -> None:
        if self._config.backend_parameters:
            result["parameters"] = {
                name: {"string_value": str(value)}
                for name, value in self._config.backend_parameters.items()
            }

    def _set_response_cache(self, result: dict[str, Any]) -> None:
        if self._config.response_cache:
            result["response_cache"] = {"enable": self._config.response_cache.enable}

    def _set_model_warmup(self, result: dict[str, Any]) -> None:
        if self._config.model_warmup:
            result["model_warmup"] = [_warmup(warmup) for warmup in self._config.model_warmup]


def check_priorities(batcher: DynamicBatcher) -> None:
    """Refuses priorities that there are not.

    Raises:
        PyTritonBadParameterError: A level is out of range, or there are policies without levels.
    """
    levels = batcher.priority_levels
    if levels and not 1 <= batcher.default_priority_level <= levels:
        raise PyTritonBadParameterError(
            f"The `default_priority_level` must be between 1 and {levels}."
        )
    if batcher.priority_queue_policy and not levels:
        raise PyTritonBadParameterError(
            "Provide the `priority_levels` if you want to define `priority_queue_policy` "
            "for Dynamic Batching."
        )
    for priority in batcher.priority_queue_policy or {}:
        if not 1 <= priority <= levels:
            raise PyTritonBadParameterError(
                f"Invalid `priority`={priority} provided. The value must be between 1 and {levels}."
            )


def _batcher(batcher: DynamicBatcher) -> dict[str, Any]:
    check_priorities(batcher)
    default = batcher.default_queue_policy
    values = {
        "maxQueueDelayMicroseconds": batcher.max_queue_delay_microseconds,
        "preferredBatchSize": list(batcher.preferred_batch_size or ()),
        "preserveOrdering": batcher.preserve_ordering,
        "priorityLevels": batcher.priority_levels,
        "defaultPriorityLevel": batcher.default_priority_level,
        "defaultQueuePolicy": _policy(default) if default else None,
        "priorityQueuePolicy": {
            level: _policy(policy)
            for level, policy in (batcher.priority_queue_policy or {}).items()
        },
    }
    return {name: value for name, value in values.items() if value}


def _policy(policy: QueuePolicy) -> dict[str, Any]:
    return {
        "timeoutAction": policy.timeout_action.value,
        "defaultTimeoutMicroseconds": policy.default_timeout_microseconds,
        "allowTimeoutOverride": policy.allow_timeout_override,
        "maxQueueSize": policy.max_queue_size,
    }


def _data_type(dtype: Any, name: str) -> str:
    wire = wire_type(dtype, name)[0]
    return "TYPE_STRING" if wire == "BYTES" else f"TYPE_{wire}"


def _io(spec: TensorSpec, kind: str) -> dict[str, Any]:
    if not spec.shape and spec.shape != ():
        raise PyTritonBadParameterError(f"Dimension for {kind} {spec.name} not defined.")
    item = {
        "name": spec.name,
        "dims": list(spec.shape),
        "data_type": _data_type(spec.dtype, spec.name),
    }
    return {**item, "optional": True} if spec.optional else item


def _check_outputs(outputs: Sequence[TensorSpec]) -> None:
    names = ", ".join(spec.name for spec in outputs if spec.optional)
    if names:
        raise PyTritonBadParameterError(
            f"Optional flag for outputs is not supported. Outputs marked as optional: {names}."
        )


def _warmup(warmup: ModelWarmup) -> dict[str, Any]:
    return {
        "name": warmup.name,
        "batch_size": warmup.batch_size,
        "inputs": {name: _warmup_input(name, item) for name, item in warmup.inputs.items()},
        "count": warmup.count,
    }


def _warmup_input(name: str, item: WarmupInput) -> dict[str, Any]:
    result: dict[str, Any] = {
        "data_type": _data_type(item.dtype, name),
        "dims": list(item.shape),
    }
    if item.zero_data:
        result["zero_data"] = True
    elif item.random_data:
        result["random_data"] = True
    elif item.input_data_file:
        result["input_data_file"] = str(item.input_data_file)
    else:
        raise PyTritonBadParameterError(
            "One of 'zero_data', 'random_data', or 'input_data_file' must be provided for warmup "
            "input."
        )
    return result


# Text format of protobuf. Names of message fields are snake_case there.

_WORDS = {"data_type", "kind", "timeout_action"}
_MAPS = {"parameters", "inputs", "priority_queue_policy"}


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _field(name: str, value: Any, depth: int) -> str:
    indent = "  " * depth
    if name in _MAPS and isinstance(value, dict):
        return "".join(
            f"{indent}{name} {{\n{_field('key', key, depth + 1)}"
            f"{_field('value', item, depth + 1)}{indent}}}\n"
            for key, item in value.items()
        )
    if isinstance(value, dict):
        inner = "".join(_field(_snake(key), item, depth + 1) for key, item in value.items())
        return f"{indent}{name} {{\n{inner}{indent}}}\n"
    if isinstance(value, list):
        return "".join(_field(name, item, depth) for item in value)
    return f"{indent}{name}: {_scalar(name, value)}\n"


def _scalar(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str) or name in _WORDS:
        return str(value)
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in value.encode()
    )
    return f'"{escaped}"'
