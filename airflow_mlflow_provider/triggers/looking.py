"""What a sensor waits for, looked up from records alone: the same answer in the worker and in the triggerer.

Nothing here unpickles or loads the code of a flow. What only a value can answer is left to the worker.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.hooks.artifact_lookup import find_artifact, resolve_run, run_facts, run_tags
from airflow_mlflow_provider.hooks.artifact_versions import SCHEME, VersionRecords
from airflow_mlflow_provider.plan.identity import ROOT_TASK_ID
from airflow_mlflow_provider.plan.manifest import decode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry

# Newest runs that are looked at for tags: who waits for a run means one that has just been.
_NEWEST_RUNS = 100
_MISSING: Final = object()

Verdict = Literal["yes", "no", "ask"]


class Predicate(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A condition on an artifact, as data.

    Attributes:
        op: One of ``== != < <= > >= in not in contains exists``.
        value: What is compared with; for ``in`` a list.
        of: ``value``, the artifact's value; or what its record says without it: ``size`` (bytes), ``type``, ``digest``,
            ``len``, ``shape``, ``dtype``, ``columns``, ``min``, ``max``.
        path: Keys and positions to a member of the value: ``["metrics", "auc"]``.
    """

    op: str
    value: Any = None
    of: str = "value"
    path: tuple[str | int, ...] = ()

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Predicate:
        """The predicate that a mapping describes.

        Raises:
            CommandException: It describes none.
        """
        try:
            made = msgspec.convert(dict(data), cls)
        except msgspec.ValidationError as error:
            raise _bad(data, str(error)) from error
        if made.op not in _OPERATORS:
            raise _bad(data, f"there is no operator '{made.op}'")
        if made.of != "value" and (made.of not in _FACTS or made.path):
            raise _bad(data, f"'{made.of}' is not 'value' or one of {', '.join(sorted(_FACTS))}")
        return made

    def holds(self, found: Any) -> bool:
        """Whether it holds of what it asks about; what cannot be compared fails it."""
        for key in self.path:
            try:
                found = found[key]
            except (LookupError, TypeError):
                return False
        try:
            return bool(_OPERATORS[self.op](found, self.value))
        except (TypeError, ValueError):
            return False

    def judge(self, entry: ArtifactEntry) -> Verdict:
        """What the record of an artifact says; ``ask`` where only the value can tell."""
        if self.of != "value":
            found = _FACTS[self.of](entry)
        elif self.op == "exists" and not self.path:
            return "yes"
        else:
            found = _scalar(entry)
            if found is _MISSING:
                return "ask"
        return "yes" if self.holds(found) else "no"


def look_for_run(
    ledger: Ledger, flow: str, run: str | None, tags: Sequence[str], states: Sequence[str], since: float
) -> dict[str, Any] | None:
    """A run that is what is waited for.

    Args:
        ledger: The records.
        flow: The flow.
        run: A run id, ``latest`` or ``latest-successful``; ``None`` for any run with the tags.
        tags: Tags that the run must have, all of them.
        states: States in which the run must be; none means that it must exist.
        since: Only runs started from this Unix time on, where any will do.

    Returns:
        Its facts as JSON, ``None`` if there is none yet.
    """
    if run is not None:
        run_id = resolve_run(ledger, flow, run)
        candidates = [] if run_id is None else [run_id]
    else:
        candidates = ledger.latest(flow, _NEWEST_RUNS)
    for record in ledger.load_runs(flow, candidates):
        if run is None and record.created_at < since:
            continue
        if tags and not run_tags(ledger, record).issuperset(tags):
            continue
        status = run_status(ledger, flow, record.run)
        if not states or status in states:
            return run_facts(ledger, flow, record.run, status)
    return None


def run_status(ledger: Ledger, flow: str, run: str) -> str:
    """``running``, ``succeeded``, ``failed`` or ``terminated``, as the records say.

    A local run that died without a word counts as running; Airflow watches over the runs it started.
    """
    end = ledger.run_end(flow, run)
    if end is not None:
        return end.status
    record = ledger.run(flow, run)
    last = decode(ledger.blob(record.manifest), f"manifest {record.manifest}").graph.end
    done = ledger.newest_done(flow, run, last, ROOT_TASK_ID)
    return "succeeded" if done is not None and done.finished else "running"


def look_for_artifact(
    ledger: Ledger, reference: str, predicate: Predicate | None, rejected: str = ""
) -> dict[str, Any] | None:
    """An artifact that is there and, as far as its record tells, satisfies a predicate.

    Args:
        ledger: The records.
        reference: What :meth:`ArtifactStoreHook.fetch` takes.
        predicate: What it must satisfy.
        rejected: Digest of a value that the worker has looked at, and that does not.

    Returns:
        ``artifact``, ``digest``, ``type``, ``size``, ``preview`` and ``ask``, whether only the value can tell;
        ``None`` if there is none yet.
    """
    pathspec, entry = _find(ledger, reference)
    if entry is None or entry.digest == rejected:
        return None
    verdict = "yes" if predicate is None else predicate.judge(entry)
    if verdict == "no":
        return None
    return {
        "artifact": pathspec,
        "digest": entry.digest,
        "type": entry.type,
        "size": entry.size,
        "preview": entry.preview,
        "ask": verdict == "ask",
    }


def _find(ledger: Ledger, reference: str) -> tuple[str, ArtifactEntry | None]:
    if not reference.startswith(SCHEME):
        found = find_artifact(ledger, reference)
        return found.pathspec, found.entry
    try:
        version = VersionRecords(ledger.store).find(reference.removeprefix(SCHEME))
    except MetaflowNotFound:
        return reference, None
    return version.reference, version.entry


def _scalar(entry: ArtifactEntry) -> Any:
    """The value of a number, a truth value or a short text, which its preview holds in full."""
    preview = entry.preview or {}
    if entry.type not in {"int", "float", "bool", "str", "NoneType"} or "repr" not in preview:
        return _MISSING
    if entry.type == "float":
        return float(preview["repr"])
    try:
        return ast.literal_eval(preview["repr"])
    except (ValueError, SyntaxError):
        # A long text or a huge number, which the preview cuts short.
        return _MISSING


def _previewed(name: str) -> Callable[[ArtifactEntry], Any]:
    return lambda entry: (entry.preview or {}).get(name)


def _bad(data: Any, reason: str) -> CommandException:
    return CommandException(
        f"{data!r} is not a predicate: {reason}.",
        fix="Write {'op': '>=', 'value': 0.9}, with 'of' or 'path' if it is not about the whole value.",
        where={"predicate": str(data)[:200]},
    )


_FACTS: Final[Mapping[str, Callable[[ArtifactEntry], Any]]] = MappingProxyType(
    {
        "size": lambda entry: entry.size,
        "type": lambda entry: entry.type,
        "digest": lambda entry: entry.digest,
        "columns": lambda entry: [name for name, _ in (entry.preview or {}).get("columns", ())],
        **{name: _previewed(name) for name in ("len", "shape", "dtype", "min", "max")},
    }
)
_OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "in": lambda found, given: found in given,
        "not in": lambda found, given: found not in given,
        "contains": operator.contains,
        "exists": lambda found, given: True,
    }
)
