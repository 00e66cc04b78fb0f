"""``s3://``, ``gs://`` and ``az://`` over obstore.

One call is one request, save for objects of many megabytes, which travel in parallel parts. A create-only put carries
a token of its own as metadata: if the answer of a request is lost and the retry finds the object there, the token
tells whether it was this writer who put it there.

Not for use in a process forked from one that has used it: the client's threads do not survive a fork and it would
wait for them for ever. :mod:`._remote` sees to that.
"""

from __future__ import annotations

import builtins
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_mlflow_provider.exception import ObjectExists, ObjectNotFound, StoreConflict, StoreException
from airflow_mlflow_provider.store._object_client import connect
from airflow_mlflow_provider.store._object_errors import translate
from airflow_mlflow_provider.store.abc import ObjectInfo, Store, as_parts, check_key, check_prefix

if TYPE_CHECKING:
    from typing_extensions import Buffer

Result = TypeVar("Result")

_PIECE_BYTES = 8 << 20
_MOST_PIECES = 9000
_DELETES = 1000
_CREATE_ATTEMPTS = 5
_abandoned: list[Any] = []
_TOKEN = "writer"  # noqa: S105 - the name of a metadata field


class ObjectStore(Store):
    """Objects of a bucket below a prefix.

    Args:
        scheme: ``s3``, ``gs`` or ``az``.
        bucket: Bucket or container.
        prefix: Prefix of all keys, without slashes at its ends.
    """

    remote = True

    def __init__(self, scheme: str, bucket: str, prefix: str) -> None:
        self.url = f"{scheme}://{bucket}/{prefix}".rstrip("/")
        self._location = (scheme, bucket, prefix)
        self._lock = threading.Lock()
        self._connection: Any = None
        self._threads: ThreadPoolExecutor | None = None

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes | memoryview:
        check_key(key)
        if length == 0:
            return b""
        if length is not None and length > 2 * _PIECE_BYTES:
            return self._get_pieces(key, start, length)
        return self._get(key, start, length)

    def get_many(self, keys: Sequence[str]) -> builtins.list[bytes | memoryview | None]:
        return self._each(self._get_or_none, keys)

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        import obstore

        parts = as_parts(data)
        size = sum(part.nbytes for part in parts)
        if create:
            self._put_if(key, b"".join(parts), "create")
            return
        with self._errors("write", check_key(key)):
            if size <= 2 * _PIECE_BYTES:
                obstore.put(self._client(), key, b"".join(parts), use_multipart=False)
            else:
                piece = max(_PIECE_BYTES, -(-size // _MOST_PIECES))
                obstore.put(self._client(), key, iter(parts), chunk_size=piece)

    def get_versioned(self, key: str) -> tuple[bytes, str]:
        import obstore

        with self._errors("read", check_key(key)):
            result = obstore.get(self._client(), key)
            return bytes(result.bytes()), _version(result.meta)

    def replace(self, key: str, data: bytes, version: str) -> None:
        tag, _, number = version.partition(" ")
        condition = {"e_tag": tag} | ({"version": number} if number else {})
        self._put_if(key, data, condition)

    def info(self, key: str) -> ObjectInfo | None:
        import obstore

        try:
            with self._errors("read", check_key(key)):
                return _info(obstore.head(self._client(), key))
        except ObjectNotFound:
            return None

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        return itertools.islice(self._list(prefix, after), limit)

    def children(self, prefix: str) -> builtins.list[str]:
        import obstore

        with self._errors("list", check_prefix(prefix)):
            found = obstore.list_with_delimiter(self._client(), prefix or None)
        paths = itertools.chain(found["common_prefixes"], (item["path"] for item in found["objects"]))
        return sorted({path.rpartition("/")[2] for path in paths})

    def delete(self, keys: Iterable[str]) -> None:
        pending = iter([check_key(key) for key in keys])
        while batch := [*itertools.islice(pending, _DELETES)]:
            try:
                self._delete(batch)
            except ObjectNotFound:
                # Some services mind, and have deleted the others or not.
                for key in batch:
                    self._delete_one(key)

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    def download(self, key: str, descriptor: int) -> None:
        """Write an object to a file, in parallel pieces if it is large.

        Raises:
            ObjectNotFound: There is no such object.
        """
        import obstore

        from airflow_mlflow_provider.store._local import write_parts

        with self._errors("read", check_key(key)):
            result = obstore.get(self._client(), key)
            size = result.meta["size"]
            if size <= 2 * _PIECE_BYTES:
                write_parts(descriptor, [memoryview(result.bytes())])
                return
            del result

        def fetch(start: int) -> None:
            piece = memoryview(self._get(key, start, min(_PIECE_BYTES, size - start)))
            while piece:
                written = os.pwrite(descriptor, piece, start)
                piece, start = piece[written:], start + written

        self._each(fetch, range(0, size, _PIECE_BYTES))

    def close(self) -> None:
        with self._lock:
            threads, self._threads, self._connection = self._threads, None, None
        if threads is not None:
            threads.shutdown()

    def abandon(self) -> None:
        """Let go of a client that works in the parent of this process only, without waiting for anything of it."""
        # Freeing it would stop threads that do not exist here; the parent's memory is shared until written to.
        _abandoned.append(self._connection)

    def _client(self) -> Any:
        if self._connection is None:
            with self._lock:
                if self._connection is None:
                    self._connection = connect(*self._location)
        return self._connection

    def _each(self, function: Callable[[Any], Result], items: Sequence[Any]) -> builtins.list[Result]:
        """Apply a function that makes requests to all items, as many at once as are allowed."""
        if len(items) < 2:
            return [function(item) for item in items]
        with self._lock:
            if self._threads is None:
                from airflow_mlflow_provider.configuration import get

                self._threads = ThreadPoolExecutor(get("s3_workers"), thread_name_prefix="object-store")
            threads = self._threads
        return [*threads.map(function, items)]

    def _get(self, key: str, start: int, length: int | None) -> memoryview:
        import obstore

        options: Any = {}
        if start or length is not None:
            options["range"] = {"offset": start} if length is None else (start, start + length)
        with self._errors("read", key):
            try:
                return memoryview(obstore.get(self._client(), key, options=options).bytes())
            except obstore.exceptions.BaseError as error:
                if options and "416 Range Not Satisfiable" in str(error):
                    return memoryview(b"")
                raise

    def _get_or_none(self, key: str) -> memoryview | None:
        try:
            return self._get(check_key(key), 0, None)
        except ObjectNotFound:
            return None

    def _get_pieces(self, key: str, start: int, length: int) -> memoryview:
        target = memoryview(bytearray(length))

        def fetch(offset: int) -> int:
            piece = self._get(key, start + offset, min(_PIECE_BYTES, length - offset))
            target[offset : offset + len(piece)] = piece
            return len(piece)

        filled = sum(self._each(fetch, range(0, length, _PIECE_BYTES)))
        return target[:filled].toreadonly()

    def _put_if(self, key: str, data: bytes, condition: Any) -> None:
        """Put under a condition; the token settles whose object it is when the service says that it does not hold."""
        import obstore

        check_key(key)
        token = os.urandom(12).hex()
        for attempt in range(1, _CREATE_ATTEMPTS + 1):
            try:
                with self._errors("write", key):
                    obstore.put(
                        self._client(),
                        key,
                        data,
                        mode=condition,
                        attributes={_TOKEN: token},
                        use_multipart=False,
                    )
            except (ObjectExists, StoreConflict, ObjectNotFound):
                winner = self._writer(key)
                if winner == token:
                    return
                # Nothing there although a create was refused: two writers met, and the service let neither win.
                if winner is None and condition == "create" and attempt < _CREATE_ATTEMPTS:
                    continue
                raise
            return

    def _writer(self, key: str) -> str | None:
        """The token of the writer of an object, ``""`` if it has none; ``None`` if there is no object."""
        import obstore

        try:
            with self._errors("read", key):
                return str(obstore.get(self._client(), key).attributes.get(_TOKEN, ""))
        except ObjectNotFound:
            return None

    def _list(self, prefix: str, after: str) -> Iterator[ObjectInfo]:
        import obstore

        with self._errors("list", prefix):
            for page in obstore.list(self._client(), prefix or None, offset=after or None, chunk_size=1000):
                yield from map(_info, page)

    def _delete(self, keys: builtins.list[str]) -> None:
        import obstore

        with self._errors("delete", keys[0]):
            obstore.delete(self._client(), keys)

    def _delete_one(self, key: str) -> None:
        try:
            self._delete([key])
        except ObjectNotFound:
            return

    @contextmanager
    def _errors(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except (StoreException, GeneratorExit):
            raise
        except Exception as error:
            raise translate(error, verb, key, self.url) from error


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"].timestamp())


def _version(meta: Any) -> str:
    return f"{meta['e_tag']} {meta['version'] or ''}".rstrip()
