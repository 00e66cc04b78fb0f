"""What is recorded of tasks whose pod left no record."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome
from airflow_mlflow_provider.operators.pod_death import record_pod_death
from airflow_mlflow_provider.plan.identity import IndexPath
from airflow_mlflow_provider.runtime.request import UnitRequest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey, BeginRecord

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

LOG = cast("Logger", logging.getLogger(__name__))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty store."""
    return Ledger(open_store(tmp_path.as_uri()))


def died(ledger: Ledger, outcome: PodOutcome, *tasks: str, paths: tuple[IndexPath, ...] = ((),)) -> None:
    """Record the death of the pod of these tasks."""
    request = UnitRequest(ledger.store.url, "F", "r", ("body",), paths=paths, attempt=1)
    record_pod_death(ledger, request, [f"body/{task}" for task in tasks], outcome, LOG)


@pytest.mark.parametrize(
    ("phase", "reason", "kind"),
    [
        ("Failed", "OOMKilled", "process"),
        ("Failed", "DeadlineExceeded", "TimeoutException"),
        ("Pending", "ImagePullBackOff", "process"),
        ("Succeeded", "Completed", "process"),
    ],
)
def test_a_failed_attempt_says_how_the_pod_ended_or_why_it_did_not_start(
    ledger: Ledger, phase: str, reason: str, kind: str
) -> None:
    died(ledger, PodOutcome(phase, reason, pod_name="p"), "0")
    record = ledger.newest_done("F", "r", "body", "0")
    assert record is not None
    assert (record.key.attempt, record.outcome) == (1, "failed")
    assert record.exception is not None
    assert record.exception.type.rpartition(".")[2] == kind
    assert reason in record.exception.message


@pytest.mark.parametrize("phase", ["Running", "Unknown"])
def test_a_pod_that_may_still_run_may_still_commit(ledger: Ledger, phase: str) -> None:
    died(ledger, PodOutcome(phase, "Lost", pod_name="p"), "0")
    assert ledger.newest_done("F", "r", "body", "0") is None


def test_of_several_splits_only_those_that_had_begun_have_failed(ledger: Ledger) -> None:
    begun = AttemptKey("F", "r", "body", "0000", 1)
    ledger.begin(BeginRecord(key=begun, started_at=1.0, host="h", pid=1))
    died(ledger, PodOutcome("Failed", "Evicted", pod_name="p"), "0000", "0001", paths=((0,), (1,)))
    failed = ledger.done(begun)
    assert failed is not None
    assert failed.index_path == (0,)
    assert ledger.newest_done("F", "r", "body", "0001") is None


def test_a_record_that_came_after_all_stays(ledger: Ledger) -> None:
    died(ledger, PodOutcome("Failed", "Evicted", pod_name="p"), "0")
    died(ledger, PodOutcome("Failed", "OOMKilled", pod_name="p"), "0")
    record = ledger.newest_done("F", "r", "body", "0")
    assert record is not None
    assert record.exception is not None
    assert "Evicted" in record.exception.message
