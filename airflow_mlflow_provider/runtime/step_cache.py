"""``@cache``: the result of an equal task of an earlier run, found by digests alone.

What a step reads is known only once it has run. So a result is found in two steps, as in the "constructive traces" of *Build Systems
à la Carte* (Mokhov et al., 2018): the step's code, version, decorators and environment lead to the names that it has
read before, and the digests of what these names stand for now, with the elements of its foreach, lead to the result.

================================================  =================================================================
object                                            holds
================================================  =================================================================
``cache/<flow>/<step>/reads-<code>.json``         :class:`KnownReads`: sets of names, newest first
``cache/<flow>/<step>/latest-<task>.json``        :class:`KeptInputs` of the task's last result, to explain a miss with
``cache/<flow>/<step>/<fingerprint>.json``        :class:`CachedResult`
``cache/<flow>/<step>/claim-<fingerprint>.json``  :class:`~.single_flight.Claim` of the task that computes a result now
================================================  =================================================================

A result that is found becomes the task's own record: it refers to the artifacts that the earlier task produced. Everything here
works on records and digests; nothing is unpickled, and no code of the flow's runs, so an Airflow operator does it before it
asks for a pod. A step without ``@cache`` costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from airflow_mlflow_provider.exception import MetaflowDataMissing, ObjectNotFound
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.attempt_inputs import AttemptInputs
from airflow_mlflow_provider.runtime.bound_task import EVERYTHING
from airflow_mlflow_provider.runtime.run_members import run_members, with_members
from airflow_mlflow_provider.runtime.single_flight import PREFIX
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.hashing import digest_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import (
    ArtifactEntry,
    AttemptKey,
    DoneRecord,
    Frame,
    TakenTransition,
)

CACHE_METADATA = "cache"
_MOST_READ_SETS = 8
# These decide when, where and how often a step runs, not what comes out.
_NO_PART = frozenset(
    {"airflow_task", "cache", "card", "catch", "kubernetes", "resources", "retry", "timeout"}
)
_ABSENT = "absent"

Stored = TypeVar("Stored", "CachedResult", "KnownReads", "KeptInputs")


class KnownReads(msgspec.Struct, frozen=True):
    """The sets of names that tasks with one code have read, newest first."""

    sets: tuple[tuple[str, ...], ...]
    version: int = 1


class KeptInputs(msgspec.Struct, frozen=True):
    """What a kept result was made from.

    Attributes:
        key: The attempt that made it.
        circumstances: Code, version, decorators, environment and image, as digests and texts.
        inputs: Digest of each input by name.
    """

    key: AttemptKey
    circumstances: dict[str, str]
    inputs: dict[str, str]
    version: int = 1


class CachedResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a task made of its inputs.

    Attributes:
        key: The attempt that ran.
        created_at: When it ended, in Unix seconds.
        produced: The artifacts that it set or changed.
        removed: Names of inherited artifacts that it removed.
        transition: The transition that it took.
        reads: What it read.
    """

    key: AttemptKey
    created_at: float
    produced: dict[str, ArtifactEntry]
    removed: tuple[str, ...] = ()
    transition: TakenTransition | None = None
    reads: tuple[str, ...] = ()
    version: int = 1


class TaskInputs(msgspec.Struct, frozen=True):
    """What an attempt starts from.

    Attributes:
        parents: The records before it, in the order of a join's ``inputs``.
        inherited: The artifacts visible at its start.
        frames: Its foreach stack.
    """

    parents: Sequence[DoneRecord]
    inherited: Mapping[str, ArtifactEntry]
    frames: Sequence[Frame]


class Lookup(msgspec.Struct, frozen=True):
    """What the cache knows of a task that is about to run.

    Attributes:
        result: The result to reuse, ``None`` if the step has to run.
        why: For people: which task's result it is, or what has changed.
    """

    result: CachedResult | None
    why: str


