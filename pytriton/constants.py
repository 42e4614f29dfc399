"""Names and defaults that other modules and user code share."""

from __future__ import annotations

import os
import pathlib

DEFAULT_HTTP_PORT = 8000
DEFAULT_GRPC_PORT = 8001
DEFAULT_METRICS_PORT = 8002
TRITON_LOCAL_IP = "127.0.0.1"
TRITON_CONTEXT_FIELD_NAME = "triton_context"
TRITON_PYTHON_BACKEND_INTERPRETER_DIRNAME = "python_backend_interpreter"
DEFAULT_TRITON_STARTUP_TIMEOUT_S = 120
CREATE_TRITON_CLIENT_TIMEOUT_S = 10


def _home() -> pathlib.Path:
    """Where workspaces are made: PYTRITON_HOME, else the user's cache directory."""
    home = os.environ.get("PYTRITON_HOME")
    if home:
        return pathlib.Path(os.path.expandvars(os.path.expanduser(home)))
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(cache) / "pytriton"


PYTRITON_HOME = _home()
