"""Objects below a root, whatever kind of store holds them."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.datatools.objects import RangeInfo, S3GetObject, S3Object, S3PutObject
from airflow_mlflow_provider.datatools.transfer import Found, Request, perform
from airflow_mlflow_provider.exception import (
    MetaflowException,
    MetaflowS3AccessDenied,
    MetaflowS3Exception,
    MetaflowS3InsufficientDiskSpace,
    MetaflowS3InvalidObject,
    MetaflowS3InvalidRange,
    MetaflowS3NotFound,
    MetaflowS3URLException,
    ObjectNotFound,
    StoreAccessDenied,
    StoreException,
    StoreFull,
)

if TYPE_CHECKING:
    from typing_extensions import Self

Key = str | S3GetObject


class ObjectStore:
    """Gets, puts and lists many objects at once; downloaded files vanish when it is closed.

    Args:
        root: URL that keys are relative to: ``s3://``, ``gs://``, ``az://`` or ``file://``; without one, keys are URLs.
        tmproot: Folder for downloaded files; the configured ``temp_dir`` by default.
        encryption: Server-side encryption of puts, such as ``aws:kms``.

    Raises:
        MetaflowS3URLException: The root is no such URL.
    """

    _schemes: ClassVar[tuple[str, ...]] = ("s3", "gs", "az", "file")
    _not_found: ClassVar[type[MetaflowException]] = MetaflowS3NotFound
    _bad_url: ClassVar[type[MetaflowException]] = MetaflowS3URLException

    def __init__(
        self, root: str | None = None, *, tmproot: str | None = None, encryption: str | None = None
    ) -> None:
        self._root = None if root is None else root.rstrip("/")
        self._encryption = encryption
        self._tmproot = tmproot or get("temp_dir") or None
        self._folder: Path | None = None
        self._files = 0
        if self._root is not None:
            self._location(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the downloaded files."""
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def get(self, key: Key | None = None, return_missing: bool = False, return_info: bool = True) -> S3Object:
        """Download one object, or a part of it.

        Args:
            key: Key, URL or `S3GetObject`; the root itself by default.
            return_missing: Give an object with ``exists=False`` instead of raising.
            return_info: Fill in type and metadata.

        Raises:
            MetaflowS3NotFound: There is no such object.
            MetaflowS3InvalidRange: It has no such part.
        """
        return self.get_many([self._self_key() if key is None else key], return_missing, return_info)[0]

    def get_many(
        self, keys: Iterable[Key], return_missing: bool = False, return_info: bool = True
    ) -> list[S3Object]:
        """Download objects at once, in the order of the keys; see `get`."""
        wanted = [self._wanted(key) for key in keys]
        urls = [self._url(key.key) for key in wanted]
        requests = [
            Request("get", self._location(url), self._new_file(), offset=key.offset, length=key.length)
            for key, url in zip(wanted, urls, strict=True)
        ]
        found = self._perform(requests, urls, return_missing)
        return [
            self._object(url, answer[0], request, return_info) if answer else self._missing(url)
            for url, answer, request in zip(urls, found, requests, strict=True)
        ]

    def get_recursive(self, keys: Iterable[str], return_info: bool = False) -> list[S3Object]:
        """Download all objects below the prefixes."""
        return self.get_many([item.url for item in self.list_recursive(keys)], return_info=return_info)

    def get_all(self, return_info: bool = False) -> list[S3Object]:
        """Download all objects below the root."""
        return self.get_recursive([self._self_key()], return_info)

    def put(
        self,
        key: str,
        obj: Any,
        overwrite: bool = True,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Store one object; its URL.

        Args:
            key: Key or URL.
            obj: Text (UTF-8), bytes or a binary file.
            overwrite: Whether to replace an object; without, an existing one stays and that is no error.
            content_type: MIME type.
            metadata: Texts kept beside the object.

        Raises:
            MetaflowS3InvalidObject: ``obj`` is something else.
        """
        item = S3PutObject(key, obj, content_type=content_type, metadata=metadata)
        return self.put_many([item], overwrite)[0][1]

    def put_many(
        self, key_objs: Iterable[tuple[str, Any] | S3PutObject], overwrite: bool = True
    ) -> list[tuple[str, str]]:
        """Store objects at once; pairs of key and URL, in order."""
        items = [item if isinstance(item, S3PutObject) else S3PutObject(*item) for item in key_objs]
        return self._put([(item, {"data": _as_bytes(item.key, item.value)}) for item in items], overwrite)

    def put_files(
        self, key_paths: Iterable[tuple[str, str] | S3PutObject], overwrite: bool = True
    ) -> list[tuple[str, str]]:
        """Store files at once; pairs of key and URL, in order.

        Raises:
            MetaflowS3InvalidObject: There is no such file.
        """
        items = [
            item if isinstance(item, S3PutObject) else S3PutObject(item[0], path=str(item[1]))
            for item in key_paths
        ]
        for item in items:
            if not item.path or not Path(item.path).is_file():
                raise MetaflowS3InvalidObject(
                    f"There is no file {item.path!r} to put as '{item.key}'.", where={"key": item.key}
                )
        return self._put([(item, {"path": item.path}) for item in items], overwrite)

    def info(self, key: str | None = None, return_missing: bool = False) -> S3Object:
        """Size, type, metadata and time of one object, without downloading it; see `get`."""
        return self.info_many([self._self_key() if key is None else key], return_missing)[0]

    def info_many(self, keys: Iterable[str], return_missing: bool = False) -> list[S3Object]:
        """What is known of objects, in the order of the keys."""
        urls = [self._url(key) for key in keys]
        requests = [Request("head", self._location(url)) for url in urls]
        found = self._perform(requests, urls, return_missing)
        return [
            self._object(url, answer[0], None, True) if answer else self._missing(url)
            for url, answer in zip(urls, found, strict=True)
        ]

    def list_paths(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """The next level below the prefixes (the root by default); prefixes in it have ``exists=False``."""
        return self._list("children", keys)

    def list_recursive(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """All objects below the prefixes (the root by default)."""
        return self._list("list", keys)

    def _list(self, verb: str, keys: Iterable[str] | None) -> list[S3Object]:
        urls = [self._url(key) for key in ([self._self_key()] if keys is None else keys)]
        requests = []
        for url in urls:
            scheme, bucket, key = self._location(url)
            requests.append(Request(verb, (scheme, bucket, f"{key.rstrip('/')}/" if key else "")))
        answers = self._perform(requests, urls, False)
        return [
            self._object(f"{r.location[0]}://{_join(r.location[1], item.key)}", item, None, False)
            for r, answer in zip(requests, answers, strict=True)
            for item in answer
        ]

    def _put(
        self, items: Sequence[tuple[S3PutObject, dict[str, Any]]], overwrite: bool
    ) -> list[tuple[str, str]]:
        urls = [self._url(item.key) for item, _ in items]
        requests = []
        for (item, source), url in zip(items, urls, strict=True):
            attributes = dict(item.metadata or {})
            if item.content_type:
                attributes["Content-Type"] = item.content_type
            requests.append(
                Request(
                    "put",
                    self._location(url),
                    attributes=attributes,
                    overwrite=overwrite,
                    encryption=item.encryption or self._encryption,
                    **source,
                )
            )
        self._perform(requests, urls, False)
        return [(item.key, url) for (item, _), url in zip(items, urls, strict=True)]

    def _perform(
        self, requests: Sequence[Request], urls: Sequence[str], return_missing: bool
    ) -> list[list[Found]]:
        answers: list[list[Found]] = []
        for request, url, answer in zip(requests, urls, perform(requests) if requests else [], strict=True):
            if isinstance(answer, StoreException):
                if not (return_missing and isinstance(answer, ObjectNotFound)):
                    raise self._error(answer, request, url) from answer
                answers.append([])
            else:
                answers.append(answer)
        return answers

    def _error(self, error: StoreException, request: Request, url: str) -> MetaflowException:
        where = {"url": url, "operation": request.verb}
        if isinstance(error, ObjectNotFound):
            return self._not_found(f"Could not {request.verb} {url}: there is no such object.", where=where)
        kind: type[MetaflowException] = MetaflowS3Exception
        if isinstance(error, StoreAccessDenied):
            kind = MetaflowS3AccessDenied
        elif isinstance(error, StoreFull):
            kind = MetaflowS3InsufficientDiskSpace
        elif request.partial and ("416" in error.message or "range" in error.message.lower()):
            kind = MetaflowS3InvalidRange
        return kind(f"Could not {request.verb} {url}: {error.message}", fix=error.fix, where=where)

    def _object(self, url: str, found: Found, request: Request | None, with_info: bool) -> S3Object:
        attributes = dict(found.attributes or {})
        content_type = attributes.pop("Content-Type", None)
        downloaded = self._missing(url)
        range_info = None
        if request is not None and found.size is not None:
            offset = request.offset if request.offset >= 0 else max(0, found.size + request.offset)
            range_info = RangeInfo(found.size, offset, -1 if request.length is None else request.length)
        return dataclasses.replace(
            downloaded,
            path=None if request is None else request.path,
            size=found.size if request is None else found.read,
            exists=found.size is not None,
            has_info=with_info,
            metadata=(attributes or None) if with_info else None,
            content_type=content_type if with_info else None,
            last_modified=found.last_modified,
            range_info=range_info,
        )

    def _missing(self, url: str) -> S3Object:
        root = self._root
        inside = root is not None and url.startswith(f"{root}/")
        return S3Object(
            url,
            url[len(root or "") + 1 :].rstrip("/") if inside else url,
            root if inside else None,
            exists=False,
        )

    @staticmethod
    def _wanted(key: Key) -> S3GetObject:
        if isinstance(key, str):
            return S3GetObject(key, 0)
        length = None if key.length is None or key.length < 0 else key.length
        if length == 0 or (key.offset < 0 and length is not None):
            raise MetaflowS3InvalidRange(
                f"'{key.key}' has no part with offset {key.offset} and length {key.length}.",
                fix="Ask for at least one byte; an offset from the end takes no length.",
                where={"key": key.key},
            )
        return S3GetObject(key.key, key.offset, length)

    def _self_key(self) -> str:
        if self._root is None:
            raise self._bad_url(
                "Without a root, a key is needed.", fix="Name a key, or make the client with a root."
            )
        return self._root

    def _url(self, key: str) -> str:
        if self._root is None or key == self._root:
            self._location(key)
            return key
        if "://" in key:
            if not key.startswith(f"{self._root}/"):
                raise self._bad_url(
                    f"{key} is not below {self._root}.",
                    fix="Give keys relative to the root.",
                    where={"url": key},
                )
            return key
        return f"{self._root}/{key.lstrip('/')}"

    def _location(self, url: str) -> tuple[str, str, str]:
        parts = urlsplit(url, allow_fragments=False)
        if parts.scheme not in self._schemes or not (parts.netloc or parts.scheme == "file"):
            forms = ", ".join(f"{scheme}://…" for scheme in self._schemes)
            raise self._bad_url(
                f"'{url}' is not a URL of an object.", fix=f"Give one of {forms}", where={"url": url}
            )
        rest = url.partition("://")[2]
        if parts.scheme == "file":
            return "file", "", rest.lstrip("/")
        bucket, _, key = rest.partition("/")
        return parts.scheme, bucket, key

    def _new_file(self) -> str:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="objects-", dir=self._tmproot))
        self._files += 1
        return str(self._folder / str(self._files))


def _join(bucket: str, key: str) -> str:
    return f"{bucket}/{key}"


def _as_bytes(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    content = value.read() if hasattr(value, "read") else None
    if isinstance(content, bytes):
        return content
    raise MetaflowS3InvalidObject(
        f"'{key}' cannot be put from a value of type {type(value).__name__}.",
        fix="Give text, bytes or a file opened in binary mode.",
        where={"key": key},
    )
