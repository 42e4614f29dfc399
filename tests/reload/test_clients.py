"""The clients of these tests: what they take for a right answer."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

from reload.repository import Clients


class SlowServer(ThreadingHTTPServer):
    """Its first answer waits for `go` and comes from content 2, later ones from content 3."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()
        self.contents = chain(["2"], repeat("3"))
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.set()
        self.server.go.wait()
        parameters = {"content": next(self.server.contents)}
        body = json.dumps({"parameters": parameters, "outputs": [{"data": [1, 2, 3, 4]}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_request_that_lasts_over_two_changes_may_be_answered_by_the_content_between_them():
    server = SlowServer()
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    clients = Clients(server.server_port, 1, "1")
    assert server.asked.wait(60)
    for content in ("2", "3"):
        clients.serving(content)
        clients.settled(content)
    server.go.set()
    clients.wait_answers(1)
    clients.stop()
    server.shutdown()
    serving.join()
    server.server_close()
    assert clients.wrong == []
