"""Checks and conversions of what callables return."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytriton.model_config.triton_model_config import TritonModelConfig
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
        self._name = model_config.model_name
        self._strict = strict
        self._outputs = {spec.name: spec for spec in model_config.outputs or ()}

    def validate_responses(self, responses: Any, requests_number: int) -> list[dict[str, Any]]:
        """Checks one result for each of `requests_number` requests.

        Returns:
            The results as a list of dicts.

        Raises:
            ValueError: Something is not as it must be; the text says what.
        """
        if not isinstance(responses, list):
            raise ValueError(
                f"Outputs returned by `{self._name}` model callable "
                "must be list of response dicts with numpy arrays. "
                f"Got outputs={responses} instead."
            )
        if len(responses) != requests_number:
            raise ValueError(
                f"Number of outputs returned by `{self._name}` inference callable "
                f"({len(responses)}) does not match number of requests ({requests_number}) "
                "received from Triton."
            )
        return [self._validate_response(response) for response in responses]

    def _validate_response(self, response: Any) -> dict[str, Any]:
        if isinstance(response, (Request, Response)):
            response = response.data
        if not isinstance(response, dict):
            raise ValueError(
                f"Outputs returned by `{self._name}` model callable "
                "must be list of response dicts with numpy arrays. "
                f"Got response={response} instead."
            )
        for name, value in response.items():
            self.validate_output(name, value)
        return response

    def validate_output(self, name: Any, value: Any) -> None:
        """Checks one output.

        Raises:
            ValueError: Something is not as it must be; the text says what.
        """
        if not isinstance(name, str):
            raise ValueError(f"Not all keys returned by `{self._name}` model callable are string")
        if not isinstance(value, np.ndarray):
            raise ValueError(
                f"Not all values returned by `{self._name}` model callable are numpy arrays"
            )
        if value.dtype.kind not in _KINDS and value.dtype.name != "bfloat16":
            raise ValueError(
                "Only bool, numeric, string, unicode and object arrays "
                f"are supported by Triton (dtype.kind: {_KINDS}). "
                f"Returned `{name}` for model `{self._name}` has `{value.dtype.kind}` dtype.kind."
            )
        if value.dtype.kind == "O":
            self._validate_objects(name, value)
        if self._strict:
            self._validate_strictly(name, value)

    def _validate_objects(self, name: str, value: np.ndarray[Any, Any]) -> None:
        for element in value.flat:
            if isinstance(element, bytes):
                continue
            if isinstance(element, str):
                raise ValueError(
                    "Use string/byte-string instead of object for passing "
                    f"string in NumPy array from model `{self._name}`."
                )
            raise ValueError(
                "Only bytes as objects dtype are supported by PyTriton. "
                f"Returned `{name}` from `{self._name}` has `{type(element)}` type."
            )

    def _validate_strictly(self, name: str, value: np.ndarray[Any, Any]) -> None:
        spec = self._outputs.get(name)
        if spec is None:
            raise ValueError(
                f"Returned output `{name}` is not defined in model config for model `{self._name}`."
            )
        if not _has_type(value, spec.dtype):
            raise ValueError(
                f"Returned output `{name}` for model `{self._name}` has invalid type. "
                f"Returned: {value.dtype} ({value.dtype.kind}). Expected: {spec.dtype}."
            )
        shape = value.shape[1:] if self._config.batching else value.shape
        expected = tuple(spec.shape)
        if len(shape) != len(expected):
            raise ValueError(
                f"Returned output `{name}` for model `{self._name}` has invalid shapes. "
                f"Returned: {shape}. Expected: {expected}."
            )
        if any(want not in (-1, got) for want, got in zip(expected, shape)):
            raise ValueError(
                f"Returned output `{name}` for model `{self._name}` "
                "has invalid shapes at one or more positions. "
                f"Returned: {shape}. Expected: {expected}."
            )

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
