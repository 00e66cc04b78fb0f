"""Runs, tasks and attempts as records in a store. The keys are those of :mod:`.records`.

Order is what makes it safe. An attempt's blobs and pack are written first and ``done.json`` last, by a create-only
put: whatever is killed, and however many processes take themselves for the same attempt, readers see all of one or
nothing. A run's record comes before its entry in the index, so the index never names a run without a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec

from airflow_mlflow_provider.exception import (
    MetaflowDataMissing,
    MetaflowNotFound,
    ObjectExists,
    ObjectNotFound,
)
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import blob_key, check_digest, code_key, put_content
from airflow_mlflow_provider.store.hashing import digest_of
from airflow_mlflow_provider.store.records import (
    RECORD_VERSION,
    AttemptKey,
    BeginRecord,
    Carried,
    DoneRecord,
    RunEnd,
    RunRecord,
    run_prefix,
    task_prefix,
)
from airflow_mlflow_provider.store.versioned import decode_versioned

Record = TypeVar("Record", RunRecord, RunEnd, BeginRecord, DoneRecord, Carried)

_DONE = "done.json"
_FAILED = "failed"
_CAUGHT = "caught"
_INDEX = "latest"
_SUCCESSFUL_INDEX = "latest-successful"
# Milliseconds count down from here, so that a listing meets the newest run first. The first digits are a folder of
# 10,000 seconds, so that a file system, too, reads a short one.
_END_OF_TIME = 10**13
_FOLDER_DIGITS = 6


class Ledger:
    """The records of a store.

    Args:
        store: Where they are.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._carried: dict[tuple[str, str], Carried] = {}

    # Runs

    def create_run(self, record: RunRecord) -> None:
        """Begin a run.

        Raises:
            ObjectExists: The run exists; it was left as it is.
        """
        self.store.put(f"{run_prefix(record.flow, record.run)}/run.json", _encode(record), create=True)
        self.store.put(_index_key(_INDEX, record), b"")

    def run(self, flow: str, run: str) -> RunRecord:
        """What a run was started with.

        Raises:
            MetaflowNotFound: There is no such run; the message names what there is.
        """
        key = f"{run_prefix(flow, run)}/run.json"
        try:
            return _decode(self.store.get(key), RunRecord, key)
        except ObjectNotFound:
            raise self._no_run(flow, run) from None

    def end_run(self, flow: str, run: str, end: RunEnd) -> None:
        """Set the verdict on a run; a later one replaces it.

        Raises:
            MetaflowNotFound: There is no such run.
        """
        marker = _index_key(_SUCCESSFUL_INDEX, self.run(flow, run))
        self.store.put(f"{run_prefix(flow, run)}/ended.json", _encode(end))
        if end.status == "succeeded":
            self.store.put(marker, b"")
        else:
            self.store.delete([marker])

    def hide_run(self, record: RunRecord) -> None:
        """Take a run out of the listings; its records stay, and are found by its id."""
        self.store.delete([_index_key(_INDEX, record), _index_key(_SUCCESSFUL_INDEX, record)])

    def show_run(self, record: RunRecord) -> None:
        """Put a run back into the listings."""
        self.store.put(_index_key(_INDEX, record), b"")
        end = self.run_end(record.flow, record.run)
        if end is not None and end.status == "succeeded":
            self.store.put(_index_key(_SUCCESSFUL_INDEX, record), b"")

    def run_end(self, flow: str, run: str) -> RunEnd | None:
        """The verdict on a run, ``None`` until there is one."""
        return self._optional(f"{run_prefix(flow, run)}/ended.json", RunEnd)

    def latest(self, flow: str, limit: int = 1, *, successful: bool = False) -> list[str]:
        """Ids of the newest runs of a flow, newest first, from one bounded listing."""
        return list(self._indexed(flow, _SUCCESSFUL_INDEX if successful else _INDEX, limit))

    def runs(self, flow: str, *, successful: bool = False) -> Iterator[str]:
        """Ids of all runs of a flow, newest first, listed as they are asked for."""
        return self._indexed(flow, _SUCCESSFUL_INDEX if successful else _INDEX, None)

    def load_runs(self, flow: str, runs: Sequence[str]) -> list[RunRecord]:
        """What runs were started with, read at once; those without a record are left out."""
        keys = [f"{run_prefix(flow, run)}/run.json" for run in runs]
        found = zip(keys, self.store.get_many(keys), strict=True)
        return [_decode(data, RunRecord, key) for key, data in found if data is not None]

    def flows(self) -> list[str]:
        """Names of all flows."""
        return self.store.children("flows")

    def steps(self, flow: str, run: str) -> list[str]:
        """Names of the steps of which a task has begun or was taken over, sorted."""
        own = self.store.children(f"{run_prefix(flow, run)}/tasks")
        return sorted({*own, *self.carried(flow, run).steps})

    def tasks(self, flow: str, run: str, step: str) -> list[str]:
        """Ids of the tasks of a step that have begun or were taken over, in the order of the splits."""
        own = self.store.children(f"{run_prefix(flow, run)}/tasks/{step}")
        return sorted({*own, *self.carried(flow, run).keys(flow, step)})

    # Attempts

    def begin(self, record: BeginRecord) -> None:
        """Note that an attempt has started."""
        self.store.put(f"{record.key.prefix}/begin.json", _encode(record))

    def begun(self, key: AttemptKey) -> BeginRecord | None:
        """How an attempt started, ``None`` if it has not."""
        return self._optional(f"{key.prefix}/begin.json", BeginRecord)

    def commit(self, record: DoneRecord) -> None:
        """End an attempt, for good. Everything it refers to must be in the store already.

        Raises:
            ObjectExists: The attempt has ended before; nothing changed.
        """
        if not record.finished:
            # Before the record, so that whoever lists the attempts knows by name which ones may have failed.
            self.store.put(_failed_key(record.key), b"")
        try:
            self.store.put(_done_key(record.key), _encode(record), create=True)
        except ObjectExists:
            raise ObjectExists(
                f"Attempt {record.key.attempt} of {record.key.pathspec} is done already.",
                where={"task": record.key.pathspec, "attempt": record.key.attempt},
            ) from None
        if record.outcome == "caught":
            # For those who look at runs: a listing tells it without a read for each task.
            self.store.put(f"{record.key.prefix}/{_CAUGHT}", b"")

    def done(self, key: AttemptKey) -> DoneRecord | None:
        """How an attempt ended, ``None`` until it has."""
        return self._optional(_done_key(key), DoneRecord)

    def newest_done(self, flow: str, run: str, step: str, task: str) -> DoneRecord | None:
        """The record of the newest attempt that has one."""
        newest = self._newest(task_prefix(flow, run, step, task), flow, run, step)[0].get(task)
        if newest is None:
            newest = self.carried(flow, run).keys(flow, step).get(task)
        return None if newest is None else self.load_done([newest])[0]

    def newest_done_keys(self, flow: str, run: str, step: str) -> dict[str, AttemptKey]:
        """The newest done attempt of each task of a step, by task id, from one listing.

        Tasks that the run took over from another are included; their keys name the run that ran them.
        """
        own, _ = self._newest(f"{run_prefix(flow, run)}/tasks/{step}", flow, run, step)
        return self.carried(flow, run).keys(flow, step) | own

    def newest_finished_keys(
        self, flow: str, run: str, step: str
    ) -> tuple[dict[str, AttemptKey], dict[str, AttemptKey]]:
        """As :meth:`newest_done_keys`, told apart: the tasks from which the flow went on, and those that failed.

        One listing, and the records of those that may have failed are read.
        """
        newest, marked = self._newest(f"{run_prefix(flow, run)}/tasks/{step}", flow, run, step)
        suspects = [key for key in newest.values() if key in marked]
        failed = {record.key.task: record.key for record in self.load_done(suspects) if not record.finished}
        finished = {task: key for task, key in newest.items() if task not in failed}
        carried = self.carried(flow, run).keys(flow, step)
        return {task: key for task, key in carried.items() if task not in failed} | finished, failed

    def carry(self, flow: str, run: str, carried: Carried) -> None:
        """Record what a run takes over from others; to be called before :meth:`create_run`.

        Raises:
            ObjectExists: That was recorded before.
        """
        self.store.put(_carried_key(flow, run), msgspec.json.encode(carried), create=True)
        self._carried[flow, run] = carried

    def carried(self, flow: str, run: str) -> Carried:
        """What a run took over from others; read once, as it is written before any task of the run starts."""
        if (flow, run) not in self._carried:
            found = self._optional(_carried_key(flow, run), Carried)
            self._carried[flow, run] = found or Carried({})
        return self._carried[flow, run]

    def load_done(self, keys: Sequence[AttemptKey]) -> list[DoneRecord]:
        """The records of attempts that are done, read at once.

        Raises:
            MetaflowDataMissing: One of them is not there.
        """
        names = [_done_key(key) for key in keys]
        records: list[DoneRecord] = []
        for key, name, data in zip(keys, names, self.store.get_many(names), strict=True):
            if data is None:
                raise MetaflowDataMissing(
                    f"Attempt {key.attempt} of {key.pathspec} has no record in {self.store.url}.",
                    fix="Run the task again, or resume the run.",
                    where={"task": key.pathspec, "attempt": key.attempt},
                )
            records.append(_decode(data, DoneRecord, name))
        return records

    def attempts(self, flow: str, run: str, step: str, task: str) -> list[int]:
        """Numbers of the attempts that have begun, sorted; of a task taken over, the one that counts."""
        names = self.store.children(task_prefix(flow, run, step, task))
        own = sorted(int(name) for name in names if name.isdecimal())
        if own:
            return own
        key = self.carried(flow, run).keys(flow, step).get(task)
        return [] if key is None else [key.attempt]

    def unused_attempt(self, flow: str, run: str, step: str) -> int:
        """A number that no attempt of any task of a step has, nor any after it."""
        prefix = f"{run_prefix(flow, run)}/tasks/{step}"
        parts = (item.key[len(prefix) + 1 :].split("/") for item in self.store.list(prefix))
        numbers = (part[1] for part in parts if len(part) > 2)
        return max((int(number) + 1 for number in numbers if number.isdecimal()), default=0)

    # Blobs and code packages

    def put_blob(self, data: bytes) -> str:
        """Store bytes under their digest, which is returned."""
        digest = digest_of([data], len(data))
        put_content(self.store, blob_key(digest), [data], len(data))
        return digest

    def blob(self, digest: str) -> bytes:
        """The bytes with this digest.

        Raises:
            ObjectNotFound: There are none.
            CorruptedDataException: What is there has another digest.
        """
        key = blob_key(digest)
        data = bytes(self.store.get(key))
        check_digest(data, digest, key, "A blob")
        return data

    def put_code(self, digest: str, data: bytes) -> bool:
        """Store a code package; ``False`` if it was seen to be there already and was not written."""
        return put_content(self.store, code_key(digest), [data], len(data))

    def code(self, digest: str) -> bytes:
        """A code package.

        Raises:
            ObjectNotFound: There is none with this digest.
        """
        return bytes(self.store.get(code_key(digest)))

    # Logs

    def append_log(self, key: AttemptKey, stream: str, chunk: int, data: bytes) -> None:
        """Write one chunk of an attempt's log.

        Args:
            key: The attempt.
            stream: ``stdout`` or ``stderr``.
            chunk: Its number, from 0; a chunk written again is replaced.
            data: Its bytes.
        """
        self.store.put(f"{key.prefix}/{stream}-{chunk:04d}", data)

    def read_log(self, key: AttemptKey, stream: str) -> bytes:
        """What there is of an attempt's log."""
        chunks: dict[int, str] = {}
        for name in self.store.children(key.prefix):
            kind, _, number = name.rpartition("-")
            if kind == stream and number.isdecimal():
                chunks[int(number)] = f"{key.prefix}/{name}"
        found = self.store.get_many([chunks[number] for number in sorted(chunks)])
        return b"".join(data for data in found if data is not None)

    def _optional(self, key: str, kind: type[Record]) -> Record | None:
        try:
            data = self.store.get(key)
        except ObjectNotFound:
            return None
        return _decode(data, kind, key)

    def _newest(
        self, prefix: str, flow: str, run: str, step: str
    ) -> tuple[dict[str, AttemptKey], set[AttemptKey]]:
        """The newest done attempt of each task, and the attempts that may have failed."""
        newest: dict[str, AttemptKey] = {}
        marked: set[AttemptKey] = set()
        for item in self.store.list(prefix):
            *_, task, attempt, name = item.key.split("/")
            if name == _FAILED:
                marked.add(AttemptKey(flow, run, step, task, int(attempt)))
            elif name == _DONE:
                key = AttemptKey(flow, run, step, task, int(attempt))
                if task not in newest or newest[task] < key:
                    newest[task] = key
        return newest, marked

    def _indexed(self, flow: str, index: str, limit: int | None) -> Iterator[str]:
        for item in self.store.list(f"flows/{flow}/{index}", limit=limit):
            yield item.key.rpartition("/")[2].partition("-")[2]

    def _no_run(self, flow: str, run: str) -> MetaflowNotFound:
        newest = self.latest(flow, 3)
        if newest:
            known = f"Its newest runs are {', '.join(newest)}."
        else:
            flows = self.flows()
            known = f"It has the flows {', '.join(flows[:5])}." if flows else "It holds no flow at all."
        return MetaflowNotFound(
            f"There is no run {flow}/{run} in {self.store.url}. {known}",
            fix="Check the pathspec and the store's URL.",
            where={"flow": flow, "run": run, "store": self.store.url},
        )


def _carried_key(flow: str, run: str) -> str:
    return f"{run_prefix(flow, run)}/carried.json"


def _done_key(key: AttemptKey) -> str:
    return f"{key.prefix}/{_DONE}"


def _failed_key(key: AttemptKey) -> str:
    return f"{key.prefix}/{_FAILED}"


def _index_key(index: str, record: RunRecord) -> str:
    order = f"{_END_OF_TIME - round(record.created_at * 1000):013d}"
    return f"flows/{record.flow}/{index}/{order[:_FOLDER_DIGITS]}/{order[_FOLDER_DIGITS:]}-{record.run}"


def _encode(record: RunRecord | RunEnd | BeginRecord | DoneRecord) -> bytes:
    return msgspec.json.encode(record)


def _decode(data: bytes | memoryview, kind: type[Record], key: str) -> Record:
    fix = "Restore the object from a backup, or run the task again."
    return decode_versioned(data, kind, RECORD_VERSION, called="record", key=key, fix=fix)
