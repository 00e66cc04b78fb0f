"""What the store answered, as callers see it: objects, or one of the exceptions of the datatools."""

from __future__ import annotations

from airflow_mlflow_provider.datatools.addresses import Addresses
from airflow_mlflow_provider.datatools.exception import (
    MetaflowS3AccessDenied,
    MetaflowS3Exception,
    MetaflowS3InsufficientDiskSpace,
    MetaflowS3InvalidRange,
)
from airflow_mlflow_provider.datatools.objects import RangeInfo, S3Object
from airflow_mlflow_provider.datatools.transfer import Found, Request
from airflow_mlflow_provider.exception import (
    MetaflowException,
    ObjectNotFound,
    StoreAccessDenied,
    StoreException,
    StoreFull,
)


def missing_object(addresses: Addresses, url: str) -> S3Object:
    """An object that does not exist."""
    key, prefix = addresses.key(url)
    return S3Object(url, key, prefix, exists=False)


def found_object(
    addresses: Addresses, url: str, found: Found, request: Request | None, with_info: bool
) -> S3Object:
    """An object that was downloaded, looked at or listed.

    Args:
        addresses: What names the object.
        url: Its URL.
        found: What the store says of it; without a size, it is a prefix.
        request: The download; ``None`` if there was none.
        with_info: Whether type and metadata are told.
    """
    key, prefix = addresses.key(url)
    attributes = dict(found.attributes or {})
    content_type = attributes.pop("Content-Type", None)
    range_info = None
    if request is not None and found.size is not None:
        offset = request.offset if request.offset >= 0 else max(0, found.size + request.offset)
        range_info = RangeInfo(found.size, offset, -1 if request.length is None else request.length)
    return S3Object(
        url,
        key,
        prefix,
        path=None if request is None else request.path,
        size=found.size if request is None else found.read,
        exists=found.size is not None,
        has_info=with_info,
        metadata=(attributes or None) if with_info else None,
        content_type=content_type if with_info else None,
        last_modified=found.last_modified,
        range_info=range_info,
    )


def answer_error(
    error: StoreException, request: Request, url: str, not_found: type[MetaflowException]
) -> MetaflowException:
    """The exception for what the store refused; it names URL, operation and what the store said."""
    where = {"url": url, "operation": request.verb}
    if isinstance(error, ObjectNotFound):
        return not_found(f"Could not {request.verb} {url}: there is no such object.", where=where)
    kind: type[MetaflowException] = MetaflowS3Exception
    if isinstance(error, StoreAccessDenied):
        kind = MetaflowS3AccessDenied
    elif isinstance(error, StoreFull):
        kind = MetaflowS3InsufficientDiskSpace
    elif request.partial and ("416" in error.message or "range" in error.message.lower()):
        kind = MetaflowS3InvalidRange
    return kind(f"Could not {request.verb} {url}: {error.message}", fix=error.fix, where=where)
