"""Messages between a worker and the server as bytes; the formats of csrc/backend/worker_codec.h."""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ._channel import Buffer, InnerRequest, RawAnswer, RawError, RawRequest, RawTensor
from ._loans import Loans
from ._results import Results, address_of_bytes
from ._rows import ROWS, RowReader, write_rows

# From the server.
BATCH, COMPLETE, SETUP, INITIALIZE, FINALIZE = 1, 2, 3, 4, 5
# To the server.
REPLY, RESPONSES, BATCH_DONE, LOG, RETURN_INPUTS, RELEASE = 1, 2, 3, 4, 5, 6
RESCHEDULE, METRICS, CALL, SUBMIT, CANCEL_SUBMIT, READY = 7, 8, 9, 10, 11, 12

_INLINE, _RESULT, _INPUT = 0, 1, 2
_LARGE = 16 << 10  # larger outputs don't go through the ring
_ALL_OUTPUTS = 0xFFFF

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_BATCH = struct.Struct("<II")
_REQUEST = struct.Struct("<QQQIHHHHI")
_TENSOR = struct.Struct("<HBBHHIQQ")
_PARAMETER = struct.Struct("<HB")
_RESPONSE = struct.Struct("<QBBHHHI")
_new_tuple = tuple.__new__
_DIMS = [struct.Struct(f"<{rank}q") for rank in range(65)]


