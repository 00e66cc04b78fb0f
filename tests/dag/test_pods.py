"""Flows whose steps run as pods: Airflow's dependency rules, a strict API server that runs the pods, a real S3 server."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest
from airflow.dag_processing.dagbag import DagBag

from airflow_mlflow_provider.cards.reading import attempt_cards
from airflow_mlflow_provider.client import Run
from airflow_mlflow_provider.client.tagging import put_first_tags
from airflow_mlflow_provider.dag import build_dag
from airflow_mlflow_provider.flow.graph import DecoratorSpec
from airflow_mlflow_provider.plan.identity import airflow_run_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import AttemptKey
from tests.dag.deployed import FLOWS, Finished, deploy
from tests.dag.pods import clean, deployed_to_pods, out_of_memory
from tests.kubernetes_standin import KubernetesStandin
from tests.services.dag_test import run_dag
from tests.services.s3 import S3Server

pytestmark = [pytest.mark.kubernetes]


@pytest.fixture
def flow(
    cluster: KubernetesStandin, s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> FlowManifest:
    """A flow deployed to pods, its code packaged, its artifacts in S3."""
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", cluster.airflow_connection)
    manifest = deploy("in_pods", f"s3://{s3_bucket}/flows")
    return deployed_to_pods(manifest, FLOWS / "in_pods.py", cluster, s3_server)


@pytest.mark.parametrize("compute", ["pod", "worker"])
def test_a_step_sees_the_tags_that_one_run_was_given(
    flow: FlowManifest, tmp_path: Path, compute: str
) -> None:
    manifest = flow if compute == "pod" else deploy("in_pods", tmp_path, tags=("deployed",))
    ledger = Ledger(open_store(manifest.store))
    moment = datetime.datetime.now(datetime.timezone.utc)
    run_id = airflow_run_id(manifest.dag_id, f"manual__{moment.isoformat()}")
    put_first_tags(ledger, manifest.flow_name, run_id, (*manifest.tags, "of this run"))
    found = Finished.of(manifest, run_dag(build_dag(manifest), logical_date=moment))
    run = Run(f"{manifest.flow_name}/{run_id}", _namespace_check=False, _store=manifest.store)
    assert "of this run" in run.user_tags
    assert found.artifact("end", "tags") == sorted(run.tags)


@pytest.mark.parametrize("deferrable", [False, True])
def test_every_step_runs_in_a_pod_of_its_own(
    flow: FlowManifest, cluster: KubernetesStandin, deferrable: bool
) -> None:
    manifest = msgspec.structs.replace(flow, settings={**flow.settings, "pod_deferrable": deferrable})
    run = run_dag(build_dag(manifest), {"text": "$5 `ls` 'x' \"y\"\n🙂"})
    found = Finished.of(manifest, run)
    assert found.artifact("end", "words") == [f"{word}$5 `ls` 'x' \"y\"\n🙂" for word in "ab"]
    assert found.status == "succeeded"
    assert len(cluster.admin.pods()) == 5
    for task, word in (("0000", "a"), ("0001", "b")):
        ((_, card),) = attempt_cards(found.ledger, AttemptKey(found.flow, found.run, "body", task, 0))
        assert card.status == "succeeded"
        assert card.components[0] == {"type": "markdown", "text": f"of {word}"}
        assert "def body(self):" in str(card.components)


def test_a_pod_that_dies_without_a_record_is_caught_by_the_operator(
    flow: FlowManifest, cluster: KubernetesStandin
) -> None:
    with out_of_memory(cluster):
        run = run_dag(build_dag(flow), {"waits": 1})
    found = Finished.of(flow, run)
    assert found.artifact("end", "words") == ["a", None]
    caught = found.artifact("end", "caught")
    assert caught[0] is None
    assert "FailureHandledByCatch" in caught[1].type
    assert "OOMKilled" in caught[1].exception


def test_a_pod_that_dies_without_a_record_fails_the_task_and_says_so(
    flow: FlowManifest, cluster: KubernetesStandin, capfd: pytest.CaptureFixture[str]
) -> None:
    body = flow.graph["body"]
    uncaught = tuple(spec for spec in body.decorators if spec.name != "catch")
    steps = {**flow.graph.steps, "body": msgspec.structs.replace(body, decorators=uncaught)}
    manifest = msgspec.structs.replace(flow, graph=msgspec.structs.replace(flow.graph, steps=steps))
    with out_of_memory(cluster):
        run = run_dag(build_dag(manifest), {"waits": 1}, expected="failed")
    assert (run.states["body[0]"], run.states["body[1]"]) == ("success", "failed")
    assert run.states["join"] == "upstream_failed"
    assert "The pod ended without a record of body/0001: OOMKilled" in "".join(capfd.readouterr())
    found = Finished.of(manifest, run)
    died = found.ledger.newest_done(found.flow, found.run, "body", "0001")
    assert died is not None
    assert died.exception is not None
    assert "OOMKilled" in died.exception.message


IN_DAGS_FOLDER = """
from airflow_mlflow_provider import FlowSpec, kubernetes, step
from airflow_mlflow_provider.dag import FlowDag


