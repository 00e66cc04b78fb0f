"""How a task process begins and ends."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_UNEXPECTED = 1
# A stream that owns its descriptor closes it when it is collected, and with it the new stream of that number.
_replaced_streams: list[object] = []


def end_process(main: Callable[[], int]) -> NoReturn:
    """Run the main function of a task process, then end the process as Python ends: threads are waited for, exit handlers run.

    Only what lies on the stack below, in a forked process that of its parent, is not gone through.

    Args:
        main: Returns the exit code.
    """
    code = _UNEXPECTED
    try:
        code = main()
        # As in the children of multiprocessing, which are forked as well.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - the process ends here; its last words go to the task's log
        os.write(2, traceback.format_exc().encode())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def attach_streams(stdout: int, stderr: int) -> None:
    """Make two descriptors this process's standard output and error, line buffered; standard input is empty."""
    _replaced_streams.extend(
        (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__)
    )
    empty = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((empty, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        if source > 2:
            os.close(source)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = open(  # noqa: SIM115 - lives as long as the process
            number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
