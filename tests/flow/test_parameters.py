from __future__ import annotations

import json
import logging
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlflow_provider.exception import (
    CommandException,
    ParameterFieldFailed,
    ParameterFieldTypeMismatch,
)
from airflow_mlflow_provider.flow.parameters import (
    RESERVED,
    JSONType,
    JSONTypeClass,
    Parameter,
    ParameterContext,
    ParameterSpec,
    environment_variable,
    flow_parameters,
    is_reserved,
)

CONTEXT = ParameterContext("Train", "ada", "", logging.getLogger(__name__), "local", {})
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def field(parameter: Parameter) -> ParameterSpec:
    return parameter.spec(CONTEXT)


@pytest.mark.parametrize(
    ("parameter", "schema", "default"),
    [
        (Parameter("p"), {"type": ["string", "null"]}, None),
        (Parameter("p", required=True), {"type": "string"}, None),
        (Parameter("p", default="x"), {"type": "string"}, "x"),
        (Parameter("p", default=3), {"type": "integer"}, 3),
        (Parameter("p", default=0.5), {"type": "number"}, 0.5),
        (Parameter("p", default=False), {"type": "boolean"}, False),
        (Parameter("p", type=int), {"type": ["integer", "null"]}, None),
        (Parameter("p", type=float, default=1), {"type": "number"}, 1.0),
        (Parameter("p", type=int, default="5"), {"type": "integer"}, 5),
        (Parameter("p", type=bool, default="no"), {"type": "boolean"}, False),
        (Parameter("p", type=bool, required=True), {"type": "boolean"}, None),
        (
            Parameter("p", separator=",", default="a,b"),
            {"type": ["string", "array"], "items": {"type": "string"}},
            ["a", "b"],
        ),
        (
            Parameter("p", separator=","),
            {"type": ["string", "array", "null"], "items": {"type": "string"}},
            None,
        ),
    ],
)
def test_the_schema_and_the_default_follow_from_the_type(
    parameter: Parameter, schema: dict[str, Any], default: Any
) -> None:
    data = field(parameter)
    assert data.schema == schema
    assert data.default == default
    assert type(data.default) is type(default)


@pytest.mark.parametrize("json_type", [JSONType, JSONTypeClass, JSONTypeClass()])
@pytest.mark.parametrize("default", [{"a": [1, None]}, '{"a": [1, null]}'])
def test_a_json_default_may_be_a_value_or_its_text(json_type: Any, default: Any) -> None:
    data = field(Parameter("p", type=json_type, default=default))
    assert data.default == {"a": [1, None]}
    assert data.schema == {"type": ["object", "array", "string", "number", "boolean", "null"]}


def test_a_default_makes_required_moot() -> None:
    assert not field(Parameter("p", default=1, required=True)).required
    assert field(Parameter("p", required=True)).required
    assert not field(Parameter("p", required=None)).required


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (Parameter("p"), '$5 `id` "q" \'\n😀', '$5 `id` "q" \'\n😀'),
        (Parameter("p"), "", ""),
        (Parameter("p", type=int), "-7", -7),
        (Parameter("p", type=float), "1e-3", 0.001),
        (Parameter("p", type=bool), "Yes", True),
        (Parameter("p", type=bool), "0", False),
        (Parameter("p", type=JSONType), '["$5"]', ["$5"]),
        (Parameter("p", separator=";"), "a;b;", ["a", "b", ""]),
        (Parameter("p", type=click.IntRange(0, 9)), "4", 4),
    ],
)
def test_text_of_the_command_line_becomes_a_value(parameter: Parameter, text: str, value: Any) -> None:
    assert parameter.parse(text) == value


@pytest.mark.parametrize(
    ("parameter", "text", "expected"),
    [
        (Parameter("alpha", type=int), "1.5", "an int"),
        (Parameter("alpha", type=int), "", "an int"),
        (Parameter("alpha", type=float), "x", "a float"),
        (Parameter("alpha", type=bool), "maybe", "a bool (true or false)"),
        (Parameter("alpha", type=bool), "2", "a bool (true or false)"),
        (Parameter("alpha", type=JSONType), "{a: 1}", "a JSON value"),
        (Parameter("alpha", type=click.IntRange(0, 9)), "10", "a value of the type integer range"),
    ],
)
def test_text_of_the_wrong_type_is_refused_with_parameter_expected_and_got(
    parameter: Parameter, text: str, expected: str
) -> None:
    with pytest.raises(CommandException) as caught:
        parameter.parse(text)
    for part in ("'alpha'", expected, repr(text)):
        assert part in str(caught.value)
    assert caught.value.where == {"parameter": "alpha"}


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (Parameter("p", type=int), 5.0, 5),
        (Parameter("p", type=float), 5, 5.0),
        (Parameter("p", type=bool), True, True),
        (Parameter("p", type=JSONType), "text stays text", "text stays text"),
        (Parameter("p", separator=","), ["a,b", "c"], ["a,b", "c"]),
        (Parameter("p", separator=","), "a,b", ["a", "b"]),
        (Parameter("p", type=int), None, None),
    ],
)
def test_a_json_value_is_taken_over(parameter: Parameter, value: Any, expected: Any) -> None:
    result = parameter.check(value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (Parameter("alpha", type=int), True),
        (Parameter("alpha", type=int), "5"),
        (Parameter("alpha", type=int), 5.5),
        (Parameter("alpha", type=float), False),
        (Parameter("alpha", type=float), "0.5"),
        (Parameter("alpha", type=bool), 1),
        (Parameter("alpha", type=bool), "true"),
        (Parameter("alpha"), 5),
        (Parameter("alpha", separator=","), [1]),
        (Parameter("alpha", separator=","), {"a": "b"}),
        (Parameter("alpha", type=JSONType), {1, 2}),
    ],
)
def test_a_json_value_of_another_type_is_refused(parameter: Parameter, value: Any) -> None:
    with pytest.raises(ParameterFieldTypeMismatch) as caught:
        parameter.check(value)
    for part in ("'alpha'", parameter.value_type.expected, repr(value), type(value).__name__):
        assert part in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_none_is_no_value_for_a_required_parameter() -> None:
    with pytest.raises(CommandException, match="'alpha' is required"):
        Parameter("alpha", required=True).check(None)
    assert Parameter("alpha", required=True, type=JSONType).check(None) is None