class InDagsFolder(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @kubernetes(cpu=0.1, memory=200, disk=100, image="step:1", secrets=["s3"])
    @step
    def end(self):
        import os

        self.dag, self.host = str(type(dag)), os.uname().nodename


dag = FlowDag(InDagsFolder, store={store!r})
"""


@pytest.mark.slow
def test_a_pod_executes_the_dag_file_that_its_flow_is_in_and_makes_no_dag(
    cluster: KubernetesStandin,
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", cluster.airflow_connection)
    monkeypatch.setenv(
        "AIRFLOW__MLFLOW_PROVIDER__S3_ENDPOINT_URL", s3_server.environment()["AWS_ENDPOINT_URL"]
    )
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__POD_DEFERRABLE", "false")
    store, file = f"s3://{s3_bucket}/flows", tmp_path / "in_dags_folder.py"
    file.write_text(IN_DAGS_FOLDER.format(store=store))
    clean(cluster, s3_server)
    bag = DagBag(dag_folder=str(file))
    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    run = run_dag(dag)
    ledger = Ledger(open_store(store))
    found = Finished(ledger, "InDagsFolder", airflow_run_id(run.dag_id, run.run_id))
    assert "NoDag" in found.artifact("end", "dag")
    (pod,) = cluster.admin.pods()
    assert found.artifact("end", "host") == pod["created"]["metadata"]["name"]


def test_a_cached_step_starts_no_pod(flow: FlowManifest, cluster: KubernetesStandin) -> None:
    body = flow.graph["body"]
    kept = DecoratorSpec("cache", {"version": None, "ignore": (), "ttl": None})
    steps = {
        **flow.graph.steps,
        "body": msgspec.structs.replace(body, decorators=(*body.decorators, kept)),
    }
    manifest = msgspec.structs.replace(flow, graph=msgspec.structs.replace(flow.graph, steps=steps))
    run_dag(build_dag(manifest), {"text": "!"})
    before = len(cluster.admin.pods())
    again = Finished.of(manifest, run_dag(build_dag(manifest), {"text": "!"}))
    assert again.artifact("end", "words") == ["a!", "b!"]
    # start, join and end; what `body` made is known.
    assert len(cluster.admin.pods()) - before == 3
    other = Finished.of(manifest, run_dag(build_dag(manifest), {"text": "?"}))
    assert other.artifact("end", "words") == ["a?", "b?"]
    assert len(cluster.admin.pods()) - before == 8


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_steps_that_may_share_a_warm_pod(flow: FlowManifest, cluster: KubernetesStandin) -> None:
    warm = {
        node.name: msgspec.structs.replace(
            node,
            decorators=tuple(
                msgspec.structs.replace(spec, attributes={**spec.attributes, "warm": True})
                if spec.name == "kubernetes"
                else spec
                for spec in node.decorators
            ),
        )
        for node in flow.graph
    }
    manifest = msgspec.structs.replace(flow, graph=msgspec.structs.replace(flow.graph, steps=warm))
    for text in ("!", "?"):
        found = Finished.of(manifest, run_dag(build_dag(manifest), {"text": text}))
        assert found.artifact("end", "words") == [f"a{text}", f"b{text}"]
        assert found.status == "succeeded"
    (pod,) = cluster.admin.pods()
    assert "-warm-" in pod["created"]["metadata"]["name"]


def test_a_chain_of_steps_is_one_pod_with_a_record_of_each(
    flow: FlowManifest, cluster: KubernetesStandin
) -> None:
    manifest = msgspec.structs.replace(flow, settings={**flow.settings, "fuse": True})
    run = run_dag(build_dag(manifest))
    assert set(run.states) == {"start", "body[0]", "body[1]", "join"}
    found = Finished.of(manifest, run)
    assert found.artifact("end", "words") == ["a", "b"]
    assert found.tasks("join") == found.tasks("end") == ["0"]
    assert len(cluster.admin.pods()) == 4
