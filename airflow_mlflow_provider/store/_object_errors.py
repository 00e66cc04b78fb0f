"""Every error of obstore as one of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_mlflow_provider.exception import (
    ObjectExists,
    ObjectNotFound,
    StoreAccessDenied,
    StoreConflict,
    StoreException,
    StoreFull,
)

# By class name, so that obstore need not be imported. A test compares this with what obstore defines.
MAPPED: Mapping[str, type[StoreException]] = {
    "FileNotFoundError": ObjectNotFound,
    "NotFoundError": ObjectNotFound,
    "AlreadyExistsError": ObjectExists,
    "PreconditionError": StoreConflict,
    "PermissionDeniedError": StoreAccessDenied,
    "UnauthenticatedError": StoreAccessDenied,
    "BaseError": StoreException,
    "GenericError": StoreException,
    "InvalidPathError": StoreException,
    "JoinError": StoreException,
    "NotSupportedError": StoreException,
    "NotModifiedError": StoreException,
    "UnknownConfigurationKeyError": StoreException,
    "NotImplementedError": StoreException,
    "ValueError": StoreException,
    "OSError": StoreException,
}
# The services' own words, where the class says too little.
_SAYS = (
    (re.compile(r"\b507\b|InsufficientStorage|QuotaExceeded|StorageFull|XMinioStorageFull"), StoreFull),
    (
        re.compile(
            r"169\.254\.169\.254|metadata\.google\.internal|credential|InvalidAccessKeyId|SignatureDoesNotMatch"
            r"|ExpiredToken|TokenRefreshRequired|\b40[13] (?:Unauthorized|Forbidden)",
            re.IGNORECASE,
        ),
        StoreAccessDenied,
    ),
)
CREDENTIALS_FIX = (
    "Give this process credentials that allow it: environment variables, the pod's service account, "
    "the instance's role, or for S3 a profile in ~/.aws with boto3 installed."
)
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist", re.IGNORECASE)
_CODE = re.compile(r"<Code>([^<]+)</Code>")
_REASON = re.compile(r"<Message>([^<]+)</Message>")
_FIXES: Mapping[type[StoreException], str] = {
    StoreAccessDenied: CREDENTIALS_FIX,
    StoreFull: "Free some space, or raise the quota.",
    StoreException: "Check the store's URL, the network, and where the service is: for S3 the region and the endpoint "
    "(`s3_endpoint_url`), for Azure the account (AZURE_STORAGE_ACCOUNT_NAME).",
}


def translate(error: BaseException, verb: str, key: str, url: str) -> StoreException:
    """What to raise instead of an error of obstore.

    Args:
        error: The error.
        verb: What was tried: ``read``, ``write``, ``list``, ``delete``.
        key: The key or prefix it was tried on.
        url: URL of the store.
    """
    text = str(error)
    where = {"key": key, "store": url}
    if _NO_BUCKET.search(text):
        return StoreException(
            f"Could not {verb} '{key}' in {url}: there is no such bucket or container.",
            fix="Create it, or correct the store's URL.",
            where=where,
        )
    kind = MAPPED.get(type(error).__name__, StoreException)
    if kind is StoreException:
        kind = next((better for said, better in _SAYS if said.search(text)), kind)
    if kind is ObjectNotFound:
        return ObjectNotFound(f"There is no '{key}' in {url}.", where=where)
    if kind is ObjectExists:
        return ObjectExists(f"'{key}' exists already in {url}.", where=where)
    if kind is StoreConflict:
        return StoreConflict(f"'{key}' in {url} was changed by somebody else.", where=where)
    return kind(f"Could not {verb} '{key}' in {url}: {_short(text)}", fix=_FIXES[kind], where=where)


def _short(text: str) -> str:
    """The service's code and message if it gave them, else the first paragraph."""
    code, reason = _CODE.search(text), _REASON.search(text)
    if code:
        return f"{code[1]}: {reason[1]}" if reason else code[1]
    return " ".join(text.partition("\n\nDebug source")[0].split())[:400]
