"""From a model configuration as servers tell it to a TritonModelConfig."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pytriton.exceptions import PyTritonError, PyTritonModelConfigError
from pytriton.model_config.common import (
    DeviceKind,
    DynamicBatcher,
    ModelWarmup,
    QueuePolicy,
    TimeoutAction,
    WarmupInput,
)
from pytriton.model_config.triton_model_config import ResponseCache, TensorSpec, TritonModelConfig

__all__ = ["ModelConfigParser"]

# By the name of the type without TYPE_.
DTYPES: dict[str, Any] = {
    "BOOL": np.dtype("bool"),
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "STRING": np.bytes_,
    "BF16": "bfloat16",
}


class ModelConfigParser:
    """Parses model configurations."""

    @classmethod
    def from_dict(cls, model_config_dict: dict[str, Any]) -> TritonModelConfig:
        """Parses the JSON form of a configuration (keys with underscores).

        Args:
            model_config_dict: As the config endpoint of a server gives it.

        Raises:
            PyTritonModelConfigError: A tensor has no name, type or dimensions, or an unknown type;
                or one of a warm-up.
            TypeError: The parameters are neither a dict nor a list.
        """
        config = model_config_dict
        max_batch_size = int(config.get("max_batch_size", 0))
        inputs = [
            cls.rewrite_io_spec(item, "input", index)
            for index, item in enumerate(config.get("input") or ())
        ]
        outputs = [
            cls.rewrite_io_spec(item, "output", index)
            for index, item in enumerate(config.get("output") or ())
        ]
        cache = config.get("response_cache")
        return TritonModelConfig(
            model_name=config["name"],
            batching=max_batch_size > 0,
            max_batch_size=max_batch_size,
            inputs=inputs or None,
            outputs=outputs or None,
            batcher=_batcher(config.get("dynamic_batching")),
            instance_group=_instances(config.get("instance_group") or ()),
            decoupled=bool(config.get("model_transaction_policy", {}).get("decoupled", False)),
            backend_parameters=_parameters(config.get("parameters", {})),
            response_cache=ResponseCache(enable=bool(cache.get("enable"))) if cache else None,
            model_warmup=[_warmup(item) for item in config.get("model_warmup") or ()] or None,
        )

    @classmethod
    def from_file(cls, *, config_path: pathlib.Path) -> TritonModelConfig:
        """Parses a config.pbtxt.

        Args:
            config_path: The file.

        Raises:
            PyTritonModelConfigError: As from_dict; or the text is none, with line and column.
            OSError: The file can't be read.
        """
        from pytriton import _core

        path = pathlib.Path(config_path)
        try:
            config = json.loads(
                _core.config_text_to_json(path.read_text(encoding="utf-8"), str(path))
            )
        except PyTritonError as error:
            raise PyTritonModelConfigError(str(error)) from error
        batching = config.get("dynamic_batching")
        if batching and not batching.get("preferred_batch_size"):
            batching["preferred_batch_size"] = None  # not in the file; servers tell an empty list
        return cls.from_dict(config)

    @staticmethod
    def rewrite_io_spec(item: Mapping[str, Any], io_type: str, idx: int) -> TensorSpec:
        """Parses one input or output.

        Args:
            item: With name, data_type, dims and maybe optional.
            io_type: "input" or "output", for messages.
            idx: Its place, for messages.

        Raises:
            PyTritonModelConfigError: Something is missing or unknown.
        """
        name = item.get("name")
        if not name:
            raise PyTritonModelConfigError(f"Name for {io_type} at index {idx} not provided.")
        data_type = item.get("data_type")
        if not data_type:
            raise PyTritonModelConfigError(
                f"Data type for {io_type} with name `{name}` not defined."
            )
        prefix, _, kind = data_type.partition("_")
        if prefix != "TYPE" or not kind:
            raise PyTritonModelConfigError(
                f"Invalid data type `{data_type}` for {io_type} with name `{name}` not defined. "
                "The expected name is TYPE_{type}."
            )
        if kind not in DTYPES:
            raise PyTritonModelConfigError(
                f"Unsupported data type `{data_type}` for {io_type} with name `{name}`"
            )
        dims = item.get("dims")
        if not dims:
            raise PyTritonModelConfigError(
                f"Dimension for {io_type} with name `{name}` not defined."
            )
        shape = tuple(int(dim) for dim in dims)
        return TensorSpec(name, shape, DTYPES[kind], bool(item.get("optional", False)))


def _batcher(found: Mapping[str, Any] | None) -> DynamicBatcher | None:
    if found is None:
        return None
    policies = found.get("priority_queue_policy") or {}
    default = found.get("default_queue_policy")
    sizes = found.get("preferred_batch_size")
    return DynamicBatcher(
        preferred_batch_size=None if sizes is None else [int(size) for size in sizes],
        max_queue_delay_microseconds=int(found.get("max_queue_delay_microseconds", 0)),
        preserve_ordering=bool(found.get("preserve_ordering", False)),
        priority_levels=int(found.get("priority_levels", 0)),
        default_priority_level=int(found.get("default_priority_level", 0)),
        default_queue_policy=_policy(default) if default else None,
        priority_queue_policy=(
            {int(level): _policy(policy) for level, policy in policies.items()} or None
        ),
    )


def _policy(found: Mapping[str, Any]) -> QueuePolicy:
    return QueuePolicy(
        timeout_action=TimeoutAction(found.get("timeout_action", "REJECT")),
        default_timeout_microseconds=int(found.get("default_timeout_microseconds", 0)),
        allow_timeout_override=bool(found.get("allow_timeout_override", False)),
        max_queue_size=int(found.get("max_queue_size", 0)),
    )


def _warmup(found: Mapping[str, Any]) -> ModelWarmup:
    return ModelWarmup(
        name=found.get("name", ""),
        batch_size=int(found.get("batch_size", 0)),
        inputs={name: _warmup_input(name, item) for name, item in found.get("inputs", {}).items()},
        count=int(found.get("count", 0)),
    )


def _warmup_input(name: str, found: Mapping[str, Any]) -> WarmupInput:
    data_type = found.get("data_type", "")
    kind = data_type[5:] if data_type.startswith("TYPE_") else None
    if kind not in DTYPES:
        raise PyTritonModelConfigError(f"Invalid data type `{data_type}` for {name}.")
    return WarmupInput(
        dtype=DTYPES[kind],
        shape=tuple(int(dim) for dim in found.get("dims", ())),
        zero_data=bool(found.get("zero_data", False)),
        random_data=bool(found.get("random_data", False)),
        input_data_file=found.get("input_data_file") or None,
    )


def _instances(groups: Any) -> dict[DeviceKind, int | None]:
    kinds = {kind.value for kind in DeviceKind}
    return {
        DeviceKind(group.get("kind", "KIND_AUTO")): group.get("count")
        for group in groups
        if group.get("kind", "KIND_AUTO") in kinds
    }


def _parameters(found: Any) -> dict[str, str]:
    if isinstance(found, Mapping):
        return {name: value["string_value"] for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return dict.fromkeys(found, "")
    raise TypeError(f"expected parameters as a dict or a list, got {type(found)}")
