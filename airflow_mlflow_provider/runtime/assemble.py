"""From a flow's class to its manifest: everything that is known before a run starts or a DAG is deployed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_mlflow_provider.flow.graph import FlowGraph
from airflow_mlflow_provider.flow.parameters import ParameterContext, flow_parameters
from airflow_mlflow_provider.flow.preparation import config_attributes, flow_decorators
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.identity import dag_id
from airflow_mlflow_provider.plan.manifest import Code, FlowManifest

_STORE_TYPES = {"s3": "s3", "gs": "gs", "az": "azure"}


def assemble_manifest(
    flow_class: type[FlowSpec],
    graph: FlowGraph,
    *,
    store: str,
    user: str,
    code: Code,
    configs: Mapping[str, Any],
    decospecs: Sequence[str] = (),
) -> FlowManifest:
    """The manifest of a flow as it stands, with the defaults that its parameters have here and now.

    Args:
        flow_class: The flow's class, its decorators and mutators applied.
        graph: Its graph.
        store: URL of the artifact store.
        user: Who runs or deploys it.
        code: Where its code is.
        configs: Values of its configs by name, as JSON.
        decospecs: The decorators that ``--with`` added.

    Raises:
        ParameterFieldFailed: A function that gives a default raised.
        ParameterFieldTypeMismatch: A default has the wrong type.
    """
    context = parameter_context(graph.name, user, store, configs)
    fields = [parameter.spec(context) for parameter in flow_parameters(flow_class)]
    from airflow_mlflow_provider.runtime.context import constant_digests
    from airflow_mlflow_provider.version import __version__

    return FlowManifest(
        dag_id=dag_id(graph.name),
        graph=graph,
        store=store,
        code=code,
        parameters=tuple(fields),
        configs=dict(configs),
        config_attributes=config_attributes(flow_class) if configs else {},
        constants=constant_digests(flow_class),
        decospecs=tuple(decospecs),
        flow_decorators=tuple(decorator.spec() for decorator in flow_decorators(flow_class)),
        provider=__version__,
    )


def parameter_context(flow_name: str, user: str, store: str, configs: Mapping[str, Any]) -> ParameterContext:
    """What functions in the place of values are called with.

    Args:
        flow_name: Name of the flow.
        user: Who runs or deploys it.
        store: URL of the artifact store.
        configs: Values of its configs by name, as JSON.
    """
    return ParameterContext(
        flow_name=flow_name,
        user_name=user,
        parameter_name="",
        logger=logging.getLogger("airflow_mlflow_provider.parameters"),
        ds_type=_STORE_TYPES.get(store.partition("://")[0], "local"),
        configs=configs,
    )


def flow_file(flow_class: type[FlowSpec]) -> Path:
    """The file that defines a flow's class."""
    import inspect

    return Path(inspect.getfile(flow_class)).resolve()
