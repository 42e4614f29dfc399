"""The directory in which a server keeps its files."""

from __future__ import annotations

import logging
import pathlib
import shutil
import tempfile
import warnings

from pytriton.constants import PYTRITON_HOME

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
            workspace_path: A path that does not exist; None: a new one under PYTRITON_HOME.

        Raises:
            FileExistsError: The path exists.
        """
        if workspace_path is None:
            PYTRITON_HOME.mkdir(parents=True, exist_ok=True)
            self._path = pathlib.Path(
                tempfile.mkdtemp(prefix="workspace_", dir=PYTRITON_HOME)
            ).resolve()
        else:
            self._path = pathlib.Path(workspace_path).resolve()
            self._path.mkdir(parents=True)
        self.model_store_path.mkdir(parents=True)

    @property
    def path(self) -> pathlib.Path:
        """The directory."""
        return self._path

    @property
    def model_store_path(self) -> pathlib.Path:
        """Where model files go."""
        return self._path / "model-store"

    def exists(self) -> bool:
        """Whether the directory is there."""
        return self._path.exists()

    def is_empty(self) -> bool:
        """Whether nothing but dot-files is left in it."""
        for path in self._path.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                LOGGER.warning("File %s has not been cleaned up", path)
                return False
        return True

    def clean(self) -> None:
        """Removes the directory; what can't be removed is a CleanupWarning."""
        try:
            for child in self._path.iterdir():
                if child.name.startswith("."):
                    continue
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                else:
                    child.unlink()
            self._path.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            warnings.warn(
                f"Could not clean workspace {self._path}: {error}", CleanupWarning, stacklevel=2
            )
