"""``parallel_map``: a function over many items, each in a process forked from this one, so that closures may be used."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from airflow_mlflow_provider.exception import MulticoreException

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

Item = TypeVar("Item")
Result = TypeVar("Result")

_CGROUP_LIMITS = (
    (Path("/sys/fs/cgroup/cpu.max"), None),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)


def parallel_map(
    func: Callable[[Item], Result],
    iterable: Iterable[Item],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> list[Result]:
    """The results of a function for each item, in the order of the items.

    Args:
        func: The function; a closure or lambda may be used. What it returns must be picklable.
        iterable: The items.
        max_parallel: Processes at once; by default the CPUs that this process may use, a container's quota included.
        dir: Where results are kept on their way, a temporary folder by default.

    Raises:
        MulticoreException: A child failed; holds the index of its item and its traceback. The others are ended.
    """
    found = dict(_results(func, iterable, max_parallel, dir))
    return [found[index] for index in range(len(found))]


def parallel_imap_unordered(
    func: Callable[[Item], Result],
    iterable: Iterable[Item],
    max_parallel: int | None = None,
    dir: str | None = None,
) -> Iterator[Result]:
    """The results of a function for each item, as they come; arguments and errors as for :func:`parallel_map`."""
    return (result for _, result in _results(func, iterable, max_parallel, dir))


def available_cpus() -> int:
    """The CPUs that this process may use: of its affinity, or of the quota of its container if that is less."""
    affinity = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min([affinity, *(int(quota) for quota in _quotas())]))


def _quotas() -> Iterator[float]:
    for limit_file, period_file in _CGROUP_LIMITS:
        if not limit_file.exists():
            continue
        words = limit_file.read_text("ascii").split()
        if period_file is not None:
            words.append(period_file.read_text("ascii").strip())
        if words[0] not in ("max", "-1"):
            yield max(1.0, float(words[0]) / float(words[1]))


def _results(
    func: Callable[[Item], Result], iterable: Iterable[Item], max_parallel: int | None, folder: str | None
) -> Iterator[tuple[int, Result]]:
    limit = available_cpus() if max_parallel is None else max_parallel
    if limit < 1:
        raise MulticoreException(
            f"max_parallel is {max_parallel}.", fix="Give a number from 1 on, or None for the CPUs there are."
        )
    items = enumerate(iterable)
    with tempfile.TemporaryDirectory(prefix="parallel_map_", dir=folder) as place:
        running: dict[int, tuple[int, ForkProcess]] = {}
        try:
            while True:
                while len(running) < limit and (following := next(items, None)) is not None:
                    index, item = following
                    process = _started(func, item, Path(place, str(index)))
                    running[process.sentinel] = (index, process)
                if not running:
                    return
                ended = wait(list(running))
                for sentinel in [each for each in running if each in ended]:
                    index, process = running.pop(sentinel)
                    yield index, _result(index, process, Path(place, str(index)))
        finally:
            for _, process in running.values():
                # Not SIGTERM: a child is a fork, and has whatever handler of it this process has.
                process.kill()
            for _, process in running.values():
                process.join()


def _started(func: Callable[[Item], Result], item: Item, path: Path) -> ForkProcess:
    process = multiprocessing.get_context("fork").Process(target=_child, args=(func, item, path))
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Python warns of forks while threads run. The child runs `func` alone, which is what a closure needs a fork for.
        warnings.filterwarnings("ignore", "This process.*is multi-threaded", DeprecationWarning)
        process.start()
    return process


def _child(func: Callable[[Item], Result], item: Item, path: Path) -> None:
    try:
        content = pickle.dumps((True, func(item)), protocol=5)
    except BaseException:  # noqa: BLE001 - the traceback travels to the parent
        content = pickle.dumps((False, traceback.format_exc()))
    path.write_bytes(content)


def _result(index: int, process: ForkProcess, path: Path) -> Result:  # type: ignore[type-var]
    process.join()
    if process.exitcode or not path.exists():
        raise _failed(index, f"its process ended with exit code {process.exitcode}.")
    succeeded, result = pickle.loads(path.read_bytes())
    path.unlink()
    if not succeeded:
        raise _failed(index, f"its function raised:\n{result}")
    found: Result = result
    return found


def _failed(index: int, what: str) -> MulticoreException:
    return MulticoreException(
        f"The child for item {index} failed: {what}",
        fix="Correct the function, or catch the error in it.",
        where={"item": index},
    )
