"""Overwriting the stored log of an attempt, when something got into it that should not be there."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import msgspec

from airflow_mlflow_provider.exception import ObjectNotFound
from airflow_mlflow_provider.runtime.logs import Stream, encode_line
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey


class Scrubbing(msgspec.Struct, frozen=True):
    """That a log was scrubbed.

    Attributes:
        user: By whom.
        time: When, in ISO 8601, UTC.
        streams: Which streams.
    """

    user: str
    time: str
    streams: tuple[str, ...]


def scrub_attempt(ledger: Ledger, key: AttemptKey, streams: Sequence[Stream], user: str) -> int:
    """Overwrite the log of an attempt with one line that says so, and record it.

    Args:
        ledger: The records.
        key: The attempt, in the run that ran it.
        streams: Which streams.
        user: Who does it.

    Returns:
        Number of stored objects that were overwritten.

    Raises:
        StoreException: The store failed; what was not overwritten may be scrubbed again.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    notice = encode_line(f"The log was scrubbed by {user}.".encode(), "runtime", now)
    chunks = 0
    for stream in streams:
        for name in _chunks(ledger, key, stream):
            ledger.store.put(f"{key.prefix}/{name}", b"" if chunks else notice)
            chunks += 1
    record = Scrubbing(user, now.isoformat(), tuple(streams))
    ledger.store.put(_record_key(key), msgspec.json.encode(record))
    return chunks


def scrubbing_of(ledger: Ledger, key: AttemptKey) -> Scrubbing | None:
    """How the log of an attempt was scrubbed, ``None`` if it was not."""
    try:
        return msgspec.json.decode(ledger.store.get(_record_key(key)), type=Scrubbing)
    except ObjectNotFound:
        return None


def _chunks(ledger: Ledger, key: AttemptKey, stream: Stream) -> list[str]:
    names = ledger.store.children(key.prefix)
    return sorted(name for name in names if name.rpartition("-")[0] == stream)


def _record_key(key: AttemptKey) -> str:
    return f"{key.prefix}/scrubbed.json"
