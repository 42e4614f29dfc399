"""How a server shows itself in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytriton._datatypes import wire_type
from pytriton.model_config.triton_model_config import TensorSpec

if TYPE_CHECKING:
    from pytriton.triton import Triton


def triton_html(triton: Triton) -> str:
    """A table of the models, and where they are served."""
    if triton.is_alive():
        ports = (("HTTP", triton.http_port), ("gRPC", triton.grpc_port))
        where = ", ".join(f"{name} port {port}" for name, port in ports if port)
        state = f"serving on {where}"
    else:
        state = "not running"
    rows = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in _rows(triton)
    )
    head = "".join(
        f"<th>{title}</th>" for title in ("model", "version", "inputs", "outputs", "instances")
    )
    return f"<b>Triton</b>, {state}<table><tr>{head}</tr>{rows}</table>"


def _rows(triton: Triton) -> Iterable[list[str]]:
    for binding in triton._models.values():
        config = binding.config
        yield [
            html.escape(config.model_name),
            str(config.model_version),
            _tensors(config.inputs or (), config.batching),
            _tensors(config.outputs or (), config.batching),
            str(len(binding.instances)),
        ]


def _tensors(specs: Iterable[TensorSpec], batching: bool) -> str:
    batch = ["batch"] if batching else []
    return "<br>".join(
        html.escape(
            f"{spec.name}: {wire_type(spec.dtype, spec.name)[0]}"
            f"[{', '.join([*batch, *map(str, spec.shape)])}]"
        )
        for spec in specs
    )
