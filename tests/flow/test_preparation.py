from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.config import Config, config_expr
from airflow_mlflow_provider.flow.decorators import retry, schedule
from airflow_mlflow_provider.flow.parameters import Parameter, flow_parameters
from airflow_mlflow_provider.flow.preparation import (
    config_members,
    flow_decorators,
    is_plain,
    is_prepared,
    prepare,
    prepare_again,
    step_decorators,
)
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step
from airflow_mlflow_provider.flow.user_decorators import FlowMutator, StepMutator

TIMES = 6


class Nothing(FlowMutator): ...


class NothingOnStep(StepMutator): ...


def plain() -> type[FlowSpec]:
    @schedule(hourly=True)
    class Train(FlowSpec):
        alpha = Parameter("alpha", default=1)
        constant = (1, 2)

        @retry(times=1)
        @step
        def start(self) -> None: ...

    return Train


def with_members(**members: Any) -> type[FlowSpec]:
    @step
    def start(self: Any) -> None: ...

    return type("Train", (FlowSpec,), {"start": start, **members})


@step
def waiting_step(self: Any) -> None: ...


retry(times=config_expr("TIMES"))(waiting_step)


@step
def mutated_step(self: Any) -> None: ...


NothingOnStep()(mutated_step)


def test_a_flow_without_configs_and_mutators_is_left_as_it_is() -> None:
    flow = plain()
    assert is_plain(flow)
    assert prepare(flow) == {}
    assert not is_prepared(flow)
    assert [d.name for d in step_decorators(flow, "start")] == ["retry"]
    assert [d.name for d in flow_decorators(flow)] == ["schedule"]


@pytest.mark.parametrize(
    "flow",
    [
        with_members(cfg=Config("cfg")),
        with_members(alpha=Parameter("alpha", default=config_expr("1"))),
        with_members(fit=waiting_step),
        with_members(fit=mutated_step),
        Nothing()(plain()),
        schedule(hourly=config_expr("True"))(plain()),
        type("Derived", (with_members(cfg=Config("cfg")),), {}),
    ],
)
def test_whatever_waits_for_preparation_is_noticed(flow: type[FlowSpec]) -> None:
    assert not is_plain(flow)
    prepare(flow)
    assert is_prepared(flow)


def test_a_decorator_may_wait_for_a_global_of_its_module_alone() -> None:
    flow = with_members(fit=waiting_step)
    prepare(flow)
    assert step_decorators(flow, "fit")[0].attributes["times"] == TIMES


def test_a_flow_is_prepared_again_from_frozen_values_without_its_files(tmp_path: Any) -> None:
    file = tmp_path / "cfg.json"
    file.write_text('{"alpha": 0.5, "deep": {"list": [1]}}')
    cfg = Config("cfg", default=str(file))

    def flow() -> type[FlowSpec]:
        return with_members(settings=cfg, alpha=Parameter("alpha", default=cfg.alpha))

    first = flow()
    frozen = prepare(first, decospecs=["retry:times=2"])
    assert frozen == {"cfg": {"alpha": 0.5, "deep": {"list": [1]}}}
    assert type(frozen["cfg"]) is type(frozen["cfg"]["deep"]) is dict
    file.unlink()
    second = flow()
    prepare_again(second, frozen, ["retry:times=2"])
    assert flow_parameters(second)[0].default == 0.5
    assert step_decorators(second, "start")[0].attributes["times"] == 2
    assert config_members(second, frozen)["settings"].deep.list == [1]
    with pytest.raises(CommandException, match="cannot be read"):
        prepare(second)


def test_what_was_added_before_is_gone_when_a_flow_is_prepared_without_it() -> None:
    flow = plain()
    prepare(flow, decospecs=["timeout:seconds=1"])
    prepare(flow)
    assert [d.name for d in step_decorators(flow, "start")] == ["retry"]


def test_preparing_a_plain_flow_imports_neither_configs_nor_mutators() -> None:
    code = """
import sys
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.flow.step import step
from airflow_mlflow_provider.flow.preparation import prepare, prepare_again

class Train(FlowSpec):
    @step
    def start(self): ...

prepare(Train)
prepare_again(Train, {})
names = ("config", "mutators", "effective", "user_decorators", "decorators")
print([name for name in names if "airflow_mlflow_provider.flow." + name in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
