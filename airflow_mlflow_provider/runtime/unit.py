"""Running one unit: what an Airflow task instance does, in the worker or in a pod.

``python -m airflow_mlflow_provider.runtime.unit REQUEST`` with a
:class:`~airflow_mlflow_provider.runtime.request.UnitRequest` as JSON is what a pod starts. The exit code is 0 when every task
finished and 1 when one failed; the records in the store are the verdict.

Order matters: the zygote is forked first, while this process has no threads and no store; then the store is opened, the
manifest and the code package are fetched, and the zygote is told what to import.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from airflow_mlflow_provider.exception import MetaflowException, ObjectExists
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.runtime.assignment import Assignment
from airflow_mlflow_provider.runtime.attempts import AttemptPolicy, attempt_policy
from airflow_mlflow_provider.runtime.environments.locking import environment_of
from airflow_mlflow_provider.runtime.fallback import caught_death, stand_in
from airflow_mlflow_provider.runtime.frontier import Work, gang_place
from airflow_mlflow_provider.runtime.iterations import attempts_made, is_used_up
from airflow_mlflow_provider.runtime.later import LaterLauncher, later_launcher
from airflow_mlflow_provider.runtime.launching import Launcher, new_process_forks
from airflow_mlflow_provider.runtime.log_storing import LogPolicy
from airflow_mlflow_provider.runtime.logs import Stream
from airflow_mlflow_provider.runtime.machine_cache import machine_cache
from airflow_mlflow_provider.runtime.meeting import main_address, patience_of
from airflow_mlflow_provider.runtime.package import FLOW_FOLDER, unpack_package
from airflow_mlflow_provider.runtime.process import end_process
from airflow_mlflow_provider.runtime.request import TaskResult, UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.scheduler import RegionOptions, RegionScheduler
from airflow_mlflow_provider.runtime.supervisor import Supervisor
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.runtime.zygote import SocketLauncher
from airflow_mlflow_provider.store.at_once import at_once
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord

# A new interpreter costs some 150 ms, and a fork of a process with the whole of Airflow some 5 to 30 ms more than one of it.
_MANY_TASKS: Final = 16
_MUCH_MEMORY: Final = 100_000_000
# A third of the processor time of others, where there is not enough for all.
_NICER: Final = 5

Emit = Callable[[AttemptKey, Stream, bytes], None]
Started = Callable[[AttemptKey, int | None], None]


def _untold(key: AttemptKey, iteration: int | None) -> None:
    """Nobody wants to know of starts."""


def run_unit(
    request: UnitRequest | Callable[[], UnitRequest], *, emit: Emit, started: Started = _untold
) -> UnitResult:
    """Run the tasks of a unit, each in a child process, and return what their records say.

    Args:
        request: Which tasks; or what makes the request, called after the fork of the zygote, so that it may use the
            store. What it raises is passed on.
        emit: Called with each line that a task prints: its attempt, the stream, the bytes without newline.
        started: Called when the process of a task has started: its attempt, and its iteration if it is one of a loop.

    Raises:
        MetaflowException: The unit could not be started: no code, no manifest, an import error of the flow's file …
        StoreException: The store failed.
    """
    flow = later_launcher(None if callable(request) else request.store)
    try:
        return _run(request() if callable(request) else request, _Observer(emit, started), flow)
    finally:
        flow.close()


def _run(request: UnitRequest, observer: _Observer, flow: LaterLauncher) -> UnitResult:
    ledger = Ledger(open_store(request.store))
    manifest = _pinned_manifest(ledger, request)
    resume = _Resume(ledger, manifest.graph, request)
    works = [work for path in request.paths for work in resume.works(path)]
    if request.fallback is not None:
        works = [
            following for work in works for following in resume.without_user_code(work, request.fallback)
        ]
    if works:
        manifest = in_bundle(manifest, request.bundle)
        with _launcher(ledger, manifest, request.steps[0], flow, len(works)) as launcher:
            _make_way(launcher)
            _schedule(request, manifest, ledger, launcher, observer, works, resume.results)
    return UnitResult(tuple(resume.results))


def _pinned_manifest(ledger: Ledger, request: UnitRequest) -> FlowManifest:
    """The manifest that the run was started with; the run's record is made if the unit is its first one."""
    new_run = request.new_run
    if new_run is None:
        data = ledger.blob(ledger.run(request.flow, request.run).manifest)
        return decode(data, f"manifest of {request.flow}/{request.run}")
    # Three requests that do not depend on each other.
    with at_once(ledger.store, 3) as requests:
        creating = requests.submit(ledger.create_run, new_run)
        wanted = requests.submit(ledger.blob, new_run.manifest)
        requests.submit(ledger.carried, request.flow, request.run)
    # What an earlier attempt of the start step pinned stays.
    with suppress(ObjectExists):
        creating.result()
    pinned = ledger.run(request.flow, request.run).manifest
    data = wanted.result() if pinned == new_run.manifest else ledger.blob(pinned)
    return decode(data, f"manifest of {request.flow}/{request.run}")


