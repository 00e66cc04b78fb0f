from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlflow_provider.exception import CommandException, MetaflowException
from airflow_mlflow_provider.flow.config import (
    FILES_VARIABLE,
    VALUES_VARIABLE,
    Config,
    ConfigExpression,
    ConfigValue,
    bind_configs,
    config_expr,
    declaration_of,
    flow_configs,
    resolve_configs,
)
from airflow_mlflow_provider.flow.config_expression import evaluate
from airflow_mlflow_provider.flow.config_value import FrozenList
from airflow_mlflow_provider.flow.decorators.compute import ResourcesDecorator
from airflow_mlflow_provider.flow.decorators.environment_variables import EnvironmentDecorator
from airflow_mlflow_provider.flow.parameters import Parameter
from airflow_mlflow_provider.flow.spec import FlowSpec

DOCUMENT = {"epochs": 3, "model": {"depth": 4, "layers": [{"size": 8}, {"size": 16}]}, "name": "digits"}
FACTOR = 10


@pytest.fixture(autouse=True)
def _user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAFLOW_USER", "ada")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "cfg.json"
    path.write_text(json.dumps(DOCUMENT))
    return str(path)


def flow_with(*configs: Config) -> type[FlowSpec]:
    return type("Train", (FlowSpec,), {declaration_of(config).name: config for config in configs})


def test_a_value_is_read_with_dots_and_items_at_any_depth() -> None:
    value = ConfigValue(DOCUMENT)
    assert value.model.depth == value["model"]["depth"] == 4
    assert value.model.layers[1].size == 16
    assert isinstance(value, dict)
    assert isinstance(value.model.layers, list)
    assert value == DOCUMENT
    assert json.loads(json.dumps(value)) == DOCUMENT
    assert msgspec.json.decode(msgspec.json.encode(value)) == DOCUMENT


def test_a_key_that_is_missing_is_named_with_a_close_one() -> None:
    with pytest.raises(AttributeError, match="no key 'epoch'; did you mean 'epochs'"):
        _ = ConfigValue(DOCUMENT).epoch
    with pytest.raises(KeyError):
        ConfigValue(DOCUMENT)["epoch"]
    assert getattr(ConfigValue(DOCUMENT), "absent", 7) == 7


def set_item(value: Any) -> None:
    value["epochs"] = 1


def delete_item(value: Any) -> None:
    del value["epochs"]


def merge(value: Any) -> None:
    value |= {"epochs": 1}


@pytest.mark.parametrize(
    "change",
    [
        set_item,
        delete_item,
        merge,
        lambda value: setattr(value, "epochs", 1),
        lambda value: delattr(value, "epochs"),
        lambda value: value.update(epochs=1),
        lambda value: value.setdefault("epochs", 1),
        lambda value: value.pop("epochs"),
    ],
)
def test_a_change_is_refused_with_its_key(change: Any) -> None:
    value = ConfigValue(DOCUMENT)
    with pytest.raises(TypeError, match=r"cannot be changed \(at 'epochs'\)"):
        change(value)
    assert value == DOCUMENT


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.model.layers.append(1),
        lambda value: value.model.layers.sort(),
        lambda value: value.model.layers.__setitem__(0, 1),
        lambda value: value.model.layers[0].update(size=1),
        lambda value: value.clear(),
        lambda value: value.popitem(),
    ],
)
def test_a_change_deep_inside_is_refused(change: Any) -> None:
    value = ConfigValue(DOCUMENT)
    with pytest.raises(TypeError, match="cannot be changed"):
        change(value)
    assert value == DOCUMENT


def test_a_mutable_copy_is_plain_at_any_depth() -> None:
    plain = ConfigValue(DOCUMENT).to_dict()
    plain["model"]["layers"].append({"size": 32})
    assert type(plain["model"]) is dict
    assert type(plain["model"]["layers"]) is list
    assert ConfigValue(DOCUMENT) | {"epochs": 9} == {**DOCUMENT, "epochs": 9}


