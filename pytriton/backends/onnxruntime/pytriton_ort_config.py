"""What an ONNX model says about its tensors, against what its configuration says."""

from __future__ import annotations

import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np


def default_max_batch_size() -> int:
    """What a model that can batch gets when its configuration says nothing.

    `--backend-config [onnxruntime,]default-max-batch-size=N`, as Triton; 4 without it.
    """
    for line in os.environ.get("PYTRITON_BACKEND_CONFIG", "").splitlines():
        key, _, value = line.partition("=")
        if key == "default-max-batch-size":
            return int(value)
    return 4


class ElementType(NamedTuple):
    """One row of the type table: configuration, numpy, number in ONNX."""

    triton: str
    dtype: Any
    onnx: int


TYPES = {
    "tensor(bool)": ElementType("TYPE_BOOL", np.dtype(np.bool_), 9),
    "tensor(uint8)": ElementType("TYPE_UINT8", np.dtype(np.uint8), 2),
    "tensor(uint16)": ElementType("TYPE_UINT16", np.dtype(np.uint16), 4),
    "tensor(uint32)": ElementType("TYPE_UINT32", np.dtype(np.uint32), 12),
    "tensor(uint64)": ElementType("TYPE_UINT64", np.dtype(np.uint64), 13),
    "tensor(int8)": ElementType("TYPE_INT8", np.dtype(np.int8), 3),
    "tensor(int16)": ElementType("TYPE_INT16", np.dtype(np.int16), 5),
    "tensor(int32)": ElementType("TYPE_INT32", np.dtype(np.int32), 6),
    "tensor(int64)": ElementType("TYPE_INT64", np.dtype(np.int64), 7),
    "tensor(float16)": ElementType("TYPE_FP16", np.dtype(np.float16), 10),
    "tensor(float)": ElementType("TYPE_FP32", np.dtype(np.float32), 1),
    "tensor(double)": ElementType("TYPE_FP64", np.dtype(np.float64), 11),
    "tensor(bfloat16)": ElementType("TYPE_BF16", np.dtype(np.uint16), 16),  # its bits
    "tensor(string)": ElementType("TYPE_STRING", np.dtype(np.object_), 8),
}


class ModelError(Exception):
    """The model can't be loaded; the text says why."""


class Port(NamedTuple):
    """One input or output of the ONNX model.

    Attributes:
        name: its name.
        type: its element type.
        dims: sizes; names of symbols, or None, for those that are not fixed.
        is_optional: an initializer that an input may replace.
    """

    name: str
    type: ElementType
    dims: Sequence[Any]
    is_optional: bool

    def shape(self) -> List[int]:
        """The dimensions with -1 for those that are not fixed."""
        return [dim if isinstance(dim, int) and dim >= 0 else -1 for dim in self.dims]


def _port(node: Any, is_optional: bool = False) -> Port:
    element = TYPES.get(node.type)
    if element is None:
        kind = node.type.split("(")[0]
        kind = {"seq": "SEQUENCE", "map": "MAP", "optional": "OPTIONAL"}.get(kind, kind.upper())
        raise ModelError(
            f"Unsupported ONNX Type 'ONNX_TYPE_{kind}' for I/O '{node.name}', expected "
            "'ONNX_TYPE_TENSOR'. (scikit-learn models: convert with zipmap=False)"
        )
    return Port(node.name, element, list(node.shape), is_optional)


class Ports(NamedTuple):
    """Inputs (those that may be left out behind the others) and outputs of an ONNX model."""

    inputs: List[Port]
    outputs: List[Port]

    def can_batch(self) -> bool:
        """Whether every tensor's first dimension is free."""
        ports = [port for port in [*self.inputs, *self.outputs] if not port.is_optional]
        return all(port.dims and port.shape()[0] == -1 for port in ports)


def ports_of(session: Any) -> Ports:
    """The ports of a session.

    Raises:
        ModelError: one of them is no tensor of a known type.
    """
    inputs = [_port(node) for node in session.get_inputs()]
    inputs += [_port(node, True) for node in session.get_overridable_initializers()]
    return Ports(inputs, [_port(node) for node in session.get_outputs()])


def model_path(config: Dict[str, Any], version_dir: str) -> str:
    """The model's file, or the file in the model's directory.

    Raises:
        ModelError: there is none.
    """
    name = config.get("default_model_filename") or "model.onnx"
    path = os.path.join(version_dir, name)
    if os.path.isdir(path):
        path = os.path.join(path, name)
    if not os.path.isfile(path):
        raise ModelError(f"unable to find '{path}' for model instance '{config.get('name', '')}'")
    return path


