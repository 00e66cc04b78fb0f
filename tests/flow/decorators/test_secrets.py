from __future__ import annotations

import base64
import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.config import Config, ConfigValue
from airflow_mlflow_provider.flow.decorators.attempts import CatchDecorator
from airflow_mlflow_provider.flow.decorators.cloud_secrets import azure_secret_name, gcp_version_name
from airflow_mlflow_provider.flow.decorators.environment_variables import EnvironmentDecorator
from airflow_mlflow_provider.flow.decorators.lifecycle import run_attempt
from airflow_mlflow_provider.flow.decorators.secret_backends import (
    SecretSource,
    airflow_sources,
    read_connection,
    read_source,
    variable_name,
)
from airflow_mlflow_provider.flow.decorators.secret_injection import SecretsDecorator
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.secret_sources import SecretsProvider, get_secret
from tests.flow.decorators.attempt import Attempt

VALUE = "hunter2-do-not-show"
NODE = StepNode("fit")
GRAPH = FlowGraph("Train", "fit", "fit", {"fit": NODE})


def inline(**variables: Any) -> dict[str, Any]:
    return {"type": "inline", "options": {"env_vars": variables}}


def secrets(*sources: Any, **attributes: Any) -> SecretsDecorator:
    return SecretsDecorator({"sources": list(sources), **attributes})


@pytest.fixture(autouse=True)
def _clean_environment() -> Iterator[None]:
    def now() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}

    before = now()
    yield
    assert now() == before, "an attempt has left variables behind"


def test_secrets_are_in_the_environment_of_the_attempt_and_nowhere_after() -> None:
    seen: dict[str, str] = {}
    decorator = secrets(inline(TOKEN=VALUE))
    run_attempt([decorator], Attempt(), lambda: seen.update(os.environ))
    assert seen["TOKEN"] == VALUE
    assert "TOKEN" not in os.environ


def fail() -> None:
    raise ValueError("broken")


def test_secrets_are_removed_when_the_step_fails() -> None:
    with pytest.raises(ValueError, match="broken"):
        run_attempt([secrets(inline(TOKEN=VALUE))], Attempt(), fail)
    assert "TOKEN" not in os.environ


def test_secrets_come_before_other_decorators_and_leave_after_them() -> None:
    seen: list[str | None] = []

    class Looking(CatchDecorator):
        def task_pre_step(self, task: Any) -> None:
            seen.append(os.environ.get("TOKEN"))

        def task_finished(self, task: Any) -> None:
            seen.append(os.environ.get("TOKEN"))

    run_attempt([Looking(), secrets(inline(TOKEN=VALUE))], Attempt(), lambda: None)
    assert seen == [VALUE, VALUE]


def test_a_value_is_in_no_text_about_the_decorator() -> None:
    decorator = secrets(inline(TOKEN=VALUE), role="reader")
    texts = [repr(decorator), str(decorator.spec()), repr(decorator.sources()), str(decorator.problems())]
    for text in texts:
        assert VALUE not in text
    assert decorator.spec().attributes["sources"][0]["options"] == {"env_vars": ["TOKEN"]}


@pytest.mark.parametrize(
    ("decorator", "parts"),
    [
        (secrets(inline(**{"1TOKEN": VALUE})), ["'inline'", "'1TOKEN'", "not a name"]),
        (secrets(inline(AIRFLOW__CORE__FERNET_KEY=VALUE)), ["'inline'", "AIRFLOW__CORE__FERNET_KEY"]),
        (secrets(inline(TOKEN=3)), ["'inline'", "'TOKEN'", "holds a int"]),
        (secrets(inline(TOKEN=VALUE + "\0")), ["'TOKEN'", "NUL"]),
        (
            secrets(inline(TOKEN=VALUE), {**inline(TOKEN=VALUE), "id": "b"}),
            ["'inline.b'", "'TOKEN'", "'inline'"],
        ),
        (secrets(inline(HOME=VALUE)), ["'inline'", "'HOME'", "set in the environment already"]),
        (secrets("env-file./no/such/file"), ["'env-file./no/such/file'", "No such file"]),
        (secrets("airflow-variable.token"), ["'airflow-variable.token'", "AIRFLOW_VAR_TOKEN"]),
        (secrets("airflow-connection.db"), ["'airflow-connection.db'", "AIRFLOW_CONN_DB"]),
        (
            secrets("gcp-secret-manager.projects/p/secrets/s"),
            ["google-cloud-secret-manager", "not installed"],
        ),
        (secrets("az-key-vault.vault/name"), ["azure-identity", "not installed"]),
    ],
)
def test_an_error_names_source_and_variable_and_never_the_value(
    decorator: SecretsDecorator, parts: list[str]
) -> None:
    with pytest.raises(MetaflowException) as caught:
        run_attempt([decorator], Attempt(), lambda: None)
    for part in parts:
        assert part in caught.value.message
    error: BaseException | None = caught.value
    while error is not None:
        assert VALUE not in f"{error!r} {pickle.dumps(error.args)!r}"
        error = error.__cause__