@given(
    st.dictionaries(
        st.text(),
        st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    )
)
def test_values_survive_pickle_and_copies(values: dict[str, Any]) -> None:
    value = ConfigValue(values)
    for twin in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), copy.copy(value), value.copy()):
        assert twin == value
        assert isinstance(twin, ConfigValue)
        assert all(isinstance(e, FrozenList) for e in twin.values() if isinstance(e, list))


def test_a_config_is_read_from_the_file_of_the_option(file: str) -> None:
    flow = flow_with(Config("cfg"))
    values = resolve_configs(flow, {"cfg": file})
    assert values == {"cfg": DOCUMENT}
    assert values["cfg"].model.depth == 4
    assert flow.cfg is values["cfg"]  # type: ignore[attr-defined]
    assert flow(use_cli=False).cfg is values["cfg"]


def test_a_config_is_given_as_a_value_in_text_or_from_a_program() -> None:
    flow = flow_with(Config("cfg"))
    assert resolve_configs(flow, None, {"cfg": '{"a": 1}'})["cfg"].a == 1
    assert resolve_configs(flow, None, {"cfg": {"a": {"b": 2}}})["cfg"].a.b == 2


def test_options_win_over_the_environment_and_the_environment_over_defaults(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"epochs": 5}')
    flow = flow_with(Config("cfg", default=str(file)))
    assert resolve_configs(flow)["cfg"].epochs == 3
    monkeypatch.setenv(FILES_VARIABLE, json.dumps({"cfg": str(other)}))
    assert resolve_configs(flow)["cfg"].epochs == 5
    assert resolve_configs(flow, values={"cfg": {"epochs": 7}})["cfg"].epochs == 7
    monkeypatch.delenv(FILES_VARIABLE)
    monkeypatch.setenv(VALUES_VARIABLE, json.dumps({"cfg": {"epochs": 9}}))
    assert resolve_configs(flow)["cfg"].epochs == 9


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Config("cfg", default_value={"a": 1}), {"a": 1}),
        (Config("cfg", default_value='{"a": 1}'), {"a": 1}),
        (Config("cfg", default_value=lambda context: {"a": context.parameter_name}), {"a": "cfg"}),
        (Config("cfg", default_value="1,2", parser=lambda text: {"a": text.split(",")}), {"a": ["1", "2"]}),
        (Config("cfg", default_value={"a": 1}, parser="json.loads"), {"a": 1}),
        (
            Config("cfg", default_value="a: 2024-01-02", parser=".flow.config_parsers.yaml_parser"),
            {"a": "2024-01-02"},
        ),
        (Config("cfg"), None),
        (Config("cfg", default_value="[1, 2]", plain=True), [1, 2]),
    ],
)
def test_defaults_may_be_text_mappings_functions_and_parsed(config: Config, expected: Any) -> None:
    assert resolve_configs(flow_with(config))["cfg"] == expected


def test_a_plain_config_is_mutable_and_of_any_type() -> None:
    flow = flow_with(Config("cfg", default_value={"a": [1]}, plain=True))
    value = resolve_configs(flow)["cfg"]
    value["a"].append(2)
    assert type(value) is dict
    assert value == {"a": [1, 2]}


def fail(_: Any) -> Any:
    raise ZeroDivisionError("broken")


