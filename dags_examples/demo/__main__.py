"""`python -m dags_examples.demo [--stop-after]`: an Airflow with the example flows, one of them run, its result shown."""

import argparse
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_mlflow_provider.exception import MetaflowException
from dags_examples.demo.display import DemoFailed, Display
from dags_examples.demo.example_flows import Examples, example_flows
from dags_examples.demo.local_airflow import REPOSITORY, LocalAirflow

FOLDER = REPOSITORY / "build" / "demo"
WATCH_SECONDS = 1.0
SHOWN_CHARACTERS = 200
INTERRUPTED = 130
# Where Airflow shows the tab that the provider adds to a DAG run.
RUN_TAB = "plugin/flow"


def main() -> int:
    """Run the demo.

    Returns:
        The exit code: 0, 1 if anything failed, 130 if it was interrupted before the run was finished.
    """
    flows = example_flows()
    parser = argparse.ArgumentParser(prog="python -m dags_examples.demo", description=__doc__)
    parser.add_argument(
        "--stop-after", action="store_true", help="shut everything down when the run is finished"
    )
    parser.add_argument(
        "--flow", choices=flows, default="HelloFlow", help="the flow to run (default: %(default)s)"
    )
    options = parser.parse_args()
    # What `kill` and a closing terminal send ends the demo as Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    display = Display()
    try:
        with demo_folder() as folder, running(LocalAirflow(folder), display) as airflow:
            tab = show(airflow, flows, options.flow, display)
            if options.stop_after:
                say_tab(tab, display)
            else:
                serve(airflow, tab, display)
    except DemoFailed as error:
        display.failed(str(error))
        return 1
    except MetaflowException as error:
        display.failed(f"{error.headline}: {error}\n{error.fix}")
        return 1
    except KeyboardInterrupt:
        display.failed("interrupted")
        return INTERRUPTED
    return 0


@contextmanager
def demo_folder() -> Iterator[Path]:
    """An empty folder: `build/demo`, or a temporary one while another demo uses that. `build/demo` is left for a look at its logs."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with tempfile.TemporaryDirectory(prefix="airflow-demo-", ignore_cleanup_errors=True) as folder:
                yield Path(folder)
            return
        shutil.rmtree(FOLDER)
        FOLDER.mkdir()
        yield FOLDER


@contextmanager
def running(airflow: LocalAirflow, display: Display) -> Iterator[LocalAirflow]:
    """Airflow, from its database to the end of its last process."""
    try:
        with display.stage("Airflow's database"):
            airflow.migrate()
        airflow.start()
        yield airflow
    finally:
        # A second Ctrl-C must not leave processes behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        airflow.stop()


def show(airflow: LocalAirflow, flows: dict[str, Path], flow: str, display: Display) -> str:
    """Deploy all examples while Airflow starts, run one, print what came out.

    Returns:
        Address of the run's tab in Airflow.

    Raises:
        DemoFailed: Something went wrong; the message says what.
    """
    examples = Examples(airflow, flows)
    for file in flows.values():
        with display.stage(f"python {file.relative_to(REPOSITORY)} airflow create"):
            examples.deploy(file)
    with display.stage(f"Airflow starts on {airflow.url}"):
        airflow.wait_until_healthy()
    with display.stage("Airflow parses the DAG files"):
        examples.wait_until_parsed()
    with display.stage(f"{flow} runs on Airflow") as status:
        started = examples.run(flow, lambda text: status.update(f"{flow} runs on Airflow: {text}"))
    display.say(f"\n[bold]The result[/], read back from the store {airflow.store}:")
    for name, value in examples.result(flow, started.run).items():
        text = " ".join(repr(value).split())
        display.say(
            f"  {name} = {text[:SHOWN_CHARACTERS]}{'…' if len(text) > SHOWN_CHARACTERS else ''}", markup=False
        )
    display.say(f"[bold]Airflow[/], without a login, for whoever is on this machine:\n  {airflow.url}")
    return f"{started.url}/{RUN_TAB}"


def say_tab(tab: str, display: Display) -> None:
    """Say where the run is to be seen."""
    display.say(f"[bold]The run[/], its graph, artifacts, code and logs:\n  {tab}")


def serve(airflow: LocalAirflow, tab: str, display: Display) -> None:
    """Leave Airflow running until Ctrl-C.

    Args:
        airflow: What runs.
        tab: Address of the run's tab.
        display: Where to say so.

    Raises:
        DemoFailed: One of its processes ended.
    """
    file = os.path.relpath(airflow.write_environment())
    display.say("[bold]More[/], in another terminal:")
    display.say(f"  . {file}")
    display.say(
        f"  {os.path.relpath(sys.executable)} dags_examples/digits_search_flow.py airflow trigger --wait"
    )
    say_tab(tab, display)
    display.say("\nPress Ctrl-C to stop.")
    try:
        while True:
            airflow.check_alive()
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        display.say("\nStopping.")


if __name__ == "__main__":
    sys.exit(main())
