"""B9: parsing a DAG file of 50 steps, as Airflow's DAG processor does: in a fork of a warm process, up to the serialised DAG."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.bench import BUILD, ROOT, Bench, checked
from tests.bench.outcome import Figure, at_most
from tests.services.s3 import S3Server

_STEPS = 50
_PARSE = """
import os, sys, time
import airflow.sdk, airflow.dag_processing.processor
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
read, write = os.pipe()
if os.fork() == 0:
    began = time.perf_counter()
    bag = DagBag(sys.argv[1])
    assert not bag.import_errors, bag.import_errors
    (dag,) = bag.dags.values()
    assert len(dag.tasks) >= int(sys.argv[2]), dag.tasks
    DagSerialization.to_dict(dag)
    os.write(write, str(time.perf_counter() - began).encode())
    os._exit(0)
os.close(write)
assert os.wait()[1] == 0
print("seconds", os.read(read, 100).decode())
"""
_BY_HAND = """
import datetime

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

with DAG("by_hand", start_date=datetime.datetime(2026, 1, 1), schedule=None) as dag:
    before = None
    for number in range({steps}):
        task = KubernetesPodOperator(
            task_id=f"step_{{number}}",
            name=f"step-{{number}}",
            image="python:3.11",
            cmds=["python", "-c"],
            arguments=["print(1)"],
        )
        if before is not None:
            before >> task
        before = task
"""


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with a hand-written DAG of as many `KubernetesPodOperator`s."""
    folder = BUILD / "parse"
    ours, by_hand = _deployed(bench, folder / "ours"), folder / "hand" / "by_hand.py"
    by_hand.parent.mkdir(parents=True, exist_ok=True)
    by_hand.write_text(_BY_HAND.format(steps=_STEPS), "utf-8")
    samples = bench.alternate(lambda: _seconds(ours), lambda: _seconds(by_hand))
    yield at_most(
        "B9", f"parse of a DAG file with {_STEPS} steps, against as many pod operators by hand", samples, 0.5
    )


def _deployed(bench: Bench, folder: Path) -> Path:
    """A flow of so many steps in pods, deployed with `airflow create`."""
    flow = bench.side("ours").flow("linear")
    names = ["start", *(f"step_{number}" for number in range(1, _STEPS - 1)), "end"]
    steps = [
        f"    @step\n    def {name}(self):\n        "
        + (f"self.next(self.{after})" if after else "pass")
        + "\n"
        for name, after in zip(names, [*names[1:], ""], strict=True)
    ]
    source = "from airflow_mlflow_provider import FlowSpec, step\n\n\nclass Long(FlowSpec):\n" + "\n".join(
        steps
    )
    (flow.folder / flow.script).write_text(f'{source}\n\nif __name__ == "__main__":\n    Long()\n', "utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "long.py"
    # Pods cannot reach a folder, so the code package goes to an S3 server, which parsing does not need.
    with S3Server() as server:
        top = ["--datastore-root", f"s3://{server.bucket()}/long"]
        arguments = ("airflow", "create", "--compute", "kubernetes", str(target))
        flow.seconds(*top, *arguments, environment=server.environment())
    flow.remove()
    return target


def _seconds(file: Path) -> float:
    environment = _airflow_environment()
    said = checked([sys.executable, "-c", _PARSE, str(file), str(_STEPS)], cwd=ROOT, environment=environment)
    return float(next(line for line in said.splitlines() if line.startswith("seconds")).split()[1])


def _airflow_environment() -> dict[str, str]:
    from tests.services.airflow_database import copy_sqlite_template

    home = BUILD / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "airflow.db").exists():
        copy_sqlite_template(home / "airflow.db")
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