@pytest.mark.parametrize(
    ("config", "files", "values", "names"),
    [
        (Config("cfg", required=True), {}, {}, ["'cfg' is required"]),
        (Config("cfg"), {"cfg": "/no/such.json"}, {}, ["'cfg'", "/no/such.json", "--config", "No such file"]),
        (Config("cfg", default="/no/such.json"), {}, {}, ["'cfg'", "/no/such.json", "`default`"]),
        (Config("cfg"), {}, {"cfg": "{"}, ["'cfg'", "--config-value", "JSON"]),
        (Config("cfg"), {}, {"cfg": "[1]"}, ["'cfg'", "--config-value", "list", "plain=True"]),
        (Config("cfg"), {"cfg": "a"}, {"cfg": "{}"}, ["'cfg'", "--config", "--config-value"]),
        (Config("cfg", default="a", default_value={}), {}, {}, ["'cfg'", "`default`", "`default_value`"]),
        (
            Config("cfg", default_value=fail),
            {},
            {},
            ["'cfg'", "`default_value`", "ZeroDivisionError: broken"],
        ),
        (Config("cfg", parser=fail), {}, {"cfg": "x"}, ["'cfg'", "parser fail", "ZeroDivisionError: broken"]),
        (Config("cfg", parser="no.such.parser"), {}, {"cfg": "x"}, ["'cfg'", "no.such.parser"]),
        (Config("cfg", parser=lambda _: {"a": {1}}), {}, {"cfg": "x"}, ["'cfg'", "JSON cannot hold"]),
        (Config("cfg"), {"cgf": "x"}, {}, ["'cgf'", "--config", "no config of this flow", "cfg"]),
    ],
)
def test_a_config_given_wrongly_is_named_with_source_and_path(
    config: Config, files: dict[str, str], values: dict[str, Any], names: list[str]
) -> None:
    with pytest.raises(CommandException) as caught:
        resolve_configs(flow_with(config), files, values)
    for name in names:
        assert name in caught.value.message


def test_all_bad_configs_are_listed_together() -> None:
    flow = flow_with(Config("one", required=True), Config("two", default="/no/such.json"), Config("three"))
    with pytest.raises(CommandException) as caught:
        resolve_configs(flow, values={"three": "{"})
    assert [line.split("'")[1] for line in caught.value.message.splitlines()[1:]] == ["one", "two", "three"]


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_variable_that_is_no_object_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VALUES_VARIABLE, text)
    with pytest.raises(CommandException, match=VALUES_VARIABLE):
        resolve_configs(flow_with(Config("cfg")))


def test_tasks_get_the_frozen_value_without_reading_the_file(file: str) -> None:
    flow = flow_with(Config("cfg", default=file), Config("raw", default_value="[1]", plain=True))
    stored = json.dumps(resolve_configs(flow))
    Path(file).unlink()
    again = flow_with(Config("cfg", default=file), Config("raw", default_value="[1]", plain=True))
    values = bind_configs(again, json.loads(stored))
    assert values["cfg"].model.depth == 4
    assert values["raw"] == [1]
    assert again(use_cli=False).cfg.name == "digits"


def test_decorators_written_with_configs_get_their_values() -> None:
    cfg = Config("cfg")
    decorator = ResourcesDecorator({"memory": cfg.memory, "cpu": cfg["cpus"][0]})
    assert decorator.problems() == ()
    resolved = decorator.with_configs({"cfg": ConfigValue({"memory": "512", "cpus": [2]})})
    assert resolved.attributes["memory"] == 512
    assert resolved.attributes["cpu"] == 2
    assert resolved.location == decorator.location


def test_a_config_unpacked_into_a_decorator_gives_its_keys() -> None:
    cfg = Config("cfg")
    decorator = ResourcesDecorator({"gpu": 1, **cfg.needs})
    resolved = decorator.with_configs({"cfg": ConfigValue({"needs": {"memory": 100, "cpu": 2}})})
    assert resolved.given == {"gpu": 1, "memory": 100, "cpu": 2}
    (problem,) = decorator.with_configs({"cfg": ConfigValue({"needs": {"ram": 1}})}).problems()
    assert problem.rule == "D002"
    assert "'ram'" in problem.message


def test_unpacking_what_is_no_mapping_is_refused() -> None:
    cfg = Config("cfg")
    with pytest.raises(MetaflowException, match=r"`\*\*` needs a config that is a mapping"):
        ResourcesDecorator({**cfg.needs}).with_configs({"cfg": ConfigValue({"needs": 3})})


