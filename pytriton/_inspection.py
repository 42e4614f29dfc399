"""What PyTriton's users look at when they debug a Triton, or test code around one."""

from __future__ import annotations

import functools
import os
import pathlib
import secrets
from typing import TYPE_CHECKING, Any

from pytriton import _core, _options
from pytriton._security import TritonSecurityConfig
from pytriton._triton_config import TritonConfig
from pytriton.utils.workspace import Workspace

if TYPE_CHECKING:
    from pytriton.server.triton_server_config import TritonServerConfig

# What tritonserver would be told; nothing here uses them, because there is none.
INITIAL_BACKEND_SHM_SIZE = 4 * 1024 * 1024
GROWTH_BACKEND_SHM_SIZE = 1024 * 1024
TRITONSERVER_DIST_DIR = pathlib.Path(__file__).resolve().parent / "tritonserver"


class Inspection:
    """The attributes of a Triton that PyTriton has under these names. Base of `Triton`.

    Attributes:
        _triton_server_config: The flags that PyTriton would give to tritonserver for this
            configuration, as a mapping; the core has them from `_core_options`.
    """

    _config: TritonConfig
    _security_config: TritonSecurityConfig
    _workspace: Workspace | None

    @functools.cached_property
    def _triton_server_config(self) -> TritonServerConfig:
        from pytriton.server.python_backend_config import PythonBackendConfig
        from pytriton.server.triton_server_config import TritonServerConfig

        backend = PythonBackendConfig()
        backend["shm-region-prefix-name"] = f"pytrtion{os.getpid()}-{secrets.token_hex(4)}"
        backend["shm-default-byte-size"] = INITIAL_BACKEND_SHM_SIZE
        backend["shm-growth-byte-size"] = GROWTH_BACKEND_SHM_SIZE
        settings = TritonServerConfig()
        for name, value in self._config.to_dict().items():
            if value is not None:
                settings[name] = os.fspath(value) if isinstance(value, pathlib.Path) else value
        settings["model-control-mode"] = "explicit"
        settings["load-model"] = "*"
        settings["backend-config"] = backend.to_list_args()
        return settings

    @property
    def _url(self) -> str:
        """Where this process reaches the server: by HTTP, or by gRPC where HTTP is off."""
        from pytriton.utils.endpoint_utils import get_endpoint

        scheme = "http" if self._config.allow_http in (True, None) else "grpc"
        settings = self._triton_server_config.copy()
        taken: int = getattr(self, f"{scheme}_port")
        if taken:
            settings[f"{scheme}-port"] = taken
        return get_endpoint(settings, scheme)

    @property
    def _triton_server(self) -> Any:
        """What tells by `is_alive()` whether the server runs; None before its first start."""
        return self if getattr(self, "has_run", False) else None

    def _prepare_triton_config(self, workspace: Any) -> None:
        """Completes the flags by the restricted endpoints and, unless given, the repository.

        Args:
            workspace: Whose `model_store_path` is the repository; None: none.
        """
        settings = self._triton_server_config
        if workspace is not None and settings["model-repository"] is None:
            settings["model-repository"] = workspace.model_store_path.as_posix()
        for name, restrictions in self._security_config.to_options().items():
            settings[name] = restrictions[0]  # there is one

    def _prepare_triton_inference_server(self) -> pathlib.Path:
        """Completes the flags. No files: the core is a part of the package."""
        self._prepare_triton_config(self._workspace)
        self._triton_server_config["backend-directory"] = str(TRITONSERVER_DIST_DIR / "backends")
        return TRITONSERVER_DIST_DIR

    def _initialize_server(self) -> _core.Server:
        """The core, with its options and nothing open yet."""
        return _core.Server(self._core_options())

    def _core_options(self) -> _options.OptionTexts:
        raise NotImplementedError