class StepCache:
    """The cache of one step.

    Args:
        ledger: The records.
        manifest: The flow.
        node: A step that carries ``@cache``.
    """

    def __init__(self, ledger: Ledger, manifest: FlowManifest, node: StepNode) -> None:
        self._ledger, self._node = ledger, node
        spec = node.decorator("cache")
        self._attributes: dict[str, Any] = dict(spec.attributes) if spec else {}
        self._circumstances = _circumstances(manifest, node, self._attributes.get("version"))
        self._code = _digest(self._circumstances)
        self._folder = f"cache/{manifest.flow_name}/{node.name}"

    def look_up(self, task: str, inputs: TaskInputs) -> Lookup:
        """Find the result of an equal task.

        Args:
            task: Id of the task, which a miss is explained for.
            inputs: What it starts from.
        """
        known = self._get(f"reads-{self._code}", KnownReads)
        expired = ""
        for names in known.sets if known else ():
            found = self._get(_digest(self._digests(names, inputs), self._code), CachedResult)
            if found is None:
                continue
            if self._is_fresh(found):
                return Lookup(found, f"its inputs are those of {found.key.pathspec}")
            expired = f"the result of {found.key.pathspec} is older than the time to live"
        return Lookup(None, expired or self._why_not(task, inputs))

    def keep(self, record: DoneRecord, inputs: TaskInputs) -> None:
        """Keep the result of a task that has succeeded.

        Raises:
            StoreException: It could not be written.
        """
        names = tuple(sorted(set(record.reads) - self._ignored))
        digests = self._digests(names, inputs)
        produced = {n: e for n, e in record.artifacts.items() if inputs.inherited.get(n) != e}
        result = CachedResult(
            key=record.key,
            created_at=record.ended_at,
            produced=produced,
            removed=tuple(sorted(set(inputs.inherited) - set(record.artifacts))),
            transition=record.transition,
            reads=record.reads,
        )
        self._put(_digest(digests, self._code), result)
        known = self._get(f"reads-{self._code}", KnownReads)
        sets = known.sets if known else ()
        if names not in sets:
            self._put(f"reads-{self._code}", KnownReads((names, *sets)[:_MOST_READ_SETS]))
        self._put(f"latest-{record.key.task}", KeptInputs(record.key, self._circumstances, digests))

    @property
    def store(self) -> Store:
        """Where results are kept."""
        return self._ledger.store

    def claim_key(self, inputs: TaskInputs) -> str:
        """Key of the claim on the result of a task that starts from ``inputs``, see :mod:`.single_flight`.

        As long as nobody knows what the step reads, everything that it may read counts. A claim made then has another key than one made
        after the first result, so what is wanted just then may be computed twice.
        """
        known = self._get(f"reads-{self._code}", KnownReads)
        names = known.sets[0] if known and known.sets else (EVERYTHING,)
        return f"{self._folder}/{PREFIX}{_digest(self._digests(names, inputs), self._code)}.json"

    @property
    def _ignored(self) -> set[str]:
        return set(self._attributes.get("ignore") or ())

    def _is_fresh(self, found: CachedResult) -> bool:
        lifetime = self._attributes.get("ttl")
        return lifetime is None or time.time() - found.created_at < float(lifetime)

    def _digests(self, names: Sequence[str], inputs: TaskInputs) -> dict[str, str]:
        """Digest of each input that counts, by name; those of a join's branches are numbered."""
        found = dict(_digests_in("", names, inputs.inherited, self._ignored))
        if self._node.has_inputs:
            for number, parent in enumerate(inputs.parents):
                found.update(_digests_in(f"inputs[{number}].", names, parent.artifacts, self._ignored))
            found["inputs"] = str(len(inputs.parents))
        found.update(self._elements(inputs.frames))
        return found

    def _elements(self, frames: Sequence[Frame]) -> Iterator[tuple[str, str]]:
        from airflow_mlflow_provider.store.loading import ArtifactReader

        reader = ArtifactReader(self._ledger.store)
        for frame in frames:
            # The index path does not count: an element is the same wherever it stands.
            if frame.element is not None:
                yield f"input of {frame.step}", reader.element_digest(frame.element, 0)

    def _why_not(self, task: str, inputs: TaskInputs) -> str:
        last = self._get(f"latest-{task}", KeptInputs)
        if last is None:
            return "nothing has been kept yet"
        changed = _differing(last.circumstances, self._circumstances)
        if not changed:
            names = {name.rpartition(".")[2] for name in last.inputs}
            changed = _differing(last.inputs, self._digests(sorted(names), inputs))
        return f"compared with {last.key.pathspec}: {', '.join(changed) or 'it read other names'} changed"

    def _get(self, name: str, kind: type[Stored]) -> Stored | None:
        try:
            return msgspec.json.decode(self._ledger.store.get(f"{self._folder}/{name}.json"), type=kind)
        except (ObjectNotFound, msgspec.DecodeError, UnicodeDecodeError):
            # What cannot be read is no result; the step runs and keeps a new one.
            return None

    def _put(self, name: str, value: CachedResult | KnownReads | KeptInputs) -> None:
        self._ledger.store.put(f"{self._folder}/{name}.json", msgspec.json.encode(value))


