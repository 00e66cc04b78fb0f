from __future__ import annotations

import pytest

from airflow_mlflow_provider.exception import MetaflowException, MetaflowUnknownUser
from airflow_mlflow_provider.flow.dotted_name import resolve_dotted_name
from airflow_mlflow_provider.flow.user import user_name

VARIABLES = ("AIRFLOW__MLFLOW_PROVIDER__USER", "METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")


@pytest.mark.parametrize("first", range(len(VARIABLES)))
def test_the_first_variable_that_is_set_names_the_user(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    for position, variable in enumerate(VARIABLES):
        if position < first:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, f"user{position}")
    assert user_name() == f"user{first}"


def test_root_and_empty_names_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in zip(VARIABLES, ("", "root", "ada", "bob", "root"), strict=True):
        monkeypatch.setenv(variable, value)
    assert user_name() == "ada"


def test_nobody_is_an_error_that_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("USER", "root")
    with pytest.raises(MetaflowUnknownUser) as caught:
        user_name()
    for variable in VARIABLES:
        assert variable in str(caught.value)


def test_a_dotted_name_is_imported_and_a_leading_dot_means_this_package() -> None:
    assert resolve_dotted_name("os.path.join").__name__ == "join"
    assert resolve_dotted_name(".flow.user.user_name") is user_name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("join", "not the dotted path"),
        ("", "not the dotted path"),
        ("os.path.jion", "the module os.path has no 'jion'"),
        ("no_such_package.x", "cannot be imported"),
    ],
)
def test_a_name_that_names_nothing_says_why(name: str, reason: str) -> None:
    with pytest.raises(MetaflowException) as caught:
        resolve_dotted_name(name)
    assert f"'{name}'" in str(caught.value)
    assert reason in str(caught.value)
