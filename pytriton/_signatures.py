"""What a callable's own signature says about a model: hints for tensors, names of arguments."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from pytriton._datatypes import wire_type
from pytriton._decorator import innermost, layers
from pytriton.exceptions import PyTritonBadParameterError, PyTritonValidationError
from pytriton.model_config.tensor import Tensor

_HOW = (
    "give inputs and outputs to bind, or annotate the callable: "
    "def f(x: Annotated[np.ndarray, Tensor(shape=(4,), dtype='float32')]) -> "
    "Annotated[np.ndarray, Tensor(...)]"
)


def check_name(name: str) -> None:
    """Refuses what is no model name.

    Raises:
        PyTritonValidationError: It is empty or has other characters than are allowed.
    """
    if not name:
        raise PyTritonValidationError("Model name cannot be empty")
    if not re.fullmatch(r"[a-zA-Z0-9._-]+", name):
        raise PyTritonValidationError(
            "Model name can only contain alphanumeric characters, dots, underscores and dashes"
        )


def is_process(isolation: str) -> bool:
    """Whether callables run in worker processes.

    Raises:
        PyTritonValidationError: No such isolation.
    """
    if isolation in ("thread", "process"):
        return isolation == "process"
    raise PyTritonValidationError(f"isolation: expected 'thread' or 'process', got {isolation!r}")


def as_functions(infer_func: Any) -> list[Callable[..., Any]]:
    """One callable an instance.

    Args:
        infer_func: A callable or a sequence of callables.

    Raises:
        PyTritonValidationError: It is neither.
    """
    if callable(infer_func):
        return [infer_func]
    if not isinstance(infer_func, Sequence) or not all(callable(item) for item in infer_func):
        raise PyTritonValidationError(
            "inference_fn has to be either callable or sequence of callables"
        )
    return list(infer_func)


def tensors_of(
    function: Callable[..., Any] | None,
    inputs: Sequence[Tensor] | None,
    outputs: Sequence[Tensor] | None,
) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs and outputs of a model; what `bind` was not given comes from type hints.

    An argument annotated with `Annotated[np.ndarray, Tensor(...)]` is an input of its own name. The
    return annotation is one such type, a tuple of them, or a TypedDict of them, whose keys are the
    names.

    Args:
        function: The callable, decorated or not; None: there is none.
        inputs: As given to `bind`.
        outputs: As given to `bind`.

    Raises:
        PyTritonValidationError: Something is neither given nor annotated.
        PyTritonBadParameterError: A tensor is not acceptable; the text names it.
    """
    hints: dict[str, Any] = {}
    if inputs is None or outputs is None:
        hints = _hints(function)
    if inputs is None:
        inputs = _annotated_inputs(hints)
    if outputs is None:
        outputs = _annotated_outputs(hints.get("return"))
    check_tensors(inputs, "inputs")
    check_tensors(outputs, "outputs")
    return list(inputs), list(outputs)


def _hints(function: Callable[..., Any] | None) -> dict[str, Any]:
    if function is None:
        return {}
    inner = innermost(function)
    if not inspect.isroutine(inner) and callable(inner):
        inner = innermost(type(inner).__call__)
    try:
        return _get_type_hints(inner)
    except (NameError, TypeError) as error:
        raise PyTritonValidationError(
            f"The type hints of {inner} can't be read: {error}"
        ) from error


def _get_type_hints(owner: Any) -> dict[str, Any]:
    return typing.get_type_hints(owner, include_extras=True)


def _tensor_in(hint: Any) -> Tensor | None:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, Tensor):
            return extra
    return None


def _named(tensor: Tensor, name: str) -> Tensor:
    return Tensor(
        shape=tensor.shape,
        dtype=tensor.dtype,
        name=tensor.name or name,
        optional=tensor.optional,
    )


