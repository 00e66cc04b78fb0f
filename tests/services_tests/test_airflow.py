import pytest

from tests.services.airflow import LiveAirflow
from tests.services.waiting import wait_until

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


@pytest.mark.live
@pytest.mark.postgres
def test_a_mapped_dag_runs_on_postgres(live_airflow_postgres: LiveAirflow) -> None:
    airflow = live_airflow_postgres
    airflow.add_dag("mapped_chain", CHAIN.format(name="mapped_chain"))

    run_id = airflow.api.trigger_and_wait("mapped_chain")

    assert airflow.api.xcom("mapped_chain", run_id, "total") == 12


@pytest.mark.live
def test_a_failed_run_says_what_its_tasks_logged(live_airflow_sqlite: LiveAirflow) -> None:
    airflow = live_airflow_sqlite
    airflow.add_dag(
        "breaks",
        """
        from airflow.sdk import dag, task

        @dag(schedule=None)
        def breaks():
            @task
            def fine():
                print("all is well")

            @task
            def burst(n):
                print("pressure", n)
                raise ValueError(f"too much: {n}")

            fine() >> burst.expand(n=[7])

        breaks()
        """,
    )

    with pytest.raises(AssertionError) as failure:
        airflow.api.trigger_and_wait("breaks")

    message = str(failure.value)
    assert "is failed, not success" in message
    assert "fine: success" in message
    assert "burst[0]: failed" in message
    assert "pressure 7" in message
    assert "ValueError: too much: 7" in message
    assert "all is well" not in message


@pytest.mark.live
def test_an_import_error_ends_the_wait_for_a_dag(live_airflow_sqlite: LiveAirflow) -> None:
    with pytest.raises(AssertionError, match=r"(?s)unimportable\.py cannot be imported.*no_such_module"):
        live_airflow_sqlite.add_dag("unimportable", "import no_such_module  # instead of an airflow dag")

    (live_airflow_sqlite.dags_folder / "unimportable.py").unlink()
    wait_until(
        lambda: "unimportable.py" not in live_airflow_sqlite.api.import_errors(), 30, "the import error to go"
    )


@pytest.mark.live
def test_a_replaced_dag_file_is_parsed_anew(live_airflow_sqlite: LiveAirflow) -> None:
    airflow = live_airflow_sqlite
    for value in ("before", "after"):
        source = f"""
            from airflow.sdk import DAG, task

            with DAG("replaced", schedule=None):
                @task
                def value():
                    return "{value}"
                value()
            """
        airflow.add_dag("replaced", source)
        run_id = airflow.api.trigger_and_wait("replaced")

        assert airflow.api.xcom("replaced", run_id, "value") == value


@pytest.mark.live
def test_a_cleared_task_runs_again_with_the_next_try_number(live_airflow_sqlite: LiveAirflow) -> None:
    airflow = live_airflow_sqlite
    airflow.add_dag("cleared", CHAIN.format(name="cleared"))
    run_id = airflow.api.trigger_and_wait("cleared", run_id="a-run:with+signs~1")

    cleared = airflow.api.clear("cleared", run_id, [("double", 1)])
    airflow.api.wait_for_run("cleared", run_id)

    assert [(one["task_id"], one["map_index"]) for one in cleared] == [("double", 1)]
    tries = {one.label: one.try_number for one in airflow.api.task_instances("cleared", run_id)}
    assert tries == {"numbers": 1, "double[0]": 1, "double[1]": 2, "double[2]": 1, "total": 1}


@pytest.mark.live
def test_a_viewer_sees_but_may_not_trigger(live_airflow_sqlite: LiveAirflow) -> None:
    airflow = live_airflow_sqlite
    airflow.add_dag("seen", CHAIN.format(name="seen"))
    viewer = airflow.login("viewer")

    assert viewer.wait_for_dag("seen")["dag_id"] == "seen"
    with pytest.raises(AssertionError, match="403"):
        viewer.trigger("seen")
    viewer.close()
