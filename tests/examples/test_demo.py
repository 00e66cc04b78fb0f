"""`make demo`, from nothing to a result, and every way that it can end: nothing that it started may outlive it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.services.airflow_database import clean_environment
from tests.services.browser import chromium
from tests.services.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
DEMO_SECONDS = 420.0
# Four components of Airflow end one after another; on a busy machine each takes its time.
ENDED_SECONDS = 240.0

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


class Demo:
    """`python -m dags_examples.demo`, run as a user runs it: from the repository, with no Airflow settings."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self._output = folder / "demo.out"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dags_examples.demo", *arguments],
                env={**clean_environment(), **environment},
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        """What it has printed."""
        return self._output.read_text(errors="replace")

    def wait(self, seconds: float) -> int:
        """Wait for its end; the exit code."""
        wait_until(lambda: self.process.poll() is not None, seconds, self.text)
        return self.process.wait()

    def wait_for(self, text: str) -> None:
        """Wait until it has printed something."""

        def printed() -> bool:
            assert self.process.poll() is None, self.text()
            return text in self.text()

        wait_until(printed, DEMO_SECONDS, lambda: f"{text!r} in:\n{self.text()}")

    @property
    def tab(self) -> str:
        """Address of the finished run's tab."""
        found = re.search(
            r"^  (http://127\.0\.0\.1:\d+/dags/HelloFlow/runs/\S+/plugin/flow)$", self.text(), re.MULTILINE
        )
        assert found is not None, self.text()
        return found[1]

    def left_behind(self) -> list[str]:
        """Processes of its Airflow, the demo itself aside."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                home = process.environ().get("AIRFLOW_HOME", "")
                if home == self.home and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
        return found

    @property
    def home(self) -> str:
        """Its `AIRFLOW_HOME`: beside the store that it names."""
        store = re.search(r"read back from the store file://(\S+)/store:", self.text())
        assert store is not None, self.text()
        return f"{store[1]}/airflow"

    def check_nothing_left(self) -> None:
        """See that all processes of its Airflow end."""
        wait_until(lambda: not self.left_behind(), ENDED_SECONDS, lambda: f"the end of {self.left_behind()}")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Demo]:
    """A demo that has run its flow and serves."""
    demo = Demo(tmp_path)
    try:
        demo.wait_for("Press Ctrl-C to stop.")
        assert demo.left_behind()
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGINT)
            demo.wait(ENDED_SECONDS)


def test_it_goes_from_nothing_to_a_result_and_ends(tmp_path: Path) -> None:
    # Root in a container is the user whose name cannot be found out.
    names = ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")
    demo = Demo(tmp_path, "--stop-after", **({name: "root" for name in names if os.geteuid() == 0}))
    assert demo.wait(DEMO_SECONDS) == 0, demo.text()
    assert re.search(r"^  total = 5$", demo.text(), re.MULTILINE)
    assert re.search(r"^  http://127\.0\.0\.1:\d+$", demo.text(), re.MULTILINE)
    assert demo.tab == demo.text().strip().splitlines()[-1].strip()
    assert demo.left_behind() == []


@pytest.mark.slow
@pytest.mark.browser
def test_its_last_address_is_the_finished_run_without_a_login(serving: Demo) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.goto(serving.tab)
        page.frame_locator("iframe").get_by_text("succeeded").first.wait_for(timeout=120_000)


@pytest.mark.slow
def test_it_says_which_part_of_airflow_died(serving: Demo) -> None:
    (scheduler,) = [line for line in serving.left_behind() if "component" in line and "scheduler" in line]
    os.kill(int(scheduler.split()[0]), signal.SIGKILL)
    assert serving.wait(ENDED_SECONDS) == 1
    assert "Airflow's scheduler ended with exit code -9" in serving.text()
    assert serving.left_behind() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_when_it_is_told_to(serving: Demo, number: signal.Signals) -> None:
    serving.process.send_signal(number)
    assert serving.wait(ENDED_SECONDS) == 0
    assert serving.left_behind() == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_even_killed_it_leaves_nothing_running(serving: Demo) -> None:
    serving.process.kill()
    serving.process.wait()
    serving.check_nothing_left()