class Reader:
    """Reads a message from its beginning."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def unpack(self, form: struct.Struct) -> Tuple[Any, ...]:
        """The next values."""
        values = form.unpack_from(self.data, self.at)
        self.at += form.size
        return values

    def bytes(self, size: int) -> bytes:
        """The next bytes, copied."""
        self.at += size
        return bytes(self.data[self.at - size : self.at])

    def text(self) -> str:
        """A text after its length."""
        return self.bytes(self.unpack(_U32)[0]).decode("utf-8", "replace")

    def texts(self) -> List[str]:
        """Texts after their number."""
        return [self.text() for _ in range(self.unpack(_U32)[0])]

    def parameters(self, count: int) -> Dict[str, Any]:
        """Parameters by name."""
        found: Dict[str, Any] = {}
        for _ in range(count):
            size, kind = self.unpack(_PARAMETER)
            name = self.bytes(size).decode("utf-8", "replace")
            if kind == 0:
                found[name] = self.bytes(1) != b"\0"
            elif kind == 1:
                found[name] = int.from_bytes(self.bytes(8), "little", signed=True)
            elif kind == 2:
                found[name] = struct.unpack("<d", self.bytes(8))[0]
            else:
                found[name] = self.text()
        return found


# The parameter that tells of a request's trace, both ways; clients can't send it.
_TRACE = "triton_trace_context"


def pack_text(text: str) -> bytes:
    """A text with its length in front."""
    data = text.encode("utf-8", "replace")
    return _U32.pack(len(data)) + data


def pack_parameters(text: str) -> Tuple[int, bytes]:
    """Number and bytes of the parameters that a JSON text holds."""
    if not text or text == "{}":
        return 0, b""
    parts = []
    values = json.loads(text)
    for name, value in values.items():
        key = name.encode("utf-8", "replace")[:65535]
        if isinstance(value, bool):
            kind, data = 0, b"\1" if value else b"\0"
        elif isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            kind, data = 1, value.to_bytes(8, "little", signed=True)
        elif isinstance(value, float):
            kind, data = 2, struct.pack("<d", value)
        else:
            kind, data = 3, pack_text(str(value))
        parts.append(_PARAMETER.pack(len(key), kind) + key + data)
    return len(parts), b"".join(parts)


def read_parameters(data: memoryview, count: int) -> Tuple[str, Optional[str], int]:
    """So many parameters of a request: as JSON text, the trace among them, their size in bytes."""
    reader = Reader(data)
    given = reader.parameters(count)
    trace = given.pop(_TRACE, None)
    return json.dumps(given), trace, reader.at


class Decoder:
    """Reads batches.

    Args:
        loans: where large inputs are.
    """

    def __init__(self, loans: Loans) -> None:
        self._loans = loans
        self._rows = RowReader()
        self._inputs: List[str] = []
        self._outputs: Tuple[str, ...] = ()

    def set_names(self, inputs: List[str], outputs: List[str]) -> None:
        """The tensors of the model, in the order of its configuration."""
        self._inputs = inputs
        self._outputs = tuple(outputs)

    def batch(self, data: memoryview) -> Tuple[int, List[RawRequest]]:
        """Its number and its requests."""
        sequence, count = _BATCH.unpack_from(data, 0)
        reader = Reader(data)
        reader.at = 8
        if count & ROWS:
            first = self._request(reader)
            return sequence, self._rows.read(first, data[reader.at :])
        return sequence, [self._request(reader) for _ in range(count)]

    def _request(self, reader: Reader) -> RawRequest:
        (
            key,
            correlation,
            timeout,
            flags,
            id_size,
            text_size,
            requested,
            inputs,
            parameters,
        ) = _REQUEST.unpack_from(reader.data, reader.at)
        reader.at += _REQUEST.size
        request_id = reader.bytes(id_size).decode("utf-8", "replace") if id_size else ""
        if text_size:
            correlation = reader.bytes(text_size).decode("utf-8", "replace")
        wanted = self._outputs
        if requested != _ALL_OUTPUTS:
            indices = struct.unpack(f"<{requested}H", reader.bytes(2 * requested))
            wanted = tuple([self._outputs[index] for index in indices])
        values = "{}"
        trace = None
        if parameters:
            values, trace, size = read_parameters(reader.data[reader.at :], parameters)
            reader.at += size
        if inputs == 1:
            tensors: Tuple[RawTensor, ...] = (self._tensor(reader),)
        else:
            tensors = tuple([self._tensor(reader) for _ in range(inputs)])
        # As RawRequest(...), in half the time.
        fields = (key, request_id, tensors, wanted, values, correlation, flags, timeout, trace)
        return _new_tuple(RawRequest, fields)

    def _tensor(self, reader: Reader) -> RawTensor:
        data = reader.data
        at = reader.at
        index, dtype, rank, place, _, number, offset, size = _TENSOR.unpack_from(data, at)
        at += 28
        shape = _DIMS[rank].unpack_from(data, at)
        at += 8 * rank
        buffer: Buffer
        if place == _INLINE:
            buffer = bytearray(data[at : at + size])
            at += size
        else:
            buffer = self._loans.take(number, offset, size)
        reader.at = at
        return self._inputs[index], dtype, shape, buffer

    def inner_response(
        self, reader: Reader
    ) -> Tuple[List[RawTensor], Optional[RawError], str, bool]:
        """A response to a request that the model made."""
        final, is_error, code = reader.bytes(3)
        text = reader.text()
        parameters = reader.parameters(reader.unpack(_U32)[0])
        outputs: List[RawTensor] = []
        for _ in range(reader.unpack(_U32)[0]):
            outputs.append(self._tensor_named(reader, reader.text()))
        error = (code, text) if is_error else None
        return outputs, error, json.dumps(parameters) if parameters else "", bool(final)

    def _tensor_named(self, reader: Reader, name: str) -> RawTensor:
        _, dtype, rank, place, _, number, offset, size = reader.unpack(_TENSOR)
        shape = reader.unpack(_DIMS[rank])
        buffer: Buffer
        if place == _INLINE:
            buffer = bytearray(reader.bytes(size))
        else:
            buffer = self._loans.take(number, offset, size)
        return name, dtype, shape, buffer


class Message:
    """A message that is being written.

    Attributes:
        parts: its bytes, so far.
        lent: inputs that it refers to. They must stay referred to until it is sent: a loan that
            was given back is unknown to the server.
    """

    __slots__ = ("born", "lent", "parts")

    def __init__(self, parts: List[bytes]) -> None:
        self.parts = parts
        self.lent: List[Buffer] = []
        self.born: List[_Born] = []

    def payload(self) -> bytes:
        """All its bytes."""
        return b"".join(self.parts)


class _Born(NamedTuple):
    """An output that lies in the arena, on its way into a message."""

    part: int
    head: Tuple[int, int, int]
    slot: int
    address: int
    size: int


class Encoder:
    """Writes responses.

    Args:
        loans: inputs that may come back as outputs.
        results: where large outputs go.
    """

    def __init__(self, loans: Loans, results: Results) -> None:
        self._loans = loans
        self._results = results
        self._index: Dict[str, int] = {}

    def set_names(self, outputs: List[str]) -> None:
        """The outputs of the model, in the order of its configuration."""
        self._index = {name: index for index, name in enumerate(outputs)}

    def responses(
        self, answers: Sequence[RawAnswer], final: bool, sealed: Sequence[str] = ()
    ) -> Message:
        """One message with a response for each request; a list is emptied.

        Results that nobody but `answers` refers to are sent from where they are, and so are those
        of the names in `sealed`, which nobody writes to any more.
        """
        if len(answers) > 1 and final:
            rows = self._alike(answers)
            if rows is not None:
                return Message([rows])
        message = Message([_U32.pack(len(answers))])
        for answer in answers:
            self._answer(answer, final, message)
        if message.born:
            del answer
            if isinstance(answers, list):
                answers.clear()
            indices = [self._index[name] for name in sealed if name in self._index]
            for place in message.born:
                slot, offset = self._results.settle(
                    place.slot, place.address, place.size, place.head[0] in indices
                )
                head = _TENSOR.pack(*place.head, _RESULT, 0, slot, offset, place.size)
                message.parts[place.part] = head
        return message

    def _alike(self, answers: Sequence[RawAnswer]) -> Optional[bytes]:
        _, outputs, error, parameters = answers[0]
        if error is not None or parameters:
            return None
        size = 0
        for name, _, _, buffer in outputs:
            length = buffer.nbytes if hasattr(buffer, "nbytes") else len(buffer)
            if length >= _LARGE or name not in self._index:
                return None
            size += length
        first = Message([_U32.pack(len(answers) | ROWS)])
        self._answer(answers[0], True, first)
        head = first.payload()
        rows = write_rows(head, answers)
        if rows is None or len(rows) != len(head) + (len(answers) - 1) * (8 + size):
            return None
        return rows

    def _answer(self, answer: RawAnswer, final: bool, message: Message) -> None:
        key, outputs, error, parameters = answer
        parts = message.parts
        places = self._index
        known = [output for output in outputs if output[0] in places]
        if error is None and not parameters:
            parts.append(_RESPONSE.pack(key, 1 if final else 0, 0, len(known), 0, 0, 0))
        else:
            count, values = pack_parameters(parameters)
            flags = (1 if final else 0) | (2 if error is not None else 0)
            code, text = (0, b"") if error is None else (int(error[0]), error[1].encode())
            parts.append(_RESPONSE.pack(key, flags, code, len(known), count, 0, len(text)))
            parts.append(text)
            parts.append(values)
        for name, dtype, shape, buffer in known:
            self._put((places[name], dtype, len(shape)), shape, buffer, message, True)

    def _put(
        self,
        head: Tuple[int, int, int],
        shape: Sequence[int],
        buffer: Buffer,
        message: Message,
        may_be_born: bool,
    ) -> None:
        parts = message.parts
        is_array = hasattr(buffer, "nbytes")
        size = buffer.nbytes if is_array else len(buffer)
        dims = _DIMS[head[2]].pack(*shape)
        if size < _LARGE:
            data = buffer.tobytes() if is_array else bytes(buffer)
            parts += (_TENSOR.pack(*head, _INLINE, 0, 0, 0, size), dims, data)
            return
        address = address_of_bytes(buffer)
        slot = self._results.send_born(address, size) if may_be_born else None
        if slot is not None:
            message.born.append(_Born(len(parts), head, slot, address, size))
            parts.append(b"")  # filled in when it is known who refers to the array
        else:
            place, number, offset = self._place(buffer, address, size)
            if place == _INPUT:
                message.lent.append(buffer)
            parts.append(_TENSOR.pack(*head, place, 0, number, offset, size))
        parts.append(dims)

    def _place(self, buffer: Buffer, address: int, size: int) -> Tuple[int, int, int]:
        lent = self._loans.find(address, size)
        if lent is not None:
            return _INPUT, lent[0], lent[1]
        there = self._results.find(address, size)
        if there is not None:
            return _RESULT, there[0], there[1]
        slot, offset = self._results.copy(buffer)
        return _RESULT, slot, offset

    def inner_request(self, call: int, request: InnerRequest) -> Message:
        """A request that the model makes."""
        is_text = isinstance(request.correlation_id, str)
        parameters = request.parameters
        if request.trace_context is not None:
            parameters = json.dumps(
                {**json.loads(parameters or "{}"), _TRACE: request.trace_context}
            )
        count, values = pack_parameters(parameters)
        version = "" if request.model_version < 0 else str(request.model_version)
        parts = [
            _U64.pack(call),
            pack_text(request.model_name),
            pack_text(version),
            pack_text(request.id),
            struct.pack(
                "<BQ",
                is_text,
                0 if isinstance(request.correlation_id, str) else request.correlation_id,
            ),
            pack_text(request.correlation_id if isinstance(request.correlation_id, str) else ""),
            struct.pack("<IQBI", request.flags, request.timeout, request.decoupled, count),
            values,
            _U32.pack(len(request.requested_outputs)),
        ]
        parts.extend(pack_text(name) for name in request.requested_outputs)
        parts.append(_U32.pack(len(request.inputs)))
        message = Message(parts)
        for name, dtype, shape, buffer in request.inputs:
            parts.append(pack_text(name))
            self._put((0, dtype, len(shape)), shape, buffer, message, False)
        return message
