"""Finding runs, tasks and artifacts by pathspec, by tag and by the name of an artifact; from records alone.

A store has no index of tags and artifacts, so a search reads records, the newest first, and stops when it has a page of findings
or has looked for long enough; then it tells where to go on.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import msgspec

from airflow_mlflow_provider.client.summaries import manifest_of
from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import DoneRecord, RunRecord
from airflow_mlflow_provider.store.user_tags import user_tags_of

SearchBy = Literal["pathspec", "tag", "artifact"]
Kind = Literal["flow", "run", "step", "task", "artifact"]

# How many of a flow's newest runs are looked at.
MOST_RUNS = {"pathspec": 5000, "tag": 1000, "artifact": 20}
_MOST_TASKS = 100
_BATCH = 50
_AT_ONCE = 8


class Finding(msgspec.Struct, frozen=True):
    """Something that was found.

    Attributes:
        kind: What it is.
        pathspec: Its pathspec.
        dag_id: The DAG that it belongs to.
        dag_run_id: Airflow's id of the DAG run; ``None`` for a flow.
        created_at: When its run was started, in Unix seconds; ``None`` for a flow.
        tags: The tags of its run that were searched for.
        type: Type of an artifact.
        preview: Preview of an artifact.
    """

    kind: Kind
    pathspec: str
    dag_id: str
    dag_run_id: str | None = None
    created_at: float | None = None
    tags: tuple[str, ...] = ()
    type: str = ""
    preview: Any = None


class Findings(msgspec.Struct, frozen=True):
    """A page of findings.

    Attributes:
        found: The findings, by flow, those of the newest run first.
        next: Where to go on; ``""`` when all there is has been looked at.
        is_full: Whether the page is full; if not, and there is a ``next``, the time was up.
    """

    found: tuple[Finding, ...]
    next: str = ""
    is_full: bool = False


class Search:
    """A search through the runs that DAGs ran.

    Args:
        ledger: The store's records.
        dags: Ids of the DAGs that may be looked at, by name of their flow.
        seconds: How long to look for a page.
    """

    def __init__(self, ledger: Ledger, dags: Mapping[str, Collection[str]], seconds: float = 3.0) -> None:
        self._ledger = ledger
        self._dags = {flow: frozenset(dags[flow]) for flow in sorted(dags)}
        self._seconds = seconds

    def page(self, query: str, by: SearchBy = "pathspec", after: str = "", limit: int = 50) -> Findings:
        """The findings after a place.

        Args:
            query: The beginning of a pathspec, a text that a tag holds, or the beginning of an artifact's name. Case does not
                count.
            by: What is searched for.
            after: ``next`` of the page before.
            limit: How many findings to give about; those of one run stay together.
        """
        wanted = query.strip().strip("/").casefold()
        if not wanted:
            return Findings(())
        give_up = time.monotonic() + self._seconds
        found: list[Finding] = []
        place = ""
        for place, findings in self._places(wanted, by, after):
            found += findings
            if len(found) >= limit or time.monotonic() > give_up:
                return Findings(tuple(found), place, len(found) >= limit)
        return Findings(tuple(found))

    def _places(self, wanted: str, by: SearchBy, after: str) -> Iterator[tuple[str, list[Finding]]]:
        """What each run has that is wanted, with the place of the run: ``flow/run``."""
        flow_before, _, run_before = after.partition("/")
        parts = wanted.split("/")
        for flow in self._dags:
            if flow < flow_before:
                continue
            after_run = run_before if flow == flow_before else ""
            if by == "pathspec":
                if parts[0] not in flow.casefold():
                    continue
                if len(parts) == 1:
                    if flow != flow_before:
                        yield f"{flow}/", [Finding("flow", flow, dag) for dag in sorted(self._dags[flow])]
                    continue
            yield from self._in_flow(flow, by, wanted, after_run)

    def _in_flow(
        self, flow: str, by: SearchBy, wanted: str, after: str
    ) -> Iterator[tuple[str, list[Finding]]]:
        parts = wanted.split("/")
        ids: Iterator[str] = itertools.islice(self._ledger.runs(flow), MOST_RUNS[by])
        if after:
            ids = itertools.islice(itertools.dropwhile(lambda run: run != after, ids), 1, None)
        if by == "pathspec":
            ids = (run for run in ids if parts[1] in run.casefold())
        while batch := list(itertools.islice(ids, _BATCH)):
            records = [
                one
                for one in self._ledger.load_runs(flow, batch)
                if one.airflow.get("dag_id") in self._dags[flow]
            ]
            for record, findings in zip(records, self._of_runs(records, by, wanted), strict=True):
                yield f"{flow}/{record.run}", findings

    def _of_runs(self, records: Sequence[RunRecord], by: SearchBy, wanted: str) -> Iterator[list[Finding]]:
        if by == "tag":
            return self._tagged(records, wanted)
        if by == "artifact":
            return self._named(records, wanted)
        return (list(self._below(record, wanted.split("/")[2:])) for record in records)

    def _tagged(self, records: Sequence[RunRecord], wanted: str) -> Iterator[list[Finding]]:
        for record, users in zip(records, user_tags_of(self._ledger, records), strict=True):
            tags = tuple(sorted(tag for tag in {*users, *record.system_tags} if wanted in tag.casefold()))
            yield [_finding("run", record, (), tags=tags)] if tags else []

    def _below(self, record: RunRecord, parts: Sequence[str]) -> Iterator[Finding]:
        """What is below a run at the rest of a pathspec."""
        flow, run = record.flow, record.run
        if not parts:
            yield _finding("run", record)
            return
        for step in self._ledger.steps(flow, run):
            if step == PARAMETERS_STEP or not _begins(step, parts[0], exact=len(parts) > 1):
                continue
            if len(parts) == 1:
                yield _finding("step", record, (step,))
                continue
            exact = len(parts) > 2
            tasks = (task for task in self._ledger.tasks(flow, run, step) if _begins(task, parts[1], exact))
            for task in itertools.islice(tasks, _MOST_TASKS):
                if not exact:
                    yield _finding("task", record, (step, task))
                elif (done := self._ledger.newest_done(flow, run, step, task)) is not None:
                    yield from _artifacts(record, done, parts[2])

    def _named(self, records: Sequence[RunRecord], wanted: str) -> Iterator[list[Finding]]:
        """The artifacts of runs with a name, each where it was first set; of a step, its first task is looked at."""
        for record in records:
            seen: set[tuple[str, str]] = set()
            findings: list[Finding] = []
            for done in self._first_tasks(record):
                for one in _artifacts(record, done, wanted):
                    name = one.pathspec.rpartition("/")[2]
                    place = (name, done.artifacts[name].digest)
                    if place not in seen:
                        seen.add(place)
                        findings.append(one)
            yield findings

    def _first_tasks(self, record: RunRecord) -> list[DoneRecord]:
        """How the first task of each step of a run ended, of those that have, in the order of the graph."""

        def first(step: str) -> DoneRecord | None:
            keys = self._ledger.newest_done_keys(record.flow, record.run, step)
            return self._ledger.load_done([keys[min(keys)]])[0] if keys else None

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="search") as pool:
            found = pool.map(first, manifest_of(self._ledger, record).graph.topological())
            return [done for done in found if done is not None]


def _artifacts(record: RunRecord, done: DoneRecord, wanted: str) -> Iterator[Finding]:
    for name, entry in sorted(done.artifacts.items()):
        if not name.startswith("_") and name.casefold().startswith(wanted):
            place = (done.key.step, done.key.task, name)
            yield _finding("artifact", record, place, type=entry.type, preview=entry.preview)


def _finding(kind: Kind, record: RunRecord, below: Sequence[str] = (), **more: Any) -> Finding:
    return Finding(
        kind,
        "/".join((record.flow, record.run, *below)),
        str(record.airflow["dag_id"]),
        record.airflow.get("dag_run_id"),
        record.created_at,
        **more,
    )


def _begins(name: str, wanted: str, exact: bool) -> bool:
    return name.casefold() == wanted if exact else name.casefold().startswith(wanted)
