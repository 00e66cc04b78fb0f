"""B16: ten trivial steps one after another, in warm pods against a pod for each; on the stand-in, with pods that start at once and after two seconds."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.airflow_side import deploy_copy, pod_site, seconds_of_run
from tests.bench.bench import Bench
from tests.bench.outcome import Figure, at_least

_STEPS = 10
_START_S = 2.0


def run(bench: Bench) -> Iterator[Figure]:
    """The same flow twice, which differs in one attribute."""
    with pod_site() as (airflow, cluster, store, settings):
        settings["AIRFLOW__MLFLOW_PROVIDER__WARM_POD_IDLE_S"] = "300"
        for name, attributes in (("OwnPods", ""), ("WarmPods", "warm=True")):
            flow = bench.side("ours").flow("linear")
            (flow.folder / flow.script).write_text(_source(name, attributes), "utf-8")
            deploy_copy(flow, airflow, name, store, settings)
        for dag_id in ("OwnPods", "WarmPods"):
            seconds_of_run(airflow, dag_id)
        for what, pause in (("at once", 0.0), ("after 2 s", _START_S)):
            cluster.admin.delay_starts(pause)
            before = len(cluster.admin.pods())
            samples = bench.alternate(
                lambda: seconds_of_run(airflow, "WarmPods"), lambda: seconds_of_run(airflow, "OwnPods")
            )
            made = [pod["created"]["metadata"]["name"] for pod in cluster.admin.pods()[before:]]
            assert not any("warm" in name for name in made), made
            yield at_least(
                "B16",
                f"{_STEPS} trivial steps one after another in a warm pod, where pods start {what}; peer: a pod for each step",
                samples,
                1,
            )


def _source(name: str, attributes: str) -> str:
    names = [f"s{number}" for number in range(_STEPS)]
    steps = "".join(
        f"    @kubernetes({attributes})\n    @step{_marks(number)}\n    def {step}(self):\n        {_body(number)}\n\n"
        for number, step in enumerate(names)
    )
    return (
        "from airflow_mlflow_provider import FlowSpec, kubernetes, step\n\n\n"
        f"class {name}(FlowSpec):\n{steps}\n"
        f'if __name__ == "__main__":\n    {name}()\n'
    )


def _marks(number: int) -> str:
    return {0: "(start=True)", _STEPS - 1: "(end=True)"}.get(number, "")


def _body(number: int) -> str:
    return "pass" if number == _STEPS - 1 else f"self.next(self.s{number + 1})"