@given(JSON_VALUES)
def test_any_json_value_passes_unchanged_as_value_and_as_text(value: Any) -> None:
    parameter = Parameter("p", type=JSONType)
    assert parameter.check(value) == value
    assert parameter.parse(json.dumps(value)) == value


@given(JSON_VALUES)
def test_a_value_accepted_for_a_type_fits_the_schema(value: Any) -> None:
    from jsonschema import ValidationError, validate

    for kind in (str, int, float, bool, JSONType):
        parameter = Parameter("p", type=kind, required=True)
        schema = field(parameter).schema
        try:
            accepted = parameter.check(value)
        except (ParameterFieldTypeMismatch, CommandException):
            with pytest.raises(ValidationError):
                validate(value, schema)
        else:
            validate(accepted, schema)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters=","), min_size=1), min_size=1))
def test_a_separated_string_and_its_list_are_the_same_value(parts: list[str]) -> None:
    parameter = Parameter("p", separator=",")
    assert parameter.parse(",".join(parts)) == parameter.check(parts) == parts


def test_a_function_gives_the_default_once_and_sees_its_context() -> None:
    seen: list[ParameterContext] = []

    def default(context: ParameterContext) -> int:
        seen.append(context)
        return 42

    assert field(Parameter("alpha", type=int, default=default)).default == 42
    assert [(c.flow_name, c.user_name, c.parameter_name, c.ds_type) for c in seen] == [
        ("Train", "ada", "alpha", "local")
    ]


def test_a_function_that_raises_is_reported_with_parameter_field_and_traceback() -> None:
    def default(_: ParameterContext) -> int:
        raise ZeroDivisionError("no data yet")

    with pytest.raises(ParameterFieldFailed) as caught:
        field(Parameter("alpha", type=int, default=default))
    for part in ("'alpha'", "`default`", "ZeroDivisionError: no data yet", "raise ZeroDivisionError"):
        assert part in str(caught.value)
    assert caught.value.source_file == __file__


@pytest.mark.parametrize(
    ("given_type", "returned"), [(int, "5"), (int, True), (float, "1"), (bool, 1), (str, 5), (JSONType, "{")]
)
def test_a_function_that_returns_another_type_is_refused(given_type: Any, returned: Any) -> None:
    with pytest.raises(ParameterFieldTypeMismatch) as caught:
        field(Parameter("alpha", type=given_type, default=lambda _: returned))
    for part in ("'alpha'", "default", repr(returned)):
        assert part in str(caught.value)


def test_a_function_for_a_json_parameter_may_return_a_value_or_its_text() -> None:
    assert field(Parameter("p", type=JSONType, default=lambda _: {"a": 1})).default == {"a": 1}
    assert field(Parameter("p", type=JSONType, default=lambda _: '{"a": 1}')).default == {"a": 1}


@pytest.mark.parametrize(("given_type", "default"), [(int, True), (int, "x"), (bool, 3), (str, 5)])
def test_a_default_of_another_type_is_refused_with_its_line(given_type: Any, default: Any) -> None:
    parameter = Parameter("alpha", type=given_type, default=default)
    with pytest.raises(ParameterFieldTypeMismatch) as caught:
        field(parameter)
    assert caught.value.source_file == __file__
    assert caught.value.lineno == parameter.location.line


def test_names_that_options_have_are_reserved_in_both_spellings() -> None:
    assert all(is_reserved(name) and is_reserved(name.replace("-", "_")) for name in RESERVED)
    assert not is_reserved("alpha")
    assert not is_reserved("runid")


def test_the_environment_variable_is_upper_case_with_underscores() -> None:
    assert environment_variable("learning-rate") == "AIRFLOW__MLFLOW_PROVIDER_PARAMS__LEARNING_RATE"


def test_parameters_come_base_class_first_and_the_derived_class_wins() -> None:
    class Base:
        first = Parameter("first")
        second = Parameter("second", default=1)
        hidden = Parameter("hidden")

    class Derived(Base):
        third = Parameter("third-name")
        second = Parameter("second", default=2)
        hidden = 3

    found = flow_parameters(Derived)
    assert [(p.name, p.attribute, p.default) for p in found] == [
        ("first", "first", None),
        ("second", "second", 2),
        ("third-name", "third", None),
    ]


def test_reading_a_parameter_on_an_instance_without_a_value_names_it() -> None:
    class Flow:
        alpha = Parameter("learning-rate")

    assert isinstance(Flow.alpha, Parameter)
    with pytest.raises(AttributeError, match="'learning-rate'"):
        Flow().alpha  # noqa: B018
