"""What the operator finds in the cache before it asks for a pod: a result, somebody who computes it, or nothing."""

from __future__ import annotations

from pathlib import Path

from airflow_mlflow_provider.operators.cached import UnitCache
from airflow_mlflow_provider.plan.deployment import Deployment
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.runtime.request import UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.single_flight import Busy, Flight, Patience
from airflow_mlflow_provider.store.records import AttemptKey
from tests.flow_runs import FlowFile

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


def test_who_computes_the_result_is_waited_for_without_a_pod(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, SOURCE)
    made = flow.run().succeeded()
    made_run, manifest = made.run, decode(flow.ledger.blob(made.record.manifest))
    # A run whose start is done and whose work is not.
    run = flow.run("work", "--clone-only", "--origin-run-id", made_run, command="resume").succeeded().run
    ledger, store = flow.ledger, flow.ledger.store
    (result,) = [
        item.key for item in store.list("cache/LookedUpFlow/work") if b'"produced"' in store.get(item.key)
    ]
    kept = bytes(store.get(result))
    store.delete([result])
    folder, _, name = result.rpartition("/")
    claim = f"{folder}/claim-{name}"
    other = Flight(store, claim, AttemptKey("LookedUpFlow", "other", "work", "0", 0), 30)
    assert other.take() is None

    request = UnitRequest(flow.store, "LookedUpFlow", run, ("work",))
    cache = UnitCache(ledger, manifest, Deployment(manifest).plan.units["work"], request, 60)
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
    assert (taken.claim.key.run, taken.claim.lease_s) == (run, 60)
    # The pod takes over what was claimed for it.
    assert Flight(store, claim, taken.claim.key, 5).take() is None
    cache.release()
    assert store.info(claim) is None

    store.put(result, kept)
    found = cache.look(Patience(600))
    assert isinstance(found, UnitResult)
    record = ledger.newest_done("LookedUpFlow", run, "work", "0")
    assert record is not None
    assert record.metadata["origin-run-id"] == made_run
