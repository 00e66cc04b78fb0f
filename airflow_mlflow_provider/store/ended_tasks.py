"""How all tasks of a run ended, in one object: what the scheduler of a local run that failed has seen of them.

Who resumes the run needs to know it of each task. A listing tells it, too, and is what there is if the scheduler was killed, or was
Airflow; of a run of 10,000 tasks it is 30 requests to an object store, and a directory for each task in a folder.
"""

from __future__ import annotations

import msgspec

from airflow_mlflow_provider.exception import ObjectNotFound
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RECORD_VERSION, Carried, run_prefix


class EndedTasks(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the tasks ended that a run ran itself.

    Attributes:
        finished: Those from which the flow went on.
        failed: Those whose last attempt failed.
        left_out: Steps of which nothing is said here.
    """

    finished: Carried
    failed: Carried
    left_out: tuple[str, ...] = ()
    version: int = RECORD_VERSION


def note_ended_tasks(ledger: Ledger, flow: str, run: str, tasks: EndedTasks) -> None:
    """Note how the tasks of a run ended; it must have ended itself, so that nothing can be added.

    Raises:
        StoreException: It could not be written.
    """
    ledger.store.put(_key(flow, run), msgspec.json.encode(tasks))


def noted_ended_tasks(ledger: Ledger, flow: str, run: str) -> EndedTasks | None:
    """How the tasks of a run ended, ``None`` if nobody noted it in a form that can be read."""
    try:
        found = msgspec.json.decode(ledger.store.get(_key(flow, run)), type=EndedTasks)
    except (ObjectNotFound, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if found.version <= RECORD_VERSION else None


def _key(flow: str, run: str) -> str:
    return f"{run_prefix(flow, run)}/ended-tasks.json"
