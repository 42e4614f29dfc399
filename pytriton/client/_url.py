"""Where a server listens and what it speaks."""

from __future__ import annotations

import dataclasses
from typing import Any
from urllib.parse import urlsplit

from pytriton.client.exceptions import PyTritonClientInvalidUrlError
from pytriton.constants import DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT

__all__ = ["TritonUrl"]

_DEFAULT_PORTS = {
    "http": DEFAULT_HTTP_PORT,
    "grpc": DEFAULT_GRPC_PORT,
    "https": 443,
    "grpcs": 443,
}


@dataclasses.dataclass(frozen=True)
class TritonUrl:
    """A parsed URL.

    Attributes:
        scheme: "http" or "grpc"; "https" or "grpcs" with TLS.
        hostname: Name or address.
        port: TCP port.
        path: Of a Unix socket that is used instead of host and port; "": none.
    """

    scheme: str
    hostname: str
    port: int
    path: str = ""

    @classmethod
    def from_url(cls, url: Any) -> TritonUrl:
        """Parses `[scheme://]host[:port]`; paths and user names are ignored.

        For a Unix socket: `http+unix:///its/path` or `grpc+unix:///its/path`.

        Args:
            url: The URL. Without a scheme: http. Without a port: the scheme's default.

        Raises:
            PyTritonClientInvalidUrlError: It is no string, names no host, or has another scheme.
        """
        if not isinstance(url, str):
            raise PyTritonClientInvalidUrlError(f"Invalid url {url}. Url must be a string.")
        try:
            if url.partition("://")[0].lower() in ("http+unix", "grpc+unix"):
                return cls._of_unix_socket(url)
            parts = urlsplit(url if "://" in url else f"http://{url}")
            scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
            if not host or scheme not in _DEFAULT_PORTS:
                raise ValueError("expected http, https, grpc or grpcs, a host, and maybe a port")
        except ValueError as error:
            raise PyTritonClientInvalidUrlError(f"Invalid url {url}: {error}") from error
        return cls(scheme, host, port or _DEFAULT_PORTS[scheme])

    @classmethod
    def _of_unix_socket(cls, url: str) -> TritonUrl:
        scheme, _, path = url.partition("+unix://")
        if not path.startswith("/") or "\0" in path:
            raise ValueError("expected the absolute path of a Unix socket")
        return cls(scheme.lower(), "localhost", _DEFAULT_PORTS[scheme.lower()], path)

    @property
    def with_scheme(self) -> str:
        """As `scheme://host:port`; of a Unix socket `scheme+unix://path`."""
        if self.path:
            return f"{self.scheme}+unix://{self.path}"
        return f"{self.scheme}://{self.without_scheme}"

    @property
    def without_scheme(self) -> str:
        """As `host:port`."""
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return f"{host}:{self.port}"

    @property
    def is_grpc(self) -> bool:
        """Speaks gRPC; else HTTP."""
        return self.scheme.startswith("grpc")

    @property
    def is_secure(self) -> bool:
        """Uses TLS."""
        return self.scheme.endswith("s")

    @property
    def protocol(self) -> str:
        """Either "http" or "grpc"."""
        return "grpc" if self.is_grpc else "http"
