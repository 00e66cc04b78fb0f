"""A deployer for each way in which steps run on Airflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capabilities.deployed import Deployments
from tests.services.airflow import LiveAirflow


def _set(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> Deployments:
    for name, value in deployments.settings().items():
        monkeypatch.setenv(name, value)
    return deployments


@pytest.fixture
def workers(live_airflow_sqlite: LiveAirflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployments:
    """Steps in the processes of Airflow's workers, artifacts in a folder."""
    store = (tmp_path / "store").as_uri()
    return _set(Deployments(live_airflow_sqlite, store, "worker"), monkeypatch)


@pytest.fixture
def pods(live_airflow_sqlite: LiveAirflow, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Deployments:
    """Steps in pods, artifacts on S3."""
    return _set(Deployments(live_airflow_sqlite, f"s3://{s3_bucket}/flows", "kubernetes"), monkeypatch)


@pytest.fixture(
    params=[
        pytest.param("workers", id="worker"),
        pytest.param("pods", id="kubernetes", marks=[pytest.mark.slow, pytest.mark.kubernetes]),
    ]
)
def deployments(request: pytest.FixtureRequest) -> Deployments:
    """Both ways."""
    found: Deployments = request.getfixturevalue(request.param)
    return found
