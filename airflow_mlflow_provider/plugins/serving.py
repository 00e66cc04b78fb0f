"""What every answer has: a strict policy, and an ETag by which a client asks only whether something is new.

Pure ASGI, because each answer is whole and small when it gets here; files bring their own ETag.
"""

from __future__ import annotations

import hashlib
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# No script or style but our own files, no frame around us but Airflow's own pages.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # Kept by the browser, and asked for anew each time: an answer 304 has no body.
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Authorization",
}


class Served:
    """Adds headers to every answer and turns an unchanged one into 304.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Answer(scope, send))


class _Answer:
    def __init__(self, scope: Scope, send: Send) -> None:
        self._wanted = Headers(scope=scope).get("If-None-Match", "")
        self._is_read = scope["method"] in ("GET", "HEAD")
        self._send = send
        self._start: Message = {}
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if not self._is_tagged():
                await self._send(message)
        elif message["type"] == "http.response.body" and self._is_tagged():
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(b"".join(self._parts))
        else:
            await self._send(message)

    def _is_tagged(self) -> bool:
        headers = MutableHeaders(scope=self._start)
        return self._is_read and self._start["status"] == 200 and "etag" not in headers

    async def _finish(self, body: bytes) -> None:
        tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        start: dict[str, Any] = {**self._start}
        headers = MutableHeaders(raw=[*start["headers"], (b"etag", tag.encode())])
        if tag in self._wanted.replace("W/", "").split(", "):
            start["status"], body = 304, b""
            del headers["content-length"], headers["content-type"]
        start["headers"] = headers.raw
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})
