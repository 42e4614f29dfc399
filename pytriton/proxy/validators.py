"""Checks and conversions of what callables return."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig
from pytriton.proxy.types import Request, Response

__all__ = ["TritonResultsValidator"]

_KINDS = "biufOSU"
_TEXT_KINDS = "OSU"


class TritonResultsValidator:
    """Checks results against a model's configuration."""

    def __init__(self, model_config: TritonModelConfig, strict: bool) -> None:
        """Keeps the configuration.

        Args:
            model_config: Configuration of the model.
            strict: Whether names, types and shapes must match it exactly.
        """
        self._config = model_config
        self._strict = strict
        self._outputs = {spec.name: spec for spec in model_config.outputs or ()}

    def validate_responses(self, responses: Any, requests_number: int) -> list[dict[str, Any]]:
        """Checks one result for each of `requests_number` requests.

        Returns:
            The results as a list of dicts.

        Raises:
            ValueError: Something is not as it must be; the text says what.
        """
        return _validate_outputs(
            self._config, self._outputs, responses, self._strict, requests_number
        )

    def validate_output(self, name: Any, value: Any) -> None:
        """Checks one output.

        Raises:
            ValueError: Something is not as it must be; the text says what.
        """
        _validate_output_data(self._config, name, value)
        if self._strict:
            _validate_output_dtype_and_shape(self._config, self._outputs, name, value)

    def convert(
        self, response: dict[str, Any], dtypes: dict[str, tuple[str, np.dtype[Any]]]
    ) -> dict[str, np.ndarray[Any, Any]]:
        """The declared outputs as contiguous arrays of the declared types.

        Args:
            response: A validated result.
            dtypes: (wire type, dtype) of each declared output by name.

        Raises:
            ValueError: A value can't be converted.
        """
        return {
            name: _convert(name, value, dtypes[name])
            for name, value in response.items()
            if name in dtypes
        }


def _validate_outputs(
    model_config: TritonModelConfig,
    model_outputs: dict[str, TensorSpec],
    outputs: Any,
    strict: bool,
    requests_number: int,
) -> list[dict[str, Any]]:
    """Checks all results of a batch; see TritonResultsValidator."""
    name = model_config.model_name
    if not isinstance(outputs, list):
        raise ValueError(
            f"Outputs returned by `{name}` model callable "
            "must be list of response dicts with numpy arrays. "
            f"Got outputs={outputs} instead."
        )
    if len(outputs) != requests_number:
        raise ValueError(
            f"Number of outputs returned by `{name}` inference callable "
            f"({len(outputs)}) does not match number of requests ({requests_number}) "
            "received from Triton."
        )
    results = []
    for response in outputs:
        result = _as_dict(response, name)
        for output, value in result.items():
            _validate_output_data(model_config, output, value)
            if strict:
                _validate_output_dtype_and_shape(model_config, model_outputs, output, value)
        results.append(result)
    return results


def _as_dict(response: Any, model_name: str) -> dict[str, Any]:
    if isinstance(response, (Request, Response)):
        response = response.data
    if not isinstance(response, dict):
        raise ValueError(
            f"Outputs returned by `{model_name}` model callable "
            "must be list of response dicts with numpy arrays. "
            f"Got response={response} instead."
        )
    return response


def _validate_output_data(model_config: TritonModelConfig, name: Any, value: Any) -> None:
    """Checks that an output is an array that has a type on the wire."""
    model_name = model_config.model_name
    if not isinstance(name, str):
        raise ValueError(f"Not all keys returned by `{model_name}` model callable are string")
    if not isinstance(value, np.ndarray):
        raise ValueError(
            f"Not all values returned by `{model_name}` model callable are numpy arrays"
        )
    if value.dtype.kind not in _KINDS and value.dtype.name != "bfloat16":
        raise ValueError(
            "Only bool, numeric, string, unicode and object arrays "
            f"are supported by Triton (dtype.kind: {_KINDS}). "
            f"Returned `{name}` for model `{model_name}` has `{value.dtype.kind}` dtype.kind."
        )
    if value.dtype.kind == "O":
        _validate_objects(model_name, name, value)


def _validate_objects(model_name: str, name: str, value: np.ndarray[Any, Any]) -> None:
    for element in value.flat:
        if isinstance(element, bytes):
            continue
        if isinstance(element, str):
            raise ValueError(
                "Use string/byte-string instead of object for passing "
                f"string in NumPy array from model `{model_name}`."
            )
        raise ValueError(
            "Only bytes as objects dtype are supported by PyTriton. "
            f"Returned `{name}` from `{model_name}` has `{type(element)}` type."
        )


def _validate_output_dtype_and_shape(
    model_config: TritonModelConfig,
    model_outputs: dict[str, TensorSpec],
    name: str,
    value: np.ndarray[Any, Any],
) -> None:
    """Checks an output against what the model declares."""
    of_model = f"Returned output `{name}` for model `{model_config.model_name}`"
    spec = model_outputs.get(name)
    if spec is None:
        raise ValueError(
            f"Returned output `{name}` is not defined in model config for model "
            f"`{model_config.model_name}`."
        )
    if not _has_type(value, spec.dtype):
        raise ValueError(
            f"{of_model} has invalid type. "
            f"Returned: {value.dtype} ({value.dtype.kind}). Expected: {spec.dtype}."
        )
    shape = value.shape[1:] if model_config.batching else value.shape
    expected = tuple(spec.shape)
    if len(shape) != len(expected):
        raise ValueError(f"{of_model} has invalid shapes. Returned: {shape}. Expected: {expected}.")
    if any(want not in (-1, got) for want, got in zip(expected, shape)):
        raise ValueError(
            f"{of_model} has invalid shapes at one or more positions. "
            f"Returned: {shape}. Expected: {expected}."
        )


def _has_type(value: np.ndarray[Any, Any], declared: Any) -> bool:
    if isinstance(declared, str):  # "bfloat16": float32 arrays
        return bool(value.dtype == np.float32)
    is_text = declared in (bytes, object, np.bytes_, np.object_)
    if value.dtype.kind in _TEXT_KINDS:
        return is_text
    return not is_text and bool(np.issubdtype(value.dtype, declared))


def _convert(
    name: str, value: np.ndarray[Any, Any], target: tuple[str, np.dtype[Any]]
) -> np.ndarray[Any, Any]:
    wire, dtype = target
    # Subclasses (matrices, masked arrays) become plain arrays; 0-d arrays stay 0-d.
    plain = np.asarray(value)
    try:
        if wire != "BYTES":
            plain = plain.astype(dtype, copy=False)
        elif plain.dtype.kind not in _TEXT_KINDS:
            plain = plain.astype(np.bytes_)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Returned output `{name}` has type {value.dtype}, which can't be converted to the "
            f"declared {dtype}: {error}"
        ) from error
    return np.require(plain, dtype=plain.dtype.newbyteorder("="), requirements="C")
