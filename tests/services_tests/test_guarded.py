import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.services.guarded import GuardedService, wait_for_end
from tests.services.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]

# A process that ignores SIGTERM, with a grandchild in a session of its own whose parent has ended.
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
started = "import subprocess; print(subprocess.Popen(['sleep', '600'], stdout=-3, stderr=-3, start_new_session=True).pid)"
orphan = subprocess.run([sys.executable, "-c", started], capture_output=True, text=True, check=True).stdout
pathlib.Path("orphan.partial").write_text(orphan)
os.rename("orphan.partial", "orphan")
time.sleep(600)
"""


class Sleeper(GuardedService):
    """A service of one process, which runs the given Python program."""

    program = "import time; time.sleep(600)"
    launches = 0

    def _launch(self) -> dict[str, Any]:
        self.launches += 1
        self._guard({"sleeper": [sys.executable, "-c", self.program]}, dict(os.environ))
        return {}

    def _joined(self, facts: dict[str, Any]) -> None:
        pass


class StubbornSleeper(Sleeper):
    program = STUBBORN


def running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_users_of_one_directory_share_one_service_until_the_last_stops(tmp_path: Path) -> None:
    first, second = Sleeper(tmp_path / "shared").start(), Sleeper(tmp_path / "shared").start()
    pid = first.process_id("sleeper")
    assert (first.launches, second.launches) == (1, 0)
    assert second.process_id("sleeper") == pid

    first.stop()
    assert second.check_alive()
    assert running(pid)

    second.stop()
    wait_for_end(pid)


def test_a_service_can_be_started_again_after_its_last_user_stopped(tmp_path: Path) -> None:
    for _ in range(3):
        with Sleeper(tmp_path / "again") as service:
            pid = service.process_id("sleeper")
            assert service.launches == 1
            assert running(pid)
        wait_for_end(pid)


def test_a_killed_user_leaves_neither_a_process_nor_a_folder() -> None:
    program = f"""
        import sys, time
        sys.path.insert(0, {str(REPOSITORY)!r})
        from tests.services_tests.test_guarded import Sleeper
        service = Sleeper().start()
        print(service.process_id("guardian"), service.process_id("sleeper"), service.directory, flush=True)
        time.sleep(600)
        """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        guardian, sleeper, directory = user.stdout.readline().split()
        assert running(int(sleeper))
        assert Path(directory).is_dir()
        user.send_signal(signal.SIGKILL)

    wait_for_end(int(guardian))
    assert not running(int(sleeper))
    assert not Path(directory).exists()


@pytest.mark.slow
def test_what_ignores_the_request_to_end_is_killed_with_its_orphans() -> None:
    with StubbornSleeper() as service:
        note = service.directory / "orphan"
        wait_until(note.exists, 30, "the orphan to be started")
        stubborn, orphan = service.process_id("sleeper"), int(note.read_text())
        assert running(orphan)

    assert not running(stubborn)
    assert not running(orphan)


def test_a_process_that_ends_early_is_reported_with_its_log() -> None:
    class Failing(Sleeper):
        program = "print('out of order'); raise SystemExit(3)"

    with Failing() as service:
        wait_until((service.directory / "sleeper.exited").exists, 30, "the process to end")
        with pytest.raises(AssertionError, match=r"sleeper ended with exit code 3:\nout of order"):
            service.check_alive()


def test_a_failing_wait_says_what_for_and_what_it_saw() -> None:
    with pytest.raises(AssertionError, match=r"waited 0\.1 s for: the impossible \(last value: 0\)"):
        wait_until(lambda: 0, 0.1, lambda: "the impossible")
