"""What a card may say of a task, the same while it runs, right after it, and when it is read back from the store."""

from __future__ import annotations

import ast
import functools
import inspect
import platform
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.flow.graph import DecoratorSpec, StepNode
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord

if TYPE_CHECKING:
    from airflow_mlflow_provider.client.task import Task


@dataclass(frozen=True)
class TaskFacts:
    """A task, to make cards of.

    Attributes:
        key: The attempt.
        manifest: The flow as data.
        ledger: The store's records.
        record: How the attempt ended; ``None`` while it runs.
        source: Gives the source of the step, ``""`` if it is not known.
        started_at: When the attempt began, in Unix seconds.
        python: Version of Python that ran it.
    """

    key: AttemptKey
    manifest: FlowManifest
    ledger: Ledger
    record: DoneRecord | None
    source: Callable[[], str]
    started_at: float
    python: str

    @property
    def node(self) -> StepNode:
        """The step."""
        return self.manifest.graph[self.key.step]

    @functools.cached_property
    def earlier(self) -> list[DoneRecord]:
        """How the attempts before this one ended, those of which that is known."""
        keys = [AttemptKey(*_parts(self.key), number) for number in range(self.key.attempt)]
        found = (self.ledger.done(key) for key in keys)
        return [record for record in found if record is not None]

    @property
    def task(self) -> Task:
        """The task as the client shows it, without regard to namespaces."""
        from airflow_mlflow_provider.client.task import Task

        return Task(
            self.key.pathspec,
            self.key.attempt,
            _namespace_check=False,
            _store=self.ledger.store.url,
        )


def facts_of_stored(task: Task) -> TaskFacts:
    """The facts of a task that is read back."""
    run = task.parent.parent
    key, begun, record = task._key, task._begun, task._record
    node = run.manifest.graph[key.step]

    def source() -> str:
        code = run.code
        return "" if code is None else step_source(code.flowspec, run.manifest.code.class_name, node.name)

    return TaskFacts(
        key=key,
        manifest=run.manifest,
        ledger=task._ledger,
        record=record,
        source=source,
        started_at=begun.started_at if begun else (record.started_at if record else 0.0),
        python=run._record.python,
    )


def running_python() -> str:
    """Version of the Python that runs this."""
    return platform.python_version()


def method_source(flow_class: type, step: str) -> str:
    """The source of a step whose class is loaded; ``""`` if there is none."""
    try:
        return textwrap.dedent(inspect.getsource(inspect.unwrap(getattr(flow_class, step))))
    except (OSError, TypeError, AttributeError):
        return ""


def step_source(text: str, class_name: str, step: str) -> str:
    """The source of a step out of that of its file; ``""`` if it is not in it."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.name == step:
                    return _lines(text, member)
    return ""


def _lines(text: str, function: ast.FunctionDef) -> str:
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : function.end_lineno]))


def _parts(key: AttemptKey) -> tuple[str, str, str, str]:
    return key.flow, key.run, key.step, key.task


def graph_steps(manifest: FlowManifest, states: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The flow's graph as the viewer draws it.

    Args:
        manifest: The flow.
        states: More members of steps, by name: ``status`` and ``label``.
    """
    graph = manifest.graph
    return [
        {
            "name": node.name,
            "kind": graph.node_type(node.name),
            "next": list(node.out_funcs),
            "doc": node.doc,
            **(states or {}).get(node.name, {}),
        }
        for node in graph
    ]


def written_decorators(node: StepNode) -> list[str]:
    """The decorators of a step with their arguments, as they would be written."""
    return [f"@{spec.name}" + (f"({said})" if (said := written(spec)) else "") for spec in node.decorators]


def written(spec: DecoratorSpec) -> str:
    """The arguments of a decorator; none of one that may hold secrets, and of ``@card``."""
    # Values of @environment and @secrets may be confidential.
    if spec.name in ("environment", "secrets", "card"):
        return ""
    known = (
        f"{name}={value!r}" for name, value in spec.attributes.items() if value not in (None, "", [], {})
    )
    return ", ".join(known)
