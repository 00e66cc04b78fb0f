r"""Log lines as they are stored: a UTC timestamp, who wrote the line, the bytes as they came.

A stored line is ``2026-11-23T18:27:13.123456Z t <bytes>\n``, where the letter is ``t`` for the task and ``r`` for a
note of the runtime. Bytes that are not UTF-8 stay as they are.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from airflow_mlflow_provider.runtime.masking import Mask
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

Source = Literal["task", "runtime"]
Stream = Literal["stdout", "stderr"]
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")

_STAMP_LENGTH = 27
_PREFIX_LENGTH = _STAMP_LENGTH + 3
_LONGEST_LINE = 1 << 20


class LogLine(NamedTuple):
    """One line of a log.

    Attributes:
        time: When it was captured.
        source: Who wrote it.
        text: The line without its newline.
    """

    time: datetime.datetime
    source: Source
    text: bytes


def encode_line(line: bytes, source: Source = "task", moment: datetime.datetime | None = None) -> bytes:
    """The stored form of one line, newline included."""
    moment = moment or datetime.datetime.now(datetime.timezone.utc)
    stamp = moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
    return stamp + (b" r " if source == "runtime" else b" t ") + line + b"\n"


def decode_lines(data: bytes) -> Iterator[LogLine]:
    """The lines of a stored log, oldest first."""
    for raw in data.split(b"\n"):
        if len(raw) < _PREFIX_LENGTH:
            continue
        moment = datetime.datetime.strptime(raw[:_STAMP_LENGTH].decode(), "%Y-%m-%dT%H:%M:%S.%f%z")
        source: Source = "runtime" if raw[_STAMP_LENGTH + 1 : _STAMP_LENGTH + 2] == b"r" else "task"
        yield LogLine(moment, source, raw[_PREFIX_LENGTH:])


class StreamCapture:
    """One output stream of one attempt, cut into lines, shown as they come and kept in chunks.

    Args:
        ledger: Where chunks go.
        key: The attempt.
        stream: Which of its streams.
        max_bytes: What is kept at most; the rest is shown but not kept, and the log says so.
        show: Called with each line's bytes, without the newline.
    """

    def __init__(
        self, ledger: Ledger, key: AttemptKey, stream: Stream, max_bytes: int, show: Callable[[bytes], None]
    ) -> None:
        self._ledger, self._key, self._stream = ledger, key, stream
        self._room = max_bytes
        self._max_bytes = max_bytes
        self._show = show
        self._partial = b""
        self._pending = bytearray()
        self._chunks = 0
        self._mask = Mask()

    def hide(self, secrets: Iterable[str]) -> None:
        """Neither show nor keep these values from now on."""
        self._mask.add(secrets)

    def feed(self, data: bytes) -> None:
        """Take bytes as they come from the task."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._add(line)
        if len(self._partial) > _LONGEST_LINE:
            self._add(self._partial)
            self._partial = b""

    def note(self, text: str) -> None:
        """Add a line of the runtime's own."""
        line = self._mask.line(text.encode())
        self._show(line)
        self._pending += encode_line(line, "runtime")

    def finish(self) -> None:
        """The stream has ended: what came after the last newline is a line too."""
        if self._partial:
            self._add(self._partial)
            self._partial = b""

    def take_chunk(self) -> Callable[[], None] | None:
        """A function that stores what has come since the last chunk, or ``None`` if nothing has."""
        if not self._pending:
            return None
        data, number = bytes(self._pending), self._chunks
        self._pending.clear()
        self._chunks += 1
        return lambda: self._ledger.append_log(self._key, self._stream, number, data)

    def _add(self, line: bytes) -> None:
        line = self._mask.line(line)
        self._show(line)
        if self._room <= 0:
            return
        self._room -= len(line) + 1
        if self._room > 0:
            self._pending += encode_line(line)
        else:
            limit = f"{self._max_bytes / 1e6:g} MB"
            notice = f"The log was cut here at {limit}; keep more with --max-log-size."
            self._pending += encode_line(notice.encode(), "runtime")
