"""The channel of a worker process (see `_channel.Channel`)."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import _messages as messages
from ._channel import (
    CallError,
    InnerRequest,
    OnInnerResponse,
    RawAnswer,
    RawError,
    RawTensor,
)
from ._loans import Loans
from ._results import Results
from ._ring import ELSEWHERE, POINTER, Ring

_FRAME = struct.Struct("<IIQ")  # size, kind, number
CALL_REPLY, INNER_RESPONSE, IS_READY = 1, 2, 3
_METRIC = struct.Struct("<QBddI")
_NO_BUCKETS = 0xFFFFFFFF
_DONE = struct.Struct("<IQB")
# While batches wait, the server is woken only this often: one wake-up serves many answers.
_WAKE_NS = 100_000


class Link:
    """Sends what the host has to say; see `Channel` for what the functions do.

    Args:
        ring: the messages.
        results: memory for outputs.
        loans: memory of inputs.
        main: the thread that executes.
    """

    def __init__(self, ring: Ring, results: Results, loans: Loans, main: int) -> None:
        self._ring = ring
        self._results = results
        self._loans = loans
        self._main = main
        self._is_executing = False
        self._sequence = 0
        self._began = 0
        self._woke = 0
        self._last: Optional[messages.Message] = None  # responses that go with the batch's end
        self._decoder = messages.Decoder(loans)
        self._encoder = messages.Encoder(loans, results)
        self._lock = threading.Lock()
        self._next_call = 1
        self._replies: Dict[int, Callable[[bool, str], None]] = {}
        self._inner: Dict[int, OnInnerResponse] = {}
        self._is_ready: Optional[Callable[[], Optional[str]]] = None

    def set_names(self, inputs: List[str], outputs: List[str]) -> None:
        """The tensors of the model."""
        self._decoder.set_names(inputs, outputs)
        self._encoder.set_names(outputs)

    # --- Channel.

    def respond(
        self,
        key: int,
        outputs: Sequence[RawTensor],
        error: Optional[RawError] = None,
        parameters: str = "",
        final: bool = True,
        sealed: Sequence[str] = (),
    ) -> None:
        """See `Channel.respond`."""
        if self._ring.is_left:
            return
        answer = (key, outputs, error, parameters)
        message = self._encoder.responses((answer,), final, sealed)
        self._ring.send(messages.RESPONSES, message.payload())
        self.return_inputs()

    def respond_all(self, answers: Sequence[RawAnswer]) -> None:
        """See `Channel.respond_all`."""
        if self._ring.is_left:
            return
        message = self._encoder.responses(answers, True)
        if self._is_executing and self._last is None and threading.get_ident() == self._main:
            self._last = message  # the end of the batch follows at once, and both go together
        else:
            self._ring.send(messages.RESPONSES, message.payload())

    def reschedule(self, key: int) -> None:
        """See `Channel.reschedule`."""
        self._ring.send(messages.RESCHEDULE, struct.pack("<Q", key))

    def release(self, key: int) -> None:
        """See `Channel.release`."""
        self._ring.send(messages.RELEASE, struct.pack("<Q", key))

    def is_cancelled(self, key: int) -> bool:
        """See `Channel.is_cancelled`."""
        return self._ring.is_cancelled(key & 0x3FFF)

    def allocate(self, nbytes: int) -> memoryview:
        """See `Channel.allocate`."""
        return memoryview(
            bytearray(nbytes) if self._ring.is_left else self._results.allocate(nbytes)
        )

    def log(self, level: int, file: str, line: int, text: str) -> None:
        """See `Channel.log`."""
        if self._ring.is_left:
            print(f"{file}:{line}: {text}", file=sys.stderr)
            return
        data = struct.pack("<BI", level, line & 0xFFFFFFFF) + messages.pack_text(file)
        self._ring.send(messages.LOG, data + text.encode("utf-8", "replace"), self._must_wake())

    def is_logged(self, level: int) -> bool:
        """See `Channel.is_logged`."""
        return self._ring.is_logged(level)

    def update_metrics(
        self, updates: Sequence[Tuple[int, bool, float, Optional[Sequence[int]], float]]
    ) -> None:
        """See `Channel.update_metrics`."""
        parts = [struct.pack("<I", len(updates))]
        for series, is_set, value, buckets, total in updates:
            count = _NO_BUCKETS if buckets is None else len(buckets)
            parts.append(_METRIC.pack(series, is_set, value, total, count))
            if buckets is not None:
                parts.append(struct.pack(f"<{count}Q", *buckets))
        self._ring.send(messages.METRICS, b"".join(parts), self._must_wake())

    def _must_wake(self) -> bool:
        """Whether what is sent now isn't followed by the end of a batch."""
        return not (self._is_executing and threading.get_ident() == self._main)

    def call(self, kind: str, payload: Dict[str, Any]) -> Dict[str, Any]:
        """See `Channel.call`."""
        self._check_reach()
        files = payload.get("files") or {}
        plain = {name: value for name, value in payload.items() if name != "files"}
        parts = [messages.pack_text(kind), messages.pack_text(json.dumps(plain))]
        parts.append(struct.pack("<I", len(files)))
        for name, data in files.items():
            parts.append(messages.pack_text(name))
            parts.append(struct.pack("<I", len(data)) + bytes(data))
        answered = threading.Event()
        answer: List[Tuple[bool, str]] = []

        def on_reply(is_ok: bool, text: str) -> None:
            answer.append((is_ok, text))
            answered.set()

        number = self._number()
        self._replies[number] = on_reply
        self._ring.send(messages.CALL, struct.pack("<Q", number) + b"".join(parts))
        answered.wait()
        is_ok, text = answer[0]
        if not is_ok:
            raise CallError(text)
        reply: Dict[str, Any] = json.loads(text) if text else {}
        return reply

    def submit(self, request: InnerRequest, on_response: OnInnerResponse) -> int:
        """See `Channel.submit`."""
        self._check_reach()
        number = self._number()
        self._inner[number] = on_response
        message = self._encoder.inner_request(number, request)
        self._ring.send(messages.SUBMIT, message.payload())
        return number

    def cancel_submit(self, call: int) -> None:
        """See `Channel.cancel_submit`."""
        self._ring.send(messages.CANCEL_SUBMIT, struct.pack("<Q", call))

    def _check_reach(self) -> None:
        if self._ring.is_left:
            raise CallError("expected the model's worker, got a process that was forked from it")

    def _number(self) -> int:
        with self._lock:
            self._next_call += 1
            return self._next_call

    # --- Main loop.

    def return_inputs(self, wake: bool = False) -> None:
        """Gives ended loans back.

        Args:
            wake: whether the server must learn of it now; else it does with what comes next.
        """
        ended = self._loans.take_ended()
        if ended:
            data = struct.pack(f"<I{len(ended)}I", len(ended), *ended)
            self._ring.send(messages.RETURN_INPUTS, data, wake)

    def receive(self, seconds: float) -> Optional[Tuple[int, Any]]:
        """The next message; of a batch that is run from now on, its requests.

        Args:
            seconds: how long it waits for one; 0: for ever.

        Returns:
            Its type, and its bytes or the list of requests. None: there is none, though it may
            not have waited so long.
        """
        ring = self._ring
        message = ring.take()
        if message is None:
            ring.wait(seconds)
            self.return_inputs(True)
            message = ring.take()
            if message is None:
                return None
        code, data = message
        number = 0
        if code & ELSEWHERE:
            offset, size, number = POINTER.unpack(data)
            data = self._loans.view(offset, size)
            code &= ~ELSEWHERE
        content: Any = self._begin_batch(data) if code == messages.BATCH else bytes(data)
        data.release()
        ring.taken()
        if number:  # it was read at once
            ring.send(messages.RETURN_INPUTS, struct.pack("<II", 1, number), False)
        return code, content

    def _begin_batch(self, data: memoryview) -> List[Any]:
        self._sequence, batch = self._decoder.batch(data)
        self._ring.begin_batch(self._sequence)
        self._is_executing = True
        self._began = time.perf_counter_ns()
        return batch

    def make_requests(self, batch: List[Any], host: Any, classes: Tuple[Any, ...]) -> List[Any]:
        """What a model is given for a batch.

        Args:
            batch: of RawRequest.
            host: the second argument of each request.
            classes: of requests, of tensors, of arrays; data types by number.
        """
        make = classes[0]
        return [make(raw, host) for raw in batch]

    def answer(self, requests: List[Any], box: List[Any], response_type: type) -> bool:
        """Answers the batch by what the model has returned, if that is nothing special.

        Args:
            requests: the host's, of all its requests.
            box: holds the result alone; emptied if they are answered.
            response_type: the class of all responses that aren't special.

        Returns:
            Whether they are answered: never here, where `respond_all` does it all.
        """
        return False

    def end_batch(self, failure: Optional[str]) -> None:
        """Tells that the next batch can come.

        Args:
            failure: why unanswered requests of the batch fail.

        Raises:
            MemoryError: no room for an answer, nothing was told. It can be called again.
        """
        self._is_executing = False
        text = b"" if failure is None else failure.encode("utf-8", "replace")
        now = time.perf_counter_ns()
        data = _DONE.pack(self._sequence, now - self._began, failure is not None) + text
        soon = now - self._woke > _WAKE_NS or not self._ring.has_more()
        if soon:
            self._woke = now
        last, self._last = self._last, None
        if last is not None:
            self._ring.send(messages.RESPONSES, last.payload(), False)
            del last  # and with it inputs that are results: now they can be given back
        self.return_inputs()
        self._ring.send(messages.BATCH_DONE, data, False)
        self._ring.notify(soon)

    def reply(self, is_ok: bool, text: str) -> None:
        """Answers a command."""
        self._ring.send(messages.REPLY, bytes([is_ok]) + text.encode("utf-8", "replace"))

    def watch_ready(self, is_ready: Callable[[], Optional[str]]) -> None:
        """Tells the server whether the model is ready, now and whenever it asks."""
        self._is_ready = is_ready
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self._is_ready is not None:
            reason = self._is_ready() or ""
            self._ring.send(messages.READY, reason.encode("utf-8", "replace"))

    # --- The server's answers.

    def listen(self, connection: socket.socket) -> None:
        """Reads answers until the server goes; then so does this process."""
        try:
            with connection.makefile("rb") as stream:
                while True:
                    header = stream.read(_FRAME.size)
                    if len(header) < _FRAME.size:
                        break
                    size, kind, number = _FRAME.unpack(header)
                    self._dispatch(kind, number, memoryview(stream.read(size)))
        finally:
            os._exit(0)

    def _dispatch(self, kind: int, number: int, data: memoryview) -> None:
        reader = messages.Reader(data)
        if kind == CALL_REPLY:
            on_reply = self._replies.pop(number, None)
            if on_reply is not None:
                on_reply(reader.bytes(1) == b"\1", reader.bytes(len(data) - 1).decode())
        elif kind == IS_READY:
            threading.Thread(target=self._tell_ready, name="is_ready", daemon=True).start()
        elif kind == INNER_RESPONSE:
            outputs, error, parameters, final = self._decoder.inner_response(reader)
            on_response = self._inner.get(number)
            if final:
                self._inner.pop(number, None)
            if on_response is not None:
                on_response(outputs, error, parameters, final)
