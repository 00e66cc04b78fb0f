"""Which task made each artifact of a task."""

from __future__ import annotations

from pathlib import Path

from airflow_mlflow_provider.client.provenance import artifact_origins, cached_from
from tests.flow_runs import FlowFile, FlowRun

CACHED = """
class CachedFlow(FlowSpec):
    factor = Parameter("factor", default=2)

    @step
    def start(self):
        self.big = bytes(1_000_000)
        self.small = 1
        self.next(self.work)

    @cache
    @step
    def work(self):
        self.made = self.small * self.factor
        self.large = bytes(2_000_000)
        self.next(self.end)

    @step
    def end(self):
        self.told = self.made
"""


def makers(run: FlowRun, step: str, task: str = "0") -> dict[str, str | None]:
    """Step, or step and task, that made each artifact."""
    origins = artifact_origins(run.ledger, run.done(step, task))
    return {name: origin.made_by and origin.made_by.split("/", 2)[2] for name, origin in origins.items()}


def test_each_artifact_names_the_task_that_made_it(foreach_run: FlowRun) -> None:
    assert makers(foreach_run, "body", "0000") == {
        "DIGITS": "_parameters/0",
        "alpha": "_parameters/0",
        "doubled": "body/0000",
        "items": "start/0",
        "letters": "_parameters/0",
        "problem": "body/0000",
    }
    assert makers(foreach_run, "end")["doubled"] == "join/0"


def test_it_tells_what_the_code_read_and_what_the_run_was_given(foreach_run: FlowRun) -> None:
    origins = artifact_origins(foreach_run.ledger, foreach_run.done("start"))
    assert origins["letters"].is_given
    assert not origins["letters"].was_read
    assert origins["items"].is_own
    assert artifact_origins(foreach_run.ledger, foreach_run.done("join"))["doubled"].was_read


def test_only_the_artifacts_asked_for_are_looked_for(foreach_run: FlowRun) -> None:
    assert list(artifact_origins(foreach_run.ledger, foreach_run.done("end"), ["doubled", "none"])) == [
        "doubled"
    ]


def test_what_a_resumed_run_took_over_was_made_by_the_run_before(
    resumed_run: FlowRun, broken_run: FlowRun
) -> None:
    origins = artifact_origins(resumed_run.ledger, resumed_run.done("body", "0001"))
    runs = {(origin.made_by or "").split("/")[1] for origin in origins.values() if origin.is_own}
    assert runs == {resumed_run.run}
    inherited = {(origin.made_by or "").split("/")[1] for origin in origins.values() if not origin.is_own}
    assert inherited == {broken_run.run}


def test_what_the_cache_gave_was_made_by_the_task_that_ran(tmp_path: Path) -> None:
    flow = FlowFile(tmp_path, CACHED)
    first_run = flow.run().succeeded().run
    second = flow.run().succeeded()
    assert cached_from(second.done("work")) == f"CachedFlow/{first_run}/work/0"
    origins = artifact_origins(second.ledger, second.done("end"))
    assert {name: (origin.made_by or "").split("/", 1)[1] for name, origin in origins.items()} == {
        "big": f"{second.run}/start/0",
        "factor": f"{second.run}/_parameters/0",
        "large": f"{first_run}/work/0",
        "made": f"{first_run}/work/0",
        "small": f"{second.run}/start/0",
        "told": f"{second.run}/end/0",
    }
