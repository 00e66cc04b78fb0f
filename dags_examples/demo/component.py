"""One of Airflow's processes, ended by the kernel's signal when the demo is gone, even by `kill -9`.

`python -m dags_examples.demo.component PARENT_PID scheduler --skip-serve-logs` is `airflow scheduler --skip-serve-logs`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the kernel send this process SIGTERM when its parent ends; only Linux can.

    Raises:
        SystemExit: The parent has ended before it could be asked for.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit("the demo has ended")


def main() -> None:
    """Run the `airflow` command that the arguments after the parent's process id name."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    end_with_parent(parent)
    if command[0] == "scheduler":
        # What each task's process would import, imported before the scheduler forks them.
        pass
    sys.argv = ["airflow", *command]
    from airflow.__main__ import main as run_airflow

    sys.exit(run_airflow())  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
