"""Helpers for the tests of people who write callables: a server on free ports in a `with` block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Callable

from pytriton.model_config.model_config import ModelConfig
from pytriton.model_config.tensor import Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

__all__ = ["FREE_PORTS", "Served", "serve"]

# Fields of TritonConfig for a server that only this machine reaches, on ports that are free.
FREE_PORTS: dict[str, Any] = {
    "http_address": "127.0.0.1",
    "grpc_address": "127.0.0.1",
    "metrics_address": "127.0.0.1",
    "http_port": 0,
    "grpc_port": 0,
    "metrics_port": 0,
}


class Served:
    """A callable that is being served.

    Attributes:
        triton: The server.
        model_name: Name of the model.
    """

    def __init__(self, triton: Triton, model_name: str) -> None:
        """Keeps both."""
        self.triton = triton
        self.model_name = model_name

    @property
    def http_url(self) -> str:
        """For clients: `http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self.triton.http_port}"

    @property
    def grpc_url(self) -> str:
        """For clients: `grpc://127.0.0.1:<port>`; `grpcs://` where the server speaks TLS."""
        config = self.triton._config
        scheme = "grpcs" if config.grpc_use_ssl or config.grpc_use_ssl_mutual else "grpc"
        return f"{scheme}://127.0.0.1:{self.triton.grpc_port}"


@contextlib.contextmanager
def serve(
    infer_func: Callable[..., Any] | Sequence[Callable[..., Any]],
    inputs: Sequence[Tensor] | None = None,
    outputs: Sequence[Tensor] | None = None,
    *,
    model_name: str = "model",
    config: ModelConfig | None = None,
    strict: bool = True,
    **triton_config: Any,
) -> Iterator[Served]:
    """Serves a callable on free ports of this machine until the block ends.

    Everything is open: no endpoint asks for a token. Results are checked strictly, so that a test
    finds what the declaration does not say.

    Example:
        with pytriton.testing.serve(add, inputs, outputs) as served:
            with ModelClient(served.http_url, served.model_name) as client:
                client.infer_batch(a, b)

    Args:
        infer_func: A callable, or a list of them: one an instance.
        inputs: What it takes; shapes without the batch dimension. None: from its type hints.
        outputs: What it gives, likewise.
        model_name: Name on the wire.
        config: Batching and answers.
        strict: Whether results must match the declared names, types and shapes exactly.
        triton_config: Further fields of TritonConfig.

    Raises:
        PyTritonError: As `Triton.bind` and `Triton.run`.
    """
    triton = Triton(
        config=TritonConfig(**{**FREE_PORTS, **triton_config}),
        security_config=TritonSecurityConfig(restricted_endpoints=[]),
    )
    triton.bind(model_name, infer_func, inputs, outputs, config=config, strict=strict)
    try:
        triton.run()
        yield Served(triton, model_name)
    finally:
        triton.stop()
