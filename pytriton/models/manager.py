"""ModelManager: PyTriton's internal name for attaching models to a running server."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytriton.exceptions import PyTritonInvalidOperationError
from pytriton.models.model import Model

if TYPE_CHECKING:
    from pytriton._remote import RemoteTriton

__all__ = ["ModelManager"]


class ModelManager:
    """Serves models of this process by a server in another one, as `RemoteTriton` does.

    Programs should use `RemoteTriton`, or `Triton`; this is for code that knows PyTriton's inside.

    Thread rule: one thread at a time.
    """

    def __init__(
        self,
        triton_url: str,
        model_store_path: pathlib.Path | None = None,
        access_token: str | None = None,
    ) -> None:
        """Makes no connection.

        Args:
            triton_url: Of the server.
            model_store_path: No effect: models need no files.
            access_token: Of the server.
        """
        self._url = triton_url
        self._access_token = access_token
        self._models: dict[tuple[str, int], Model] = {}
        self._remote: RemoteTriton | None = None

    @property
    def models(self) -> Iterable[Model]:
        """The models, in the order in which they were added."""
        return list(self._models.values())

    def add_model(self, model: Model, load_model: bool = False) -> None:
        """Adds a model.

        Args:
            model: Has another name (whatever its case) or version than those before.
            load_model: Whether it is served at once.

        Raises:
            PyTritonInvalidOperationError: That name and version are taken.
        """
        key = (model.model_name.lower(), model.model_version)
        if key in self._models:
            raise PyTritonInvalidOperationError("Cannot add model with the same name twice.")
        self._models[key] = model
        if load_model:
            self._load_model(model)

    def load_models(self) -> None:
        """Serves the models that are not served yet. Raises what `RemoteTriton.bind` raises."""
        for model in self.models:
            if not model.is_alive():
                self._load_model(model)

    def clean(self) -> None:
        """Detaches all models and forgets them."""
        for model in self.models:
            model.clean()
        self._models.clear()
        remote, self._remote = self._remote, None
        if remote is not None:
            remote.stop()

    def _load_model(self, model: Model) -> None:
        from pytriton._remote import RemoteTriton

        if self._remote is None:
            self._remote = RemoteTriton(self._url, access_token=self._access_token)
            self._remote.connect()
        model.attach(self._remote)
