"""`S3(run=…)` inside a step and from the client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlflow_provider import S3, Run
from airflow_mlflow_provider.datatools import MetaflowS3URLException

FLOW = """
from airflow_mlflow_provider import S3, FlowSpec, step


class ObjectsFlow(FlowSpec):
    @step
    def start(self):
        with S3(run=self) as s3:
            self.url = s3.put("greeting", "hello")
        self.next(self.end)

    @step
    def end(self):
        with S3(run=self) as s3:
            self.text = s3.get("greeting").text


if __name__ == "__main__":
    ObjectsFlow()
"""


@pytest.mark.parametrize("remote", [False, True])
def test_objects_of_a_run_are_put_in_a_step_and_read_with_the_client(
    remote: bool, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "objects_flow.py").write_text(FLOW)
    monkeypatch.setenv(
        "AIRFLOW__MLFLOW_PROVIDER__DATASTORE_ROOT",
        f"s3://{s3_bucket}/store" if remote else str(tmp_path / "store"),
    )
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__S3_ROOT", f"s3://{s3_bucket}/root")
    monkeypatch.setenv("METAFLOW_USER", "tester")
    ended = subprocess.run(
        [sys.executable, "objects_flow.py", "run", "--run-id-file", "id"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr

    run = Run(f"ObjectsFlow/{(tmp_path / 'id').read_text().strip()}", _namespace_check=False)
    with S3(run=run) as s3:
        assert s3.get("greeting").text == "hello"
        assert s3.list_paths()[0].key == "greeting"
    start, end = run["start"].task, run["end"].task
    assert start is not None
    assert end is not None
    assert start["url"].data == f"s3://{s3_bucket}/root/data/{run.pathspec}/greeting"
    assert end["text"].data == "hello"


def test_a_run_needs_a_configured_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__MLFLOW_PROVIDER__S3_ROOT", raising=False)

    with pytest.raises(MetaflowS3URLException, match="No root"):
        S3(run=object())
    with pytest.raises(MetaflowS3URLException, match="Both"):
        S3(run=object(), s3root="s3://b")