@pytest.mark.parametrize(
    ("sources", "parts"),
    [
        (["vault.secret"], ["'vault'", "aws-secrets-manager", "inline"]),
        ([{"type": "vault", "id": "x", "options": {"env_vars": {"A": VALUE}}}], ["'vault'"]),
        (["token"], ["'token'", "no default is configured"]),
        ([{"typ": "inline", "env_vars": {"A": VALUE}}], ["of the wrong form"]),
        ([3], ["a int of the wrong form"]),
        ([""], ["of the wrong form"]),
    ],
)
def test_a_wrong_source_is_a_finding_that_shows_no_value(sources: Any, parts: list[str]) -> None:
    (issue,) = SecretsDecorator({"sources": sources}).lint(NODE, GRAPH)
    assert issue.rule == "D005"
    assert VALUE not in str(issue)
    for part in parts:
        assert part in issue.message


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("inline.a.b", SecretSource("inline", "a.b")),
        (
            {"type": "inline", "id": "a", "options": {"x": 1}, "role": "r"},
            SecretSource("inline", "a", {"x": 1}, "r"),
        ),
    ],
)
def test_a_source_is_text_or_a_dict(written: Any, source: SecretSource) -> None:
    assert read_source(written) == source


def test_a_source_without_type_uses_the_default_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__DEFAULT_SECRETS_BACKEND", "env-file")
    assert read_source("token") == SecretSource("env-file", "token")
    assert read_source({"id": "a.b"}) == SecretSource("env-file", "a.b")


def test_an_existing_variable_is_replaced_and_restored_when_told_so() -> None:
    home = os.environ["HOME"]
    seen: list[str] = []
    decorator = secrets(inline(HOME=VALUE), allow_override=True)
    run_attempt([decorator], Attempt(), lambda: seen.append(os.environ["HOME"]))
    assert seen == [VALUE]
    assert os.environ["HOME"] == home


def test_the_same_secret_set_by_a_parent_process_is_no_clash() -> None:
    ran: list[bool] = []

    def in_the_child() -> None:
        run_attempt([secrets(inline(TOKEN=VALUE))], Attempt(), lambda: ran.append(True))

    run_attempt([secrets(inline(TOKEN=VALUE))], Attempt(), in_the_child)
    assert ran == [True]


def test_sources_may_be_configs() -> None:
    decorator = SecretsDecorator({"sources": Config("cfg").sources})
    resolved = decorator.with_configs({"cfg": ConfigValue({"sources": [inline(A="1"), "inline.x"]})})
    assert [str(source) for source in resolved.sources()] == ["inline", "inline.x"]


