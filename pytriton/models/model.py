"""Models by PyTriton's internal names, and what tests of people's callables take from here."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pytriton._binding import model_config_of
from pytriton._decorator import innermost
from pytriton._model_context import TritonContext
from pytriton.model_config.generator import ModelConfigGenerator
from pytriton.model_config.model_config import ModelConfig
from pytriton.model_config.tensor import Tensor

if TYPE_CHECKING:
    from pytriton._remote import RemoteTriton

__all__ = ["Model", "ModelConfig", "ModelEvent", "TritonContext"]

F = TypeVar("F", bound=Callable[..., Any])


class ModelEvent(enum.Enum):
    """What happens to a model's runtime."""

    RUNTIME_TERMINATING = "runtime-terminating"
    RUNTIME_TERMINATED = "runtime-terminated"


class Model:
    """What `bind` is told of a model, for ModelManager.

    Attributes:
        model_name: Name on the wire.
        model_version: Version.
    """

    def __init__(
        self,
        model_name: str,
        model_version: int,
        inference_fn: Callable[..., Any] | Sequence[Callable[..., Any]],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        config: ModelConfig,
        workspace: Any,
        triton_context: TritonContext,
        strict: bool,
        trace_config: list[str] | None = None,
    ) -> None:
        """Keeps what it is given.

        Args:
            model_name: Name on the wire.
            model_version: Version.
            inference_fn: A callable, or one for each instance.
            inputs: What it takes; shapes without the batch dimension.
            outputs: What it gives.
            config: Batching and answers.
            workspace: No effect: models need no files.
            triton_context: No effect: the server's is used.
            strict: Whether results must match the declared names, types and shapes exactly.
            trace_config: Settings of the trace.
        """
        self.model_name = model_name
        self.model_version = model_version
        self._bound = (inference_fn, inputs, outputs, model_version, config, strict, trace_config)
        self._remote: RemoteTriton | None = None

    def get_model_config(self) -> dict[str, Any]:
        """The configuration in Triton's terms, as ModelConfigGenerator gives it."""
        function, inputs, outputs, version, config, _, _ = self._bound
        instances = len(function) if isinstance(function, Sequence) else 1
        tensors = (inputs, outputs)
        found = model_config_of(self.model_name, version, tensors, config, instances)
        return ModelConfigGenerator(found).get_config()

    def attach(self, remote: RemoteTriton) -> None:
        """Serves it by the server of `remote`. Raises what `RemoteTriton.bind` raises."""
        remote.bind(self.model_name, *self._bound)
        self._remote = remote

    def is_alive(self) -> bool:
        """Whether it is served."""
        return self._remote is not None and self._remote.is_alive()

    def clean(self) -> None:
        """Forgets the server."""
        self._remote = None


def _inject_triton_context(triton_context: TritonContext, model_callable: F) -> F:
    """Lets decorators of a callable find its configuration, without a server.

    Args:
        triton_context: Has the configuration, as `model_configs[model_callable]`.
        model_callable: A function, or a method of the object that will hold the context.

    Returns:
        The callable.
    """
    holder = getattr(model_callable, "__self__", None) or getattr(model_callable, "instance", None)
    target: Any = innermost(model_callable) if holder is None else holder
    target.__triton_context__ = triton_context
    return model_callable
