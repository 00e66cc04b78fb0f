"""The reader of the ``[mlflow_provider]`` section: where values are looked for, what they become, how mistakes are told."""

from __future__ import annotations

import os
import sys
import typing
import warnings
from pathlib import Path

import pytest

from airflow_mlflow_provider import configuration
from airflow_mlflow_provider.configuration import KEYS, keys
from airflow_mlflow_provider.configuration.reader import ConfigurationReader
from airflow_mlflow_provider.exception import MetaflowConfigError

PREFIX = "AIRFLOW__MLFLOW_PROVIDER__"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mlflow_provider").mkdir()
    return tmp_path


def reader(home: Path, **variables: str) -> ConfigurationReader:
    return ConfigurationReader({"AIRFLOW_HOME": str(home), **variables})


def write_airflow_cfg(home: Path, text: str) -> None:
    (home / "airflow.cfg").write_text(text)


def write_profile(home: Path, name: str, text: str) -> None:
    (home / "mlflow_provider" / f"{name}.cfg").write_text(text)


def test_every_key_without_any_setting_has_its_declared_default(home: Path) -> None:
    settings = reader(home)
    for name, key in KEYS.items():
        in_home = isinstance(key.default, str) and "{AIRFLOW_HOME}" in key.default
        expected = str(key.default).replace("{AIRFLOW_HOME}", str(home)) if in_home else key.default
        assert settings.get(name) == expected
        assert settings.source_of(name) == "default"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_workers", "4", 4),
        ("max_workers", " 4\n", 4),
        ("max_active_runs", "2", 2),
        ("fail_grace_s", "0.25", 0.25),
        ("fail_grace_s", "3", 3.0),
        ("debug", "True", True),
        ("debug", "on", True),
        ("pod_deferrable", "f", False),
        ("pod_deferrable", "0", False),
        ("compression", "none", "none"),
        ("default_package_suffixes", ".py, .sql", (".py", ".sql")),
        ("default_decospecs", "retry:times=2,delay=1  timeout", ("retry:times=2,delay=1", "timeout")),
        ("kubernetes_labels", '{"team": "a,b"}', {"team": "a,b"}),
        ("datastore_root", "s3://bucket/a%20b", "s3://bucket/a%20b"),
        ("max_workers", "", 16),
        ("api_url", "", None),
    ],
)
def test_text_becomes_a_value_of_the_type_of_its_key(home: Path, key: str, text: str, value: object) -> None:
    got = reader(home, **{PREFIX + key.upper(): text}).get(key)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "allowed"),
    [
        ("max_workers", "many", "a whole number of at least 1"),
        ("max_workers", "0", "a whole number of at least 1"),
        ("max_workers", "1.5", "a whole number of at least 1"),
        ("fail_grace_s", "nan", "a number of at least 0"),
        ("debug", "maybe", "true or false"),
        ("default_compute", "cloud", "one of worker, kubernetes"),
        ("kubernetes_labels", "[1]", "a JSON object"),
        ("kubernetes_labels", "team=a", "a JSON object"),
    ],
)
def test_a_bad_value_names_key_source_value_and_what_is_allowed(
    home: Path, key: str, text: str, allowed: str
) -> None:
    variable = PREFIX + key.upper()
    with pytest.raises(MetaflowConfigError) as caught:
        reader(home, **{variable: text}).get(key)
    for part in (key, variable, text, allowed):
        assert part in caught.value.message
    assert caught.value.where == {"key": key, "source": f"environment variable {variable}"}
    assert allowed in caught.value.fix


def test_a_bad_value_of_a_file_names_the_file(home: Path) -> None:
    write_airflow_cfg(home, "[mlflow_provider]\nmax_workers = many\n")
    with pytest.raises(MetaflowConfigError, match=str(home / "airflow.cfg")):
        reader(home).get("max_workers")


def test_the_environment_beats_the_profile_which_beats_airflow_cfg(home: Path) -> None:
    write_airflow_cfg(
        home, "[mlflow_provider]\nmax_workers = 1\nmax_num_splits = 1\nmax_retries = 1\nprofile = team\n"
    )
    write_profile(home, "team", "[mlflow_provider]\nmax_workers = 2\nmax_num_splits = 2\n")
    settings = reader(home, **{PREFIX + "MAX_WORKERS": "3"})
    assert [settings.get(key) for key in ("max_workers", "max_num_splits", "max_retries")] == [3, 2, 1]
    assert settings.source_of("max_workers") == f"environment variable {PREFIX}MAX_WORKERS"
    assert settings.source_of("max_num_splits") == f"profile team ({home / 'mlflow_provider' / 'team.cfg'})"
    assert settings.source_of("max_retries") == str(home / "airflow.cfg")


