"""The sign of life of a local run: ``flows/F/runs/R/heartbeat``, overwritten as long as its scheduler runs.

The first one comes after a whole interval, so that a short run costs no request. A reader that finds the last one older than
``heartbeat_timeout_s`` (or none, and a run begun longer ago) and no verdict on the run may call the run lost.
"""

from __future__ import annotations

import time
import warnings
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from airflow_mlflow_provider.exception import ObjectNotFound, StoreException
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.records import run_prefix


class Heartbeat(msgspec.Struct, frozen=True):
    """A sign of life.

    Attributes:
        time: When it was given, in Unix seconds.
        interval: Seconds until the next one is due.
    """

    time: float
    interval: float


def read_heartbeat(store: Store, flow: str, run: str) -> Heartbeat | None:
    """The last sign of life of a run, ``None`` if it has given none."""
    try:
        data = store.get(_key(flow, run))
    except ObjectNotFound:
        return None
    return msgspec.json.decode(data, type=Heartbeat)


class Pulse:
    """Gives signs of life for a run.

    Args:
        store: Where to.
        flow: Name of the flow.
        run: Run id.
        interval: Seconds between two of them.
    """

    def __init__(self, store: Store, flow: str, run: str, interval: float) -> None:
        self._store = store
        self._key = _key(flow, run)
        self._interval = interval
        self._due = time.monotonic() + interval
        self._pool: ThreadPoolExecutor | None = None
        self._sending: Future[None] | None = None

    def beat(self) -> None:
        """Give a sign if one is due; called often. A store that is slow or out of reach does not hold up the caller."""
        now = time.monotonic()
        if now < self._due or not (self._sending is None or self._sending.done()):
            return
        self._due = now + self._interval
        self._check()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "heartbeat")
        body = msgspec.json.encode(Heartbeat(time.time(), self._interval))
        self._sending = self._pool.submit(self._store.put, self._key, body)

    def close(self) -> None:
        """Wait for the sign that is on its way."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
        self._check()

    def _check(self) -> None:
        if self._sending is None:
            return
        error = self._sending.exception()
        self._sending = None
        if isinstance(error, StoreException):
            # Losing a sign of life is no reason to end a run that is well.
            warnings.warn(
                f"A heartbeat of the run could not be stored: {error}", RuntimeWarning, stacklevel=3
            )
        elif error is not None:
            raise error


def _key(flow: str, run: str) -> str:
    return f"{run_prefix(flow, run)}/heartbeat"
