"""What the operator finds in the cache before it asks for a pod: a result, somebody who computes it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlflow_provider.operators.cached import UnitCache
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.runtime.request import UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.single_flight import Busy, Flight, Patience
from airflow_mlflow_provider.store._local import LocalStore
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey
from tests.flow_runs import FlowFile

if TYPE_CHECKING:
    from typing_extensions import Buffer

SOURCE = """
class LookedUpFlow(FlowSpec):
    @step
    def start(self):
        self.x = 1
        self.next(self.work)

    @cache
    @step
    def work(self):
        self.y = self.x + 1
        self.next(self.end)

    @step
    def end(self):
        pass
"""


class _Wanted:
    """A run whose start is done and whose work is not, and an earlier one whose work has a kept result."""

    def __init__(self, folder: Path) -> None:
        self.flow = FlowFile(folder, SOURCE)
        made = self.flow.run().succeeded()
        self.made_run, self._manifest = made.run, decode(self.flow.ledger.blob(made.record.manifest))
        carry = ("work", "--clone-only", "--origin-run-id", self.made_run)
        self.run = self.flow.run(*carry, command="resume").succeeded().run
        store = self.flow.ledger.store
        (self.result,) = [
            item.key for item in store.list("cache/LookedUpFlow/work") if b'"produced"' in store.get(item.key)
        ]
        self.kept = bytes(store.get(self.result))
        store.delete([self.result])
        place, _, name = self.result.rpartition("/")
        self.claim = f"{place}/claim-{name}"

    def cache(self, ledger: Ledger) -> UnitCache:
        """What the operator of the second run looks into."""
        request = UnitRequest(self.flow.store, "LookedUpFlow", self.run, ("work",))
        unit = Deployment(self._manifest).plan.units["work"]
        return UnitCache(ledger, self._manifest, unit, request, 60)


def test_who_computes_the_result_is_waited_for_without_a_pod(tmp_path: Path) -> None:
    wanted = _Wanted(tmp_path)
    ledger, store, claim = wanted.flow.ledger, wanted.flow.ledger.store, wanted.claim
    other = Flight(store, claim, AttemptKey("LookedUpFlow", "other", "work", "0", 0), 30)
    assert other.take() is None

    cache = wanted.cache(ledger)
    waiting = Patience(600)
    busy = cache.look(waiting)
    assert isinstance(busy, Busy)
    assert busy.claim.key.run == "other"
    # The next process that looks is told how long the owner has been silent.
    waiting.waited(31)
    waiting = Patience(600, **waiting.to_json())  # type: ignore[arg-type]
    assert cache.look(waiting) is None
    taken = other.take()
    assert taken is not None
    assert (taken.claim.key.run, taken.claim.lease_s) == (wanted.run, 60)
    # The pod takes over what was claimed for it.
    assert Flight(store, claim, taken.claim.key, 5).take() is None
    cache.release()
    assert store.info(claim) is None

    store.put(wanted.result, wanted.kept)
    found = cache.look(Patience(600))
    assert isinstance(found, UnitResult)
    record = ledger.newest_done("LookedUpFlow", wanted.run, "work", "0")
    assert record is not None
    assert record.metadata["origin-run-id"] == wanted.made_run


class _KeptMeanwhile(LocalStore):
    """A store in which another task keeps its result, and gives its claim up, right before a claim is taken."""

    def __init__(self, store: Store, result: str, data: bytes) -> None:
        assert isinstance(store, LocalStore)
        super().__init__(store.root)
        self._result = (result, data)

    def put(self, key: str, data: Buffer | Sequence[Buffer], *, create: bool = False) -> None:
        if "claim-" in key:
            super().put(*self._result)
        super().put(key, data, create=create)


def test_a_result_that_was_kept_between_the_look_and_the_claim_is_taken(tmp_path: Path) -> None:
    wanted = _Wanted(tmp_path)
    store = _KeptMeanwhile(wanted.flow.ledger.store, wanted.result, wanted.kept)
    found = wanted.cache(Ledger(store)).look(Patience(600))
    assert isinstance(found, UnitResult)
    record = wanted.flow.ledger.newest_done("LookedUpFlow", wanted.run, "work", "0")
    assert record is not None
    assert record.metadata["origin-run-id"] == wanted.made_run
    # Whoever wants it next need not wait for a claim that nobody will use.
    assert store.info(wanted.claim) is None
