"""Where the artifacts of a task come from: which task made each, found by going back through the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from airflow_mlflow_provider.plan.identity import PARAMETERS_STEP, ROOT_TASK_ID
from airflow_mlflow_provider.runtime.bound_task import EVERYTHING
from airflow_mlflow_provider.runtime.run_members import members_key
from airflow_mlflow_provider.runtime.step_cache import CACHE_METADATA
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry, AttemptKey, DoneRecord

# A join of 10,000 inputs is looked at through the first of them; what they have in common is in all of them.
_MOST_PARENTS = 50
_MOST_READ = 400
_AT_ONCE = 8
_HIT = "hit "


class ArtifactOrigin(msgspec.Struct, frozen=True):
    """Where an artifact comes from.

    Attributes:
        made_by: Pathspec of the task that set it last; ``None`` where it was not found within the bounds of the search.
        is_own: Whether it is the task that was asked about.
        is_given: Whether the run was given it: a parameter, a config or a constant.
        was_read: Whether the code of the task that was asked about read it.
    """

    made_by: str | None
    is_own: bool
    is_given: bool
    was_read: bool


def artifact_origins(
    ledger: Ledger, record: DoneRecord, names: Iterable[str] | None = None
) -> dict[str, ArtifactOrigin]:
    """Where artifacts of a task come from, by name; of a few hundred records at most.

    Args:
        ledger: The records of its store.
        record: How the task ended.
        names: Which artifacts; by default all that are not private.
    """
    if names is None:
        names = [name for name in record.artifacts if not name.startswith("_")]
    wanted = {name: record.artifacts[name] for name in names if name in record.artifacts}
    found = _Search(ledger).run(record, wanted)
    reads = set(record.reads)
    return {
        name: ArtifactOrigin(
            made_by=found.get(name),
            is_own=found.get(name) == record.key.pathspec,
            is_given=f"/{PARAMETERS_STEP}/" in (found.get(name) or ""),
            was_read=name in reads or EVERYTHING in reads,
        )
        for name in sorted(wanted)
    }


def cached_from(record: DoneRecord) -> str | None:
    """Pathspec of the task whose result the cache gave to this one, ``None`` if its code ran."""
    verdict = record.metadata.get(CACHE_METADATA, "")
    return verdict.removeprefix(_HIT) if verdict.startswith(_HIT) else None


class _Search:
    """Goes from a task to its parents as long as they have the same artifact; a level of records at a time."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # ``None`` where nothing is known of a parent any more.
        self._seen: dict[AttemptKey, DoneRecord | None] = {}

    def run(self, record: DoneRecord, wanted: Mapping[str, ArtifactEntry]) -> dict[str, str]:
        """Pathspec of the maker by name, of those that were found."""
        found: dict[str, str] = {}
        holders = dict.fromkeys(wanted, record)
        while holders:
            self._read(dict.fromkeys(key for one in holders.values() for key in self._before(one)))
            following: dict[str, DoneRecord] = {}
            for name, holder in holders.items():
                keys = self._before(holder)
                known = [self._seen[key] for key in keys if key in self._seen]
                same = (one for one in known if one is not None and one.artifacts.get(name) == wanted[name])
                earlier = next(same, None)
                if earlier is not None:
                    following[name] = earlier
                elif len(known) == len(keys):
                    found[name] = cached_from(holder) or holder.key.pathspec
            holders = following
        return found

    def _before(self, record: DoneRecord) -> Sequence[AttemptKey]:
        """What a task may have an artifact from."""
        if record.key.step == PARAMETERS_STEP:
            return ()
        return (*record.parents[:_MOST_PARENTS], self._given(record.key))

    def _given(self, key: AttemptKey) -> AttemptKey:
        """The record of what the run of a task was given; a resumed run mostly took that over."""
        carried = self._ledger.carried(key.flow, key.run).keys(key.flow, PARAMETERS_STEP)
        return carried.get(ROOT_TASK_ID) or members_key(key.flow, key.run)

    def _read(self, keys: Iterable[AttemptKey]) -> None:
        missing = [key for key in keys if key not in self._seen][: _MOST_READ - len(self._seen)]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="provenance") as pool:
            self._seen.update(zip(missing, pool.map(self._ledger.done, missing), strict=True))