def test_a_file_of_variables_is_read_with_comments_quotes_and_exports(tmp_path: Path) -> None:
    path = tmp_path / "service.env"
    path.write_text(
        '# secrets\n\nPLAIN=a=b\nexport QUOTED="two words\\nand \\"more\\""\nSINGLE=\'raw \\n\'\nCOMMENT=x  # why\nEMPTY=\n'
    )
    assert get_secret(f"env-file.{path}") == {
        "PLAIN": "a=b",
        "QUOTED": 'two words\nand "more"',
        "SINGLE": "raw \\n",
        "COMMENT": "x",
        "EMPTY": "",
    }
    path.write_text("fine=1\nnot a variable\n")
    with pytest.raises(MetaflowException, match=f"{path}:2 is not of the form"):
        get_secret(f"env-file.{path}")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "postgres://ada:p%40ss@db.example.org:5432/sales?sslmode=require",
            {
                "type": "postgres",
                "host": "db.example.org",
                "port": "5432",
                "login": "ada",
                "password": "p@ss",
                "schema": "sales",
                "extra": '{"sslmode": "require"}',
            },
        ),
        (
            "google-cloud-platform://?__extra__=%7B%22a%22%3A1%7D",
            {"type": "google_cloud_platform", "extra": '{"a":1}'},
        ),
        (
            '{"conn_type": "http", "host": "h", "port": 80, "extra": {"a": 1}}',
            {"type": "http", "host": "h", "port": "80", "extra": '{"a": 1}'},
        ),
    ],
)
def test_a_connection_of_airflow_is_read_in_both_forms(text: str, parts: dict[str, str]) -> None:
    assert read_connection(text) == parts


def test_a_broken_connection_is_not_shown() -> None:
    with pytest.raises(MetaflowException, match="neither JSON nor a URI") as caught:
        read_connection("{" + VALUE)
    assert caught.value.__cause__ is None
    assert VALUE not in caught.value.message


def test_connections_and_variables_of_airflow_become_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALES_DB", "postgres://ada:pw@db/sales")
    monkeypatch.setenv("AIRFLOW_VAR_API_TOKEN", VALUE)
    monkeypatch.setenv("AIRFLOW_VAR_SETTINGS", json.dumps({"A": "1", "B": "2"}))
    assert get_secret("airflow-connection.sales_db") == {
        "SALES_DB_TYPE": "postgres",
        "SALES_DB_HOST": "db",
        "SALES_DB_LOGIN": "ada",
        "SALES_DB_PASSWORD": "pw",
        "SALES_DB_SCHEMA": "sales",
    }
    renamed = get_secret({"type": "airflow-connection", "id": "sales_db", "options": {"prefix": "DB"}})
    assert renamed["DB_HOST"] == "db"
    assert get_secret("airflow-variable.api_token") == {"API_TOKEN": VALUE}
    spread = get_secret({"type": "airflow-variable", "id": "settings", "options": {"json": True}})
    assert spread == {"A": "1", "B": "2"}


def test_the_operator_learns_what_to_resolve_from_the_graph() -> None:
    decorator = secrets("airflow-connection.sales_db", inline(A="1"), {"type": "airflow-variable", "id": "k"})
    found = airflow_sources(StepNode("fit", decorators=(decorator.spec(),)))
    assert [(str(source), variable) for source, variable in found] == [
        ("airflow-connection.sales_db", "AIRFLOW_CONN_SALES_DB"),
        ("airflow-variable.k", "AIRFLOW_VAR_K"),
    ]
    assert airflow_sources(NODE) == ()


def test_aws_secrets_are_spread_named_and_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        client = boto3.client("secretsmanager")
        arn = client.create_secret(Name="prod/db", SecretString='{"USER": "ada", "PASSWORD": "pw"}')["ARN"]
        client.create_secret(Name="prod/api-token", SecretString=VALUE)
        client.create_secret(Name="prod/key", SecretBinary=b"\x00\x01")
        client.create_secret(Name="prod/ports", SecretString='{"PORT": 5432}')
        assert get_secret("aws-secrets-manager.prod/db") == {"USER": "ada", "PASSWORD": "pw"}
        assert get_secret({"type": "aws-secrets-manager", "id": arn}) == {"USER": "ada", "PASSWORD": "pw"}
        assert get_secret("aws-secrets-manager.prod/api-token") == {"api_token": VALUE}
        named = {"type": "aws-secrets-manager", "id": "prod/db", "options": {"env_var_name": "DB"}}
        assert json.loads(get_secret(named)["DB"])["USER"] == "ada"
        assert get_secret("aws-secrets-manager.prod/key") == {"key": base64.b64encode(b"\x00\x01").decode()}
        assert get_secret("aws-secrets-manager.prod/db", role="arn:aws:iam::123456789012:role/reader")
        with pytest.raises(MetaflowException, match=r"aws-secrets-manager\.prod/none' cannot be fetched"):
            get_secret("aws-secrets-manager.prod/none")
        with pytest.raises(MetaflowException, match="not a JSON object"):
            get_secret({"type": "aws-secrets-manager", "id": "prod/api-token", "options": {"json": True}})
        with pytest.raises(MetaflowException, match="'PORT' holds a int"):
            secrets("aws-secrets-manager.prod/ports").fetch()
        monkeypatch.setenv("AIRFLOW__MLFLOW_PROVIDER__SECRETS_PREFIX", "prod/")
        assert get_secret("aws-secrets-manager.db")["USER"] == "ada"


