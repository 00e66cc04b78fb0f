"""Asset events at both ends of a run: what started it, and what its success tells others.

An event for ``@trigger`` has an extra with ``payload``, whose fields set parameters, and ``id``. Any other update of the
asset, such as that of an Airflow task with the asset among its outlets, is an event without payload. The event of
``@trigger_on_finish`` is the extra that :func:`finish_extra` makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.finish_asset import finish_asset
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.plan.manifest import EventTrigger, FlowManifest

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context


def finish_assets(manifest: FlowManifest) -> list[Asset]:
    """The assets that the flow's end task updates: one that is the same for all flows, and one with the step's name."""
    from airflow.sdk import Asset

    flow = manifest.project.flow_name if manifest.project else manifest.flow_name
    names = dict.fromkeys((finish_asset(flow), finish_asset(flow, manifest.graph.end)))
    return [Asset(name) for name in names]


def finish_extra(manifest: FlowManifest, run: str, task: str) -> dict[str, Any]:
    """What a successful run tells; the same whenever the end task is run again.

    Args:
        manifest: The flow.
        run: Run id.
        task: Id of the end task.
    """
    project, flow, end = manifest.project, manifest.flow_name, manifest.graph.end
    pathspec = f"{flow}/{run}/{end}/{task}"
    return {
        "id": pathspec,
        "pathspec": pathspec,
        "flow_name": flow,
        "run_id": run,
        "step_name": end,
        "task_id": task,
        "project_name": project.name if project else None,
        "branch_name": project.branch if project else None,
        "is_user_branch": project.is_user_branch if project else None,
        "is_production": project.is_production if project else None,
        "project_flow_name": project.flow_name if project else None,
    }


def starting_events(manifest: FlowManifest, context: Context) -> list[dict[str, Any]]:
    """What started the DAG run, oldest first, as the run's record keeps it; empty if no asset did.

    Args:
        manifest: The flow.
        context: Airflow's, of the first task.
    """
    found = [
        _described(trigger, event)
        for trigger in manifest.triggers
        for event in _events_of(trigger.asset, context)
    ]
    return sorted(found, key=lambda event: float(event["timestamp"]))


def event_parameters(manifest: FlowManifest, context: Context) -> dict[str, Any]:
    """The parameters that the newest event of each asset sets, by name.

    Args:
        manifest: The flow.
        context: Airflow's, of the first task.

    Raises:
        CommandException: A value is not one that the parameter takes; names parameter, event and the value's type.
    """
    specs = {spec.name: spec for spec in manifest.parameters}
    values: dict[str, Any] = {}
    for trigger in manifest.triggers:
        newest = next(iter(_events_of(trigger.asset, context)), None)
        if newest is None or not trigger.parameters:
            continue
        payload = (newest.extra or {}).get("payload")
        if not isinstance(payload, dict):
            continue
        for name, field in trigger.parameters.items():
            if field in payload:
                values[name] = _checked(specs[name], payload[field], _described(trigger, newest))
    return values


def _events_of(asset: str, context: Context) -> list[Any]:
    """The events of an asset that started the run, newest first."""
    given: Any = context.get("triggering_asset_events") or {}
    events = (event for key in given if getattr(key, "name", None) == asset for event in _listed(given, key))
    return sorted(events, key=lambda event: event.timestamp, reverse=True)


def _listed(given: Any, key: Any) -> Iterator[Any]:
    from airflow.sdk import Asset

    # An alias of the same name lists the same events again.
    if isinstance(key, Asset):
        yield from given[key]


def _described(trigger: EventTrigger, event: Any) -> dict[str, Any]:
    extra = event.extra or {}
    pathspec = extra.get("pathspec") if trigger.kind == "run" else None
    source = "/".join(filter(None, (event.source_dag_id, event.source_run_id, event.source_task_id)))
    return {
        "name": trigger.asset,
        "id": str(pathspec or extra.get("id") or source or f"{trigger.asset}@{event.timestamp.isoformat()}"),
        "timestamp": event.timestamp.timestamp(),
        # Somebody may update the asset of a flow by hand; there is no run to be found then.
        "type": "run" if pathspec else "event",
    }


def _checked(spec: ParameterSpec, value: Any, event: dict[str, Any]) -> Any:
    from airflow.providers.common.compat.sdk import ParamValidationError
    from airflow.sdk import Param

    try:
        return Param(value, **spec.schema).resolve()
    except ParamValidationError as error:
        raise CommandException(
            f"The event {event['name']} ({event['id']}) sets the parameter '{spec.name}' to a {type(value).__name__}, "
            f"which it does not take: {str(error).splitlines()[0]}.",
            fix="Publish the event with a value of the parameter's type, or correct the map of @trigger.",
            where={"parameter": spec.name, "event": event["id"]},
        ) from error
