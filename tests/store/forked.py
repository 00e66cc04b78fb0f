"""Running a function in forked processes."""

import os
import pickle
import traceback
import warnings
from collections.abc import Callable
from typing import Any


class Forked:
    """A function that runs in a process forked from this one; leaves it by `os._exit`, so nothing else runs there."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._reader, writer = os.pipe()
        with warnings.catch_warnings():
            # The tests fork with threads about on purpose: users do.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if not self.pid:
            os.close(self._reader)
            try:
                answer = (True, function())
            except BaseException:  # noqa: BLE001 - it is raised in the parent
                answer = (False, traceback.format_exc())
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(answer, pipe)
            os._exit(0)
        os.close(writer)

    def result(self) -> Any:
        """What the function returned; its traceback as an `AssertionError` if it raised."""
        with os.fdopen(self._reader, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(self.pid, 0)
        assert answer, "the process died"
        succeeded, result = pickle.loads(answer)
        assert succeeded, result
        return result

    def kill(self) -> None:
        """End it as `kill -9` does."""
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self._reader)
