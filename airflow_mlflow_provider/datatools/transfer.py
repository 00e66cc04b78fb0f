"""Batches of requests to object stores, as many at once as `s3_workers` allows, in one process.

Bytes go from and to files, so that a request and its answer are small. That lets a forked process, in which the
client's threads do not exist, hand its batch to a helper process that is started afresh.
"""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import StoreException, StoreFull

_PIECE_BYTES = 16 << 20
_FIRST_BYTES = 16 << 20
_CHUNK_BYTES = 4 << 20
# Connections that a batch has for the pieces of its large objects; with many objects, each has one.
_CONNECTIONS = 16
_MOST_STREAMS = 8
_CREATE_BYTES = 64 << 20


@dataclass(frozen=True)
class Request:
    """One operation on one object or prefix.

    Attributes:
        verb: ``get``, ``head``, ``put``, ``list`` (all leaves) or ``children`` (the next level).
        location: Scheme, bucket and key.
        path: File to write or read.
        data: Bytes to put instead of a file's.
        offset: First byte to get; a negative one counts from the end.
        length: Bytes to get; ``None`` for all that follow.
        attributes: Content type and metadata of a put.
        overwrite: Whether a put replaces an object.
        encryption: Server-side encryption of a put.
        streams: Connections for the pieces of a large object.
    """

    verb: str
    location: tuple[str, str, str]
    path: str = ""
    data: bytes | None = None
    offset: int = 0
    length: int | None = None
    attributes: Mapping[str, str] | None = None
    overwrite: bool = True
    encryption: str | None = None
    streams: int = 1

    @property
    def partial(self) -> bool:
        """Whether a part of an object is to be got."""
        return self.verb == "get" and (self.offset != 0 or self.length is not None)


@dataclass(frozen=True)
class Found:
    """What is known of one object; of a prefix only its key.

    Attributes:
        key: Key in its bucket.
        size: Bytes of the whole object; ``None`` for a prefix.
        last_modified: Seconds since 1970.
        attributes: Content type and metadata, where they were read.
        read: Bytes that were read.
    """

    key: str
    size: int | None = None
    last_modified: float | None = None
    attributes: Mapping[str, str] | None = None
    read: int | None = None


Answer = list[Found] | StoreException


def perform(requests: Sequence[Request]) -> list[Answer]:
    """Carry out requests at once; the answers, or the errors in their place, in the order of the requests."""
    from airflow_mlflow_provider.store._remote import client_is_usable

    if all(request.location[0] == "file" for request in requests) or client_is_usable():
        return _Batch().perform(requests)
    return _in_helper(requests)


def _in_helper(requests: Sequence[Request]) -> list[Answer]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
    ended = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps([*requests]), stdout=subprocess.PIPE, check=False
    )
    if ended.returncode != 0:
        raise StoreException(f"The helper process for object storage ended with {ended.returncode}.")
    answers: list[Answer] = pickle.loads(ended.stdout)
    return answers


def serve() -> None:
    """Be the helper process: a batch from standard input, its answers to standard output."""
    sys.stdout.buffer.write(pickle.dumps(perform(pickle.load(sys.stdin.buffer))))


