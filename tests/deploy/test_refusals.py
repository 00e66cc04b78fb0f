"""What `airflow create` refuses because of decorators: all of it at once; what it takes over into the manifest."""

from __future__ import annotations

from pathlib import Path

from airflow_mlflow_provider.plan.manifest import EventTrigger, ExitHook
from tests.deploy.test_create import Deployment

FLOW = """
    def tell(run):
        print(run)

    {decorators}
    class Deployed(FlowSpec):
        alpha = Parameter("alpha", default=1)
        beta = Parameter("beta", {beta})

        @step
        def start(self):
            self.next(self.end)

        @step
        def end(self):
            pass
"""


def _source(*decorators: str, beta: str = "default='b'") -> str:
    return FLOW.format(decorators="\n    ".join(decorators), beta=beta)


def test_everything_that_stands_against_a_deployment_is_told_at_once(tmp_path: Path) -> None:
    source = _source(
        "@trigger(event={'name': 'data', 'parameters': {'gamma': 'x'}})",
        "@trigger_on_finish(flow='shop.Load')",
        "@exit_hook(on_error=['nowhere.to_be_found'])",
        "@schedule(cron='0 0 15W * ? *', timezone='Mars/Olympus')",
    )
    deployment = Deployment(tmp_path, source)
    run = deployment.create(environment={"AIRFLOW__MLFLOW_PROVIDER__DATASTORE_SHARED": "false"}).failed()
    for told in ("'gamma'", "shop.Load", "nowhere.to_be_found", "15W", "Mars/Olympus", "X004", "flow.py:"):
        assert told in run.stderr
    assert [run.stderr.count(rule) for rule in ("X007", "X008", "X009")] == [2, 2, 1]
    assert "Traceback" not in run.stderr
    assert not deployment.target.exists()


def test_triggers_and_hooks_reach_the_manifest_by_name(tmp_path: Path) -> None:
    source = _source(
        "@project(name='shop')",
        "@trigger(events=[namespaced_event_name('data'), {'name': 'more', 'parameters': ['ALPHA', ('beta', 'b')]}])",
        "@trigger_on_finish(flows=['Load', 'etl.prod.Clean'])",
        "@exit_hook(on_success=[tell], on_error=['os.getcwd', tell])",
    )
    deployment = Deployment(tmp_path, source)
    deployment.create().succeeded()
    manifest = deployment.manifest()
    assert manifest.triggers == (
        EventTrigger("mfns.shop.user.tester.data"),
        EventTrigger("more", {"alpha": "ALPHA", "beta": "b"}),
        EventTrigger("metaflow.shop.user.tester.Load.end", kind="run"),
        EventTrigger("metaflow.etl.prod.Clean.end", kind="run"),
    )
    assert manifest.exit_hooks == (
        ExitHook("tell", "success"),
        ExitHook("os.getcwd", "error"),
        ExitHook("tell", "error"),
    )


def test_an_event_may_fill_a_required_parameter_and_a_timetable_cannot(tmp_path: Path) -> None:
    required = "required=True, type=str"
    filled = Deployment(tmp_path / "filled", _source("@trigger(event='data')", beta=required))
    filled.create().succeeded()
    assert filled.manifest().triggers == (EventTrigger("data", {"alpha": "alpha", "beta": "beta"}),)
    mapped = Deployment(
        tmp_path / "mapped",
        _source("@trigger(event={'name': 'data', 'parameters': {'alpha': 'a'}})", beta=required),
    )
    assert "X003" in mapped.create().failed().stderr
    timed = Deployment(tmp_path / "timed", _source("@trigger(event='data')", "@schedule", beta=required))
    run = timed.create().failed()
    assert "X003" in run.stderr
    assert "@schedule" in run.stderr
