"""The directory in which a server keeps its files."""

from __future__ import annotations

import logging
import pathlib
import shutil
import tempfile
import warnings

from pytriton import constants

__all__ = ["CleanupWarning", "Workspace"]

LOGGER = logging.getLogger(__name__)


class CleanupWarning(UserWarning):
    """A workspace could not be removed."""


class Workspace:
    """A new directory, removed by `clean`.

    Attributes:
        path: The directory.
        model_store_path: Where model files go.
    """

    def __init__(self, workspace_path: str | pathlib.Path | None = None) -> None:
        """Makes the directory.

        Args:
            workspace_path: A path that does not exist; None: a new one under PYTRITON_HOME, which
                is also removed when this object goes.

        Raises:
            FileExistsError: The path exists.
        """
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if workspace_path is None:
            home = constants.PYTRITON_HOME
            home.mkdir(parents=True, exist_ok=True)
            self._temporary = tempfile.TemporaryDirectory(prefix="workspace_", dir=home)
            self._workspace_path = pathlib.Path(self._temporary.name).resolve()
        else:
            self._workspace_path = pathlib.Path(workspace_path).resolve()
            self._workspace_path.mkdir(parents=True)
        self.model_store_path.mkdir(parents=True)

    @property
    def path(self) -> pathlib.Path:
        """The directory."""
        return self._workspace_path

    @property
    def model_store_path(self) -> pathlib.Path:
        """Where model files go."""
        return self._workspace_path / "model-store"

    def exists(self) -> bool:
        """Whether the directory is there."""
        return self._workspace_path.exists()

    def is_empty(self) -> bool:
        """Whether nothing is left in it but files and directories whose names begin with a dot."""
        if not self.exists():
            return True
        for path in self._workspace_path.iterdir():
            if not path.name.startswith("."):
                LOGGER.warning("Non empty path %s", path)
                return False
        return True

    def clean(self) -> None:
        """Removes the directory; what can't be removed is a CleanupWarning."""
        try:
            for child in self._workspace_path.iterdir():
                if child.name.startswith("."):
                    continue
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                else:
                    child.unlink()
            self._workspace_path.rmdir()
            if self._temporary is not None:
                self._temporary.cleanup()
        except FileNotFoundError:
            return
        except OSError as error:
            warnings.warn(
                f"Could not clean workspace {self._workspace_path}: {error}",
                CleanupWarning,
                stacklevel=2,
            )
