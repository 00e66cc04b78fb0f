"""Secrets of Airflow in pods: a Kubernetes Secret of the attempt, which goes with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kubernetes_standin import KubernetesStandin
from tests.operators.kubernetes.conftest import Task, Unit

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(60)]

VALUES = {"AIRFLOW_VAR_SERVICE_KEY": "very $(HOME) secret"}
PROGRAM = (
    "import os\nvalue = os.environ['AIRFLOW_VAR_SERVICE_KEY']\n"
    "assert value[::-1] == 'terces )EMOH($ yrev'\nprint('seen')"
)


def _secrets(core_v1: Any) -> list[str]:
    found = core_v1.list_namespaced_secret("default").items
    return [one.metadata.name for one in found if one.metadata.name != "s3"]


@pytest.mark.parametrize("action", ["delete_pod", "keep_pod"])
def test_the_step_sees_the_values_and_the_secret_is_deleted_with_the_attempt(
    cluster: KubernetesStandin, unit: Unit, task: Task, core_v1: Any, action: str
) -> None:
    made = unit(PROGRAM, settings={"pod_on_finish_action": action}, asks_airflow=VALUES)
    assert made.run().exit_code == 0
    assert "seen" in task.lines
    assert _secrets(core_v1) == []
    (record,) = cluster.admin.pods()
    assert "very" not in json.dumps(record["created"], default=str)
    assert not any("very" in line for line in task.lines)


def test_the_secret_belongs_to_the_pod_so_that_it_goes_when_the_worker_is_lost(
    cluster: KubernetesStandin, unit: Unit, core_v1: Any
) -> None:
    made = unit("import time\ntime.sleep(60)", asks_airflow=VALUES)
    running = made.start()
    (name,) = _secrets(core_v1)
    (owner,) = core_v1.read_namespaced_secret(name, "default").metadata.owner_references
    assert (owner.kind, owner.name, owner.uid) == ("Pod", running.name, running.uid)
    made.kill()


def test_a_pod_that_is_refused_leaves_no_secret(unit: Unit, core_v1: Any) -> None:
    made = unit(PROGRAM, asks_airflow=VALUES, service_account="nobody")
    with pytest.raises(Exception, match="nobody"):
        made.run()
    assert _secrets(core_v1) == []


def test_no_secret_is_made_for_a_step_that_asks_for_none(unit: Unit, core_v1: Any) -> None:
    unit("pass").run()
    assert _secrets(core_v1) == []
