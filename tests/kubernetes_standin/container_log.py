"""A container's log: one record a line, with the time it was read, in the CRI format of ``/var/log/pods``."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_RECORD_BYTES = 16 * 1024
"""Longer lines become several records, all but the last marked partial, as containerd does."""


@dataclass(frozen=True)
class LogOptions:
    """The query parameters of ``pods/NAME/log``."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float | None = None
    limit_bytes: int | None = None


@dataclass(frozen=True)
class Record:
    """One log record; ``content`` ends with a newline unless it is partial."""

    stamp: str
    content: bytes


class ContainerLog:
    """Written by one container process, read by any number of clients, also while it grows."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("wb", buffering=0)
        self._grown = asyncio.Event()
        self._ended = False

    async def consume(self, output: asyncio.StreamReader) -> None:
        """Record everything ``output`` gives until it ends."""
        pending = b""
        while chunk := await output.read(1 << 16):
            *lines, pending = (pending + chunk).split(b"\n")
            records = [part for line in lines for part in _parts(line, ended=True)]
            while len(pending) >= MAX_RECORD_BYTES:
                records.append((b"P", pending[:MAX_RECORD_BYTES]))
                pending = pending[MAX_RECORD_BYTES:]
            self._write(records)
        if pending:
            self._write([(b"P", pending)])
        self.end()

    def end(self) -> None:
        """Nothing more will come."""
        if not self._ended:
            self._ended = True
            self._file.close()
            self._wake()

    def _write(self, records: list[tuple[bytes, bytes]]) -> None:
        if records:
            stamp = _stamp(time.time_ns()).encode()
            self._file.write(b"".join(b"%s stdout %s %s\n" % (stamp, tag, text) for tag, text in records))
            self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    async def read(self, options: LogOptions) -> AsyncIterator[bytes]:
        """The log as a client asked for it, in pieces of whole records."""
        left = options.limit_bytes
        at_line_start = True
        async for records in self._records(options):
            piece = b""
            for record in records:
                stamp = f"{record.stamp} ".encode() if options.timestamps and at_line_start else b""
                piece += stamp + record.content
                at_line_start = record.content.endswith(b"\n")
            if left is not None:
                piece = piece[:left]
                left -= len(piece)
            if piece:
                yield piece
            if left == 0:
                return

    async def _records(self, options: LogOptions) -> AsyncIterator[list[Record]]:
        oldest = _stamp(int(options.since * 1e9)) if options.since is not None else ""
        with self.path.open("rb") as log:
            records = [record for record in _parse(log) if record.stamp >= oldest]
            if options.tail_lines is not None:
                records = _last_lines(records, options.tail_lines)
            yield records
            while options.follow:
                grown, ended = self._grown, self._ended
                records = list(_parse(log))
                if records:
                    yield records
                elif ended:
                    return
                elif grown is self._grown:
                    await grown.wait()

    def text(self, limit_bytes: int, limit_lines: int) -> str:
        """The end of the log, for termination messages."""
        with self.path.open("rb") as log:
            content = b"".join(record.content for record in _last_lines(list(_parse(log)), limit_lines))
        return content[-limit_bytes:].decode(errors="replace")


def _parts(line: bytes, *, ended: bool) -> Iterator[tuple[bytes, bytes]]:
    while len(line) > MAX_RECORD_BYTES:
        yield b"P", line[:MAX_RECORD_BYTES]
        line = line[MAX_RECORD_BYTES:]
    yield (b"F" if ended else b"P"), line


def _parse(log: Iterator[bytes]) -> Iterator[Record]:
    for line in log:
        stamp, _, tag, content = line.split(b" ", 3)
        yield Record(stamp.decode(), content if tag == b"F" else content[:-1])


def _last_lines(records: list[Record], count: int) -> list[Record]:
    """The records of the last ``count`` lines."""
    if count <= 0:
        return []
    starts = [0, *(index + 1 for index, record in enumerate(records) if record.content.endswith(b"\n"))]
    starts = [start for start in starts if start < len(records)]
    return records[starts[-count] :] if len(starts) > count else records


def _stamp(nanoseconds: int) -> str:
    """RFC 3339 with nine digits, which sort as text."""
    moment = datetime.datetime.fromtimestamp(nanoseconds // 10**9, datetime.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"
