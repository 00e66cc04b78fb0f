"""Collecting garbage: runs that nobody wants any more, and what only they referred to.

Mark and sweep, in two collections (one, without a grace period). The first one that finds a run unwanted *condemns* it: the run leaves the listings, and cached
results that lie in it are forgotten; nothing else changes. A later one, when the grace period is over, deletes it, unless
something refers to it by then: a run that is resumed, or a result that is reused, in the meantime. Tasks that a
kept run took over, from a resume or from the cache, stay with all they refer to, however old their run is. Blobs
and code packages go when nothing refers to them and they are older than the grace period, which is longer than it takes from the first
put of an attempt to its commit.

Locks of environments go like blobs, and wheels when no lock names them any more; whoever finds an old one writes it again.

So it is safe beside running flows, and to be stopped at any point: the next collection goes on. ``values/`` and ``artifacts/`` are
not looked at: what refers to them is not all in the store.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import msgspec

from airflow_mlflow_provider.client.marking import Marks, batches
from airflow_mlflow_provider.client.retention import Retention
from airflow_mlflow_provider.exception import ObjectNotFound
from airflow_mlflow_provider.store.abc import ObjectInfo
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, RunRecord, run_prefix
from airflow_mlflow_provider.store.user_tags import user_tags

_CONDEMNED = "condemned.json"
_CONTENT = ("blobs", "code")
_REQUESTS = "environments/requests"


class Collected(msgspec.Struct, frozen=True):
    """What a collection did, or with ``dry_run`` would do.

    Attributes:
        kept: Number of runs that are kept.
        condemned: Pathspecs of the runs that a later collection will delete.
        deleted: Pathspecs of the runs that were deleted.
        objects: Number of objects deleted.
        size: Their bytes.
    """

    kept: int
    condemned: tuple[str, ...]
    deleted: tuple[str, ...]
    objects: int
    size: int


class _Condemned(msgspec.Struct, frozen=True):
    at: float


class _CacheEntry(msgspec.Struct, frozen=True):
    key: AttemptKey


class _Run(msgspec.Struct, frozen=True):
    flow: str
    run: str
    record: RunRecord | None
    kept: bool

    @property
    def prefix(self) -> str:
        return run_prefix(self.flow, self.run)

    @property
    def pathspec(self) -> str:
        return f"{self.flow}/{self.run}"


def collect_garbage(ledger: Ledger, retention: Retention, dry_run: bool = False) -> Collected:
    """Condemn the runs that nothing keeps, and delete those whose grace period is over.

    Args:
        ledger: The records of the store.
        retention: What to keep.
        dry_run: Only tell; nothing is changed.

    Raises:
        StoreException: The store failed; the next collection goes on.
    """
    return _Collector(ledger, retention, dry_run).collect()


class _Collector:
    def __init__(self, ledger: Ledger, retention: Retention, dry_run: bool) -> None:
        self._ledger, self._store = ledger, ledger.store
        self._retention, self._dry_run = retention, dry_run
        self._began = time.time()
        self._objects = self._size = 0

    def collect(self) -> Collected:
        runs = [run for flow in self._ledger.flows() for run in self._runs(flow)]
        unwanted = [run for run in runs if not run.kept]
        ripe = [run for run in unwanted if self._condemn(run)]
        self._forget_cached({run.pathspec for run in unwanted})
        for run in runs:
            if run.kept:
                self._pardon(run)
        marks = self._marks(unwanted)
        for run in ripe:
            self._delete_run(run, marks)
        self._sweep_content(marks)
        self._sweep_environments(marks)
        ripe_paths = tuple(run.pathspec for run in ripe)
        return Collected(
            kept=len(runs) - len(unwanted),
            condemned=tuple(run.pathspec for run in unwanted if run.pathspec not in ripe_paths),
            deleted=ripe_paths,
            objects=self._objects,
            size=self._size,
        )

    def _runs(self, flow: str) -> Iterator[_Run]:
        """All runs of a flow, newest first, with the verdict on each."""
        names = self._store.children(f"flows/{flow}/runs")
        records = {record.run: record for record in self._ledger.load_runs(flow, names)}
        newest = sorted(records.values(), key=lambda record: record.created_at, reverse=True)
        for position, record in enumerate(newest):
            yield _Run(flow, record.run, record, self._keeps(record, position))
        for name in names:
            # A run is recorded before its tasks begin: a folder without a record is what a deletion has left, or a resume that is
            # about to be recorded, whose folder is young.
            if name not in records:
                yield _Run(flow, name, None, self._is_young(run_prefix(flow, name)))

    def _keeps(self, record: RunRecord, position: int) -> bool:
        tags = user_tags(self._ledger, record) | set(record.system_tags)
        if self._retention.keeps(record, frozenset(tags), position):
            return True
        if self._ledger.run_end(record.flow, record.run) is not None:
            return False
        # It was never told that it ended: it may be running.
        return self._is_young(run_prefix(record.flow, record.run))

    def _is_young(self, prefix: str) -> bool:
        border = self._began - max(self._retention.older_than, self._retention.grace)
        return any(
            item.modified > border for item in self._store.list(prefix) if not item.key.endswith(_CONDEMNED)
        )

    def _condemn(self, run: _Run) -> bool:
        """Take an unwanted run out of the listings; whether its grace period is over."""
        key = f"{run.prefix}/{_CONDEMNED}"
        try:
            since = msgspec.json.decode(self._store.get(key), type=_Condemned).at
        except (ObjectNotFound, msgspec.DecodeError):
            since = self._began
            if not self._dry_run:
                self._store.put(key, msgspec.json.encode(_Condemned(since)))
        if run.record is not None and not self._dry_run:
            self._ledger.hide_run(run.record)
        return self._began - since >= self._retention.grace

    def _pardon(self, run: _Run) -> None:
        """Give a run back that was condemned and is wanted again, for a tag that it was given or by another retention."""
        key = f"{run.prefix}/{_CONDEMNED}"
        if run.record is None or self._dry_run or self._store.info(key) is None:
            return
        self._ledger.show_run(run.record)
        self._store.delete([key])

    def _forget_cached(self, unwanted: set[str]) -> None:
        """Cached results in unwanted runs are found no more; whoever has found one already has the grace period to commit."""
        stale, alive = [], set()
        for batch in batches(item.key for item in self._store.list("cache")):
            for key, data in zip(batch, self._store.get_many(batch), strict=True):
                made_by = _made_by(data) if data is not None else None
                if made_by in unwanted:
                    stale.append(key)
                elif made_by is not None:
                    alive.add(key.rpartition("/")[0])
        # What a step without any result has read leads nowhere.
        folders = {key.rpartition("/")[0] for key in stale} - alive
        stale += [
            item.key for folder in folders for item in self._store.list(folder) if item.key not in stale
        ]
        self._delete_keys(stale)

    def _marks(self, unwanted: Iterable[_Run]) -> Marks:
        marks = Marks(self._store)
        gone = {run.prefix for run in unwanted}
        # Listed after the verdicts: a run that has begun since then is marked as well.
        for flow in self._ledger.flows():
            for name in self._store.children(f"flows/{flow}/runs"):
                if run_prefix(flow, name) not in gone:
                    marks.add_run(run_prefix(flow, name))
        for batch in batches(item.key for item in self._store.list("deployments")):
            for data in self._store.get_many(batch):
                if data is not None:
                    marks.add_record(data)
        # What is condemned may yet be resumed: its blobs stay as long as it does.
        for run in unwanted:
            if not self._is_ripe(run):
                marks.add_run(run.prefix)
        return marks

    def _is_ripe(self, run: _Run) -> bool:
        try:
            condemned = msgspec.json.decode(self._store.get(f"{run.prefix}/{_CONDEMNED}"), type=_Condemned)
        except (ObjectNotFound, msgspec.DecodeError):
            return False
        return self._began - condemned.at >= self._retention.grace

    def _delete_run(self, run: _Run, marks: Marks) -> None:
        tasks = tuple(f"{prefix}/" for prefix in marks.tasks if prefix.startswith(f"{run.prefix}/"))
        doomed, record = [], None
        for item in self._store.list(run.prefix):
            if item.key.startswith(tasks):
                continue
            if item.key == f"{run.prefix}/run.json":
                record = item
                continue
            doomed.append(item)
        if record is not None and not tasks:
            # Last, so that a collection that is stopped leaves a run that the next one finds.
            doomed.append(record)
        elif record is not None:
            marks.add_record(self._store.get(record.key))
            doomed = [item for item in doomed if not item.key.endswith(_CONDEMNED)]
        self._delete((item.key, item.size) for item in doomed)

    def _sweep_content(self, marks: Marks) -> None:
        wanted = self._retention
        border = self._began - (wanted.grace if wanted.content_grace is None else wanted.content_grace)
        for folder in _CONTENT:
            self._delete(
                (item.key, item.size)
                for item in self._store.list(folder)
                if item.modified <= border and _digest_of_key(item.key) not in marks.digests
            )

    def _sweep_environments(self, marks: Marks) -> None:
        border = self._began - self._retention.grace
        found = list(self._store.list("environments"))
        locks = [item for item in found if item.key.endswith(".json")]
        doomed = [
            item
            for item in locks
            if item.modified <= border and _digest_of_key(item.key) not in marks.digests
        ]
        gone = {item.key for item in doomed}
        kept = Marks(self._store)
        for batch in batches(item.key for item in locks if item.key not in gone):
            for data in self._store.get_many(batch):
                if data is not None:
                    kept.add_record(data)
        # First what leads to a lock, then the lock, then what it names: a collection that is stopped leaves no dangling name.
        self._delete((item.key, item.size) for item in self._requests_of(gone))
        self._delete((item.key, item.size) for item in doomed)
        self._delete(
            (item.key, item.size)
            for item in self._store.list("wheels")
            if item.modified <= border and item.key.split("/")[1] not in kept.digests
        )

    def _requests_of(self, locks: set[str]) -> Iterator[ObjectInfo]:
        """What a request was resolved to, of locks that go."""
        if not locks:
            return
        requests = list(self._store.list(_REQUESTS))
        for item, data in zip(requests, self._store.get_many([item.key for item in requests]), strict=True):
            if data is not None and f"environments/{bytes(data).decode('ascii', 'replace')}.json" in locks:
                yield item

    def _delete(self, doomed: Iterable[tuple[str, int]]) -> None:
        found = list(doomed)
        self._objects += len(found)
        self._size += sum(size for _, size in found)
        self._delete_keys([key for key, _ in found])

    def _delete_keys(self, keys: list[str]) -> None:
        if not self._dry_run:
            for batch in batches(keys):
                self._store.delete(batch)


def _made_by(data: bytes | memoryview) -> str | None:
    """Pathspec of the run that an entry of the cache comes from; ``None`` where it names none."""
    try:
        key = msgspec.json.decode(data, type=_CacheEntry).key
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return f"{key.flow}/{key.run}"


def _digest_of_key(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]
