"""Endpoints that need an access token."""

from __future__ import annotations

import dataclasses
import os
import secrets

from pytriton.exceptions import PyTritonValidationError

VALID_TRITON_ENDPOINTS = {
    "health",
    "metadata",
    "inference",
    "shared-memory",
    "model-config",
    "model-repository",
    "statistics",
    "trace",
    "logging",
}
DEFAULT_PROTECTED_ENDPOINTS = [
    "shared-memory",
    "model-repository",
    "statistics",
    "trace",
    "logging",
]
TRITON_ACCESS_HEADER = "triton-access-token"
TOKEN_VARIABLE = "PYTRITON_ACCESS_TOKEN"


@dataclasses.dataclass
class TritonSecurityConfig:
    """Who may call which endpoints.

    Attributes:
        access_token: Token that restricted endpoints ask for; None: that of the variable
            PYTRITON_ACCESS_TOKEN, else a random one.
        restricted_endpoints: Names of endpoints; None: DEFAULT_PROTECTED_ENDPOINTS; []: none.
    """

    access_token: str | None = None
    restricted_endpoints: list[str] | None = None

    def __post_init__(self) -> None:
        """Completes and checks the fields."""
        if self.restricted_endpoints is None:
            self.restricted_endpoints = list(DEFAULT_PROTECTED_ENDPOINTS)
        self._validate_endpoint_names(self.restricted_endpoints)
        if self.access_token is None and self.restricted_endpoints:
            self.access_token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(32)

    @staticmethod
    def _validate_endpoint_names(endpoint_names: list[str]) -> None:
        unknown = sorted(set(endpoint_names) - VALID_TRITON_ENDPOINTS)
        if unknown:
            raise PyTritonValidationError(
                f"Invalid endpoint names: {', '.join(unknown)}. "
                f"Valid endpoints are: {', '.join(sorted(VALID_TRITON_ENDPOINTS))}"
            )

    def to_options(self) -> dict[str, str | list[str]]:
        """The core's options that ask for the token; empty: no restriction.

        Raises:
            ValueError: There is something to protect and the token is empty.
        """
        if not self.restricted_endpoints:
            return {}
        if not self.access_token:
            raise ValueError("access_token cannot be None or empty")
        names = ",".join(dict.fromkeys(self.restricted_endpoints))
        restriction = f"{names}:{TRITON_ACCESS_HEADER}={self.access_token}"
        return {"http-restricted-api": [restriction], "grpc-restricted-protocol": [restriction]}
