"""A web hook: an HTTP server that keeps what is posted to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NamedTuple

# A flow that fails if it is told to, so that there is something to tell.
TOLD = """
    class Told(FlowSpec):
        fails = Parameter("fails", default=False)

        @step
        def start(self):
            if self.fails:
                raise ValueError("no data today")
            self.next(self.end)

        @step
        def end(self):
            pass
"""


class WebHook(NamedTuple):
    """Where it listens, and what it was told."""

    address: str
    posted: list[dict[str, Any]]


@contextmanager
def web_hook() -> Iterator[WebHook]:
    """A web hook on this machine."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield WebHook(f"http://127.0.0.1:{server.server_port}", posted)
        server.shutdown()
        thread.join()
