"""Answers every POST with its own body, and does nothing else: what the sockets alone cost.

    python echo_server.py PORT

One thread a connection, blocking calls on one buffer; both ends copy each byte once. No server can
answer faster over TCP than about this.
"""

from __future__ import annotations

import re
import socket
import sys
import threading

LARGEST = 64 << 20
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def echo(connection: socket.socket) -> None:
    """Serves one connection until its client closes it."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    buffer = memoryview(bytearray(LARGEST))
    while True:
        begin, have = -1, 0
        while begin < 0:
            count = connection.recv_into(buffer[have:])
            if count == 0:
                return
            have += count
            begin = bytes(buffer[: min(have, 4096)]).find(b"\r\n\r\n")
        begin += 4
        length = LENGTH.search(bytes(buffer[:begin]))
        assert length is not None, bytes(buffer[:begin])
        end = begin + int(length[1])
        while have < end:
            have += connection.recv_into(buffer[have:end])
        head = OK % (end - begin)
        sent = connection.sendmsg([head, buffer[begin:end]])
        if sent < len(head) + end - begin:
            connection.sendall(buffer[begin + sent - len(head) : end])


def main() -> None:
    """Serves until it is killed."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=echo, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