def caches(node: StepNode, assignment: Assignment) -> bool:
    """Whether an attempt looks into the cache: not a node of a gang, and not a task that somebody cleared or that is tried again."""
    return (
        assignment.cache
        and node.decorator("cache") is not None
        and not assignment.gang
        and assignment.key.attempt == 0
    )


def task_inputs(ledger: Ledger, graph: FlowGraph, assignment: Assignment) -> TaskInputs | None:
    """What an attempt of any step but the start starts from, read from the records.

    ``None`` if that is not known yet: a resumed run has parameters of its own, and no task of it has stored them.

    Raises:
        MetaflowDataMissing: A parent has no record.
    """
    inputs, run = AttemptInputs(ledger, graph, assignment), assignment.key.run
    parents = tuple(inputs.parents())
    if any(parent.key.run != run for parent in parents):
        try:
            parents = with_members(parents, run_members(ledger, assignment.key.flow, run), run)
        except MetaflowDataMissing:
            return None
    return TaskInputs(parents, inputs.inherited(parents), inputs.frames(parents))


def reused_record(
    result: CachedResult, assignment: Assignment, inputs: TaskInputs, started_at: float
) -> DoneRecord:
    """The record of a task that takes over a result: by reference, under the task's own key.

    Args:
        result: What was found.
        assignment: The attempt.
        inputs: What it starts from; artifacts that the step did not touch are those of its own run.
        started_at: When the attempt began, in Unix seconds.
    """
    inherited = {name: entry for name, entry in inputs.inherited.items() if name not in result.removed}
    return DoneRecord(
        key=assignment.key,
        outcome="succeeded",
        started_at=started_at,
        ended_at=time.time(),
        index_path=assignment.index_path,
        iteration=assignment.iteration,
        frames=tuple(inputs.frames),
        parents=tuple(parent.key for parent in inputs.parents),
        transition=result.transition,
        artifacts={**inherited, **result.produced},
        reads=result.reads,
        metadata={
            "origin-run-id": result.key.run,
            "origin-task-id": result.key.task,
            CACHE_METADATA: f"hit {result.key.pathspec}",
        },
    )


def clear_cache(ledger: Ledger, flow: str, step: str | None = None, older_than: float | None = None) -> int:
    """Forget kept results; the artifacts stay with the runs that made them.

    Args:
        ledger: The records.
        flow: Name of the flow.
        step: The step, ``None`` for all.
        older_than: Only what was written more than this many seconds ago.

    Returns:
        How many results were forgotten.
    """
    before = None if older_than is None else time.time() - older_than
    keys = [
        item.key
        for item in ledger.store.list(f"cache/{flow}/{step}" if step else f"cache/{flow}")
        if before is None or item.modified < before
    ]
    ledger.store.delete(keys)
    return sum(_is_result(key) for key in keys)


def _is_result(key: str) -> bool:
    name = key.rpartition("/")[2]
    return not name.startswith(("latest-", "reads-", PREFIX))


def _circumstances(manifest: FlowManifest, node: StepNode, version: Any) -> dict[str, str]:
    kubernetes = node.decorator("kubernetes")
    found = {
        "code": node.code,
        "version": str(version),
        "environment": manifest.environments.get(node.name, ""),
        "image": str((kubernetes.attributes.get("image") if kubernetes else None) or ""),
    }
    for spec in node.decorators:
        if spec.name not in _NO_PART:
            found[f"@{spec.name}"] = msgspec.json.encode(spec.attributes, order="deterministic").decode()
    return found


def _digests_in(
    prefix: str, names: Sequence[str], table: Mapping[str, ArtifactEntry], ignored: set[str]
) -> Iterator[tuple[str, str]]:
    wanted = {name for name in table if not name.startswith("_")} if EVERYTHING in names else set(names)
    for name in sorted(wanted - ignored - {EVERYTHING}):
        entry = table.get(name)
        yield f"{prefix}{name}", _ABSENT if entry is None else f"{entry.codec}:{entry.digest}"


def _digest(values: Mapping[str, str], *more: str) -> str:
    data = msgspec.json.encode([sorted(values.items()), more])
    return digest_of([data], len(data))


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
