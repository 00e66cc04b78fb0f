"""Objects below a root, whatever kind of store holds them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.datatools.addresses import Addresses
from airflow_mlflow_provider.datatools.answers import answer_error, found_object, missing_object
from airflow_mlflow_provider.datatools.arguments import Key, content_of, wanted_part
from airflow_mlflow_provider.datatools.exception import (
    MetaflowS3InvalidObject,
    MetaflowS3NotFound,
    MetaflowS3URLException,
)
from airflow_mlflow_provider.datatools.objects import S3Object, S3PutObject
from airflow_mlflow_provider.datatools.transfer import Found, Request, perform
from airflow_mlflow_provider.exception import MetaflowException, ObjectNotFound, StoreException

if TYPE_CHECKING:
    from typing_extensions import Self


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
        self._addresses = Addresses(root, self._schemes, self._bad_url)
        self._encryption = encryption
        self._tmproot = tmproot or get("temp_dir") or None
        self._folder: Path | None = None
        self._files = 0

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
        return self.get_many([self._addresses.own if key is None else key], return_missing, return_info)[0]

    def get_many(
        self, keys: Iterable[Key], return_missing: bool = False, return_info: bool = True
    ) -> list[S3Object]:
        """Download objects at once, in the order of the keys; see `get`."""
        wanted = [wanted_part(key) for key in keys]
        urls = [self._addresses.url(key.key) for key in wanted]
        requests = [
            Request(
                "get", self._addresses.location(url), self._new_file(), offset=key.offset, length=key.length
            )
            for key, url in zip(wanted, urls, strict=True)
        ]
        found = self._perform(requests, urls, return_missing)
        return [
            found_object(self._addresses, url, answer[0], request, return_info)
            if answer
            else missing_object(self._addresses, url)
            for url, answer, request in zip(urls, found, requests, strict=True)
        ]

    def get_recursive(self, keys: Iterable[str], return_info: bool = False) -> list[S3Object]:
        """Download all objects below the prefixes."""
        return self.get_many([item.url for item in self.list_recursive(keys)], return_info=return_info)

    def get_all(self, return_info: bool = False) -> list[S3Object]:
        """Download all objects below the root."""
        return self.get_recursive([self._addresses.own], return_info)

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
        return self._put([(item, {"data": content_of(item.key, item.value)}) for item in items], overwrite)

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
        return self.info_many([self._addresses.own if key is None else key], return_missing)[0]

    def info_many(self, keys: Iterable[str], return_missing: bool = False) -> list[S3Object]:
        """What is known of objects, in the order of the keys."""
        urls = [self._addresses.url(key) for key in keys]
        requests = [Request("head", self._addresses.location(url)) for url in urls]
        found = self._perform(requests, urls, return_missing)
        return [
            found_object(self._addresses, url, answer[0], None, True)
            if answer
            else missing_object(self._addresses, url)
            for url, answer in zip(urls, found, strict=True)
        ]

    def list_paths(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """The next level below the prefixes (the root by default); prefixes in it have ``exists=False``."""
        return self._list("children", keys)

    def list_recursive(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """All objects below the prefixes (the root by default)."""
        return self._list("list", keys)

    def _list(self, verb: str, keys: Iterable[str] | None) -> list[S3Object]:
        urls = [self._addresses.url(key) for key in ([self._addresses.own] if keys is None else keys)]
        requests = []
        for url in urls:
            scheme, bucket, key = self._addresses.location(url)
            requests.append(Request(verb, (scheme, bucket, f"{key.rstrip('/')}/" if key else "")))
        answers = self._perform(requests, urls, False)
        return [
            found_object(self._addresses, f"{r.location[0]}://{r.location[1]}/{item.key}", item, None, False)
            for r, answer in zip(requests, answers, strict=True)
            for item in answer
        ]

    def _put(
        self, items: Sequence[tuple[S3PutObject, dict[str, Any]]], overwrite: bool
    ) -> list[tuple[str, str]]:
        urls = [self._addresses.url(item.key) for item, _ in items]
        requests = []
        for (item, source), url in zip(items, urls, strict=True):
            attributes = dict(item.metadata or {})
            if item.content_type:
                attributes["Content-Type"] = item.content_type
            requests.append(
                Request(
                    "put",
                    self._addresses.location(url),
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
                    raise answer_error(answer, request, url, self._not_found) from answer
                answers.append([])
            else:
                answers.append(answer)
        return answers

    def _new_file(self) -> str:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="objects-", dir=self._tmproot))
        self._files += 1
        return str(self._folder / str(self._files))
