"""Imports a model's file the way models expect it (names, relative imports, search path)."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

from .._channel import HostError, WorkerSetup
from .errors import describe

UTILS_NAME = "triton_python_backend_utils"


def _extend_search_path(setup: WorkerSetup) -> None:
    directories = [setup.version_dir, setup.model_dir, setup.utils_dir]
    if setup.is_backend_model:
        directories.insert(0, os.path.dirname(setup.model_file))
    sys.path.extend(path for path in directories if path not in sys.path)


def _publish_utils() -> None:
    """Makes `import triton_python_backend_utils` find the module that the host uses."""
    from . import triton_python_backend_utils

    sys.modules[UTILS_NAME] = triton_python_backend_utils


def _make_package(setup: WorkerSetup) -> str:
    """A package for the version's directory, so that `from . import helper` works; its name."""
    name = str(setup.version)
    if name not in sys.modules:
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [setup.version_dir]
        package = importlib.util.module_from_spec(spec)
        sys.modules[name] = package
    return name


def import_model(setup: WorkerSetup) -> Any:
    """Imports the model's file: the module, called `<version>.<stem>`; `model` for a backend's.

    Raises:
        HostError: the file is missing, is called otherwise, or raises.
    """
    file = os.path.basename(setup.model_file)
    if not file.endswith(".py"):
        raise HostError(f"Model name must end with '.py'. Model name is \"{file}\".")
    if not os.path.isfile(setup.model_file):
        raise HostError(f"Python model file not found in '{setup.model_file}'")
    _publish_utils()
    _extend_search_path(setup)
    name = file[: -len(".py")]
    if not setup.is_backend_model:
        name = f"{_make_package(setup)}.{name}"
    spec = importlib.util.spec_from_file_location(name, setup.model_file)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        sys.modules.pop(name, None)
        raise HostError(describe(error)) from error
    return module
