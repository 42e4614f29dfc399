"""The access token of restricted endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from pytriton._security import TRITON_ACCESS_HEADER

__all__ = ["TRITON_ACCESS_HEADER", "create_auth_headers", "extract_access_token_from_headers"]

_GRPC_HEADER = f"triton-grpc-protocol-{TRITON_ACCESS_HEADER}"


def create_auth_headers(access_token: str, protocol: str) -> dict[str, str]:
    """The header that carries a token.

    Args:
        access_token: The token.
        protocol: "http" or "grpc", in any case.

    Raises:
        ValueError: The token is empty or the protocol is another one.
    """
    if not access_token:
        raise ValueError("access_token cannot be None or empty")
    protocol = protocol.lower()
    if protocol == "http":
        return {TRITON_ACCESS_HEADER: access_token}
    if protocol == "grpc":
        return {_GRPC_HEADER: access_token}
    raise ValueError(f"Invalid protocol '{protocol}'. Must be 'http' or 'grpc'")


def extract_access_token_from_headers(headers: Mapping[str, str] | None) -> str | None:
    """The token in headers of either protocol; None: there is none.

    Args:
        headers: Header fields; names are compared with their case.

    Raises:
        ValueError: The headers of both protocols are there and differ.
    """
    if not headers:
        return None
    http, grpc = headers.get(TRITON_ACCESS_HEADER), headers.get(_GRPC_HEADER)
    if http and grpc and http != grpc:
        raise ValueError(
            f"Conflicting authentication headers found: {TRITON_ACCESS_HEADER} and {_GRPC_HEADER} "
            "carry different tokens"
        )
    return http or grpc
