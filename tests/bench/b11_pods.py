"""B11: a trivial step in a pod, against a stock `KubernetesPodOperator`, on the stand-in.

Of the 7 to 8 s that the stock operator takes on a real cluster, most is waiting: it looks at a pod every five seconds until
it runs, and two seconds after its log has ended. A stand-in that starts pods at once shows nothing of that, so both are
given pods that start after a second, as on a node that has the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tests.bench.airflow_side import IMAGE, deploy_copy, pod_site, seconds_of_run
from tests.bench.bench import Bench
from tests.bench.outcome import Figure, at_most

_TIMES = 0.35
_START_S = 1.0
_BY_HAND = f"""
    from airflow.sdk import DAG
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    with DAG("pod_by_hand", schedule=None):
        KubernetesPodOperator(task_id="only", image="{IMAGE}", cmds=["python", "-c", "print(1)"])
"""


def run(bench: Bench) -> Iterator[Figure]:
    """Compare with the operator as it comes, its defaults untouched."""
    with pod_site() as (airflow, cluster, store, settings):
        airflow.add_dag("pod_by_hand", _BY_HAND)
        deploy_copy(bench.side("ours").flow("single"), airflow, "Single", store, settings)
        for dag_id in ("Single", "pod_by_hand"):
            seconds_of_run(airflow, dag_id)
        # Nothing is compared that did not run in pods.
        owners = {pod["created"]["metadata"]["labels"]["dag_id"] for pod in cluster.admin.pods()}
        assert owners == {"Single", "pod_by_hand"}, json.dumps(sorted(owners))
        ours, by_hand = (partial(seconds_of_run, airflow, dag_id) for dag_id in ("Single", "pod_by_hand"))
        cluster.admin.delay_starts(_START_S)
        delayed = bench.alternate(ours, by_hand)
        cluster.admin.delay_starts(0)
        at_once = bench.alternate(ours, by_hand)
    yield at_most(
        "B11", f"a trivial step in a pod that starts after {_START_S:g} s, on the stand-in", delayed, _TIMES
    )
    # No node starts a pod at once; the figure is told as the other side is at its best here.
    yield replace(at_most("B11", "the same in a pod that starts at once", at_once, _TIMES), bar=None)
