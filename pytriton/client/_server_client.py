"""ServerClient: a server's verbs as methods, for the sync clients."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from pytriton.client._call import Call, Deadline, Speaker
from pytriton.client._transport import Transport
from pytriton.client._url import TritonUrl

__all__ = ["ServerClient"]


class ServerClient:
    """Talks to one server. Any number of threads may use it at once.

    Attributes:
        url: The server's.
        transport: Carries the calls.
    """

    def __init__(
        self,
        url: TritonUrl,
        speaker: Speaker,
        network_timeout_s: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Makes no connection.

        Args:
            url: The server's.
            speaker: Speaks its protocol.
            network_timeout_s: Bounds each call that brings no bound of its own, in seconds.
            ssl_context: For https and grpcs.
        """
        self.url = url
        self.speaker = speaker
        self.transport = Transport(url, ssl_context)
        self._network_timeout_s = network_timeout_s

    def call(self, call: Call, deadline: Deadline | None = None) -> Any:
        """Sends a call and reads its answer. Raises as Transport.call."""
        return self.transport.call(call, deadline or Deadline(self._network_timeout_s))

    def is_server_live(self, deadline: Deadline | None = None) -> bool:
        """The server runs."""
        return bool(self.call(self.speaker.server_live(), deadline))

    def is_server_ready(self, deadline: Deadline | None = None) -> bool:
        """The server takes inferences."""
        return bool(self.call(self.speaker.server_ready(), deadline))

    def is_model_ready(
        self, name: str, version: str = "", deadline: Deadline | None = None
    ) -> bool:
        """The model takes inferences."""
        return bool(self.call(self.speaker.model_ready(name, version), deadline))

    def get_server_metadata(self, deadline: Deadline | None = None) -> dict[str, Any]:
        """Name, version and extensions."""
        found: dict[str, Any] = self.call(self.speaker.server_metadata(), deadline)
        return found

    def get_model_metadata(
        self, name: str, version: str = "", deadline: Deadline | None = None
    ) -> dict[str, Any]:
        """Name, versions, inputs and outputs."""
        found: dict[str, Any] = self.call(self.speaker.model_metadata(name, version), deadline)
        return found

    def get_model_config(
        self, name: str, version: str = "", deadline: Deadline | None = None
    ) -> dict[str, Any] | None:
        """The model's configuration; None: the server has no configurations."""
        found: dict[str, Any] | None = self.call(self.speaker.model_config(name, version), deadline)
        return found

    def get_model_repository_index(self, deadline: Deadline | None = None) -> list[dict[str, Any]]:
        """Every model with version, state and reason."""
        found: list[dict[str, Any]] = self.call(self.speaker.repository_index(), deadline)
        return found

    def get_log_verbose_level(self, deadline: Deadline | None = None) -> int:
        """How much the server writes into its log; 0: nothing verbose."""
        return int(self.call(self.speaker.log_verbose_level(), deadline))

    def load_model(
        self,
        name: str,
        config: str | None = None,
        files: Mapping[str, bytes] | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        """Loads a model; returns when it is ready."""
        self.call(self.speaker.load_model(name, config, files), deadline)

    def unload_model(self, name: str, deadline: Deadline | None = None) -> None:
        """Unloads a model."""
        self.call(self.speaker.unload_model(name), deadline)

    def register_region(self, region: Any, deadline: Deadline | None = None) -> None:
        """Tells the server of a shared-memory region."""
        self.call(self.speaker.register_region(region), deadline)

    def unregister_region(self, region: Any, deadline: Deadline | None = None) -> None:
        """Makes the server forget a region."""
        self.call(self.speaker.unregister_region(region), deadline)

    def close(self) -> None:
        """Closes the connections. Idempotent."""
        self.transport.close()
