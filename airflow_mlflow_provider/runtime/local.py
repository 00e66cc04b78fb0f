"""A run on this machine: the region is the whole flow, the scheduler is this process."""

from __future__ import annotations

import datetime
import platform
import random
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

import msgspec

from airflow_mlflow_provider.exception import ObjectExists
from airflow_mlflow_provider.plan.identity import local_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, encode
from airflow_mlflow_provider.runtime.assemble import flow_file
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.attempts import AttemptPolicy, attempt_policy
from airflow_mlflow_provider.runtime.child import preload, task_main
from airflow_mlflow_provider.runtime.context import FlowContext
from airflow_mlflow_provider.runtime.environments.several import launcher_by_step
from airflow_mlflow_provider.runtime.fallback import stand_in
from airflow_mlflow_provider.runtime.frontier import Frontier, Work
from airflow_mlflow_provider.runtime.heartbeat import Pulse
from airflow_mlflow_provider.runtime.included_files import has_files, keep_given_files
from airflow_mlflow_provider.runtime.launching import Launcher, start_method
from airflow_mlflow_provider.runtime.log_storing import LogPolicy
from airflow_mlflow_provider.runtime.logs import Stream
from airflow_mlflow_provider.runtime.package import CodePackage
from airflow_mlflow_provider.runtime.request import TaskResult
from airflow_mlflow_provider.runtime.resume import ResumePlan, ResumeRequest, plan_resume_of
from airflow_mlflow_provider.runtime.scheduler import RegionOptions, RegionScheduler
from airflow_mlflow_provider.runtime.supervisor import Supervisor
from airflow_mlflow_provider.runtime.zygote import Zygote
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.ended_tasks import EndedTasks, note_ended_tasks
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import RunEnd, RunRecord, RunStatus
from airflow_mlflow_provider.store.task_groups import TaskGroups


class RunObserver(Protocol):
    """Is told what happens to a run."""

    def run_started(self, run: RunRecord) -> None:
        """The run has its id; no task has started."""
        ...

    def resumed(self, plan: ResumePlan) -> None:
        """What the run takes over, and where it goes on."""
        ...

    def started(self, assignment: Assignment, pid: int) -> None:
        """A task process runs."""
        ...

    def line(self, assignment: Assignment, stream: Stream, text: bytes) -> None:
        """A task, or the runtime on its behalf, printed a line."""
        ...

    def ended(self, result: TaskResult) -> None:
        """A task has ended for good."""
        ...

    def tick(self) -> None:
        """Called at least once a second."""
        ...

    def close(self) -> None:
        """Nothing more will happen."""
        ...


class LocalOptions(msgspec.Struct, frozen=True):
    """How a local run is made.

    Attributes:
        user: Who runs it.
        max_workers: Tasks that may run at once.
        max_num_splits: Widest foreach allowed.
        max_iterations: Longest loop allowed.
        keep_going: Whether independent branches go on after a failure.
        fail_grace: Seconds that running tasks get to end once one has failed for good.
        kill_grace: Seconds beyond a step's time limit after which it is killed.
        heartbeat: Seconds between signs of life of the run.
        tags: User tags.
        logs: How logs are kept.
        cache: Whether steps with ``@cache`` look for earlier results.
        clone_only: Whether a resumed run takes over what has finished and runs nothing.
        trigger: Gives the events that the run is told to have been started by; called once the store may be used.
    """

    user: str
    max_workers: int = 16
    max_num_splits: int | None = 100
    max_iterations: int = 10_000
    keep_going: bool = False
    fail_grace: float = 5.0
    kill_grace: float = 60.0
    heartbeat: float = 10.0
    tags: tuple[str, ...] = ()
    logs: LogPolicy = LogPolicy()
    cache: bool = True
    clone_only: bool = False
    trigger: Callable[[], dict[str, Any]] | None = None


class LocalRun(msgspec.Struct, frozen=True):
    """A local run that has ended.

    Attributes:
        run: Its record.
        status: ``succeeded``, ``failed`` or ``terminated``.
        failed: Tasks that used up their attempts.
        signal: Number of the signal that ended it, or 0.
    """

    run: RunRecord
    status: RunStatus
    failed: tuple[TaskResult, ...] = ()
    signal: int = 0


def run_flow(
    context: FlowContext,
    parameters: Mapping[str, Any],
    options: LocalOptions,
    observer: RunObserver,
    package: Callable[[], CodePackage | None] | None = None,
    resume: ResumeRequest | None = None,
    environments: Callable[[FlowManifest, Store], FlowManifest] | None = None,
) -> LocalRun:
    """Run a flow on this machine.

    The caller must not have used the store before: task processes are forked, and the store's client does not survive a
    fork.

    Args:
        context: The flow.
        parameters: Values given, as JSON, by parameter name.
        options: How to run.
        observer: Is told what happens.
        package: Makes the code package to store with the run, or ``None`` where it cannot.
        resume: What to take over from which run; ``parameters`` are those that differ from the origin's.
        environments: Locks the environments of the flow's steps; called once the store may be used.

    Raises:
        MetaflowException: The run could not be started.
    """
    launcher = _launcher(context)
    try:
        return _LocalRunner(context, options, observer, launcher).run(
            parameters, package, resume, environments
        )
    finally:
        launcher.close()