@contextmanager
def _launcher(
    ledger: Ledger, manifest: FlowManifest, step: str, flow: LaterLauncher, tasks: int
) -> Iterator[Launcher]:
    """What starts the unit's tasks.

    It is the interpreter of its steps' environment, a small one for many tasks of a large process, or ``flow``, which waits to
    be told.
    """
    file = code_file(ledger, manifest)
    lock = environment_of(ledger, manifest, step)
    if lock is None and not _wants_small_process(tasks):
        flow.load(manifest, file)
        yield flow.launcher
        return
    from airflow_mlflow_provider.runtime.environments.interpreter import environment_launcher, small_launcher

    if lock is None:
        launcher = small_launcher(manifest, file)
    else:
        from airflow_mlflow_provider.runtime.environments.building import environment_python

        launcher = environment_launcher(environment_python(lock, ledger.store), manifest, file)
    try:
        yield launcher
    finally:
        launcher.close()


def _wants_small_process(tasks: int) -> bool:
    """Whether tasks are so many, and this process so large, that a new interpreter costs less than forks of this process."""
    largest = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return tasks >= _MANY_TASKS and largest >= _MUCH_MEMORY and new_process_forks()


def _make_way(launcher: Launcher) -> None:
    """Let what supervises go first: Airflow's scheduler and API server, and the heartbeats of other tasks, if they share this machine."""
    if not isinstance(launcher, SocketLauncher):
        return
    with suppress(OSError):  # it has ended, or the machine forbids it: the tasks run all the same
        os.setpriority(os.PRIO_PROCESS, launcher.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICER)


def _schedule(
    request: UnitRequest,
    manifest: FlowManifest,
    ledger: Ledger,
    launcher: Launcher,
    observer: _Observer,
    works: list[Work],
    results: list[TaskResult],
) -> None:
    from airflow_mlflow_provider.configuration import get

    # What was frozen when the flow was deployed; pods are given it as their configuration.
    grace = float(manifest.settings.get("timeout_grace_s") or get("timeout_grace_s"))
    if manifest.step_compute(request.steps[0]) == "kubernetes":
        # Kubernetes ends the pod one grace after the limit, counted from before the pod had started: be there first.
        grace /= 2
    logs = LogPolicy(int(get("max_log_size")) * 1_000_000, float(get("log_flush_s")))
    caught = stand_in(ledger, manifest.graph)
    supervisor = Supervisor(launcher, ledger, observer, logs, caught)

    loops = manifest.graph[request.steps[0]].is_loop

    def policy(step: str) -> AttemptPolicy:
        found = attempt_policy(manifest.graph[step], kill_grace=grace)
        # Airflow retries the whole unit; of a loop, each iteration has attempts of its own.
        return found if loops else msgspec.structs.replace(found, attempts=1)

    options = RegionOptions(
        flow=request.flow,
        run=request.run,
        store=request.store,
        max_workers=request.max_workers or os.cpu_count() or 1,
        max_num_splits=manifest.limits.max_num_splits,
        max_iterations=manifest.limits.max_iterations,
        keep_going=True,
        first_attempt=request.attempt,
        last=loops or request.last,
        tries_again=False,
        airflow=request.airflow,
        waits=request.waits,
    )
    scheduler = RegionScheduler(manifest.graph, request.steps, supervisor, policy, options, results.append)
    scheduler.add(works)
    try:
        scheduler.run()
    finally:
        supervisor.close()


