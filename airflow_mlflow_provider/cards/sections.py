"""The parts of the default card: what anybody asks about a step."""

from __future__ import annotations

from typing import Any

from airflow_mlflow_provider.cards.component import Rendered
from airflow_mlflow_provider.cards.facts import TaskFacts, graph_steps, written
from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.store.records import ArtifactEntry, DoneRecord, ExceptionRecord

_MOST_ARTIFACTS = 200


def section(title: str, *children: Rendered, collapsed: bool = False) -> Rendered:
    """A titled part."""
    made: Rendered = {"type": "section", "title": title, "children": list(children)}
    return {**made, "collapsed": True} if collapsed else made


def failure_of(record: DoneRecord | None) -> list[Rendered]:
    """Why the attempt failed, if it did, or what ``@catch`` caught."""
    if record is None or record.exception is None:
        return []
    error = record.exception
    title = "The step failed" if record.outcome == "failed" else "An error was caught"
    return [_error(title, error)]


def task_sections(facts: TaskFacts) -> list[Rendered]:
    """The default card of a task, below what its author put into it."""
    described = [{"type": "markdown", "text": facts.node.doc}] if facts.node.doc else []
    found = [
        section("Step", *described, _place(facts)),
        section("Flow", {"type": "graph", "steps": graph_steps(facts.manifest), "here": facts.key.step}),
        _entries("Parameters", _parameters(facts)),
        _entries("Artifacts", _artifacts(facts)),
        _attempts(facts),
        _code(facts),
        section("Environment", _environment(facts), collapsed=True),
    ]
    return [part for part in found if part is not None]


def _place(facts: TaskFacts) -> Rendered:
    record, key = facts.record, facts.key
    items: list[list[Any]] = [["Flow", key.flow], ["Run", key.run], ["Step", key.step], ["Task", key.task]]
    frames = record.frames if record else ()
    items += [[f"Split of {frame.var or frame.step}", frame.label or frame.index] for frame in frames]
    if record is not None:
        items.append(["Took", f"{record.ended_at - record.started_at:.3f} s"])
        items += [["Followed by", ", ".join(record.transition.targets)]] if record.transition else []
    decorators = ", ".join(f"@{spec.name}" for spec in facts.node.decorators)
    return {"type": "facts", "items": items + ([["Decorators", decorators]] if decorators else [])}


def _entries(title: str, entries: dict[str, ArtifactEntry]) -> Rendered | None:
    if not entries:
        return None
    limit = int(get("card_max_artifact_mb")) * 1_000_000
    rows = [artifact_row(name, entry, limit) for name, entry in list(entries.items())[:_MOST_ARTIFACTS]]
    more = len(entries) - len(rows)
    notes: list[Rendered] = [{"type": "text", "text": f"and {more:,} more"}] if more else []
    return section(title, {"type": "artifacts", "items": rows}, *notes)


def artifact_row(name: str, entry: ArtifactEntry, limit: int) -> Rendered:
    """An artifact as a row: its preview, or only type and size above ``limit`` bytes."""
    row: Rendered = {"name": name, "kind": entry.type, "size": entry.size, "preview": entry.preview}
    if entry.size > limit:
        row["preview"] = None
        row["note"] = f"larger than {limit // 1_000_000} MB, and not shown"
    return row


def _parameters(facts: TaskFacts) -> dict[str, ArtifactEntry]:
    table = facts.record.artifacts if facts.record else {}
    names = [spec.attribute for spec in facts.manifest.parameters]
    return {name: table[name] for name in names if name in table}


def _artifacts(facts: TaskFacts) -> dict[str, ArtifactEntry]:
    table = facts.record.artifacts if facts.record else {}
    parameters = {spec.attribute for spec in facts.manifest.parameters}
    return {n: e for n, e in sorted(table.items()) if n not in parameters and not n.startswith("_")}


def _attempts(facts: TaskFacts) -> Rendered | None:
    records = [*facts.earlier, *([facts.record] if facts.record else [])] if facts.key.attempt else []
    if not records:
        return None
    rows = [
        [
            record.key.attempt,
            record.outcome,
            f"{record.ended_at - record.started_at:.3f} s",
            f"{record.exception.type}: {record.exception.message}" if record.exception else "",
        ]
        for record in records
    ]
    return section(
        "Attempts", {"type": "table", "headers": ["Attempt", "Outcome", "Took", "Error"], "rows": rows}
    )


def _code(facts: TaskFacts) -> Rendered | None:
    text = facts.source()
    return section("Code", {"type": "code", "text": text, "language": "python"}) if text else None


def _environment(facts: TaskFacts) -> Rendered:
    manifest = facts.manifest
    items: list[list[Any]] = [
        ["Python", facts.python],
        ["Provider", manifest.provider],
        ["Environment", manifest.environment],
        ["Code package", manifest.code.digest[:16]],
        ["Script", manifest.code.script],
        ["Store", facts.ledger.store.url],
    ]
    items += [[f"@{spec.name}", said] for spec in facts.node.decorators if (said := written(spec))]
    return {"type": "facts", "items": [item for item in items if item[1]]}


def _error(title: str, error: ExceptionRecord) -> Rendered:
    return {
        "type": "error",
        "title": title,
        "name": error.type.removeprefix("builtins."),
        "message": error.message,
        "traceback": error.traceback or "",
    }
