"""Calls as header fields, and streams as replies: the same for sync and asyncio."""

from __future__ import annotations

import math
import zlib
from typing import Any
from urllib.parse import unquote

from pytriton.client._call import Call, Deadline, Reply, Unprocessed
from pytriton.client._grpc import STATUS_NAMES
from pytriton.client._url import TritonUrl

__all__ = [
    "GrpcFields",
    "grpc_fields",
    "grpc_message",
    "grpc_reply",
    "http_head",
]

_MAX_UNZIPPED = 1 << 31  # bytes; a small message may not become any size
_BAD = str.maketrans("", "", "\r\n\0")
_UNKNOWN, _UNIMPLEMENTED, _UNAVAILABLE, _DENIED, _UNAUTHENTICATED = 2, 12, 14, 7, 16
# What an answer without gRPC means (the gRPC specification's table).
_OF_HTTP = {
    400: 13,
    401: _UNAUTHENTICATED,
    403: _DENIED,
    404: _UNIMPLEMENTED,
    429: _UNAVAILABLE,
    502: _UNAVAILABLE,
    503: _UNAVAILABLE,
    504: _UNAVAILABLE,
}
_REFUSED_STREAM = 7
_OF_HTTP2 = {7: _UNAVAILABLE, 8: 1, 11: 8, 12: _DENIED}


def http_head(url: TritonUrl, call: Call) -> list[Any]:
    """An HTTP/1.1 request as buffers."""
    if call.whole is not None:
        return call.whole
    size = sum(memoryview(part).nbytes for part in call.body)
    lines = [f"{call.method} {call.path} HTTP/1.1\r\nhost: {url.without_scheme}\r\n"]
    lines += [f"{name}: {str(value).translate(_BAD)}\r\n" for name, value in call.headers.items()]
    if size or call.method != "GET":
        lines.append(f"content-length: {size}\r\n")
    lines.append("\r\n")
    head = "".join(lines).encode("latin-1", "replace")
    if call.body and isinstance(call.body[0], bytes):
        return [head + call.body[0], *call.body[1:]]
    return [head, *call.body]


class GrpcFields:
    """Header fields of calls on one transport; the last ones are kept, most calls are alike."""

    def __init__(self, url: TritonUrl) -> None:
        """Keeps the URL."""
        self._url = url
        self._last: tuple[Any, str, float, list[tuple[bytes, bytes]]] = ({}, "", 0.0, [])

    def of(self, call: Call, deadline: Deadline) -> list[tuple[bytes, bytes]]:
        """Fields that tell the server how long we wait."""
        headers, path, seconds, fields = self._last
        if headers is call.headers and path == call.path and seconds == deadline.seconds:
            return fields
        fields = grpc_fields(self._url, call, deadline)
        self._last = (call.headers, call.path, deadline.seconds, fields)
        return fields


def grpc_fields(url: TritonUrl, call: Call, deadline: Deadline | None) -> list[tuple[bytes, bytes]]:
    """Header fields of a gRPC call; with a deadline, the server is told how long we wait."""
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"https" if url.is_secure else b"http"),
        (b":path", call.path.encode()),
        (b":authority", url.without_scheme.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"grpc-accept-encoding", b"identity,gzip"),
    ]
    if deadline is not None and deadline.seconds < 1e7:
        fields.append((b"grpc-timeout", b"%dm" % max(math.ceil(deadline.seconds * 1000), 1)))
    for name, value in call.headers.items():
        text = str(value).translate(_BAD)
        fields.append((name.encode("latin-1", "replace"), text.encode("latin-1", "replace")))
    return fields


def grpc_message(stream: Any, received: tuple[int, Any]) -> Any:
    """A message without its compression.

    Raises:
        ValueError: It is compressed in an unknown way.
    """
    flag, data = received
    if not flag:
        return data
    coding = stream.fields.get(b"grpc-encoding", b"identity")
    if flag != 1 or coding not in (b"gzip", b"deflate"):
        raise ValueError(f"expected a message in gzip or plain, got {coding!r}")
    try:
        machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
        plain = machine.decompress(data, _MAX_UNZIPPED)
    except zlib.error as error:
        raise ValueError(f"expected a sound message in {coding!r}: {error}") from error
    if not machine.eof:
        raise ValueError(f"message in {coding!r} is too long or cut off")
    return plain


def _was_refused(stream: Any) -> bool:
    """The server has not begun with a stream that is closed: RFC 9113, section 8.7.

    A stream behind the last one that a GOAWAY names counts as well: nghttp2 closes it so.
    """
    return bool(stream.error == _REFUSED_STREAM and not stream.fields and not stream.messages)


def grpc_reply(stream: Any, needs_message: bool = True) -> Reply:
    """What a closed stream says.

    Raises:
        Unprocessed: The server has not begun with the call.
        ValueError: It claims success without a message.
    """
    if needs_message:
        answer = stream.answer
        if answer is not None:
            return Reply(0, {}, answer)
        if _was_refused(stream):
            raise Unprocessed("the server takes no more calls on this connection")
    fields = stream.fields
    status = fields.get(b"grpc-status")
    if status == b"0" and needs_message and len(stream.messages) == 1:
        return Reply(0, {}, grpc_message(stream, stream.messages[0]))
    if status is not None and status.isdigit() and len(status) < 6:
        code = int(status)
    elif stream.error:
        code = _OF_HTTP2.get(stream.error, 13)
    else:
        http = fields.get(b":status", b"")
        code = _OF_HTTP.get(int(http) if http.isdigit() else 0, _UNKNOWN)
    text = unquote(fields.get(b"grpc-message", b"").decode("utf-8", "replace"))
    if code:
        name = STATUS_NAMES[code] if code < len(STATUS_NAMES) else "UNKNOWN"
        return Reply(code, {}, b"", text or f"the server ended the call with {name}")
    if needs_message:
        raise ValueError(f"expected one message, got {len(stream.messages)}")
    return Reply(0, {}, b"")