def test_the_profile_of_the_environment_beats_that_of_airflow_cfg(home: Path) -> None:
    write_airflow_cfg(home, "[mlflow_provider]\nprofile = team\n")
    write_profile(home, "team", "[mlflow_provider]\nmax_workers = 2\n")
    write_profile(home, "mine", "[mlflow_provider]\nmax_workers = 9\n")
    assert reader(home, **{PREFIX + "PROFILE": "mine"}).get("max_workers") == 9


def test_a_profile_that_is_not_there_is_named_with_those_that_are(home: Path) -> None:
    write_profile(home, "team", "[mlflow_provider]\n")
    with pytest.raises(MetaflowConfigError, match=r"no profile 'prod'.*Profiles there: team"):
        reader(home, **{PREFIX + "PROFILE": "prod"}).get("max_workers")


@pytest.mark.parametrize("name", ["../team", "a/b", ".hidden", "a b"])
def test_the_name_of_a_profile_cannot_leave_the_folder(home: Path, name: str) -> None:
    with pytest.raises(MetaflowConfigError, match="is not the name of a profile"):
        reader(home, **{PREFIX + "PROFILE": name}).get("max_workers")


def test_a_chosen_profile_is_active_here_and_in_the_environment_that_children_inherit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profile(home, "team", "[mlflow_provider]\nmax_workers = 7\n")
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    monkeypatch.setenv(PREFIX + "PROFILE", "")
    configuration.use_profile("team")
    assert configuration.get("max_workers") == 7
    assert ConfigurationReader(os.environ).get("max_workers") == 7


def test_choosing_a_profile_that_is_not_there_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    with pytest.raises(MetaflowConfigError, match="no profile 'team'"):
        configuration.use_profile("team")
    assert configuration.source_of("profile") == "default"


def test_a_file_that_changes_is_read_again(home: Path) -> None:
    settings = reader(home)
    assert settings.get("max_workers") == 16
    write_airflow_cfg(home, "[mlflow_provider]\nmax_workers = 2\n")
    assert settings.get("max_workers") == 2
    write_airflow_cfg(home, "[mlflow_provider]\nmax_workers = 128\n")
    assert settings.get("max_workers") == 128


def test_airflow_config_names_another_file(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.cfg"
    other.write_text("[mlflow_provider]\nmax_workers = 5\n")
    assert reader(home, AIRFLOW_CONFIG=str(other)).get("max_workers") == 5


def test_a_broken_file_is_named_with_the_line(home: Path) -> None:
    write_airflow_cfg(home, "max_workers = 5\n")
    with pytest.raises(MetaflowConfigError, match=r"airflow\.cfg cannot be read.*line: 1"):
        reader(home).get("max_workers")


def test_other_sections_of_airflow_cfg_are_left_alone(home: Path) -> None:
    write_airflow_cfg(
        home, "[logging]\nlog_format = %(asctime)s %(nonsense)s\n[mlflow_provider]\nmax_workers = 5\n"
    )
    assert reader(home).get("max_workers") == 5


def test_a_percent_sign_that_refers_to_nothing_is_an_error_with_the_remedy(home: Path) -> None:
    write_airflow_cfg(home, "[mlflow_provider]\nuser = %(nobody)s\n")
    with pytest.raises(MetaflowConfigError, match="nobody") as caught:
        reader(home).get("user")
    assert "%%" in caught.value.fix


def test_variables_in_a_value_are_expanded_as_airflow_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_BUCKET", "forecasts")
    write_airflow_cfg(home, "[mlflow_provider]\ndatastore_root = s3://$TEAM_BUCKET/flows\n")
    assert reader(home).get("datastore_root") == "s3://forecasts/flows"


def test_the_dags_folder_is_airflows_own_unless_set(home: Path) -> None:
    write_airflow_cfg(home, "[core]\ndags_folder = /srv/dags\n")
    assert reader(home).get("dags_folder") == "/srv/dags"
    assert reader(home, AIRFLOW__CORE__DAGS_FOLDER="/opt/dags").get("dags_folder") == "/opt/dags"
    assert reader(home, **{PREFIX + "DAGS_FOLDER": "s3://dags"}).get("dags_folder") == "s3://dags"


def test_a_command_gives_the_value_without_a_shell(home: Path) -> None:
    command = f"{sys.executable} -c \"import sys; print(sys.argv[1])\" '$HOME;secret'"
    settings = reader(home, **{PREFIX + "API_TOKEN_CMD": command})
    assert settings.get("api_token") == "$HOME;secret"
    assert settings.source_of("api_token") == f"environment variable {PREFIX}API_TOKEN_CMD"


def test_a_command_in_a_file_gives_the_value(home: Path) -> None:
    write_airflow_cfg(home, f"[mlflow_provider]\napi_token_cmd = {sys.executable} -c 'print(12345)'\n")
    assert reader(home).get("api_token") == "12345"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (f"{sys.executable} -c 'import sys; sys.exit(\"vault is sealed\")'", "exit code 1: vault is sealed"),
        ("/no/such/command", "No such file or directory"),
        ("'unbalanced", "No closing quotation"),
    ],
)
def test_a_command_that_gives_no_value_is_named_with_the_reason(
    home: Path, command: str, reason: str
) -> None:
    with pytest.raises(MetaflowConfigError, match=reason) as caught:
        reader(home, **{PREFIX + "API_TOKEN_CMD": command}).get("api_token")
    assert PREFIX + "API_TOKEN_CMD" in caught.value.message