def complete(model_config: Any, ports: Ports) -> None:
    """Completes a `pb_utils.ModelConfig` from the model.

    Raises:
        ModelError: the configuration wants batches and the model can't have them.
    """
    config = model_config.as_dict()
    has_inputs, has_outputs = bool(config.get("input")), bool(config.get("output"))
    batch_size = config.get("max_batch_size", 0)
    can_batch = ports.can_batch()
    if batch_size > 0 and not can_batch:
        raise ModelError(
            f"autofill failed for model '{config.get('name', '')}': model does not support "
            "batching while non-zero max_batch_size is specified"
        )
    if batch_size == 0 and can_batch and not has_inputs and not has_outputs:
        batch_size = default_max_batch_size()
        model_config.set_max_batch_size(batch_size)
        has_scheduler = any(key in config for key in ("sequence_batching", "ensemble_scheduling"))
        if batch_size > 1 and not has_scheduler:
            model_config.set_dynamic_batching()
    first = 1 if batch_size > 0 else 0
    if not has_inputs:
        for port in ports.inputs:
            if port.is_optional and batch_size > 0:
                continue
            entry = _entry(port, first)
            if port.is_optional:
                entry["optional"] = True
            model_config.add_input(entry)
    if not has_outputs:
        for port in ports.outputs:
            model_config.add_output(_entry(port, first))


def _entry(port: Port, first: int) -> Dict[str, Any]:
    # Configurations know no dimensions of no rank: one element it is.
    dims = port.shape()[first:] or [1]
    return {"name": port.name, "data_type": port.type.triton, "dims": dims}


def validate(config: Dict[str, Any], ports: Ports) -> None:
    """Compares a complete configuration with the model.

    Raises:
        ModelError: they don't fit each other.
    """
    name = config["name"]
    required = [port for port in ports.inputs if not port.is_optional]
    inputs = config.get("input", [])
    if not len(required) <= len(inputs) <= len(ports.inputs):
        raise ModelError(
            f"unable to load model '{name}', configuration expects {len(inputs)} inputs, model "
            f"provides {len(required)}"
        )
    has_batch = config.get("max_batch_size", 0) > 0
    for kind, entries, known in (
        ("input", inputs, ports.inputs),
        ("output", config.get("output", []), ports.outputs),
    ):
        by_name = {port.name: port for port in known}
        for entry in entries:
            port = by_name.get(entry["name"])
            if port is None:
                allowed = ", ".join(sorted(by_name))
                raise ModelError(
                    f"unexpected inference {kind} '{entry['name']}', allowed {kind}s are: {allowed}"
                )
            if entry["data_type"] != port.type.triton:
                raise ModelError(
                    f"unable to load model '{name}', configuration expects datatype "
                    f"{entry['data_type']} for {kind} '{port.name}', model provides "
                    f"{port.type.triton}"
                )
            _check_shape(name, entry, port, has_batch)


def _text(dims: Sequence[int]) -> str:
    return "[" + ",".join(map(str, dims)) + "]"


def _check_shape(name: str, entry: Dict[str, Any], port: Port, has_batch: bool) -> None:
    given = [int(dim) for dim in _model_dims(entry)]
    expected = port.shape()
    where = f"model '{name}', tensor '{port.name}': "
    if not expected and given == [1]:
        return
    if has_batch and not port.is_optional:
        if not expected or expected[0] != -1:
            raise ModelError(
                f"{where}for the model to support batching the shape should have at least 1 "
                "dimension and the first dimension must be -1; but shape expected by the model is "
                + _text(expected)
            )
        complete_shape = [-1, *given]
        suffix = (
            f"{len(given)} dimensions (an initial batch dimension because max_batch_size > 0 "
            f"followed by the explicit tensor shape, making complete shape {_text(complete_shape)})"
        )
    else:
        complete_shape = given
        suffix = f"{len(given)} dimensions (shape {_text(given)})"
    fits = len(complete_shape) == len(expected) and all(
        want in (-1, got) for want, got in zip(expected, complete_shape)
    )
    if not fits:
        raise ModelError(
            f"{where}the model expects {len(expected)} dimensions (shape {_text(expected)}) but "
            f"the model configuration specifies {suffix}"
        )


def _model_dims(entry: Dict[str, Any]) -> Sequence[Any]:
    reshape: Optional[Dict[str, Any]] = entry.get("reshape")
    if reshape is not None and "shape" in reshape:
        shape: Sequence[Any] = reshape["shape"]
        return shape
    dims: Sequence[Any] = entry["dims"]
    return dims
