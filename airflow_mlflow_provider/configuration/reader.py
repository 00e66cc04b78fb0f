"""Reads the section without Airflow, from the places and in the order that Airflow uses, with profiles in between.

A key is looked for in the environment (``AIRFLOW__MLFLOW_PROVIDER__<KEY>``), then in the active profile
(``$AIRFLOW_HOME/mlflow_provider/<name>.cfg``), then in ``$AIRFLOW_HOME/airflow.cfg`` (or ``$AIRFLOW_CONFIG``); else it has its
default. In each place ``<key>_cmd`` names a command whose output is the value, and ``<key>_secret`` a name that the
secrets backend of Airflow's ``[secrets]`` section answers for.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from airflow_mlflow_provider.configuration.configuration_file import ConfigurationFile, load
from airflow_mlflow_provider.configuration.indirect import output_of, secret_named
from airflow_mlflow_provider.configuration.key import SECTION, Key, Value
from airflow_mlflow_provider.configuration.keys import (
    KEYS,
    BooleanKey,
    FloatKey,
    IntegerKey,
    JsonKey,
    ListKey,
    OptionalIntegerKey,
    OptionalStringKey,
    StringKey,
)
from airflow_mlflow_provider.exception import MetaflowConfigError

_INDIRECT = ("_cmd", "_secret")
_PROFILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class _Setting:
    """The text of an option and where it stands."""

    text: str
    source: str


class ConfigurationReader:
    """The section as one environment sees it.

    Args:
        environ: The environment variables; kept, not copied, so that later changes are seen.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._names_checked = False

    def get(self, name: str) -> Value:
        """Return the typed value of a key.

        Raises:
            MetaflowConfigError: There is no such key, or its text is not an allowed value.
        """
        key = _known(name)
        self._warn_about_unknown_keys()
        setting = self._find(key)
        if setting is None:
            return self._default(key)
        try:
            value = key.parse(setting.text)
        except ValueError as error:
            raise _bad_value(key, setting) from error
        return self._default(key) if value is None else value

    def source_of(self, name: str) -> str:
        """Tell where the value of a key comes from: a variable, a file, or ``default``."""
        setting = self._find(_known(name))
        return "default" if setting is None else setting.source

    def profile_path(self, name: str) -> Path:
        """Return the file of a profile.

        Raises:
            MetaflowConfigError: The name is not one, or there is no such file.
        """
        if not _PROFILE_NAME.fullmatch(name):
            raise MetaflowConfigError(
                f"{name!r} is not the name of a profile: letters, digits, `_`, `-` and `.` are allowed.",
                fix="Give the file's name without folder and without `.cfg`.",
                where={"profile": name},
            )
        folder = self._home / SECTION
        path = folder / f"{name}.cfg"
        if not path.is_file():
            existing = ", ".join(sorted(entry.stem for entry in folder.glob("*.cfg"))) or "none"
            raise MetaflowConfigError(
                f"There is no profile {name!r}: {path} does not exist. Profiles there: {existing}.",
                fix=f"Make the file {path} with a section [{SECTION}], or choose another profile.",
                where={"profile": name},
            )
        return path

    @property
    def _home(self) -> Path:
        return Path(self._environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()

    def _airflow_file(self) -> ConfigurationFile | None:
        path = self._environ.get("AIRFLOW_CONFIG")
        return load(Path(path).expanduser() if path else self._home / "airflow.cfg")

    def _files(self, *, with_profile: bool = True) -> Iterator[tuple[str, ConfigurationFile]]:
        profile = self._find(KEYS["profile"]) if with_profile else None
        if profile is not None and profile.text:
            path = self.profile_path(profile.text)
            file = load(path)
            if file is not None:
                yield f"profile {profile.text} ({path})", file
        file = self._airflow_file()
        if file is not None:
            yield str(file.path), file

    def _find(self, key: Key) -> _Setting | None:
        variables = {suffix: key.environment_variable + suffix.upper() for suffix in ("", *_INDIRECT)}
        for suffix, variable in variables.items():
            text = self._environ.get(variable)
            if text is not None:
                return self._setting(suffix, text, f"environment variable {variable}")
        for source, file in self._files(with_profile=key.name != "profile"):
            for suffix in variables:
                text = file.text(SECTION, key.name + suffix)
                if text is not None:
                    return self._setting(suffix, text, source)
        return None if key.fallback is None else self._airflow_option(*key.fallback)

    def _airflow_option(self, section: str, option: str) -> _Setting | None:
        variable = f"AIRFLOW__{section.upper()}__{option.upper()}"
        text = self._environ.get(variable)
        if text is not None:
            return self._setting("", text, f"environment variable {variable}")
        file = self._airflow_file()
        text = None if file is None else file.text(section, option)
        return None if file is None or text is None else self._setting("", text, f"{file.path} [{section}]")

    def _setting(self, suffix: str, text: str, source: str) -> _Setting:
        if suffix == "_cmd":
            return _Setting(output_of(text, source), source)
        if suffix == "_secret":
            backend = self._airflow_option("secrets", "backend")
            arguments = self._airflow_option("secrets", "backend_kwargs")
            value = secret_named(
                text,
                source,
                backend=backend.text if backend else None,
                arguments=arguments.text if arguments else None,
            )
            return _Setting(value, source)
        # As Airflow does with the values of its files and variables.
        return _Setting(os.path.expanduser(os.path.expandvars(text)), source)  # noqa: PTH111 - text, not always a path

    def _default(self, key: Key) -> Value:
        if isinstance(key.default, str):
            return key.default.replace("{AIRFLOW_HOME}", str(self._home))
        return key.default

    def _warn_about_unknown_keys(self) -> None:
        """Warn, with the first value asked for, of all names in the section that are no keys."""
        if self._names_checked:
            return
        self._names_checked = True
        unknown = sorted(set(self._unknown_names()))
        if unknown:
            described = "; ".join(f"{name!r}{_suggestion(name)}" for name in unknown)
            # Whatever code has asked for a value first is not to blame.
            text = f"Unknown keys in the configuration section [{SECTION}]: {described}."
            warnings.warn_explicit(text, UserWarning, "configuration", 1)

    def _unknown_names(self) -> Iterator[str]:
        prefix = f"AIRFLOW__{SECTION.upper()}__"
        yield from _unknown(
            key
            for name in self._environ
            if name.startswith(prefix) and (key := name[len(prefix) :].lower()) not in _OF_A_FLOW
        )
        for _, file in self._files():
            yield from _unknown(file.options(SECTION))


# Variables that give the configs of a flow its values; they are no keys of the section.
_OF_A_FLOW = frozenset({"flow_config", "flow_config_value"})


def _unknown(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in KEYS and not any(
            name.endswith(end) and name.removesuffix(end) in KEYS for end in _INDIRECT
        ):
            yield name


def _suggestion(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, KEYS, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _known(name: str) -> Key:
    key = KEYS.get(name)
    if key is None:
        raise MetaflowConfigError(
            f"There is no configuration key {name!r}{_suggestion(name)}.",
            fix="See `airflow-flow config show` for the keys there are.",
            where={"key": name},
        )
    return key


def _bad_value(key: Key, setting: _Setting) -> MetaflowConfigError:
    shown = "the value (not shown: it is sensitive)" if key.sensitive else repr(setting.text)
    return MetaflowConfigError(
        f"{shown} is not a value of the configuration key {key.name!r}, read from {setting.source}; allowed: {key.allowed}.",
        fix=f"Set {key.name} to {key.allowed}" + (f", for instance {key.example}." if key.example else "."),
        where={"key": key.name, "source": setting.source},
    )


_reader = ConfigurationReader(os.environ)


@overload
def get(name: IntegerKey) -> int: ...
@overload
def get(name: OptionalIntegerKey) -> int | None: ...
@overload
def get(name: FloatKey) -> float: ...
@overload
def get(name: BooleanKey) -> bool: ...
@overload
def get(name: ListKey) -> tuple[str, ...]: ...
@overload
def get(name: JsonKey) -> dict[str, Any] | None: ...
@overload
def get(name: StringKey) -> str: ...
@overload
def get(name: OptionalStringKey) -> str | None: ...
def get(name: str) -> Value:
    """Return the typed value of a key of this process's configuration.

    Raises:
        MetaflowConfigError: There is no such key, or its text is not an allowed value; names key, source and
            allowed values.
    """
    return _reader.get(name)


def source_of(name: str) -> str:
    """Tell where the value of a key comes from: a variable, a file, or ``default``.

    Raises:
        MetaflowConfigError: There is no such key.
    """
    return _reader.source_of(name)


def use_profile(name: str) -> None:
    """Make a profile the active one, for this process and those it starts.

    Raises:
        MetaflowConfigError: There is no such profile.
    """
    _reader.profile_path(name)
    os.environ[KEYS["profile"].environment_variable] = name
