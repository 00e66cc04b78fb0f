"""What kept runs refer to, wherever it lies: the marking half of collecting garbage.

The marking is conservative. Whatever looks like a digest in a record that is kept keeps the blob, the manifest and the code
package of that digest, and whatever looks like the key of a pack keeps the task that wrote it, with its records and logs. So a
kind of reference that a later version adds to a record is respected without a change here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import blob_key
from airflow_mlflow_provider.store.records import Carried, task_prefix

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PACK = re.compile(rb'"(flows/[^"/]+/runs/[^"/]+/tasks/[^"/]+/[^"/]+)/\d+/pack[^"]*"')
_HIT = re.compile(rb'"cache":"hit ([^"/]+)/([^"/]+)/([^"/]+)/([^"/]+)"')
_MANIFEST = re.compile(rb'"manifest":"([0-9a-f]{64})"')
_BATCH = 500


class Marks:
    """What must stay.

    Args:
        store: The artifact store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.digests: set[str] = set()
        self.tasks: set[str] = set()
        self._manifests: set[str] = set()
        self._waiting: list[str] = []

    def add_run(self, prefix: str) -> None:
        """Mark what a run refers to: its own records, and those of the tasks that it took over."""
        self._scan_records(prefix)
        self._follow()

    def add_record(self, data: bytes | memoryview) -> None:
        """Mark what a record that is no run's refers to, such as that of a deployment."""
        self._scan(bytes(data))
        self._follow()

    def _follow(self) -> None:
        # A task that was taken over refers to the packs of tasks before it, in runs that may be gone otherwise.
        while self._waiting:
            self._scan_records(self._waiting.pop())

    def _scan_records(self, prefix: str) -> None:
        keys = (item.key for item in self._store.list(prefix) if item.key.endswith(".json"))
        for batch in batches(keys):
            for key, data in zip(batch, self._store.get_many(batch), strict=True):
                if data is None:
                    continue
                self._scan(bytes(data))
                if key.endswith("/carried.json"):
                    self._take_over(key, bytes(data))

    def _scan(self, data: bytes) -> None:
        self.digests |= {found.decode() for found in _DIGEST.findall(data)}
        for digest in _MANIFEST.findall(data):
            self._scan_manifest(digest.decode())
        for task in _PACK.findall(data):
            self._keep_task(task.decode())
        for flow, run, step, task in _HIT.findall(data):
            self._keep_task(task_prefix(flow.decode(), run.decode(), step.decode(), task.decode()))

    def _scan_manifest(self, digest: str) -> None:
        """A manifest names the code package and the files of parameters; runs of one deployment share it."""
        if digest in self._manifests:
            return
        self._manifests.add(digest)
        for data in self._store.get_many([blob_key(digest)]):
            if data is not None:
                self._scan(bytes(data))

    def _take_over(self, key: str, data: bytes) -> None:
        flow = key.split("/")[1]
        for step, groups in msgspec.json.decode(data, type=Carried).steps.items():
            for group in groups:
                for task in group.tasks:
                    self._keep_task(task_prefix(flow, group.run, step, task))

    def _keep_task(self, prefix: str) -> None:
        if prefix not in self.tasks:
            self.tasks.add(prefix)
            self._waiting.append(prefix)


def batches(keys: Iterable[str]) -> Iterator[list[str]]:
    """Keys in groups that are read or deleted at once."""
    remaining = iter(keys)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
