"""What the linter says of all decorators of a flow, as they are once mutators have run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.exception import LintIssue
from airflow_mlflow_provider.flow.decorators.base import Decorator, Problem
from airflow_mlflow_provider.flow.effective import step_functions
from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.flow.preparation import flow_decorators, step_decorators

if TYPE_CHECKING:
    from airflow_mlflow_provider.flow.decorators.events import DeploymentNames


def decorator_findings(flow_class: type, graph: FlowGraph) -> Iterator[LintIssue]:
    """D002, D003, D005 to D008 of every decorator of the flow and of its steps.

    Args:
        flow_class: The flow.
        graph: Its graph.
    """
    for node in graph:
        own = step_decorators(flow_class, node.name)
        for decorator in own:
            yield from decorator.lint(node, graph)
        yield from _repeated(own, node.name, f"the step '{node.name}'", lambda _: "")
    on_flow = flow_decorators(flow_class)
    for flow_decorator in on_flow:
        yield from flow_decorator.lint(graph)
    yield from _repeated(on_flow, None, f"the flow {graph.name}", _class_of)


def deployment_findings(flow_class: type, names: DeploymentNames) -> Iterator[LintIssue]:
    """X006 to X009: what `airflow create` refuses and local runs do not mind.

    Args:
        flow_class: The flow.
        names: What names in triggers are resolved against.
    """
    from airflow_mlflow_provider.flow.decorators.compute import KubernetesDecorator
    from airflow_mlflow_provider.flow.decorators.events import TriggerDecorator, TriggerOnFinishDecorator
    from airflow_mlflow_provider.flow.decorators.exit_hooks import ExitHookDecorator
    from airflow_mlflow_provider.flow.decorators.schedules import ScheduleDecorator

    for step in step_functions(flow_class):
        for decorator in step_decorators(flow_class, step):
            if isinstance(decorator, KubernetesDecorator):
                yield from (decorator.issue(problem, step) for problem in decorator.deployment_problems())
    for on_flow in flow_decorators(flow_class):
        if isinstance(on_flow, (ScheduleDecorator, ExitHookDecorator)):
            yield from (on_flow.issue(problem) for problem in on_flow.deployment_problems())
        elif isinstance(on_flow, (TriggerDecorator, TriggerOnFinishDecorator)):
            yield from (on_flow.issue(problem) for problem in on_flow.deployment_problems(names))


def _repeated(
    decorators: Sequence[Any], step: str | None, where: str, owner: Callable[[Decorator], str]
) -> Iterator[LintIssue]:
    first: dict[str, Decorator] = {}
    for decorator in decorators:
        if decorator.allow_multiple:
            continue
        earlier = first.setdefault(decorator.name, decorator)
        if earlier is not decorator:
            yield decorator.issue(
                Problem(
                    "D003",
                    f"@{decorator.name} stands twice on {where}: at {earlier.location}{owner(earlier)} and at "
                    f"{decorator.location}{owner(decorator)}.",
                    f"Remove one @{decorator.name}.",
                ),
                step,
            )


def _class_of(decorator: Decorator) -> str:
    flow_class = getattr(decorator, "flow_class", None)
    return "" if flow_class is None else f" (class {flow_class.__name__})"
