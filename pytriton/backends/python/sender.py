"""InferenceResponseSender: answers one request any time, from any thread."""

from __future__ import annotations

import threading
from typing import Any, List, Optional

from .._channel import Channel
from . import metrics
from .errors import TritonModelException
from .janitor import Janitor
from .response import InferenceResponse, wire_error, wire_outputs
from .tensor import seal

FINAL = 1  # TRITONSERVER_RESPONSE_COMPLETE_FINAL


class InferenceResponseSender:
    """Sends the responses of one request; models get it from the request.

    When the last reference goes without a final response, the server ends the request: with an
    error if nothing was sent, else by closing the stream.
    """

    __slots__ = (
        *("__weakref__", "_channel", "_is_decoupled", "_is_final", "_is_closed"),
        *("_janitor", "_key", "_sent"),
    )

    # Senders are rarely shared by threads and hold it for an instant: one lock for all.
    _state_lock = threading.Lock()

    def __init__(self, channel: Channel, janitor: Janitor, key: int, is_decoupled: bool) -> None:
        self._channel = channel
        self._janitor = janitor
        self._key = key
        self._is_decoupled = is_decoupled
        self._is_closed = False  # the model can send no more
        self._is_final = False  # the server was sent a final response
        self._sent = 0

    def __del__(self) -> None:
        # Collected anywhere, even inside the channel: another thread tells the server.
        if not self._is_final:
            self._janitor.release(self._key)

    def send(self, response: Optional[InferenceResponse] = None, flags: int = 0) -> None:
        """Sends a response, or the end, or both.

        Args:
            response: what to send; may be None together with the final flag.
            flags: 0, or TRITONSERVER_RESPONSE_COMPLETE_FINAL with or after the last response.

        Raises:
            TypeError: no response and no flags.
            TritonModelException: neither response nor flag; an unknown flag; after the final
                flag; more than one response, or the end before one, of a model that isn't
                decoupled.
        """
        if response is not None and not isinstance(response, InferenceResponse):
            raise TypeError(f"expected an InferenceResponse to send, got {type(response)}")
        if not isinstance(flags, int):
            raise TypeError(f"expected int flags, got {type(flags)}")
        is_last = self._advance(response is not None, flags)
        if is_last is None:
            return  # the only response was sent as the final one already
        metrics.flush(self._channel)
        if response is None:
            self._channel.respond(self._key, (), None, "", True)
            return
        error = response._error
        if error is not None:
            self._channel.respond(self._key, (), wire_error(error), response._parameters, is_last)
            return
        sealed = [tensor._name for tensor in response._tensors if seal(tensor)]
        outputs = wire_outputs(response)
        self._channel.respond(self._key, outputs, None, response._parameters, is_last, sealed)

    def _advance(self, has_response: bool, flags: int) -> Optional[bool]:
        """Moves the state; whether what is sent now is final, or None when nothing is to send."""
        if flags not in (0, FINAL):
            raise TritonModelException("Unable to send response. Unsupported flag provided.")
        if not has_response and flags == 0:
            raise TritonModelException(
                "Inference Response object must be provided when the response flags is set to zero."
            )
        with self._state_lock:
            if self._is_closed:
                raise TritonModelException(
                    "Unable to send response. Response sender has been closed."
                )
            if not self._is_decoupled:
                if has_response and self._sent:
                    raise TritonModelException(
                        "Unable to send response. Non-decoupled model cannot send more than one "
                        "response."
                    )
                if not has_response and not self._sent:
                    raise TritonModelException(
                        "Unable to send response. Non-decoupled model cannot send complete final "
                        "before sending a response."
                    )
            self._sent += has_response
            self._is_closed = flags == FINAL
            if self._is_final:
                return None
            self._is_final = self._is_closed or not self._is_decoupled
            return self._is_final

    def is_cancelled(self) -> bool:
        """Whether the client has left or cancelled."""
        return self._channel.is_cancelled(self._key)


def close_unfinished(senders: List[InferenceResponseSender]) -> List[InferenceResponseSender]:
    """Closes those without a final response and returns them: they get an error instead."""
    unfinished = []
    with InferenceResponseSender._state_lock:
        for sender in senders:
            if not sender._is_final:
                sender._is_final = sender._is_closed = True
                unfinished.append(sender)
    return unfinished


class DetachedSender:
    """The sender of a request that a model built itself: it answers nobody."""

    __slots__ = ()

    def send(self, response: Any = None, flags: int = 0) -> None:
        """Refuses.

        Raises:
            TritonModelException: always.
        """
        raise TritonModelException(
            "Unable to send response. Response sender has no reference to the decoupled state of "
            "the model."
        )

    def is_cancelled(self) -> bool:
        """False: there is no client."""
        return False
