"""Storing what tasks print, while they print it, without holding up the process that supervises them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from airflow_mlflow_provider.exception import StoreException
from airflow_mlflow_provider.runtime.logs import StreamCapture


class LogPolicy(msgspec.Struct, frozen=True):
    """How logs are kept.

    Attributes:
        max_bytes: Bytes kept of each stream of each attempt.
        flush_seconds: How often what has come is stored.
    """

    max_bytes: int = 10_000_000
    flush_seconds: float = 2.0


class LogStorer:
    """Stores the chunks of captured streams, in turns of :attr:`LogPolicy.flush_seconds`.

    A log that cannot be stored is a warning at the end: the records are the verdict, and a task that is done is not undone by
    its log.

    Args:
        store_url: Where the chunks go. A folder takes a chunk in microseconds and is written to at once; anything else gets
            threads, so that a remote store never holds up the other tasks.
        flush_seconds: Seconds between turns.
    """

    def __init__(self, store_url: str, flush_seconds: float) -> None:
        self._flush_seconds = flush_seconds
        self._next_turn = time.monotonic() + flush_seconds
        self._pool = None if store_url.startswith("file:") else ThreadPoolExecutor(8, "logs")
        self._uploads: list[Future[None]] = []
        self._lost: list[str] = []

    @property
    def seconds_to_turn(self) -> float:
        """Seconds until the next turn; 0 if it is due."""
        return max(0.0, self._next_turn - time.monotonic())

    def store_in_turn(self, captures: Iterable[StreamCapture]) -> None:
        """Store what has come on these streams, if a turn is due."""
        if self.seconds_to_turn:
            return
        self._next_turn = time.monotonic() + self._flush_seconds
        for capture in captures:
            self.store(capture)

    def store(self, capture: StreamCapture) -> None:
        """Store what has come on a stream."""
        store_chunk = capture.take_chunk()
        if store_chunk is None:
            return
        if self._pool is None:
            try:
                store_chunk()
            except StoreException as error:
                self._note(error)
            return
        ended = [upload for upload in self._uploads if upload.done()]
        self._uploads = [upload for upload in self._uploads if not upload.done()]
        for upload in ended:
            self._note(upload.exception())
        self._uploads.append(self._pool.submit(store_chunk))

    def close(self) -> None:
        """Wait until all chunks are stored; warn if one could not be."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
        for upload in self._uploads:
            self._note(upload.exception())
        self._uploads.clear()
        if self._lost:
            warnings.warn(
                f"{len(self._lost)} piece(s) of logs could not be stored. The first: {self._lost[0]}",
                RuntimeWarning,
                stacklevel=3,
            )

    def _note(self, error: BaseException | None) -> None:
        if isinstance(error, StoreException):
            self._lost.append(str(error))
        elif error is not None:
            raise error
