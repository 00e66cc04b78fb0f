"""Names of tasks and runs, as pure functions.

A task is known before it runs: its id follows from its index path and, in a loop, its iteration. Nothing has to be
looked up or negotiated, so a join of ten thousand splits knows the keys of its inputs. Ids are safe in URLs, object
keys and Kubernetes names, and their text order is the order of the splits.

==========================  ==================
index path, iteration       task id
==========================  ==================
``()``                      ``0``
``(2,)``                    ``0002``
``(2, 7)``                  ``0002-0007``
``(12345,)``                ``a12345``
``()``, iteration 3         ``i0003``
``(2,)``, iteration 3       ``0002-i0003``
==========================  ==================
"""

from __future__ import annotations

import datetime
import hashlib
import re

from airflow_mlflow_provider.exception import CommandException, MetaflowInvalidPathspec

IndexPath = tuple[int, ...]

PARAMETERS_STEP = "_parameters"
ROOT_TASK_ID = "0"

_WIDTH = 4
_TASK_ID_PART = re.compile(r"(i?)(?:([0-9]{4})|([a-z])([0-9]{5,}))")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


def task_id(index_path: IndexPath, iteration: int | None = None) -> str:
    """The id of a task.

    Args:
        index_path: One 0-based index per open foreach or gang frame, outermost first.
        iteration: 0-based iteration of a loop step, ``None`` for any other step.
    """
    parts = [_number(index) for index in index_path]
    if iteration is not None:
        parts.append(f"i{_number(iteration)}")
    return "-".join(parts) or ROOT_TASK_ID


def parse_task_id(text: str) -> tuple[IndexPath, int | None]:
    """The index path and iteration that :func:`task_id` made ``text`` from.

    Raises:
        MetaflowInvalidPathspec: ``text`` is not a task id.
    """
    if text == ROOT_TASK_ID:
        return (), None
    indexes: list[int] = []
    iteration: int | None = None
    for part in text.split("-"):
        match = _TASK_ID_PART.fullmatch(part)
        if match is None or iteration is not None:
            raise MetaflowInvalidPathspec(
                f"'{text}' is not the id of a task.",
                fix="Use an id as the client or the command line prints it, such as 0 or 0002-0007.",
                where={"task": text},
            )
        number = int(match[2] or match[4])
        if match[1]:
            iteration = number
        else:
            indexes.append(number)
    return tuple(indexes), iteration


def airflow_run_id(dag_id: str, dag_run_id: str, part: str = "") -> str:
    """The run id of a DAG run: readable, safe in paths, different for different DAG runs.

    Args:
        dag_id: The DAG.
        dag_run_id: The DAG run.
        part: For a run that is only a part of the DAG run: id of the task group, or of the task and its map index.
    """
    named = f"{dag_id}\0{dag_run_id}" + (f"\0{part}" if part else "")
    digest = hashlib.blake2b(named.encode(), digest_size=5).hexdigest()
    readable = _UNSAFE.sub("-", f"{dag_run_id}-{part}").strip("-")[:80]
    return f"airflow-{readable}-{digest}" if readable else f"airflow-{digest}"


def local_run_id(now: datetime.datetime, entropy: int) -> str:
    """A run id for a local run, sortable by time.

    Args:
        now: An aware moment.
        entropy: A random number; 20 bits of it are used. The create-only put of the run's record settles the
            rare draw that was taken already.
    """
    moment = now.astimezone(datetime.timezone.utc)
    return f"{moment:%Y%m%d-%H%M%S}-{entropy % 2**20:05x}"


def check_run_id(text: str) -> str:
    """Return ``text`` if it can be a run id.

    Raises:
        CommandException: It cannot.
    """
    if _RUN_ID.fullmatch(text):
        return text
    raise CommandException(
        f"'{text}' cannot be a run id.",
        fix="Use letters, digits, '.', '_' and '-', at most 200 of them, beginning with a letter or digit.",
        where={"run": text},
    )


def dag_id(flow_name: str) -> str:
    """The id of the DAG of a flow, or of a project flow name such as ``project.branch.Flow``."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", flow_name)
    if safe == flow_name and len(safe) <= 250:
        return safe
    digest = hashlib.blake2b(flow_name.encode(), digest_size=3).hexdigest()
    return f"{safe[:243]}_{digest}"


def _number(value: int) -> str:
    digits = f"{value:0{_WIDTH}d}"
    extra = len(digits) - _WIDTH
    return digits if not extra else f"{chr(ord('a') + extra - 1)}{digits}"
