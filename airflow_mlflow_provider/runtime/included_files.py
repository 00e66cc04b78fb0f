"""The files of ``IncludeFile`` parameters: kept in the store when a run starts or a flow is deployed, read by tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_mlflow_provider.flow.includefile import IncludedFile, IncludeFile, is_descriptor
from airflow_mlflow_provider.flow.parameters import flow_parameters
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.blobs import blob_key
from airflow_mlflow_provider.store.ledger import Ledger


def has_files(manifest: FlowManifest) -> bool:
    """Whether a flow has parameters that are files."""
    return any(spec.kind == "file" for spec in manifest.parameters)


def keep_given_files(
    flow_class: type, manifest: FlowManifest, given: Mapping[str, Any], ledger: Ledger
) -> dict[str, Any]:
    """The values given to a run, with a descriptor in the place of each path.

    Args:
        flow_class: The flow.
        manifest: The flow as data.
        given: Values by parameter name; those of files are paths, or descriptors of files that are kept already.
        ledger: Where to keep them.

    Raises:
        MetaflowException: A file cannot be read; names parameter and path.
    """
    values = dict(given)
    for name, parameter in file_parameters(flow_class, manifest).items():
        if isinstance(values.get(name), str):
            values[name] = parameter.store(values[name], lambda data: keep_bytes(ledger, data))
    return values


def keep_default_files(flow_class: type, manifest: FlowManifest, ledger: Ledger) -> FlowManifest:
    """The manifest with a descriptor in the place of each path that is a default.

    Args:
        flow_class: The flow.
        manifest: The flow as data.
        ledger: Where to keep the files.

    Raises:
        MetaflowException: A file cannot be read; names parameter and path.
    """
    files = file_parameters(flow_class, manifest)
    specs = []
    for spec in manifest.parameters:
        if spec.name in files and isinstance(spec.default, str):
            kept = files[spec.name].store(spec.default, lambda data: keep_bytes(ledger, data))
            specs.append(msgspec.structs.replace(spec, default=kept))
        else:
            specs.append(spec)
    return msgspec.structs.replace(manifest, parameters=tuple(specs))


def included_file(parameter: IncludeFile, value: Any, ledger: Ledger) -> IncludedFile | None:
    """What the run's parameters hold for a file: from a descriptor, or from text typed into a form.

    Raises:
        MetaflowException: It is neither, or text of another encoding.
    """
    if value is None:
        return None
    if not is_descriptor(value):
        value = parameter.store_content(value, lambda data: keep_bytes(ledger, data), "the text given")
    return IncludedFile(dict(value))


def keep_bytes(ledger: Ledger, data: bytes) -> str:
    """Keep bytes as a blob; its URL."""
    return f"{ledger.store.url}/{blob_key(ledger.put_blob(data))}"


def kept_bytes(store: Store, url: str) -> bytes:
    """The bytes behind a URL of :func:`keep_bytes`; the digest in it counts, wherever the store has moved to.

    Raises:
        ObjectNotFound: There are none.
        CorruptedDataException: What is there has another digest.
    """
    return Ledger(store).blob(url.rpartition("/")[2])


def file_parameters(flow_class: type, manifest: FlowManifest) -> dict[str, IncludeFile]:
    """The parameters of a flow that are files, by name."""
    if not has_files(manifest):
        return {}
    return {p.name: p for p in flow_parameters(flow_class) if isinstance(p, IncludeFile)}
