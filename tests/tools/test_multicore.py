"""Maps over forked processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from airflow_mlflow_provider import parallel_imap_unordered, parallel_map
from airflow_mlflow_provider.exception import MulticoreException
from airflow_mlflow_provider.tools.multicore import available_cpus
from tests.flow_runs import is_alive


def test_results_come_in_the_order_of_the_items_and_closures_work() -> None:
    factor = 3

    assert parallel_map(lambda x: (factor * x, os.getpid() != PARENT), iter(range(6)), max_parallel=3) == [
        (3 * x, True) for x in range(6)
    ]
    assert parallel_map(lambda x: x, []) == []


PARENT = os.getpid()


def test_unordered_results_come_as_they_are_ready(tmp_path: Path) -> None:
    def slow_first(x: int) -> int:
        if x == 0:
            while not (tmp_path / "go").exists():
                time.sleep(0.01)
        return x

    results = parallel_imap_unordered(slow_first, range(3), max_parallel=2)
    early = [next(results), next(results)]
    (tmp_path / "go").touch()

    assert early == [1, 2]
    assert list(results) == [0]


def test_a_failure_tells_the_item_and_the_childs_traceback() -> None:
    def fail(x: int) -> int:
        if x == 2:
            raise KeyError("the third")
        return x

    with pytest.raises(
        MulticoreException, match=r"item 2[\s\S]*in fail[\s\S]*KeyError: 'the third'"
    ) as caught:
        parallel_map(fail, range(4), max_parallel=1)
    assert caught.value.where == {"item": 2}
    with pytest.raises(MulticoreException, match=r"item 0[\s\S]*pickle"):
        parallel_map(lambda _: lambda: None, range(1))


def test_a_killed_child_is_told() -> None:
    with pytest.raises(MulticoreException, match="exit code -9"):
        parallel_map(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(1))


def test_the_others_are_ended_when_one_fails(tmp_path: Path) -> None:
    def fail_or_wait(x: int) -> None:
        if x == 0:
            (tmp_path / "pid").write_text(str(os.getpid()))
            time.sleep(600)
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        raise ValueError("enough")

    # As Airflow's task processes have one: the children of a fork have it as well.
    handler = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with pytest.raises(MulticoreException, match="item 1"):
            parallel_map(fail_or_wait, range(2), max_parallel=2)
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_the_number_of_processes_is_bounded_and_folders_are_left_empty(tmp_path: Path) -> None:
    def count(x: int) -> int:
        (tmp_path / "now" / str(x)).touch()
        running = len(list((tmp_path / "now").iterdir()))
        time.sleep(0.02)
        (tmp_path / "now" / str(x)).unlink()
        return running

    (tmp_path / "now").mkdir()
    (tmp_path / "dir").mkdir()

    assert max(parallel_map(count, range(8), max_parallel=2, dir=str(tmp_path / "dir"))) <= 2
    assert list((tmp_path / "dir").iterdir()) == []
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)
    with pytest.raises(MulticoreException, match="max_parallel"):
        parallel_map(count, range(1), max_parallel=0)
