"""What a task process does: receive one assignment, run it, report."""

from __future__ import annotations

import importlib
import socket
import sys

import msgspec

from airflow_mlflow_provider.exception import DataException
from airflow_mlflow_provider.runtime.assignment import Assignment, Report, receive, send
from airflow_mlflow_provider.runtime.context import FlowContext

EXIT_FAILED = 1
EXIT_NO_RECORD = 2


def task_main(context: FlowContext, control: socket.socket) -> int:
    """Run the assignment that comes on ``control``, and answer with a report.

    Returns:
        The exit code of the process: 0, 1 if the task failed, 2 if no record could be written.
    """
    assignment = receive(control, Assignment)
    if assignment is None:
        return EXIT_NO_RECORD
    forget_inherited_randomness()
    # The store's client runs threads and must be made in the process that uses it.
    from airflow_mlflow_provider.runtime.task import run_task
    from airflow_mlflow_provider.store.ledger import Ledger
    from airflow_mlflow_provider.store.location import open_store

    try:
        result = run_task(
            context,
            Ledger(open_store(assignment.store)),
            assignment,
            lambda secrets: send(control, Report(secrets=secrets)),
            waits=lambda: send(control, Report(waits=True)),
        )
    except DataException as error:
        sys.stderr.write(f"{error.headline}: {error} {error.fix}\n")
        send(control, Report(store_error=f"{error.headline}: {error}"))
        return EXIT_NO_RECORD
    sys.stdout.flush()
    sys.stderr.flush()
    send(control, Report(result))
    return EXIT_FAILED if result.outcome == "failed" else 0


def preload(store: str, *, cards: bool = False) -> None:
    """Import what all tasks need, in the process that they are forked from, and use none of it.

    Args:
        store: URL of the artifact store.
        cards: Whether steps of the flow have cards.
    """
    import blake3  # noqa: F401 - hashes artifacts

    import airflow_mlflow_provider.runtime.task
    from airflow_mlflow_provider.store.abc import REMOTE_SCHEMES
    from airflow_mlflow_provider.store.location import open_store

    prepare_decoders()
    open_store(store)
    if store.partition("://")[0] in REMOTE_SCHEMES:
        # The store's client starts no threads before it is used.
        import obstore.store  # noqa: F401

        import airflow_mlflow_provider.store._object  # noqa: F401
    if cards:
        # Cards stand above this room; naming them as text keeps the arrow pointing down.
        importlib.import_module("airflow_mlflow_provider.cards.attempt")


def prepare_decoders() -> None:
    """Let msgspec learn the types of what tasks read, which takes some 10 ms, in the process that they are forked from."""
    from airflow_mlflow_provider.plan.manifest import FlowManifest
    from airflow_mlflow_provider.store.records import Carried, DoneRecord, RunEnd, RunRecord

    for kind in (Assignment, Report, FlowManifest, RunRecord, RunEnd, Carried, DoneRecord):
        # What is learnt is kept with the class.
        msgspec.json.Decoder(kind)


def forget_inherited_randomness() -> None:
    """Give this process a NumPy generator of its own, unless the flow's file seeded it.

    Forked tasks would otherwise all draw the same numbers. Python's own ``random`` reseeds itself after a fork. NumPy's
    global generator keeps its seed sequence until ``numpy.random.seed`` replaces it, which tells the two cases apart.
    """
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is None:
        return
    generator = numpy_random.mtrand._rand._bit_generator
    if getattr(generator, "seed_seq", None) is not None:
        numpy_random.seed()
