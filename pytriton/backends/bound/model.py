"""Runs a callable of `Triton.bind(isolation="process")` in a worker process."""

import pickle
import sys
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

FILE = "callables.pickle"


class TritonPythonModel:
    """One instance of a bound model."""

    def initialize(self, args: Any) -> None:
        """Reads the callables, which one of them this instance is, and warms it up."""
        content = (Path(args["model_repository"]) / FILE).read_bytes()
        search_path, callables = pickle.loads(content)
        sys.path.extend(path for path in search_path if path not in sys.path)
        from pytriton._isolated_model import IsolatedModel

        ordinal = int(args["model_instance_name"].rpartition("_")[2])
        self._model = IsolatedModel(pickle.loads(callables), ordinal, pb_utils)

    def execute(self, requests: Any) -> Any:
        """Calls it."""
        return self._model.execute(requests)

    def finalize(self) -> None:
        """Ends what it has begun."""
        self._model.close()
