"""Callables that run in worker processes: what is sent there, and who runs them there.

`Triton.bind(isolation="process")` writes its callables to a file; `backends/bound/model.py` reads
it in each worker. There is a copy of a callable in every worker: what it closes over is copied too,
so changes to it are seen by nobody else.
"""

from __future__ import annotations

import importlib
import inspect
import io
import pickle
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from pytriton._decorator import Decorated, innermost
from pytriton._kept_directory import KeptDirectory
from pytriton.model_config.triton_model_config import TritonModelConfig

try:
    from cloudpickle import Pickler as _Pickler  # type: ignore[import-untyped, unused-ignore]

    _HAS_CLOUDPICKLE = True
except ImportError:
    from pickle import Pickler as _Pickler

    _HAS_CLOUDPICKLE = False

FILE = "callables.pickle"


def look_up(module: str, qualified_name: str) -> Any:
    """What a module calls by that name."""
    found: Any = importlib.import_module(module)
    for part in qualified_name.split("."):
        found = getattr(found, part)
    return found


def rebuild(kind: str, wrapper: Any, wrapped: Any) -> Decorated:
    """A decorated callable from its parts."""
    return Decorated(kind, wrapper, wrapped)


def _is_importable(value: Any) -> bool:
    """Whether an interpreter that imports the value's module finds just this value."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module in (None, "__main__") or name is None:
        return False
    try:
        return look_up(module, name) is value
    except (AttributeError, ImportError):
        return False


class _CallablePickler(_Pickler):  # type: ignore[misc, valid-type, unused-ignore]
    """Knows decorated callables, which have taken the names of what they wrap."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Decorated):
            instance, name = value.instance, getattr(value, "__name__", "")
            if instance is not None and isinstance(getattr(instance, name, None), Decorated):
                return getattr, (instance, name)
            if _is_importable(value):
                return look_up, (value.__module__, vars(value)["__qualname__"])
            return rebuild, (value.kind, value._wrapper, value.__wrapped__)
        if _HAS_CLOUDPICKLE:
            return super().reducer_override(value)
        return NotImplemented


def _dump(value: Any) -> bytes:
    buffer = io.BytesIO()
    _CallablePickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


def _fault_of(value: Any) -> str:
    """Why a value can't be sent; empty: it can."""
    try:
        _dump(value)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _parts_of(function: Any) -> list[tuple[str, Any]]:
    """What a callable carries along, with a name for it."""
    inner = innermost(function)
    parts: list[tuple[str, Any]] = []
    if inspect.isfunction(inner):
        names = inner.__code__.co_freevars
        for name, cell in zip(names, inner.__closure__ or ()):
            parts.append((f"the variable '{name}' that it closes over", cell.cell_contents))
        if _HAS_CLOUDPICKLE and not _is_importable(inner):
            used = inner.__code__.co_names
            named = [(name, inner.__globals__[name]) for name in used if name in inner.__globals__]
            parts += [(f"the global variable '{name}'", value) for name, value in named]
    holder = getattr(function, "__self__", None) or getattr(function, "instance", None)
    if holder is None and not inspect.isroutine(inner):
        holder = inner
    for name, value in getattr(holder, "__dict__", {}).items():
        parts.append((f"its attribute '{name}'", value))
    return parts


def _describe_fault(function: Any, fault: str) -> str:
    name = getattr(function, "__qualname__", None) or type(function).__name__
    text = f"expected a callable that can be sent to a worker process (isolation), got '{name}': "
    for what, value in _parts_of(function):
        reason = _fault_of(value)
        if reason:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            return f"{text}{what}, of type {kind}, can't be sent ({reason})"
    hint = ""
    if not _HAS_CLOUDPICKLE:
        hint = "; move it to a module that can be imported, or install cloudpickle"
    return f"{text}{fault}{hint}"


def pack(
    functions: Sequence[Callable[..., Any]],
    config: TritonModelConfig,
    strict: bool,
    max_concurrent_calls: int | None,
) -> bytes:
    """What a worker needs to run any of the callables.

    Raises:
        TypeError: A callable can't be sent; the text names what of it can't.
    """
    for function in functions:
        fault = _fault_of(function)
        if fault:
            raise TypeError(_describe_fault(function, fault))
    content = _dump((list(functions), config, strict, max_concurrent_calls))
    # Where the worker must look before it can read the rest.
    return pickle.dumps((list(sys.path), content))


def write(content: bytes, owner: object) -> str:
    """A new directory with the file that workers read; it goes when `owner` does."""
    directory = KeptDirectory("pytriton-isolated-", (FILE,))
    (Path(directory.path) / FILE).write_bytes(content)
    weakref.finalize(owner, directory.remove)
    return directory.path
