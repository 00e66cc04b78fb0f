"""The card of a whole flow: what it is, who owns it, when it runs, and how its last runs went.

Made from records alone, so that the Airflow UI may show it: nothing is imported, nothing unpickled.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from airflow_mlflow_provider.cards.component import Rendered
from airflow_mlflow_provider.cards.document import CardDocument
from airflow_mlflow_provider.cards.facts import graph_steps
from airflow_mlflow_provider.cards.sections import section
from airflow_mlflow_provider.client.summaries import RunSummary, last_runs
from airflow_mlflow_provider.exception import MetaflowNotFound
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord

_MOST_METRICS = 12
_READABLE = ("succeeded", "failed", "terminated")


def flow_card(
    ledger: Ledger,
    flow: str,
    manifest: FlowManifest | None = None,
    most: int = 10,
    runs: Sequence[RunSummary] | None = None,
) -> CardDocument:
    """The card of a flow.

    Args:
        ledger: The store's records.
        flow: Name of the flow.
        manifest: The flow as it is deployed; by default as it was in its newest run.
        most: How many runs it shows.
        runs: The runs it shows, newest first; by default the newest ones.

    Raises:
        MetaflowNotFound: The flow has no run, and no manifest was given.
    """
    if runs is None:
        runs = last_runs(ledger, flow, most)
    if manifest is None:
        if not runs:
            raise MetaflowNotFound(
                f"{flow} has no run in {ledger.store.url}.", fix="Run it once.", where={"flow": flow}
            )
        manifest = decode(ledger.blob(runs[0].record.manifest), f"manifest of {flow}")
    about = [{"type": "markdown", "text": manifest.graph.doc}] if manifest.graph.doc else []
    found = [
        *about,
        *_headline(runs),
        section("Flow", {"type": "graph", "steps": graph_steps(manifest), "here": None}),
        section("About", _about(manifest, runs)),
        _parameters(manifest),
        _tests(runs),
        _runs(runs),
        *_trends(runs),
    ]
    newest = runs[0].status if runs else "succeeded"
    return CardDocument(
        type="flow",
        hash=f"flow-{flow}",
        title=flow,
        pathspec=flow,
        attempt=0,
        status="running" if newest == "running" else "succeeded" if newest == "succeeded" else "failed",
        created_at=time.time(),
        components=[part for part in found if part is not None],
    )


def schedule_text(manifest: FlowManifest) -> str:
    """When a flow is run, as it is deployed, else as it is written; ``""`` if only when somebody starts it."""
    if manifest.schedule is not None:
        return f"{manifest.schedule.cron} ({manifest.schedule.timezone})"
    written = next((spec.attributes for spec in manifest.flow_decorators if spec.name == "schedule"), None)
    if written is None:
        return ""
    zone = written.get("timezone") or "UTC"
    if written.get("cron"):
        return f"{written['cron']} ({zone}), once it is deployed"
    often = next((name for name in ("weekly", "hourly", "daily") if written.get(name)), "not at all")
    return f"{often} ({zone}), once it is deployed"


def _headline(runs: Sequence[RunSummary]) -> list[Rendered]:
    ended = [run for run in runs if run.status in _READABLE]
    if not ended:
        return []
    good = sum(run.status == "succeeded" for run in ended)
    theme = "success" if good == len(ended) else "warning" if good else "danger"
    times = sorted(run.seconds for run in ended if run.seconds is not None)
    boxes: list[Rendered] = [
        {
            "type": "value",
            "title": "Succeeded",
            "value": f"{good} of {len(ended)}",
            "subtitle": "of the last runs",
            "theme": theme,
        },
        {
            "type": "value",
            "title": "Takes",
            "value": f"{times[len(times) // 2]:.1f} s",
            "subtitle": "in the middle of them",
        },
    ]
    if tests := ended[0].tests:
        held = sum(tests.values())
        boxes.append(
            {
                "type": "value",
                "title": "Tests passed",
                "value": f"{held} of {len(tests)}",
                "subtitle": "in the last run",
                "theme": "success" if held == len(tests) else "danger",
            }
        )
    boxes += [
        {
            "type": "value",
            "title": name,
            "value": value,
            "subtitle": "in the last run",
            "change": _change(ended, name),
        }
        for name, value in itertools.islice(_measured(ended[0]).items(), 3)
    ]
    return boxes


def _change(runs: Sequence[RunSummary], name: str) -> str | None:
    values = [run.metrics[name] for run in runs if name in run.metrics]
    if len(values) < 2 or values[0] == values[1]:
        return None
    return f"{values[0] - values[1]:+.4g} since the run before"


def _about(manifest: FlowManifest, runs: Sequence[RunSummary]) -> Rendered:
    owners = [spec.attributes.get("name") for spec in manifest.flow_decorators if spec.name == "project"]
    people = sorted({run.record.user for run in runs if run.record.user})
    items: list[list[Any]] = [
        ["Owner", manifest.deployer or ", ".join(people)],
        ["Started by", ", ".join(people)],
        ["Project", ", ".join(str(owner) for owner in owners if owner)],
        ["Schedule", schedule_text(manifest) or "none"],
        ["Triggered by", ", ".join(trigger.asset for trigger in manifest.triggers)],
        ["Exit hooks", ", ".join(f"{hook.name} on {hook.on}" for hook in manifest.exit_hooks)],
        ["DAG", manifest.dag_id],
        ["Script", manifest.code.script],
        ["Code package", manifest.code.digest[:16]],
        ["Environment", manifest.environment],
        ["Tags", ", ".join(manifest.tags)],
    ]
    return {"type": "facts", "items": [item for item in items if item[1]]}


def _parameters(manifest: FlowManifest) -> Rendered | None:
    if not manifest.parameters:
        return None
    rows = [
        [spec.name, _type(spec.schema), _default(spec.default), spec.help] for spec in manifest.parameters
    ]
    return section(
        "Parameters", {"type": "table", "headers": ["Name", "Type", "Default", "Help"], "rows": rows}
    )


def _tests(runs: Sequence[RunSummary]) -> Rendered | None:
    """What the flow checks of its own results, and whether it held, run by run."""
    names = sorted({name for run in runs for name in run.tests})
    if not names:
        return None
    rows = []
    for name in names:
        verdicts = [(run.record.run, run.tests[name]) for run in runs if name in run.tests]
        broken = next((run for run, held in verdicts if not held), "")
        held = sum(verdict for _, verdict in verdicts)
        rows.append(
            [name, "passed" if verdicts[0][1] else "failed", f"{held} of {len(verdicts)}", broken or "none"]
        )
    headers = ["Test", "Last verdict", "Passed", "Failed last in"]
    return section("Tests", {"type": "table", "headers": headers, "rows": rows})


def _runs(runs: Sequence[RunSummary]) -> Rendered | None:
    if not runs:
        return None
    names = _metric_names(runs)
    rows = [
        [
            run.record.run,
            run.status,
            time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.record.created_at)),
            "" if run.seconds is None else f"{run.seconds:.1f} s",
            ", ".join(f"{name}={value}" for name, value in run.record.parameters.items())[:200],
            *(_verdict(run, name) for name in names),
        ]
        for run in runs
    ]
    headers = ["Run", "State", "Started", "Took", "Parameters", *names]
    return section("Last runs", {"type": "table", "headers": headers, "rows": rows})


def _trends(runs: Sequence[RunSummary]) -> list[Rendered]:
    """A chart for each number over the runs, oldest first."""
    names = [name for name in _metric_names(runs) if not any(name in run.tests for run in runs)]
    points = {
        name: [(r.record, r.metrics[name]) for r in reversed(runs) if name in r.metrics] for name in names
    }
    charts = [_trend(name, values) for name, values in points.items() if len(values) > 1]
    return [section("Over the runs", *charts)] if charts else []


def _metric_names(runs: Sequence[RunSummary]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.metrics))[:_MOST_METRICS]


def _measured(run: RunSummary) -> dict[str, float]:
    return {name: value for name, value in run.metrics.items() if name not in run.tests}


def _verdict(run: RunSummary, name: str) -> float | str:
    """A metric as a cell of the table of runs."""
    if name in run.tests:
        return "passed" if run.tests[name] else "failed"
    return run.metrics.get(name, "")


def _trend(name: str, values: Sequence[tuple[RunRecord, float]]) -> Rendered:
    data = [
        {"run": record.run, "started": record.created_at * 1000, "value": value} for record, value in values
    ]
    spec = {
        "description": f"{name} over the last runs",
        "title": name,
        "width": 640,
        "height": 140,
        "data": {"values": data},
        "mark": {"type": "line", "point": True, "tooltip": True},
        "encoding": {
            "x": {"field": "started", "type": "temporal", "title": None},
            "y": {"field": "value", "type": "quantitative", "title": None, "scale": {"zero": False}},
            "tooltip": [{"field": "run"}, {"field": "value", "type": "quantitative"}],
        },
    }
    return {"type": "chart", "spec": spec, "controls": False}


def _type(schema: dict[str, Any]) -> str:
    found = schema.get("type", "any")
    return " or ".join(found) if isinstance(found, list) else str(found)


def _default(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
