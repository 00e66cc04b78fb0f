"""What a task ran in, and how to run it again."""

from __future__ import annotations

import shlex

from airflow_mlflow_provider.cards.facts import written_decorators
from airflow_mlflow_provider.client.provenance import cached_from
from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.plugins.models.instances import CacheVerdict, Circumstances
from airflow_mlflow_provider.plugins.reading.places import Places
from airflow_mlflow_provider.plugins.reading.run import RunReader
from airflow_mlflow_provider.runtime.environments.lock import Locks
from airflow_mlflow_provider.runtime.step_cache import CACHE_METADATA
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


def circumstances(
    run: RunReader, key: AttemptKey, record: DoneRecord | None, places: Places
) -> Circumstances:
    """What an attempt ran in.

    Args:
        run: The run that shows the task.
        key: The attempt, in the run that ran it.
        record: How it ended; ``None`` while it has not.
        places: Finds other tasks.
    """
    spin, note = _spin(run, key, record)
    return Circumstances(
        facts=_facts(run, key),
        decorators=written_decorators(run.graph[key.step]),
        packages=_packages(run, key.step),
        cache=_cache(record, places),
        origin=places.of(key.pathspec) if key.run != run.run else None,
        spin=spin,
        spin_note=note,
    )


def _facts(run: RunReader, key: AttemptKey) -> dict[str, str]:
    manifest, begun = run.manifest, run.ledger.begun(key)
    of_step = run.graph[key.step]
    kubernetes = of_step.decorator("kubernetes")
    image = (kubernetes.attributes.get("image") if kubernetes else "") or manifest.settings.get(
        "kubernetes_image", ""
    )
    in_pod = manifest.step_compute(key.step) == "kubernetes"
    facts = {
        "Runs on": "a pod" if in_pod else "a worker of Airflow",
        "Host": begun.host if begun else "",
        "Process": str(begun.pid) if begun else "",
        "Image": str(image) if in_pod else "",
        "Python": run.record.python,
        "Environment": manifest.environment,
        "Lock": run.record.environments.get(key.step, "")[:16],
        "Code package": run.record.code[:16] or "of the DAG bundle",
        "Provider": run.record.provider or manifest.provider,
        "Store": manifest.store,
    }
    return {name: value for name, value in facts.items() if value}


def _packages(run: RunReader, step: str) -> dict[str, str]:
    digest = run.record.environments.get(step)
    if digest is None:
        return {}
    try:
        lock = Locks(run.ledger.store).get(digest)
    except MetaflowException:
        # The lock was collected with what it was made for; the task still is to be seen.
        return {}
    return {package.name: package.version for found in lock.packages.values() for package in found}


def _cache(record: DoneRecord | None, places: Places) -> CacheVerdict | None:
    verdict = record.metadata.get(CACHE_METADATA) if record else None
    if record is None or verdict is None:
        return None
    origin = cached_from(record)
    if origin is None:
        return CacheVerdict(is_hit=False, why=verdict.partition(" ")[2], task=None)
    why = "Its code, its environment and what it reads are those of an earlier task."
    return CacheVerdict(is_hit=True, why=why, task=places.of(origin))


def _spin(run: RunReader, key: AttemptKey, record: DoneRecord | None) -> tuple[str, str]:
    """The command, and what is to be known of it; an empty command if there can be none."""
    manifest, node = run.manifest, run.graph[key.step]
    if node.decorator("parallel") is not None:
        return "", "One node of a gang cannot run alone: resume the run from this step instead."
    if record is None:
        return "", "A step can be run again once an attempt of it has ended."
    words = ["python", manifest.code.script, "--datastore-root", manifest.store, "spin"]
    command = shlex.join([*words, f"{run.run}/{key.step}/{key.task}"])
    notes = [
        "Runs this step on the same inputs in a folder with the flow's code; nothing of this run changes."
    ]
    if key.step in run.record.environments:
        notes.append("It runs in your own Python: install the packages of the step there.")
    if manifest.store.startswith("file:"):
        notes.append("The store is a folder: run it where that folder is.")
    return command, " ".join(notes)
