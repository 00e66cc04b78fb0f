"""One computes, the others wait: claims on results of ``@cache`` that are not there yet.

A claim is an object beside the results, ``cache/<flow>/<step>/claim-<fingerprint>.json``. It is created by a create-only put, so one of
any number of tasks that want the same result gets it. As long as the owner lives it writes the claim again, and so gives it another
version; whoever waits and sees the same version for the length of the lease takes the claim over, by a conditional put. Time is only
measured as it passes for whoever waits: no clocks are compared, and whoever is slow costs a computation, never a result.
"""

from __future__ import annotations

import threading
from contextlib import suppress

import msgspec

from airflow_mlflow_provider.exception import ObjectExists, ObjectNotFound, StoreConflict, StoreException
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.records import AttemptKey

_BEATS_PER_LEASE = 4
PREFIX = "claim-"


class Claim(msgspec.Struct, frozen=True):
    """What a claim says.

    Attributes:
        key: The attempt that computes the result.
        lease_s: Seconds without a sign of life after which it is given up.
        beats: Signs of life so far.
    """

    key: AttemptKey
    lease_s: float
    beats: int = 0
    version: int = 1


class Busy(msgspec.Struct, frozen=True):
    """Somebody else's claim, as it was seen.

    Attributes:
        claim: What it says.
        seen: Version of the object.
    """

    claim: Claim
    seen: str


class Flight:
    """The claim on one result, for one attempt that wants it.

    Args:
        store: The artifact store.
        name: Key of the claim.
        key: The attempt.
        lease_s: Lease of a claim that the attempt takes.
    """

    def __init__(self, store: Store, name: str, key: AttemptKey, lease_s: float) -> None:
        self._store, self._name = store, name
        self._own = Claim(key, lease_s)
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None

    def take(self) -> Busy | None:
        """Take the claim; ``None`` if it is this attempt's now, else whose it is.

        Raises:
            StoreException: The store failed.
        """
        while True:
            with suppress(ObjectExists):
                self._store.put(self._name, msgspec.json.encode(self._own), create=True)
                return None
            busy = self._look()
            if busy is None:
                continue
            if busy.claim.key != self._own.key:
                return busy
            # Taken on behalf of this very attempt, before its process was there.
            if self.take_over(busy):
                return None

    def take_over(self, busy: Busy) -> bool:
        """Take the claim of an owner that has given no sign of life; ``False`` if it has, or another one was quicker.

        Raises:
            StoreException: The store failed.
        """
        own = msgspec.structs.replace(self._own, beats=busy.claim.beats + 1)
        try:
            self._store.replace(self._name, msgspec.json.encode(own), busy.seen)
        except StoreConflict:
            return False
        self._own = own
        return True

    def keep_alive(self) -> None:
        """Give signs of life until :meth:`release`, in a thread of its own; a computation shorter than a few seconds gives none."""
        self._beating = threading.Thread(target=self._beat, name="cache-claim", daemon=True)
        self._beating.start()

    def release(self) -> None:
        """Give the claim up, if it is this attempt's; what cannot be given up runs out by itself."""
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
        with suppress(StoreException):
            busy = self._look()
            if busy is not None and busy.claim.key == self._own.key:
                self._store.delete([self._name])

    def _beat(self) -> None:
        while not self._ended.wait(self._own.lease_s / _BEATS_PER_LEASE):
            try:
                busy = self._look()
                if busy is None or busy.claim.key != self._own.key:
                    return
                self.take_over(busy)
            except StoreException:
                # The next sign of life may come through; if none does, somebody else computes the same.
                continue

    def _look(self) -> Busy | None:
        try:
            data, seen = self._store.get_versioned(self._name)
            return Busy(msgspec.json.decode(data, type=Claim), seen)
        except ObjectNotFound:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._store.delete([self._name])
            return None


class Patience:
    """How long an owner has been silent, and how long to wait until the next look.

    Args:
        longest_s: Seconds after which waiting is given up, whoever lives.
        seen: Version of the claim that was seen last.
        silent_s: Seconds for which it has been seen.
        waited_s: Seconds waited in all.
    """

    _FIRST_PAUSE_S = 0.1
    _LONGEST_PAUSE_S = 5.0

    def __init__(
        self, longest_s: float, seen: str = "", silent_s: float = 0.0, waited_s: float = 0.0
    ) -> None:
        self._longest_s = longest_s
        self.seen, self.silent_s, self.waited_s = seen, silent_s, waited_s

    def is_over(self, busy: Busy) -> bool:
        """Whether the owner has been silent for the length of its lease; to be asked after each look."""
        if busy.seen != self.seen:
            self.seen, self.silent_s = busy.seen, 0.0
        return self.silent_s >= busy.claim.lease_s

    @property
    def is_lost(self) -> bool:
        """Whether it has waited long enough."""
        return self.waited_s >= self._longest_s

    def to_json(self) -> dict[str, str | float]:
        """What the next process that waits is to be told."""
        return {"seen": self.seen, "silent_s": self.silent_s, "waited_s": self.waited_s}

    def pause(self) -> float:
        """Seconds until the next look."""
        return min(max(self.waited_s / 10, self._FIRST_PAUSE_S), self._LONGEST_PAUSE_S)

    def waited(self, seconds: float) -> None:
        """Note that time has passed."""
        self.silent_s += seconds
        self.waited_s += seconds