class Vault:
    """A secrets backend, as a user may configure one."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def get_config(self, key: str) -> str | None:
        return self.values.get(key)


def vault_settings(home: Path, secret: str) -> ConfigurationReader:
    return reader(
        home,
        AIRFLOW__SECRETS__BACKEND=f"{__name__}.Vault",
        AIRFLOW__SECRETS__BACKEND_KWARGS='{"values": {"token": "abc"}}',
        **{PREFIX + "API_TOKEN_SECRET": secret},
    )


def test_the_secrets_backend_of_airflow_answers_for_a_secret(home: Path) -> None:
    assert vault_settings(home, "token").get("api_token") == "abc"


def test_a_secret_that_the_backend_does_not_know_is_an_error(home: Path) -> None:
    with pytest.raises(MetaflowConfigError, match="has no configuration value"):
        vault_settings(home, "nothing").get("api_token")


def test_a_secret_without_a_backend_is_an_error_with_the_remedy(home: Path) -> None:
    with pytest.raises(MetaflowConfigError, match="no secrets backend") as caught:
        reader(home, **{PREFIX + "API_TOKEN_SECRET": "token"}).get("api_token")
    assert "[secrets]" in caught.value.fix


def test_a_backend_that_cannot_be_made_is_named(home: Path) -> None:
    settings = reader(
        home, AIRFLOW__SECRETS__BACKEND="no.such.Backend", **{PREFIX + "API_TOKEN_SECRET": "token"}
    )
    with pytest.raises(MetaflowConfigError, match=r"no\.such\.Backend failed.*ModuleNotFoundError"):
        settings.get("api_token")


def test_unknown_keys_are_warned_about_once_and_together_with_close_matches(home: Path) -> None:
    write_airflow_cfg(home, "[mlflow_provider]\nmax_worker = 4\nmax_workers_cmd = echo 3\n")
    settings = reader(
        home,
        **{PREFIX + "DATASTORE_ROT": "/tmp", PREFIX + "QQQ": "1", "AIRFLOW__CORE__QQQ": "1"},
        **{PREFIX + "FLOW_CONFIG": "{}", PREFIX + "FLOW_CONFIG_VALUE": "{}"},
    )
    with pytest.warns(UserWarning, match="Unknown keys") as caught:
        assert settings.get("max_workers") == 3
    (warning,) = caught
    text = str(warning.message)
    assert "'max_worker' (did you mean 'max_workers'?)" in text
    assert "'datastore_rot' (did you mean 'datastore_root'?)" in text
    assert "'qqq'." in text
    assert "flow_config" not in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settings.get("max_workers")


def test_asking_for_a_key_that_does_not_exist_names_close_ones(home: Path) -> None:
    with pytest.raises(MetaflowConfigError, match="did you mean 'max_workers'"):
        reader(home).get("max_wrokers")


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if key.sensitive])
def test_the_value_of_a_sensitive_key_is_never_in_an_error(home: Path, name: str) -> None:
    command = f"{sys.executable} -c 'print(\"hunter2\"); raise SystemExit(1)'"
    with pytest.raises(MetaflowConfigError) as caught:
        reader(home, **{f"{PREFIX}{name.upper()}_CMD": command}).get(name)
    assert "hunter2" not in f"{caught.value}{caught.value.fix}{caught.value.where}"


def test_the_typed_names_are_the_keys_and_their_kinds() -> None:
    optional = {name for name, key in KEYS.items() if key.default is None}
    kinds = {
        "integer": (keys.IntegerKey, keys.OptionalIntegerKey),
        "float": (keys.FloatKey, None),
        "boolean": (keys.BooleanKey, None),
        "list": (keys.ListKey, None),
        "json": (None, keys.JsonKey),
        "string": (keys.StringKey, keys.OptionalStringKey),
    }
    for kind, (required_names, optional_names) in kinds.items():
        of_kind = {name for name, key in KEYS.items() if key.kind == kind}
        assert set(typing.get_args(required_names)) == of_kind - optional
        assert set(typing.get_args(optional_names)) == of_kind & optional