def _launcher(context: FlowContext) -> Launcher:
    if start_method() == "fork":
        cards = any(node.decorator("card") for node in context.manifest.graph)
        return Zygote(
            lambda control: task_main(context, control), lambda: preload(context.manifest.store, cards=cards)
        )
    from airflow_mlflow_provider.runtime.spawn import SpawnLauncher

    launcher = SpawnLauncher()
    launcher.load(context.manifest, flow_file(context.flow_class))
    return launcher


class _LocalRunner:
    def __init__(
        self, context: FlowContext, options: LocalOptions, observer: RunObserver, launcher: Launcher
    ) -> None:
        manifest = context.manifest
        self._flow_class = context.flow_class
        self._manifest = manifest
        self._options = options
        self._observer = observer
        self._ledger = Ledger(open_store(manifest.store))
        self._launcher = launcher
        self._failed: list[TaskResult] = []
        self._finished_tasks, self._failed_tasks = TaskGroups(), TaskGroups()
        self._ended = False
        # Why the run ends before its end step although nothing failed.
        self._stops = ""
        self._went_wrong = False
        self._signal = 0

    def run(
        self,
        parameters: Mapping[str, Any],
        package: Callable[[], CodePackage | None] | None,
        resume: ResumeRequest | None,
        environments: Callable[[FlowManifest, Store], FlowManifest] | None,
    ) -> LocalRun:
        if environments is not None:
            self._manifest = environments(self._manifest, self._ledger.store)
            self._launcher = launcher_by_step(
                self._launcher, self._manifest, flow_file(self._flow_class), self._ledger
            )
        plan = None
        trigger: dict[str, Any] = {}
        if resume is not None:
            plan = plan_resume_of(self._ledger, self._manifest, resume)
            origin = self._ledger.run(self._manifest.flow_name, resume.origin)
            parameters = plan.parameters
            trigger = origin.trigger
        elif self._options.trigger is not None:
            trigger = self._options.trigger()
        run = self._create(parameters, package, plan, trigger)
        self._observer.run_started(run)
        if plan is not None:
            self._observer.resumed(plan)
        supervisor = Supervisor(
            self._launcher,
            self._ledger,
            self._observer,
            self._options.logs,
            stand_in(self._ledger, self._manifest.graph),
        )
        graph = self._manifest.graph
        frontier = plan.frontier if plan else Frontier(graph, graph.steps)
        scheduler = self._scheduler(run, supervisor, frontier)
        scheduler.add(self._first_works(plan, frontier))
        pulse = Pulse(self._ledger.store, run.flow, run.run, self._options.heartbeat)

        def on_tick() -> None:
            pulse.beat()
            self._observer.tick()

        with _Interrupts(lambda number: self._interrupted(scheduler, number)):
            try:
                scheduler.run(on_tick)
            finally:
                self._went_wrong = scheduler.failed
                supervisor.close()
                pulse.close()
                self._observer.close()
        return self._seal(run)

    def _first_works(self, plan: ResumePlan | None, frontier: Frontier) -> Sequence[Work]:
        if plan is None:
            return [frontier.start()]
        self._ended = self._manifest.graph.end in plan.carried.steps
        if self._options.clone_only:
            self._stops = "nothing was to be run, as asked"
            return ()
        if plan.until is not None:
            self._stops = f"stopped after {plan.until}, as asked"
        return plan.works

    def _create(
        self,
        parameters: Mapping[str, Any],
        package: Callable[[], CodePackage | None] | None,
        plan: ResumePlan | None,
        trigger: dict[str, Any],
    ) -> RunRecord:
        manifest = self._manifest
        if has_files(manifest):
            # Defaults as well: tasks were given the manifest as it is before anything is kept.
            defaults = {s.name: s.default for s in manifest.parameters if s.kind == "file"}
            parameters = keep_given_files(
                self._flow_class, manifest, {**defaults, **parameters}, self._ledger
            )
        code = package() if package is not None else None
        if code is not None:
            self._ledger.put_code(code.digest, code.data)
            manifest = msgspec.structs.replace(
                manifest, code=msgspec.structs.replace(manifest.code, digest=code.digest, script=code.script)
            )
        digest = self._ledger.put_blob(encode(manifest))
        while True:
            record = self._record(parameters, digest, manifest.code.digest, trigger)
            if plan is not None:
                record = msgspec.structs.replace(record, origin=plan.origin)
            try:
                if plan is not None:
                    self._ledger.carry(record.flow, record.run, plan.carried)
                self._ledger.create_run(record)
            except ObjectExists:
                continue
            return record

    def _record(
        self, parameters: Mapping[str, Any], manifest: str, code: str, trigger: dict[str, Any]
    ) -> RunRecord:
        now = datetime.datetime.now(datetime.timezone.utc)
        version = platform.python_version()
        return RunRecord(
            flow=self._manifest.flow_name,
            run=local_run_id(now, random.getrandbits(20)),
            created_at=now.timestamp(),
            user=self._options.user,
            parameters=dict(parameters),
            manifest=manifest,
            code=code,
            tags=self._options.tags,
            system_tags=(
                f"user:{self._options.user}",
                "runtime:dev",
                f"python_version:{version}",
                f"provider_version:{self._manifest.provider}",
                *self._manifest.system_tags,
            ),
            trigger=trigger,
            host=socket.gethostname(),
            python=version,
            provider=self._manifest.provider,
            environments=self._manifest.environments,
        )

    def _scheduler(self, run: RunRecord, supervisor: Supervisor, frontier: Frontier) -> RegionScheduler:
        options, graph = self._options, self._manifest.graph

        def policy(step: str) -> AttemptPolicy:
            return attempt_policy(graph[step], kill_grace=options.kill_grace)

        region = RegionOptions(
            flow=run.flow,
            run=run.run,
            store=self._manifest.store,
            max_workers=options.max_workers,
            max_num_splits=options.max_num_splits,
            max_iterations=options.max_iterations,
            fail_grace=options.fail_grace,
            keep_going=options.keep_going,
            cache=options.cache,
        )
        # Killed tasks have not used up their attempts: they are told, and are not why the run failed.
        return RegionScheduler(
            graph, graph.steps, supervisor, policy, region, self._task_ended, frontier, self._task_killed
        )

    def _task_killed(self, result: TaskResult) -> None:
        self._failed_tasks.add(result.key)
        self._observer.ended(result)

    def _task_ended(self, result: TaskResult) -> None:
        (self._failed_tasks if result.outcome == "failed" else self._finished_tasks).add(result.key)
        if result.outcome == "failed":
            self._failed.append(result)
        elif result.key.step == self._manifest.graph.end:
            self._ended = True
        self._observer.ended(result)

    def _interrupted(self, scheduler: RegionScheduler, number: int) -> None:
        self._signal = number
        scheduler.stop(f"the run was ended by {signal.Signals(number).name}")

    def _seal(self, run: RunRecord) -> LocalRun:
        if self._signal:
            status: RunStatus = "terminated"
            reason = f"ended by {signal.Signals(self._signal).name}"
        elif self._ended and not self._went_wrong:
            status, reason = "succeeded", ""
        elif self._stops and not self._went_wrong:
            status, reason = "terminated", self._stops
        else:
            status = "failed"
            reason = "; ".join(
                f"{r.key.pathspec}: {r.exception.message if r.exception else ''}" for r in self._failed[:10]
            )
        failed = tuple(result.key.pathspec for result in self._failed)
        if status != "succeeded":
            tasks = EndedTasks(self._finished_tasks.carried(), self._failed_tasks.carried(), self._gangs())
            note_ended_tasks(self._ledger, run.flow, run.run, tasks)
        self._ledger.end_run(run.flow, run.run, RunEnd(status, time.time(), reason, failed))
        return LocalRun(run, status, tuple(self._failed), self._signal)

    def _gangs(self) -> tuple[str, ...]:
        """Steps that are gangs: of one that failed, the scheduler tells only the nodes that made it fail."""
        graph = self._manifest.graph
        return tuple(target for node in graph if node.kind == "parallel" for target in node.out_funcs)


class _Interrupts:
    """While entered, Ctrl-C and SIGTERM call a function instead of ending the process."""

    def __init__(self, handle: Callable[[int], None]) -> None:
        self._handle = handle
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._received)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        self._handle(number)


# The store of a project on this machine, in the folder that the flows are in or above.
STORE_FOLDER: Final = ".mlflow_provider"


def default_store() -> str:
    """The store of flows run here: ``datastore_root``, or ``.mlflow_provider`` in the nearest folder that has one.

    Returns:
        A URL.
    """
    from airflow_mlflow_provider.configuration import get

    configured = get("datastore_root")
    if configured:
        root = str(configured)
        return root if "://" in root else Path(root).expanduser().resolve().as_uri()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / STORE_FOLDER).is_dir():
            return (folder / STORE_FOLDER).as_uri()
    return (here / STORE_FOLDER).as_uri()
