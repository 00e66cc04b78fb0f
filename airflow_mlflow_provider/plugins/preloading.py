"""What Airflow's long-lived processes import once, so that the processes forked from them need not.

A worker of the LocalExecutor is a fork of the scheduler, a task a fork of the worker, and the parser of a DAG file a fork
of the DAG processor: what their parent has imported costs them nothing. Without it each task of a flow imports our runtime
(0.15 s of CPU), and each pod step Airflow's pod operator (2 to 3 s).

Only modules of this package and of its dependencies are imported; nothing is opened, and no flow's code is read. Processes that run
one task, such as a KubernetesExecutor's, start nothing on which others depend, and import what their own task needs.
"""

from __future__ import annotations

import importlib
import sys
from types import MappingProxyType
from typing import Any, Final

from airflow.listeners import hookimpl

_TASK_PROCESS: Final = "airflow_mlflow_provider.runtime.child"
_POD_COMMAND: Final = "airflow_mlflow_provider.operators.kubernetes.command"
_PARSING: Final = (
    "airflow_mlflow_provider.dag.load",
    "airflow_mlflow_provider.dag.flow_dag",
    # What Airflow itself imports when the first DAG is made.
    "croniter",
)
_STEPS: Final = (
    *_PARSING,
    # What a task process imports before it knows its store …
    _TASK_PROCESS,
    "airflow_mlflow_provider.runtime.unit",
    "airflow_mlflow_provider.runtime.later",
    "airflow_mlflow_provider.runtime.task",
    "airflow_mlflow_provider.runtime.parents",
    "airflow_mlflow_provider.runtime.package",
    # … what the end of a run is told with …
    "airflow_mlflow_provider.client.summaries",
    # … and what the stores need.
    "airflow_mlflow_provider.store._local",
    "airflow_mlflow_provider.store._object",
    "obstore.store",
    "blake3",
)
_PODS: Final = (
    "airflow_mlflow_provider.operators.in_pods",
    _POD_COMMAND,
    "airflow.providers.cncf.kubernetes.operators.pod",
)
# By the command that starts a component of Airflow, and by what `preload` comes to.
_MODULES: Final = MappingProxyType(
    {
        "dag-processor": MappingProxyType({"none": (), "steps": _PARSING, "pods": _PARSING}),
        "scheduler": MappingProxyType({"none": (), "steps": _STEPS, "pods": (*_STEPS, *_PODS)}),
    }
)


@hookimpl
def on_starting(component: Any) -> None:
    """Import what the processes forked from this component will need; Airflow calls it before the component works.

    The component is a job that does not know its type yet (3.3), so the command line tells which one it is.
    """
    modules = _MODULES.get("".join(sys.argv[1:2]))
    if modules is None:
        return
    wanted = modules[_choice()]
    for module in wanted:
        importlib.import_module(module)
    if _TASK_PROCESS in wanted:
        from airflow_mlflow_provider.runtime.child import prepare_decoders

        prepare_decoders()
    if _POD_COMMAND in wanted:
        from airflow_mlflow_provider.operators.kubernetes.command import bootstrap_source

        bootstrap_source()


def _choice() -> str:
    """What the configuration key `preload` comes to: `auto` goes by where steps run that say nothing of it."""
    from airflow_mlflow_provider.configuration import get

    chosen = str(get("preload"))
    if chosen != "auto":
        return chosen
    return "pods" if get("default_compute") == "kubernetes" else "steps"