def in_bundle(manifest: FlowManifest, file: str) -> FlowManifest:
    """The manifest with the place that the flow's file has on this machine.

    Args:
        manifest: The manifest that the run was started with, on a machine that may have had the bundle elsewhere.
        file: The flow's file in the DAG bundle here, empty if the flow has a code package.
    """
    if not file or manifest.code.source != "bundle":
        return manifest
    return msgspec.structs.replace(manifest, code=msgspec.structs.replace(manifest.code, path=file))


def code_file(ledger: Ledger, manifest: FlowManifest) -> Path:
    """The flow's file on this machine: unpacked from its package, or in the DAG bundle."""
    code = manifest.code
    if code.source == "bundle":
        return Path(code.path)
    return unpack_package(ledger, code.digest, machine_cache("code")) / FLOW_FOLDER / code.script


class _Observer:
    def __init__(self, emit: Emit, started: Started) -> None:
        self._emit, self._started = emit, started

    def started(self, assignment: Assignment, pid: int) -> None:
        self._started(assignment.key, assignment.iteration)

    def line(self, assignment: Assignment, stream: Stream, text: bytes) -> None:
        self._emit(assignment.key, stream, text)


class _Resume:
    """What a unit still has to do.

    A retry continues where the try before it stopped: tasks that finished within the current budget of tries are kept. A
    task that was cleared starts with a fresh budget, and so does all of it anew.
    """

    def __init__(self, ledger: Ledger, graph: FlowGraph, request: UnitRequest) -> None:
        self._ledger, self._graph, self._request = ledger, graph, request
        self.results: list[TaskResult] = []

    def works(self, path: tuple[int, ...]) -> Iterator[Work]:
        """The tasks to start with on an index path; what is done already goes into :attr:`results`."""
        node = self._graph[self._request.steps[0]]
        if len(path) < len(node.frames):
            yield from self._gang(path)
            return
        step, iteration = node.name, 0 if node.is_loop else None
        parents: tuple[AttemptKey, ...] | None = None
        while (record := self._finished(step, path, iteration)) is not None:
            result = result_of(record, self._graph[step])
            self.results.append(result)
            following = [target for target in result.targets if target in self._request.steps]
            if not following:
                return
            again = following[0] == step
            step, parents = following[0], (record.key,)
            iteration = (iteration or 0) + 1 if again else (0 if self._graph[step].is_loop else None)
        # Only this task was tried before; those that follow it here are not.
        made = self._made(step, path, iteration)
        if node.is_loop and is_used_up(node, made):
            self.results.append(self._lost(step, path, iteration))
            return
        yield Work(step, path, iteration, parents, attempt=self._request.attempt, retries=made)

    def _made(self, step: str, path: tuple[int, ...], iteration: int | None) -> int:
        """Attempts of a task within the budget: tries of the unit, but those of a unit of several steps may not have come so far."""
        request = self._request
        if not request.retry_count or (iteration is None and len(request.steps) == 1):
            return request.retry_count
        key = AttemptKey(request.flow, request.run, step, task_id(path, iteration), request.attempt)
        return attempts_made(self._ledger, key, request.attempt - request.retry_count)

    def _lost(self, step: str, path: tuple[int, ...], iteration: int | None) -> TaskResult:
        """The failure of a task that has no attempts left; it has no record if its last process was lost."""
        request, task = self._request, task_id(path, iteration)
        record = self._ledger.newest_done(request.flow, request.run, step, task)
        if record is not None and not record.finished:
            return result_of(record)
        key = AttemptKey(request.flow, request.run, step, task, request.attempt - 1)
        return TaskResult(key, "failed", path, iteration)

    def without_user_code(self, work: Work, cause: str) -> Iterator[Work]:
        """Commit what ``@catch`` stores for a task that died; what follows inside the unit is left to do."""
        request, graph = self._request, self._graph
        retry = graph[work.step].decorator("retry")
        retries = min(request.retry_count, int(retry.attributes.get("times", 3)) if retry else 0)
        key = AttemptKey(
            request.flow, request.run, work.step, task_id(work.path, work.iteration), work.attempt
        )
        assignment = Assignment(
            key, request.store, index_path=work.path, iteration=work.iteration, parents=work.parents
        )
        record = caught_death(self._ledger, graph, assignment, retries + 1, cause)
        with suppress(ObjectExists):
            self._ledger.commit(record)
        result = result_of(self._ledger.done(key) or record)
        self.results.append(result)
        for step in result.targets:
            if step in request.steps:
                yield Work(
                    step, work.path, 0 if graph[step].is_loop else None, (key,), attempt=request.attempt
                )

    def _gang(self, path: tuple[int, ...]) -> Iterator[Work]:
        step = self._request.steps[0]
        opener = self._ledger.newest_done(
            self._request.flow, self._request.run, self._graph[step].frames[-1], task_id(path)
        )
        size = (opener.transition.num_splits or 0) if opener and opener.transition else 0
        if self._request.node is not None:
            yield self._node_of_many_machines(path, self._request.node, size)
            return
        for index in range(size):
            # Tried again as a whole; what @catch stores stands in for those nodes only that have no record to show.
            stored = self._request.fallback and self._finished(step, (*path, index), None)
            if stored:
                self.results.append(result_of(stored))
                continue
            yield self._node(path, index, gang_place(path, index, size))

    def _node_of_many_machines(self, path: tuple[int, ...], index: int, size: int) -> Work:
        request, step = self._request, self._request.steps[0]
        control = AttemptKey(request.flow, request.run, step, task_id((*path, 0)), request.attempt)
        address = main_address(self._ledger.store, control, index, patience_of(self._graph[step]))
        place = gang_place(path, index, size, address)
        return self._node(path, index, place, alone=True)

    def _node(self, path: tuple[int, ...], index: int, place: dict[str, Any], alone: bool = False) -> Work:
        request = self._request
        return Work(
            request.steps[0],
            (*path, index),
            attempt=request.attempt,
            retries=request.retry_count,
            gang=place,
            alone=alone,
        )

    def _taken_over(self, step: str, task: str) -> DoneRecord | None:
        """The record that the run took over from the one it resumes; clearing the task runs it again."""
        request = self._request
        key = self._ledger.carried(request.flow, request.run).keys(request.flow, step).get(task)
        return self._ledger.done(key) if key is not None else None

    def _finished(self, step: str, path: tuple[int, ...], iteration: int | None) -> DoneRecord | None:
        request = self._request
        if request.attempt == 0:
            return self._taken_over(step, task_id(path, iteration))
        if request.retry_count == 0:
            return None
        record = self._ledger.newest_done(request.flow, request.run, step, task_id(path, iteration))
        oldest = request.attempt - request.retry_count
        return record if record is not None and record.finished and record.key.attempt >= oldest else None


def main(arguments: list[str]) -> int:
    """Run the unit whose request is the first argument.

    Returns:
        0 if all tasks finished, 1 if one failed or is a node of a gang that was caught, 2 if the unit could not run.
    """
    request = msgspec.json.decode(arguments[0], type=UnitRequest)
    streams = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}

    def emit(key: AttemptKey, stream: Stream, line: bytes) -> None:
        streams[stream].write(line + b"\n")
        streams[stream].flush()

    try:
        result = run_unit(request, emit=emit)
    except MetaflowException as error:
        sys.stderr.write(f"{error.headline}: {error} {error.fix}\n")
        return 2
    # The other nodes of a gang are stopped when this one has been caught, as it does not do its part.
    lost = request.node is not None and any(task.outcome == "caught" for task in result.tasks)
    return 1 if result.failed or lost else 0


def _exit_code() -> int:
    try:
        return main(sys.argv[1:])
    except SystemExit as asked:  # of the bootstrap's handler of SIGTERM
        return asked.code if isinstance(asked.code, int) else 1


if __name__ == "__main__":
    # Taking the interpreter apart takes long, and the pod is gone then.
    end_process(_exit_code)
