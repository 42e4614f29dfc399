"""InferenceResponse: what a model answers, and what it gets from other models."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from .._channel import RawError, RawTensor
from . import parameters as parameters_module
from .errors import TritonError, TritonModelException, code_from_number
from .tensor import Tensor, from_wire

_new = object.__new__


class InferenceResponse:
    """One response.

    Args:
        output_tensors: the outputs, any order; a sequence of Tensor.
        error: why there are none; the outputs are ignored then.
        parameters: dict of str to bool, int or str, for the client.

    Raises:
        TypeError: no sequence of tensors, or no TritonError.
        TritonModelException: a tensor is None, or the parameters are of other types.
    """

    __slots__ = ("__weakref__", "_error", "_parameters", "_tensors")

    _tensors: List[Tensor]
    _error: Optional[TritonError]
    _parameters: str

    def __init__(
        self,
        output_tensors: Sequence[Tensor] = (),
        error: Optional[TritonError] = None,
        parameters: Optional[Any] = None,
    ) -> None:
        if type(output_tensors) is not list:
            output_tensors = _as_list(output_tensors)
        for tensor in output_tensors:
            if type(tensor) is not Tensor:
                _refuse(tensor)
        if error is not None and not isinstance(error, TritonError):
            raise TypeError(f"expected a TritonError as error of a response, got {type(error)}")
        self._tensors = output_tensors
        self._error = error
        self._parameters = "" if parameters is None else parameters_module.encode(parameters)

    def output_tensors(self) -> List[Tensor]:
        """The outputs."""
        return self._tensors

    def has_error(self) -> bool:
        """Whether it says why there is no result."""
        return self._error is not None

    def error(self) -> Optional[TritonError]:
        """Why there is no result; None when there is one."""
        return self._error

    def parameters(self) -> str:
        """JSON text of an object with the response's parameters."""
        return self._parameters or "{}"


def _as_list(tensors: Any) -> List[Tensor]:
    if isinstance(tensors, (str, bytes, dict)) or not hasattr(tensors, "__iter__"):
        raise TypeError(f"expected a list of Tensor as outputs of a response, got {type(tensors)}")
    return list(tensors)


def _refuse(tensor: Any) -> None:
    if tensor is None:
        raise TritonModelException("Output tensor for inference response should not be empty.")
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected a Tensor among the outputs of a response, got {type(tensor)}")


def wire_outputs(response: InferenceResponse) -> List[RawTensor]:
    """The outputs as the channel takes them."""
    return [(t._name, t._code, t._shape, t._data) for t in response._tensors]


def wire_error(error: TritonError) -> RawError:
    """The error as the channel takes it."""
    return (int(error._code), error._message)


def response_from_wire(
    outputs: Sequence[RawTensor], error: Optional[RawError], parameters: str
) -> InferenceResponse:
    """A response that came through the channel."""
    response: InferenceResponse = _new(InferenceResponse)
    response._tensors = [from_wire(*output) for output in outputs]
    response._error = None if error is None else TritonError(error[1], code_from_number(error[0]))
    response._parameters = parameters
    return response