@pytest.mark.parametrize(
    ("secret_id", "name"),
    [
        ("projects/p/secrets/s", "projects/p/secrets/s/versions/latest"),
        ("projects/p/secrets/s/versions/3", "projects/p/secrets/s/versions/3"),
    ],
)
def test_google_secrets_have_a_project_and_a_version(secret_id: str, name: str) -> None:
    assert gcp_version_name(secret_id, "latest") == name


@pytest.mark.parametrize("secret_id", ["projects/p/s", "a/b", "projects/p/secrets/s/versions"])
def test_another_form_of_a_google_secret_is_refused(secret_id: str) -> None:
    with pytest.raises(MetaflowException, match=secret_id):
        gcp_version_name(secret_id, "latest")


def test_a_google_secret_by_name_needs_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(MetaflowException, match="project is not known"):
        gcp_version_name("token", "latest")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    assert gcp_version_name("token", "2") == "projects/p/secrets/token/versions/2"


@pytest.mark.parametrize(
    ("secret_id", "expected"),
    [
        ("vault/name", ("https://vault.vault.azure.net", "name", None)),
        ("https://vault.vault.azure.net/secrets/name", ("https://vault.vault.azure.net", "name", None)),
        ("https://v.vault.azure.net/secrets/name/9f", ("https://v.vault.azure.net", "name", "9f")),
    ],
)
def test_azure_secrets_have_a_vault_a_name_and_a_version(secret_id: str, expected: Any) -> None:
    assert azure_secret_name(secret_id) == expected


@pytest.mark.parametrize("secret_id", ["name", "a/b/c", "/name"])
def test_an_azure_secret_without_a_vault_is_refused(secret_id: str) -> None:
    with pytest.raises(MetaflowException, match="vault"):
        azure_secret_name(secret_id)


@pytest.mark.parametrize(
    ("secret_id", "name"),
    [
        ("prod/db-token", "db_token"),
        ("arn:aws:secretsmanager:eu:1:secret:x", "x"),
        ("a/b/", "b"),
        ("plain", "plain"),
    ],
)
def test_a_variable_is_called_as_the_last_part_of_a_secret(secret_id: str, name: str) -> None:
    assert variable_name(secret_id) == name


def test_a_backend_implements_one_method() -> None:
    with pytest.raises(TypeError, match="get_secret_as_dict"):
        type("Incomplete", (SecretsProvider,), {"TYPE": "x"})()


def test_variables_are_set_for_the_attempt_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "before")
    decorator = EnvironmentDecorator({"vars": {"KEPT": 1, "NEW": True}})
    seen: list[Any] = []
    run_attempt([decorator], Attempt(), lambda: seen.extend([os.environ["KEPT"], os.environ["NEW"]]))
    assert seen == ["1", "True"]
    assert os.environ["KEPT"] == "before"
    assert "NEW" not in os.environ
    with pytest.raises(ValueError, match="broken"):
        run_attempt([decorator], Attempt(), fail)
    assert os.environ["KEPT"] == "before"


@pytest.mark.parametrize("variables", [{"A=B": "x"}, {"": "x"}, {"A": "x\0"}, ["A"], {1: "x"}])
def test_variables_that_cannot_be_set_are_findings(variables: Any) -> None:
    (issue,) = EnvironmentDecorator({"vars": variables}).lint(NODE, GRAPH)
    assert issue.rule == "D005"
    assert "'vars'" in issue.message