class _Batch:
    def __init__(self) -> None:
        self._clients: dict[tuple[str, str, str | None], Any] = {}

    def perform(self, requests: Sequence[Request]) -> list[Answer]:
        for request in requests:
            self._client(request)
        streams = max(1, min(_CONNECTIONS // max(len(requests), 1), _MOST_STREAMS))
        requests = [replace(request, streams=streams) for request in requests]
        if len(requests) == 1:
            return [self._one(requests[0])]
        with ThreadPoolExecutor(get("s3_workers"), thread_name_prefix="objects") as threads:
            return [*threads.map(self._one, requests)]

    def _client(self, request: Request) -> Any:
        from airflow_mlflow_provider.store._object_client import connect

        scheme, bucket, _ = request.location
        name = (scheme, bucket, request.encryption)
        if name not in self._clients:
            if scheme == "file":
                from obstore.store import LocalStore

                self._clients[name] = LocalStore()
            else:
                self._clients[name] = connect(scheme, bucket, "", encryption=request.encryption)
        return self._clients[name]

    def _one(self, request: Request) -> Answer:
        from airflow_mlflow_provider.store._object_errors import translate

        scheme, bucket, key = request.location
        try:
            return _VERBS[request.verb](self._client(request), request)
        except StoreException as error:
            return error
        except Exception as error:  # noqa: BLE001 - each is told in its own place
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                return StoreFull(
                    "There is no space left for the downloaded files.", where={"path": request.path}
                )
            return translate(error, request.verb, key, f"{scheme}://{bucket}")


def _get(client: Any, request: Request) -> list[Found]:
    if request.streams == 1:
        return _get_in_one(client, request)
    # One request brings a small object, and tells the size of a large one, whose other pieces are asked for beside it.
    first = _first_piece(client, request)
    meta, attributes, (start, end) = first.meta, dict(first.attributes), first.range
    last = _wanted_end(request, meta["size"], end)
    with open(request.path, "wb") as file:  # noqa: PTH123 - a descriptor is needed, of a path made here
        if last <= end:
            file.write(memoryview(first.bytes()))
        else:
            _get_pieces(client, request, file.fileno(), first, last)
    return [_found(meta, attributes, last - start)]


def _get_in_one(client: Any, request: Request) -> list[Found]:
    import obstore

    offset, length = request.offset, request.length
    options: Any = {}
    if offset < 0:
        options["range"] = {"suffix": -offset}
    elif length is not None:
        options["range"] = (offset, offset + length)
    elif offset:
        options["range"] = {"offset": offset}
    result = obstore.get(client, request.location[2], options=options)
    meta, attributes, (start, end) = result.meta, dict(result.attributes), result.range
    with open(request.path, "wb") as file:  # noqa: PTH123 - as above
        if end - start <= _PIECE_BYTES:
            file.write(memoryview(result.bytes()))
        else:
            for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                file.write(memoryview(chunk))
    return [_found(meta, attributes, end - start)]


def _first_piece(client: Any, request: Request) -> Any:
    import obstore

    key, offset, length = request.location[2], request.offset, request.length
    if offset < 0:
        return obstore.get(client, key, options={"range": {"suffix": -offset}})
    if length is not None:
        return obstore.get(client, key, options={"range": (offset, offset + min(length, _FIRST_BYTES))})
    try:
        return obstore.get(client, key, options={"range": (offset, offset + _FIRST_BYTES)})
    except FileNotFoundError:
        raise
    except Exception:  # noqa: BLE001 - an object without bytes has no first one; what else is wrong is so again
        return obstore.get(client, key, options={"range": {"offset": offset}} if offset else {})


def _wanted_end(request: Request, size: int, end: int) -> int:
    """Where the part of the object that was asked for ends."""
    if request.offset < 0:
        return end
    return size if request.length is None else min(size, request.offset + request.length)


def _get_pieces(client: Any, request: Request, descriptor: int, first: Any, last: int) -> None:
    import obstore

    key, (start, end) = request.location[2], first.range
    tag = first.meta.get("e_tag")

    def keep(result: Any, offset: int) -> None:
        piece = memoryview(result.bytes())
        position = offset - start
        while piece:
            written = os.pwrite(descriptor, piece, position)
            piece, position = piece[written:], position + written

    def fetch(offset: int) -> None:
        options: Any = {"range": (offset, min(offset + _PIECE_BYTES, last))}
        # All pieces are of one version of the object.
        keep(obstore.get(client, key, options={**options, **({"if_match": tag} if tag else {})}), offset)

    with ThreadPoolExecutor(request.streams, thread_name_prefix="pieces") as threads:
        begun = threads.submit(keep, first, start)
        for _ in threads.map(fetch, range(end, last, _PIECE_BYTES)):
            pass
        begun.result()


def _head(client: Any, request: Request) -> list[Found]:
    import obstore

    result = obstore.get(client, request.location[2], options={"head": True})
    return [_found(result.meta, dict(result.attributes))]


def _put(client: Any, request: Request) -> list[Found]:
    import obstore

    key = request.location[2]
    if not request.overwrite and _exists(client, key):
        return []
    size = os.stat(request.path).st_size if request.data is None else len(request.data)  # noqa: PTH116
    # A folder keeps no attributes.
    attributes = None if request.location[0] == "file" else dict(request.attributes or {}) or None
    mode: Any = "create" if not request.overwrite and size <= _CREATE_BYTES else "overwrite"
    multipart = size > 2 * _PIECE_BYTES and mode == "overwrite"
    # One piece is read while another one travels.
    streams = max(request.streams, 2)
    try:
        if request.data is not None:
            obstore.put(
                client,
                key,
                request.data,
                attributes=attributes,
                mode=mode,
                use_multipart=multipart,
                chunk_size=_PIECE_BYTES,
                max_concurrency=streams,
            )
        else:
            with open(request.path, "rb") as file:  # noqa: PTH123
                obstore.put(
                    client,
                    key,
                    file if multipart else file.read(),
                    attributes=attributes,
                    mode=mode,
                    use_multipart=multipart,
                    chunk_size=_PIECE_BYTES,
                    max_concurrency=streams,
                )
    except obstore.exceptions.AlreadyExistsError:
        return []
    return []


def _exists(client: Any, key: str) -> bool:
    import obstore

    try:
        obstore.head(client, key)
    except FileNotFoundError:
        return False
    return True


def _list(client: Any, request: Request) -> list[Found]:
    import obstore

    prefix = request.location[2] or None
    return [_found(meta) for page in obstore.list(client, prefix, chunk_size=1000) for meta in page]


def _children(client: Any, request: Request) -> list[Found]:
    import obstore

    found = obstore.list_with_delimiter(client, request.location[2] or None)
    return [*map(Found, found["common_prefixes"]), *map(_found, found["objects"])]


def _found(meta: Any, attributes: Mapping[str, str] | None = None, read: int | None = None) -> Found:
    return Found(meta["path"], meta["size"], meta["last_modified"].timestamp(), attributes, read)


_VERBS: Mapping[str, Callable[[Any, Request], list[Found]]] = {
    "get": _get,
    "head": _head,
    "put": _put,
    "list": _list,
    "children": _children,
}
