"""pytriton: serves Python callables over HTTP and gRPC with the KServe v2 protocol."""

from __future__ import annotations

import pkgutil
from typing import Any

# In a checkout the sources shadow the installed package, which holds the native modules: both
# count.
__path__ = pkgutil.extend_path(__path__, __name__)

__all__ = ["__version__", "client", "model_config", "triton"]


def __getattr__(name: str) -> Any:
    """Imports on first use: a server needs neither the clients nor the package's metadata."""
    import importlib

    if name == "__version__":
        metadata = importlib.import_module("importlib.metadata")
        try:
            return metadata.version("pytriton")
        except metadata.PackageNotFoundError:
            raise AttributeError("pytriton is not installed, so its version is unknown") from None
    if name in __all__:
        try:
            return importlib.import_module(f"pytriton.{name}")
        except ModuleNotFoundError as error:
            raise AttributeError(str(error)) from error
    raise AttributeError(f"module 'pytriton' has no attribute {name!r}")
