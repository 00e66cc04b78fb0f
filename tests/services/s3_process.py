"""The process behind `S3Server`: moto's S3 with a recorder, injected faults and atomic conditional writes in front.

Run as a script: `python -I s3_process.py DIRECTORY`; binds a free loopback port and writes its number to `DIRECTORY/port`.

Control, in JSON, under `/_control/` (no bucket's name may begin with an underscore):

- `GET requests`: every request since the last reset: `[{"operation", "method", "bucket", "key", "status"}, …]`
- `DELETE requests`: forget them
- `POST faults`: add a fault, the fields of `Fault`; `DELETE faults`: remove all
"""

import fnmatch
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

# (method, has a key, query parameter that decides or "") → S3's name for the operation; the first that fits.
OPERATIONS: tuple[tuple[str, bool, str, str], ...] = (
    ("GET", True, "uploadId", "ListParts"),
    ("GET", True, "", "GetObject"),
    ("HEAD", True, "", "HeadObject"),
    ("PUT", True, "uploadId", "UploadPart"),
    ("PUT", True, "", "PutObject"),
    ("POST", True, "uploads", "CreateMultipartUpload"),
    ("POST", True, "uploadId", "CompleteMultipartUpload"),
    ("DELETE", True, "uploadId", "AbortMultipartUpload"),
    ("DELETE", True, "", "DeleteObject"),
    ("GET", False, "uploads", "ListMultipartUploads"),
    ("GET", False, "", "ListObjects"),
    ("POST", False, "delete", "DeleteObjects"),
    ("PUT", False, "", "CreateBucket"),
    ("HEAD", False, "", "HeadBucket"),
    ("DELETE", False, "", "DeleteBucket"),
)

ERROR_CODES = {403: "AccessDenied", 409: "ConditionalRequestConflict", 500: "InternalError", 503: "SlowDown"}


@dataclass(frozen=True)
class Request:
    operation: str
    method: str
    bucket: str
    key: str
    status: int


@dataclass
class Fault:
    """What to do to the next `times` requests that match, after letting the first `skip` of them through."""

    operation: str = "*"
    bucket: str = "*"
    key: str = "*"
    status: int | None = None
    times: int | None = 1
    skip: int = 0
    delay: float = 0.0
    applied: bool = False

    def matches(self, operation: str, bucket: str, key: str) -> bool:
        wanted = ((operation, self.operation), (bucket, self.bucket), (key, self.key))
        return all(fnmatch.fnmatchcase(name, pattern) for name, pattern in wanted)

    def take(self) -> bool:
        """Whether this request is one to act on; uses one of the skips or times up."""
        if self.skip:
            self.skip -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


def operation_of(environ: Environ, key: str) -> str:
    method = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if method == "PUT" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return "UploadPartCopy" if "uploadId" in query else "CopyObject"
    for wanted_method, with_key, parameter, name in OPERATIONS:
        if method == wanted_method and bool(key) == with_key and (not parameter or parameter in query):
            return name
    return f"{method}{'Object' if key else 'Bucket'}"


class KeyLocks:
    """A lock for each object being written: moto checks `If-None-Match` and stores in two steps, S3 does it in one."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}

    def of(self, bucket: str, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault((bucket, key), threading.Lock())


class ControlledS3:
    """The WSGI application: control routes, else record, delay or refuse, and hand over to moto."""

    def __init__(self, backend: Application) -> None:
        self._backend = backend
        self._guard = threading.Lock()
        self._locks = KeyLocks()
        self._requests: list[Request] = []
        self._faults: list[Fault] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode()
        if path.startswith("/_control/"):
            return self._control(path.removeprefix("/_control/"), environ, start_response)
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        operation = operation_of(environ, key)
        fault = self._fault_for(operation, bucket, key)
        if fault and fault.delay:
            time.sleep(fault.delay)
        status, headers, body = self._answer(fault, bucket, key, environ)
        with self._guard:
            number = int(status.split()[0])
            self._requests.append(Request(operation, environ["REQUEST_METHOD"], bucket, key, number))
        start_response(status, headers)
        return body

    def _answer(
        self, fault: Fault | None, bucket: str, key: str, environ: Environ
    ) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        if fault and fault.status and not fault.applied:
            read_body(environ)
            return error_answer(fault.status, key)
        answer = self._from_backend(bucket, key, environ)
        return error_answer(fault.status, key) if fault and fault.status else answer

    def _from_backend(
        self, bucket: str, key: str, environ: Environ
    ) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
        answered: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            answered.append((status, headers))

        if environ["REQUEST_METHOD"] in {"GET", "HEAD"}:
            body = self._backend(environ, start_response)
        else:
            with self._locks.of(bucket, key):
                body = self._backend(environ, start_response)
        status, headers = answered[-1]
        return status, headers, body

    def _fault_for(self, operation: str, bucket: str, key: str) -> Fault | None:
        with self._guard:
            for fault in self._faults:
                if fault.matches(operation, bucket, key) and fault.take():
                    return fault
        return None

    def _control(self, what: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = read_body(environ)
        answer: Any = None
        with self._guard:
            match (environ["REQUEST_METHOD"], what):
                case ("GET", "requests"):
                    answer = [asdict(request) for request in self._requests]
                case ("DELETE", "requests"):
                    self._requests.clear()
                case ("POST", "faults"):
                    self._faults.append(Fault(**json.loads(body)))
                case ("DELETE", "faults"):
                    self._faults.clear()
                case _:
                    start_response("404 NOT FOUND", [("Content-Length", "0")])
                    return []
        payload = json.dumps(answer).encode()
        start_response(
            "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))]
        )
        return [payload]


def read_body(environ: Environ) -> bytes:
    """Read what the client sends, so that it hears the answer instead of a broken connection."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def error_answer(status: int, key: str) -> tuple[str, list[tuple[str, str]], Iterable[bytes]]:
    code = ERROR_CODES.get(status, "InjectedFault")
    text = (
        f"<Error><Code>{code}</Code><Message>injected by the test</Message><Key>{escape(key)}</Key></Error>"
    )
    body = ('<?xml version="1.0" encoding="UTF-8"?>' + text).encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    return f"{status} {code}", headers, [body]


class QuietHandler(MotoRequestHandler):
    """Answers at once (headers and body are two writes, which Nagle's algorithm would hold up) and logs errors only."""

    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> None:
    directory = Path(sys.argv[1])
    application = ControlledS3(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    partial = directory / "port.partial"
    partial.write_text(str(server.server_port))
    partial.rename(directory / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
