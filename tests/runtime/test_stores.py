"""The same run on an S3 server, and what happens when the store fails."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.flow_runs import FlowFile
from tests.services.s3 import S3Server

SOURCE = """
    class Remote(FlowSpec):
        width = Parameter("width", default=4)

        @step
        def start(self):
            import numpy

            self.large = numpy.arange(200_000)
            self.items = list(range(self.width))
            self.next(self.each, foreach="items")

        @retry(times=1)
        @step
        def each(self):
            print("element", self.input)
            self.part = int(self.large[self.input])
            self.next(self.join)

        @step
        def join(self, inputs):
            self.total = sum(i.part for i in inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_run_on_s3_gives_what_a_run_on_a_folder_gives(tmp_path: Path, s3_bucket: str, method: str) -> None:
    flow = FlowFile(tmp_path, SOURCE, f"s3://{s3_bucket}/store")
    run = flow.run(environment={"MLFLOW_PROVIDER_START_METHOD": method}).succeeded()
    assert run.value("total") == 6
    assert run.end.status == "succeeded"
    assert run.text("each", task=run.records("each")[2].key.task) == "element 2"


def test_the_requests_of_a_run_are_few(tmp_path: Path, s3_server: S3Server, s3_bucket: str) -> None:
    flow = FlowFile(
        tmp_path, SOURCE.replace("self.large = numpy.arange(200_000)", "self.large = list(range(9))")
    )
    flow.store = f"s3://{s3_bucket}/store"
    created = s3_server.counts(s3_bucket).total()
    environment = {"AIRFLOW__MLFLOW_PROVIDER__CLIENT_CACHE_PATH": str(tmp_path / "cache")}
    flow.run("--width", "8", environment=environment).succeeded()
    counts = s3_server.counts(s3_bucket)
    tasks = 8 + 3
    assert counts.total() - created <= math.ceil(4.5 * tasks) + 8, counts


def test_a_refused_commit_fails_the_attempt_and_leaves_nothing_half_visible(
    tmp_path: Path, s3_server: S3Server, s3_bucket: str
) -> None:
    flow = FlowFile(tmp_path, SOURCE.replace("@retry(times=1)", "@retry(times=0)"), f"s3://{s3_bucket}/store")
    s3_server.fail(403, operation="PutObject", bucket=s3_bucket, key="*/each/*/done.json", times=None)
    run = flow.run(environment={"AIRFLOW__MLFLOW_PROVIDER__FAIL_GRACE_S": "1"}).failed()
    assert run.records("each") == []
    assert run.records("join") == []
    assert run.end.status == "failed"
    assert "done.json" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_commit_whose_answer_was_lost_counts(tmp_path: Path, s3_server: S3Server, s3_bucket: str) -> None:
    flow = FlowFile(tmp_path, SOURCE, f"s3://{s3_bucket}/store")
    s3_server.fail(
        500, operation="PutObject", bucket=s3_bucket, key="*/start/*/done.json", times=1, applied=True
    )
    run = flow.run().succeeded()
    assert run.value("total") == 6
    assert run.ledger.attempts("Remote", run.run, "start", "0") == [0]


def test_a_log_that_cannot_be_stored_is_a_warning_and_the_run_succeeds(
    tmp_path: Path, s3_server: S3Server, s3_bucket: str
) -> None:
    flow = FlowFile(tmp_path, SOURCE, f"s3://{s3_bucket}/store")
    s3_server.fail(403, operation="PutObject", bucket=s3_bucket, key="*/stdout-*", times=None)
    run = flow.run().succeeded()
    assert "RuntimeWarning" in run.stderr
    assert "4 piece(s) of logs could not be stored" in run.stderr
    assert run.end.status == "succeeded"


def test_a_store_that_cannot_be_reached_ends_the_command_with_its_address(tmp_path: Path) -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
        "AIRFLOW__MLFLOW_PROVIDER__S3_RETRIES": "0",
    }
    flow = FlowFile(tmp_path, SOURCE)
    store, flow.store = flow.store, "s3://no-such-bucket/store"
    command = flow.command("run")
    flow.store = store
    import subprocess

    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=flow.environment(environment),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 1
    assert "s3://no-such-bucket/store" in ended.stderr
    assert "Traceback" not in ended.stderr
