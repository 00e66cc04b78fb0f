"""``merge_artifacts``: what branches agree on goes on by reference, what they disagree on is an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_mlflow_provider.exception import (
    MetaflowException,
    MissingInMergeArtifactsException,
    UnhandledInMergeArtifactsException,
)
from airflow_mlflow_provider.flow.spec import TASK_ATTRIBUTE
from airflow_mlflow_provider.runtime.inputs import InputTask
from airflow_mlflow_provider.store.records import ArtifactEntry


def merge_artifacts(
    flow: Any,
    step: str,
    inherited: Iterable[str],
    inputs: Iterable[Any],
    exclude: Sequence[str] | None,
    include: Sequence[str] | None,
) -> dict[str, ArtifactEntry]:
    """The artifacts that a join takes over from its inputs, by name.

    Args:
        flow: The flow's instance; what is set on it is not merged.
        step: Name of the join.
        inherited: Names that the join has anyway (parameters, configs).
        inputs: The join's inputs.
        exclude: Names to leave out.
        include: The only names to merge.

    Raises:
        UnhandledInMergeArtifactsException: Values differ; nothing is merged.
        MissingInMergeArtifactsException: A name of ``include`` is on no branch.
        MetaflowException: Both lists were given, or ``inputs`` are not those of a join.
    """
    where = {"flow": type(flow).__name__, "step": step}
    if exclude and include:
        raise MetaflowException(
            f"merge_artifacts() of step {step} got both include and exclude.",
            fix="Give one of the two.",
            where=where,
        )
    branches = list(inputs)
    if not all(isinstance(branch, InputTask) for branch in branches):
        raise MetaflowException(
            f"merge_artifacts() of step {step} got something that is not the inputs of a join.",
            fix="Call it in a step with `inputs`, as self.merge_artifacts(inputs).",
            where=where,
        )
    taken = {*inherited, *vars(flow)} - {TASK_ATTRIBUTE}
    names = dict.fromkeys(name for branch in branches for name in branch._artifact_entries)
    if include:
        _require_present(include, names, step, where)
        names = dict.fromkeys(include)
    wanted = [name for name in names if name not in taken and name not in set(exclude or ())]
    wanted = [name for name in wanted if include or not name.startswith("_")]
    conflicts = {name: holders for name in wanted if not _agree(name, holders := _holders(name, branches))}
    if conflicts:
        raise _conflict(conflicts, step, where)
    return {name: _holders(name, branches)[0]._artifact_entries[name] for name in wanted}


def _holders(name: str, branches: Sequence[InputTask]) -> list[InputTask]:
    return [branch for branch in branches if name in branch._artifact_entries]


def _agree(name: str, holders: Sequence[InputTask]) -> bool:
    entries = {branch._artifact_entries[name].digest: branch for branch in holders}
    if len(entries) == 1:
        return True
    from airflow_mlflow_provider.configuration import get
    from airflow_mlflow_provider.store.equality import same_value

    limit = int(get("merge_compare_max_bytes"))
    if any(branch._artifact_entries[name].size > limit for branch in entries.values()):
        return False
    first, *others = (getattr(branch, name) for branch in entries.values())
    return all(same_value(first, other) for other in others)


def _require_present(include: Sequence[str], names: Iterable[str], step: str, where: dict[str, Any]) -> None:
    missing = [name for name in include if name not in set(names)]
    if missing:
        raise MissingInMergeArtifactsException(
            f"merge_artifacts() of step {step} should include {', '.join(missing)}, which no branch has.",
            missing,
            fix="Correct the names in include, or set the artifacts in a branch.",
            where=where,
        )


def _conflict(
    conflicts: dict[str, list[InputTask]], step: str, where: dict[str, Any]
) -> UnhandledInMergeArtifactsException:
    lines = []
    for name, holders in conflicts.items():
        values = "; ".join(f"{h._pathspec}: {_short(getattr(h, name))}" for h in holders[:4])
        lines.append(f"  {name}: {values}" + (f"; and {len(holders) - 4} more" if len(holders) > 4 else ""))
    return UnhandledInMergeArtifactsException(
        f"Step {step} cannot merge {len(conflicts)} artifact(s), as branches hold different values:\n"
        + "\n".join(lines),
        list(conflicts),
        fix="Set them on self before merge_artifacts(), or name them in exclude.",
        where=where,
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