def _annotated_inputs(hints: Mapping[str, Any]) -> list[Tensor]:
    found = []
    for name, hint in hints.items():
        tensor = _tensor_in(hint)
        if name != "return" and tensor is not None:
            # Arrays come as keyword arguments, so the argument's name is the input's.
            found.append(Tensor(tensor.shape, tensor.dtype, name, tensor.optional))
    if not found:
        raise PyTritonValidationError(f"The model's inputs are not known: {_HOW}")
    return found


def _annotated_outputs(hint: Any) -> list[Tensor]:
    if isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__total__"):
        named = {name: _tensor_in(item) for name, item in _get_type_hints(hint).items()}
        found = [_named(tensor, name) for name, tensor in named.items() if tensor is not None]
    elif typing.get_origin(hint) is tuple:
        tensors = [_tensor_in(item) for item in typing.get_args(hint)]
        found = [tensor for tensor in tensors if tensor is not None]
    else:
        tensor = _tensor_in(hint)
        found = [] if tensor is None else [tensor]
    if not found:
        raise PyTritonValidationError(f"The model's outputs are not known: {_HOW}")
    return found


def check_tensors(tensors: Sequence[Tensor], what: str) -> None:
    """Refuses what can't be served.

    Args:
        tensors: Inputs or outputs.
        what: "inputs" or "outputs", for the text.

    Raises:
        PyTritonBadParameterError: The text names the tensor and what would be right.
    """
    if isinstance(tensors, Tensor) or not isinstance(tensors, Sequence):
        raise PyTritonBadParameterError(
            f"{what}: expected a list of Tensor objects, got {type(tensors).__name__}"
        )
    seen: set[str] = set()
    for position, tensor in enumerate(tensors, 1):
        if not isinstance(tensor, Tensor):
            raise PyTritonBadParameterError(
                f"{what}[{position - 1}]: expected a Tensor, got {type(tensor).__name__}"
            )
        name = tensor.name or f"{what[:-1].upper()}_{position}"
        if name in seen:
            raise PyTritonBadParameterError(
                f"Tensor `{name}`: expected names that differ, got it twice in {what}"
            )
        seen.add(name)
        _check_shape(name, tensor.shape)
        wire_type(tensor.dtype, name)


def _check_shape(name: str, shape: Any) -> None:
    right = "a tuple of sizes without the batch dimension (-1: any size), such as (3, -1)"
    if isinstance(shape, (str, bytes)) or not hasattr(shape, "__iter__"):
        hint = f"; did you mean ({shape},)?" if isinstance(shape, int) else ""
        raise PyTritonBadParameterError(f"Tensor `{name}`: expected {right}, got {shape!r}{hint}")
    for size in shape:
        is_size = hasattr(size, "__index__") and not isinstance(size, bool)
        if not is_size or size < -1:
            raise PyTritonBadParameterError(
                f"Tensor `{name}`: expected {right}, got {size!r} in {tuple(shape)!r}"
            )


def check_arguments(function: Callable[..., Any], inputs: Sequence[str]) -> None:
    """Refuses a function of arrays that can't take the model's inputs.

    Args:
        function: What gets the arrays as keyword arguments.
        inputs: Names of the model's inputs.

    Raises:
        PyTritonValidationError: The text names the argument or the input that is missing.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return  # a built-in function
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {p.name for p in parameters if p.kind in by_name}
    shown = getattr(innermost(function), "__name__", str(function))
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        for name in inputs:
            if name not in names:
                raise PyTritonValidationError(
                    f"Input `{name}`: `{shown}` has no argument of that name; "
                    f"it takes {', '.join(sorted(names)) or 'none'}. "
                    f"Name the Tensor after the argument, or the argument after the Tensor."
                )
    if any(getattr(layer, "kind", "") == "triton_context" for layer in layers(function)):
        return  # gives an argument of its own
    for parameter in parameters:
        is_required = parameter.default is inspect.Parameter.empty and parameter.kind in by_name
        if is_required and parameter.name not in inputs:
            raise PyTritonValidationError(
                f"Argument `{parameter.name}` of `{shown}`: the model has no input of that name; "
                f"its inputs are {', '.join(inputs) or 'none'}."
            )
