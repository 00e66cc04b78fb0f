"""One launcher made of several: each step's tasks are started where the step has its environment."""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.environments.lock import Locks
from airflow_mlflow_provider.runtime.launching import STARTED, Launcher
from airflow_mlflow_provider.store.ledger import Ledger

Answer = tuple[bytes, int, int]


def launcher_by_step(default: Launcher, manifest: FlowManifest, file: Path, ledger: Ledger) -> Launcher:
    """What starts the tasks of a flow: the steps with an environment in that, which is built now, the others by default.

    Args:
        default: Starts the tasks of steps without an environment.
        manifest: The flow, its environments locked.
        file: Its file.
        ledger: The store, with the locks.

    Raises:
        InvalidEnvironmentException: An environment cannot be built here.
        MetaflowDataMissing: The store has lost a lock.
    """
    if not manifest.environments:
        return default
    from airflow_mlflow_provider.runtime.environments.building import environment_python
    from airflow_mlflow_provider.runtime.environments.interpreter import environment_launcher

    locks = Locks(ledger.store)
    launchers = {
        digest: environment_launcher(environment_python(locks.get(digest), ledger.store), manifest, file)
        for digest in sorted(set(manifest.environments.values()))
    }
    return LauncherByStep(default, {step: launchers[lock] for step, lock in manifest.environments.items()})


class LauncherByStep:
    """Implements :class:`~airflow_mlflow_provider.runtime.supervisor.Launcher` by others.

    Starts are answered in the order in which they were asked for, whichever launcher is the quicker.

    Args:
        default: For steps without an environment.
        by_step: For steps with one.
    """

    def __init__(self, default: Launcher, by_step: Mapping[str, Launcher]) -> None:
        self._default = default
        self._by_step = by_step
        self._all = list(dict.fromkeys([default, *by_step.values()]))
        # Readable when one of those in it is.
        self._selector = selectors.DefaultSelector()
        for launcher in self._all:
            self._selector.register(launcher.fileno(), selectors.EVENT_READ, launcher)
        self._asked: deque[Launcher] = deque()
        self._answers: dict[Launcher, deque[Answer]] = {launcher: deque() for launcher in self._all}

    def fileno(self) -> int:
        """The descriptor that becomes readable when an answer waits."""
        return self._selector.fileno()

    def fork(self, step: str, control: int, stdout: int, stderr: int) -> None:
        """Ask for a task process of a step on these descriptors."""
        launcher = self._by_step.get(step, self._default)
        self._asked.append(launcher)
        launcher.fork(step, control, stdout, stderr)

    def answers(self) -> list[Answer] | None:
        """What the launchers say; ``None`` if one of them is gone."""
        for key, _ in self._selector.select(0):
            said = key.data.answers()
            if said is None:
                return None
            self._answers[key.data].extend(said)
        return self._released()

    def close(self) -> None:
        """End all task processes. May be called again."""
        for launcher in self._all:
            launcher.close()
        self._selector.close()

    def _released(self) -> list[Answer]:
        """The answers that may be told: a start only when all that were asked for before it have started."""
        released: list[Answer] = []
        while True:
            for waiting in self._answers.values():
                while waiting and waiting[0][0] != STARTED:
                    released.append(waiting.popleft())
            if not self._asked or not self._answers[self._asked[0]]:
                return released
            released.append(self._answers[self._asked.popleft()].popleft())
