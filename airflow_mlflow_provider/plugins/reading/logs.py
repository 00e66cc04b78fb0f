"""The log of an attempt, a page at a time: a page is read from the chunks that it lies in, not from the beginning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_mlflow_provider.plugins.models.logs import LogLineView, LogPage
from airflow_mlflow_provider.runtime.logs import LogLine, Stream, decode_lines
from airflow_mlflow_provider.store.abc import ObjectInfo
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

PAGE_BYTES = 128_000


def log_page(ledger: Ledger, key: AttemptKey, stream: Stream, start: int | None, end: int | None) -> LogPage:
    """A page of a log.

    Args:
        ledger: The records.
        key: The attempt.
        stream: Which of its streams.
        start: Byte of the stored log to begin at, as an earlier page said it.
        end: Byte to end at; with neither of the two, the page is the log's last.
    """
    chunks = [item for item in ledger.store.list(key.prefix) if _is_chunk(item, stream)]
    chunks.sort(key=lambda item: int(item.key.rpartition("-")[2]))
    size = sum(chunk.size for chunk in chunks)
    if start is None:
        stop = size if end is None else min(end, size)
        begin = max(0, stop - PAGE_BYTES)
    else:
        begin = min(start, size)
        stop = min(begin + PAGE_BYTES, size)
    data = _bytes(ledger, chunks, begin, stop)
    # Whole lines only: the page before has the beginning of the first one, the next page the end of the last.
    skipped = data.find(b"\n") + 1 if begin and start is None else 0
    whole = data.rfind(b"\n") + 1
    if whole <= skipped:  # a line longer than a page
        skipped, whole = 0, len(data)
    lines = [
        LogLineView(time=line.time.timestamp(), source=line.source, text=line.text.decode(errors="replace"))
        for line in _whole_lines(data[skipped:whole])
    ]
    return LogPage(lines=lines, begin=begin + skipped, next=begin + whole, size=size)


def _whole_lines(data: bytes) -> Iterator[LogLine]:
    """Lines as they were stored; where somebody begins in the middle of one, it is passed over."""
    for raw in data.split(b"\n"):
        try:
            yield from decode_lines(raw)
        except ValueError:
            continue


def _is_chunk(item: ObjectInfo, stream: str) -> bool:
    kind, _, number = item.key.rpartition("/")[2].rpartition("-")
    return kind == stream and number.isdecimal()


def _bytes(ledger: Ledger, chunks: Sequence[ObjectInfo], begin: int, stop: int) -> bytes:
    """The bytes of the chunks, one after another, from one position to another."""
    found, position = [], 0
    for chunk in chunks:
        first, last = max(begin - position, 0), min(stop - position, chunk.size)
        if first < last:
            found.append(bytes(ledger.store.get(chunk.key, start=first, length=last - first)))
        position += chunk.size
    return b"".join(found)