def test_a_config_may_stand_as_a_whole_and_inside_containers() -> None:
    cfg = Config("cfg")
    written = {"vars": {"ALL": cfg, "FIRST": [cfg.a, (cfg.b,)]}}
    configs = {"cfg": ConfigValue({"a": 1, "b": 2})}
    assert evaluate(written, configs) == {"vars": {"ALL": {"a": 1, "b": 2}, "FIRST": [1, (2,)]}}
    decorator = EnvironmentDecorator({"vars": cfg.env})
    assert decorator.with_configs({"cfg": ConfigValue({"env": {"X": 1}})}).variables == {"X": "1"}


def test_keys_called_like_fields_of_a_config_are_keys() -> None:
    cfg = Config("cfg")
    configs = {"cfg": ConfigValue({"name": "digits", "default": 1, "required": False, "attribute": 2})}
    assert evaluate([cfg.name, cfg.default, cfg.required, cfg.attribute], configs) == ["digits", 1, False, 2]


def test_parameters_written_with_configs_get_their_values() -> None:
    cfg = Config("cfg")
    parameter = Parameter("alpha", default=cfg.alpha, help=cfg.help)
    resolved = parameter.with_configs({"cfg": ConfigValue({"alpha": 0.5, "help": "Rate"})})
    assert resolved.default == 0.5
    assert resolved.help == "Rate"
    assert resolved.value_type.kind == "number"
    assert isinstance(parameter.default, ConfigExpression)


def test_an_expression_knows_configs_and_globals_of_its_module() -> None:
    expression = config_expr("[n * FACTOR + cfg.epochs for n in range(cfg.epochs)]")
    assert evaluate(expression, {"cfg": ConfigValue(DOCUMENT)}) == [3, 13, 23]
    assert evaluate(config_expr("cfg").model.depth, {"cfg": ConfigValue(DOCUMENT)}) == 4


def test_a_bad_expression_is_refused_where_it_is_written() -> None:
    with pytest.raises(
        MetaflowException, match=r"config_expr\('cfg \+'\) is not a Python expression"
    ) as caught:
        config_expr("cfg +")
    assert caught.value.source_file == __file__


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (lambda: config_expr("cgf.epochs"), ["`cgf.epochs`", "'cgf'", "cfg"]),
        (lambda: config_expr("cfg.epochs / 0"), ["`cfg.epochs / 0`", "ZeroDivisionError", "cfg"]),
        (lambda: Config("cfg").model.dept, ["`cfg.model.dept`", "'dept'", "did you mean 'depth'"]),
        (lambda: Config("other").a, ["'other'", "does not have it", "cfg"]),
    ],
)
def test_an_expression_that_cannot_be_evaluated_names_itself_and_the_configs(
    expression: Any, names: list[str]
) -> None:
    with pytest.raises(MetaflowException) as caught:
        evaluate(expression(), {"cfg": ConfigValue(DOCUMENT)})
    for name in names:
        assert name in caught.value.message


def branch_on(expression: Any) -> None:
    if expression:
        raise AssertionError


@pytest.mark.parametrize("use", [branch_on, list])
def test_an_expression_has_no_truth_and_no_elements_before_the_flow_starts(use: Any) -> None:
    with pytest.raises(MetaflowException, match="before the flow starts") as caught:
        use(Config("cfg").flag)
    assert "`cfg.flag`" in caught.value.message


def test_configs_are_inherited_base_class_first() -> None:
    class Base(FlowSpec):
        first = Config("first", default_value={"a": 1})

    class Derived(Base):
        second = Config("second", default_value={"b": 2})

    assert [declaration_of(c).name for c in flow_configs(Derived)] == ["first", "second"]
    assert resolve_configs(Derived) == {"first": {"a": 1}, "second": {"b": 2}}
    assert isinstance(Base.first, Config)
