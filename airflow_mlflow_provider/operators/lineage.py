"""What a step's tasks read and wrote, for OpenLineage.

A dataset is an artifact of a flow by name, ``TrainFlow/model`` in the store; its version is the digest of the value. What a step read are the
artifacts, parameters among them, that its code touched, as its parents left them; what it wrote are those that no parent had so.
Only records are read, never a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlflow_provider.runtime.run_members import run_members
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import ArtifactEntry, AttemptKey, DoneRecord

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

# Tasks of one task instance, a shard say, that are looked at.
_MOST_TASKS = 50
_SHOWN_VERSIONS = 20


@dataclass
class LineageDataset:
    """An artifact of a flow, in the versions that the tasks met.

    Attributes:
        flow: Name of the flow.
        name: Name of the artifact.
        versions: The entry of each version, by digest.
    """

    flow: str
    name: str
    versions: dict[str, ArtifactEntry] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The digest, or the beginnings of several."""
        if len(self.versions) == 1:
            return next(iter(self.versions))
        shown = [digest[:12] for digest in sorted(self.versions)[:_SHOWN_VERSIONS]]
        more = f" and {len(self.versions) - len(shown)} more" if len(self.versions) > len(shown) else ""
        return f"{', '.join(shown)}{more}"

    @property
    def size(self) -> int:
        """Bytes of all versions."""
        return sum(entry.size for entry in self.versions.values())

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Names and types of a frame's columns, the first twenty; empty for all else."""
        preview = next(iter(self.versions.values())).preview
        columns = preview.get("columns") if isinstance(preview, Mapping) else None
        return [(str(name), str(kind)) for name, kind in columns or ()]


@dataclass(frozen=True)
class StepLineage:
    """What the tasks of a task instance read and wrote."""

    inputs: Sequence[LineageDataset]
    outputs: Sequence[LineageDataset]


def step_lineage(ledger: Ledger, keys: Sequence[AttemptKey]) -> StepLineage:
    """Read the lineage of tasks from their records and those of their parents.

    Args:
        ledger: The records.
        keys: The attempts, of one flow; the first fifty are looked at.
    """
    inputs: dict[str, LineageDataset] = {}
    outputs: dict[str, LineageDataset] = {}
    for record in ledger.load_done(list(keys[:_MOST_TASKS])):
        parents = ledger.load_done(list(record.parents[:_MOST_TASKS]))
        if not parents:
            parents = [run_members(ledger, record.key.flow, record.key.run)]
        for name in record.reads:
            _note(inputs, record.key.flow, name, _versions(parents, name))
        for name, entry in record.artifacts.items():
            if not name.startswith("_") and entry.digest not in _digests(parents, name):
                _note(outputs, record.key.flow, name, [entry])
    return StepLineage(list(inputs.values()), list(outputs.values()))


def _versions(parents: Iterable[DoneRecord], name: str) -> list[ArtifactEntry]:
    return [parent.artifacts[name] for parent in parents if name in parent.artifacts]


def _digests(parents: Iterable[DoneRecord], name: str) -> set[str]:
    return {entry.digest for entry in _versions(parents, name)}


def _note(found: dict[str, LineageDataset], flow: str, name: str, entries: Iterable[ArtifactEntry]) -> None:
    for entry in entries:
        found.setdefault(name, LineageDataset(flow, name)).versions[entry.digest] = entry


def openlineage_of(lineage: StepLineage, store: str, facts: Mapping[str, Any]) -> OperatorLineage:
    """The lineage as Airflow's OpenLineage provider takes it.

    Args:
        lineage: What was read and written.
        store: URL of the store; its bucket is the namespace of the datasets.
        facts: What becomes tags of the run: pathspec, attempt, code …
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.generated.input_statistics_input_dataset import InputStatisticsInputDatasetFacet
    from openlineage.client.generated.output_statistics_output_dataset import (
        OutputStatisticsOutputDatasetFacet,
    )
    from openlineage.client.generated.tags_run import TagsRunFacet, TagsRunFacetFields

    namespace, prefix = _namespace(store)
    tags = [
        TagsRunFacetFields(key=key, value=str(value), source="airflow_mlflow_provider")
        for key, value in facts.items()
        if value not in ("", None)
    ]
    return OperatorLineage(
        inputs=[
            InputDataset(
                namespace,
                f"{prefix}{each.flow}/{each.name}",
                facets=_dataset_facets(each),
                inputFacets={
                    "inputStatistics": InputStatisticsInputDatasetFacet(
                        size=each.size, fileCount=len(each.versions)
                    )
                },
            )
            for each in lineage.inputs
        ],
        outputs=[
            OutputDataset(
                namespace,
                f"{prefix}{each.flow}/{each.name}",
                facets=_dataset_facets(each),
                outputFacets={
                    "outputStatistics": OutputStatisticsOutputDatasetFacet(
                        size=each.size, fileCount=len(each.versions)
                    )
                },
            )
            for each in lineage.outputs
        ],
        run_facets={"tags": TagsRunFacet(tags=tags)},
    )


def _dataset_facets(dataset: LineageDataset) -> dict[str, Any]:
    from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
    from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields

    facets: dict[str, Any] = {"version": DatasetVersionDatasetFacet(datasetVersion=dataset.version)}
    if dataset.columns:
        fields = [SchemaDatasetFacetFields(name=name, type=kind) for name, kind in dataset.columns]
        facets["schema"] = SchemaDatasetFacet(fields=fields)
    return facets


def _namespace(store: str) -> tuple[str, str]:
    """Namespace of the datasets of a store, and what comes before their names, as OpenLineage names storage."""
    scheme, _, rest = store.partition("://")
    if scheme == "file":
        return "file", f"{rest.rstrip('/')}/"
    bucket, _, prefix = rest.partition("/")
    return f"{scheme}://{bucket}", f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
