import pytest

from tests.services.airflow import LiveAirflow

CHAIN = """
    from airflow.sdk import dag, task

    @dag(schedule=None)
    def {name}():
        @task
        def numbers():
            return [1, 2, 3]

        @task
        def double(x):
            return 2 * x

        @task
        def total(xs):
            return sum(xs)

        total(double.expand(x=numbers()))

    {name}()
    """


@pytest.mark.live
def test_a_mapped_dag_runs_on_sqlite(live_airflow_sqlite: LiveAirflow) -> None:
    airflow = live_airflow_sqlite
    airflow.add_dag("mapped_chain", CHAIN.format(name="mapped_chain"))

    run_id = airflow.api.trigger_and_wait("mapped_chain")

    assert airflow.api.xcom("mapped_chain", run_id, "total") == 12
    assert airflow.api.states("mapped_chain", run_id) == dict.fromkeys(
        ["double[0]", "double[1]", "double[2]", "numbers", "total"], "success"
    )
