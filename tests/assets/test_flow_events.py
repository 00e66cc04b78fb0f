"""What the event of a flow's asset tells, as Airflow keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.sdk import DAG, task

from airflow_mlflow_provider.assets.artifact import artifact_asset
from airflow_mlflow_provider.dag import build_dag
from tests.dag.deployed import FLOWS, manifest_from
from tests.services.dag_test import DagTestRun, run_dag

pytestmark = pytest.mark.slow


def told(asset: str, run: DagTestRun) -> dict[str, Any]:
    """The extra of the event that a run has made."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    wanted = (
        select(AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetModel.name == asset, AssetEvent.source_run_id == run.run_id)
    )
    with create_session() as session:
        (extra,) = session.scalars(wanted)
    return dict(extra)


def test_a_run_tells_its_digest_its_numbers_and_its_tags(tmp_path: Path) -> None:
    manifest = manifest_from(FLOWS / "upstream.py", tmp_path / "store")
    dag = build_dag(msgspec.structs.replace(manifest, tags=("nightly",)))
    first, second = (run_dag(dag) for _ in range(2))
    (name,) = (asset.name for asset in dag.get_task("finish").outlets if asset.name.endswith(".end"))
    event, again = told(name, first), told(name, second)
    assert event["pathspec"].endswith("/finish/0")
    assert (event["metrics"], event["tags"]) == ({"number": 7}, ["nightly"])
    assert set(event["artifacts"]) >= {"number", "word"}
    assert event["digest"] == again["digest"]
    assert event["pathspec"] != again["pathspec"]
    assert "partition_key" not in event


def test_a_version_tells_its_digest_its_numbers_and_its_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT", tmp_path.as_uri())
    with DAG("tells", schedule=None) as dag:

        @task.artifact(
            artifact="team/scores", tags=["new"], metadata={"metrics": {"loss": 0.1}, "commit": "abc"}
        )
        def score() -> dict[str, Any]:
            return {"auc": 0.93, "rows": [1, 2], "none": None, "nan": float("nan")}

        score()
    event = told(artifact_asset("team/scores").name, run_dag(dag))
    assert (event["pathspec"], event["tags"]) == ("artifact:team/scores@1", ["new"])
    assert event["metrics"] == {"auc": 0.93, "loss": 0.1}
    assert len(event["digest"]) == 64
