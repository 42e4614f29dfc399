"""Where a server with given flags listens."""

from __future__ import annotations

import re
from typing import Any

from pytriton.constants import (
    DEFAULT_GRPC_PORT,
    DEFAULT_HTTP_PORT,
    DEFAULT_METRICS_PORT,
    TRITON_LOCAL_IP,
)

__all__ = ["get_endpoint"]

_DEFAULT_PORTS = {
    "http": DEFAULT_HTTP_PORT,
    "grpc": DEFAULT_GRPC_PORT,
    "metrics": DEFAULT_METRICS_PORT,
}


def get_endpoint(server_config: Any, endpoint: str) -> str:
    """The URL on which this machine reaches an endpoint.

    Args:
        server_config: A TritonServerConfig, or a mapping like it.
        endpoint: "http", "grpc" or "metrics".

    Returns:
        As `scheme://host:port`; of metrics the scheme is http.
    """
    address = server_config[f"{endpoint}-address"]
    if not address and endpoint == "metrics":
        address = server_config["http-address"]
    if not address or re.match(r"^0+\.0+\.0+\.0+$", address):
        address = TRITON_LOCAL_IP
    port = server_config[f"{endpoint}-port"] or _DEFAULT_PORTS[endpoint]
    return f"{'http' if endpoint == 'metrics' else endpoint}://{address}:{port}"
