"""Content-addressed objects: where they are and when they are written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_mlflow_provider.exception import CorruptedDataException
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.hashing import digest_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

# An object that is there already is written again when it is older than this, so that no collector of garbage with a
# longer grace period can take it for abandoned while its new owner has not committed yet.
REFRESH_SECONDS = 24 * 3600.0
# Smaller ones are written to a remote store without asking first: that is one request whether they are there or not.
_PROBE_BYTES = 1 << 20


def blob_key(digest: str, compression: str = "") -> str:
    """Key of the blob with this digest of its uncompressed bytes; each way of storing it has its own."""
    suffix = ".zst" if compression else ""
    return f"blobs/{digest[:2]}/{digest}{suffix}"


def code_key(digest: str) -> str:
    """Key of a code package."""
    return f"code/{digest}.tar.zst"


def put_content(store: Store, key: str, parts: Sequence[Buffer], size: int) -> bool:
    """Write a content-addressed object unless it is there and young.

    Args:
        store: Where.
        key: Key that follows from the content.
        parts: The content.
        size: Its length in bytes.

    Returns:
        Whether it was written.
    """
    if not store.remote or size >= _PROBE_BYTES:
        found = store.info(key)
        if found is not None and found.size == size and time.time() - found.modified < REFRESH_SECONDS:
            return False
    store.put(key, list(parts))
    return True


def check_digest(data: Buffer, expected: str, key: str, what: str) -> None:
    """Compare the digest of bytes with the one they were stored under.

    Raises:
        CorruptedDataException: They differ.
    """
    view = memoryview(data)
    found = digest_of([view], view.nbytes)
    if found != expected:
        raise CorruptedDataException(
            f"{what} is corrupted: the bytes of '{key}' have the digest {found} instead of {expected}.",
            fix="Restore the object from a backup, or run the step that wrote it again.",
            where={"key": key, "expected": expected, "found": found},
        )
