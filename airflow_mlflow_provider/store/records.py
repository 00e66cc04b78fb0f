"""The records of the store, as versioned JSON values.

======================================  ===========================================================
key                                     record
======================================  ===========================================================
``flows/F/runs/R/run.json``             :class:`RunRecord`, created once
``…/R/ended.json``                      :class:`RunEnd`, the newest verdict on the run
``…/R/ended-tasks.json``                :class:`~.ended_tasks.EndedTasks`, of local runs that did not succeed
``…/R/carried.json``                    :class:`Carried`, what a resumed run took over, created once
``…/R/tasks/S/T/A/begin.json``          :class:`BeginRecord`, an attempt has started
``…/R/tasks/S/T/A/done.json``           :class:`DoneRecord`, **the commit point** of the attempt
``…/R/tasks/S/T/A/failed``              empty; the attempt's record, if there is one, may say that it failed
``…/R/tasks/S/T/A/caught``              empty; the attempt failed and ``@catch`` let the flow go on
``…/R/tasks/S/T/A/pack-<writer>``       the attempt's small artifacts, one after another
``…/R/tasks/S/T/A/stdout-0000`` …       its log, in chunks; likewise ``stderr-0000`` …
``flows/F/latest/<newest first>``       one empty object a run, so that "latest" is one short listing
``flows/F/latest-successful/<…>``       the same for runs that succeeded
``blobs/ab/<digest>``                   large artifacts and manifests, content-addressed
``code/<digest>.tar.zst``               code packages
======================================  ===========================================================

Times are Unix seconds. A reader of version *n* reads every version up to *n*.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Outcome = Literal["succeeded", "failed", "caught"]
RunStatus = Literal["pending", "running", "succeeded", "failed", "terminated"]
RECORD_VERSION = 1


class AttemptKey(msgspec.Struct, frozen=True, order=True, array_like=True):
    """One attempt of one task."""

    flow: str
    run: str
    step: str
    task: str
    attempt: int

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task``."""
        return f"{self.flow}/{self.run}/{self.step}/{self.task}"

    @property
    def prefix(self) -> str:
        """Key prefix of the attempt's objects, without a trailing slash."""
        return f"{task_prefix(self.flow, self.run, self.step, self.task)}/{self.attempt}"


def run_prefix(flow: str, run: str) -> str:
    """Key prefix of a run, without a trailing slash."""
    return f"flows/{flow}/runs/{run}"


def task_prefix(flow: str, run: str, step: str, task: str) -> str:
    """Key prefix of a task, without a trailing slash."""
    return f"{run_prefix(flow, run)}/tasks/{step}/{task}"


class ArtifactEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an artifact is and what it is.

    Attributes:
        digest: BLAKE3 of the serialised, uncompressed bytes, 64 hex digits.
        size: Length of those bytes.
        codec: Name of the codec that reads them, such as ``pickle5``.
        type: Qualified name of the value's Python type.
        pack: Key of the pack object that holds it, or ``None`` if it is a blob of its own.
        offset: First byte in the pack.
        length: Stored length in bytes, in the pack or of the blob.
        compression: ``""`` or ``"zstd"``.
        preview: Bounded JSON description made when it was saved (dtype, shape, head …), or ``None``.
    """

    digest: str
    size: int
    codec: str
    type: str
    pack: str | None = None
    offset: int = 0
    length: int = 0
    compression: str = ""
    preview: Any = None


class SplitValues(msgspec.Struct, frozen=True, omit_defaults=True):
    """The elements of a foreach, each readable alone.

    Attributes:
        entry: The object that holds all elements, one after another.
        offsets: ``n + 1`` byte offsets into the uncompressed object; element *i* is ``offsets[i]:offsets[i+1]``.
        codec: Codec of each element.
    """

    entry: ArtifactEntry
    offsets: tuple[int, ...]
    codec: str


class TakenTransition(msgspec.Struct, frozen=True, omit_defaults=True):
    """The transition that a task took.

    Attributes:
        targets: The steps that follow: all of a static split, the one chosen of a switch.
        foreach: Name of the artifact that was split.
        num_splits: Number of tasks that each target gets, for a foreach or gang.
        labels: Short label of each element (at most 30 characters), for people.
        values: The elements, for a foreach.
    """

    targets: tuple[str, ...]
    foreach: str | None = None
    num_splits: int | None = None
    labels: tuple[str, ...] = ()
    values: SplitValues | None = None


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One open foreach or gang frame of a task.

    Attributes:
        step: The step that opened it.
        var: Name of the artifact that was split; ``None`` for a gang.
        index: 0-based index of this task's split.
        num_splits: Number of splits.
        label: Short label of the element.
        element: Where the element itself is: the values of the split, cut down to this one.
    """

    step: str
    var: str | None
    index: int
    num_splits: int
    label: str = ""
    element: SplitValues | None = None


class ExceptionRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why an attempt failed.

    Attributes:
        type: Qualified name of the exception's class, or ``process`` when the process died.
        message: Its text; for a dead process the signal or exit code.
        traceback: The traceback as Python prints it, or ``""``.
    """

    type: str
    message: str
    traceback: str = ""


class RunRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run was started with.

    Attributes:
        parameters: Values given or defaulted, as JSON, by parameter name.
        manifest: Digest of the blob that holds the manifest (graph, plan, decorators, configuration).
        code: Digest of the code package, or ``""``.
        origin: Run id of the run that this one resumes.
        airflow: ``dag_id``, ``dag_run_id`` and what else Airflow knows of the run.
        trigger: What events started the run.
        environments: Digest of the lock of each step that has an environment of its own.
    """

    flow: str
    run: str
    created_at: float
    user: str
    parameters: dict[str, Any]
    manifest: str
    code: str = ""
    tags: tuple[str, ...] = ()
    system_tags: tuple[str, ...] = ()
    origin: str | None = None
    airflow: dict[str, Any] = {}
    trigger: dict[str, Any] = {}
    host: str = ""
    python: str = ""
    provider: str = ""
    environments: dict[str, str] = {}
    version: int = RECORD_VERSION


class RunEnd(msgspec.Struct, frozen=True, omit_defaults=True):
    """The verdict on a run that has ended.

    Attributes:
        status: ``succeeded``, ``failed`` or ``terminated``.
        reason: For people: which tasks failed, or who ended it.
        failed_tasks: Pathspecs of the tasks that used up their attempts.
    """

    status: RunStatus
    ended_at: float
    reason: str = ""
    failed_tasks: tuple[str, ...] = ()
    version: int = RECORD_VERSION


class CarriedTasks(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tasks of one step that were taken over from one run with one attempt number.

    Attributes:
        run: The run that ran them.
        attempt: The attempt that counts.
        tasks: Task ids.
    """

    run: str
    attempt: int
    tasks: tuple[str, ...]


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a resumed run took over: references, not copies.

    A task that is not in its own run's folder is looked for here; what it points to is the run that really ran it, however
    many resumed runs lie in between.

    Attributes:
        steps: Tasks taken over, by step.
        until: Step that a run in Airflow stops after, empty for one that runs nothing, ``None`` for one that goes to its end.
    """

    steps: dict[str, tuple[CarriedTasks, ...]]
    until: str | None = None
    version: int = RECORD_VERSION

    def keys(self, flow: str, step: str) -> dict[str, AttemptKey]:
        """The attempts taken over of a step, by task id."""
        return {
            task: AttemptKey(flow, group.run, step, task, group.attempt)
            for group in self.steps.get(step, ())
            for task in group.tasks
        }


class BeginRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """An attempt has started; no promise that it will end."""

    key: AttemptKey
    started_at: float
    host: str
    pid: int
    metadata: dict[str, str] = {}
    version: int = RECORD_VERSION


class DoneRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an attempt ended. Written once, by a create-only put; until then nothing of the attempt is visible.

    Attributes:
        outcome: ``succeeded``, ``failed``, or ``caught`` (failed, and ``@catch`` let the flow go on).
        index_path: One index per frame.
        iteration: Iteration of a loop step.
        frames: The foreach stack, outermost first.
        parents: Attempts whose artifacts the task started from, in the order of a join's ``inputs``.
        transition: The transition taken; ``None`` for the end step and for failures.
        artifacts: All artifacts visible after the task, inherited ones included. Empty for failures.
        reads: Names of the artifacts and parameters that user code read.
        exception: For failures and catches.
        metadata: Client metadata by type.
    """

    key: AttemptKey
    outcome: Outcome
    started_at: float
    ended_at: float
    index_path: tuple[int, ...] = ()
    iteration: int | None = None
    frames: tuple[Frame, ...] = ()
    parents: tuple[AttemptKey, ...] = ()
    transition: TakenTransition | None = None
    artifacts: dict[str, ArtifactEntry] = {}
    reads: tuple[str, ...] = ()
    exception: ExceptionRecord | None = None
    metadata: dict[str, str] = {}
    version: int = RECORD_VERSION

    @property
    def finished(self) -> bool:
        """Whether the flow goes on from here."""
        return self.outcome != "failed"
