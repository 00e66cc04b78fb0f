"""Configs: files and values that are read once, when a run starts or a flow is deployed.

Unlike parameters they are known before the flow starts, so decorators and parameters may use them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from airflow_mlflow_provider.exception import CommandException, MetaflowException
from airflow_mlflow_provider.flow.config_expression import ConfigExpression, config_expr
from airflow_mlflow_provider.flow.config_parsers import (
    conda_environment_yml_parser,
    pyproject_toml_parser,
    requirements_txt_parser,
    yaml_parser,
)
from airflow_mlflow_provider.flow.config_value import ConfigValue, frozen, thawed
from airflow_mlflow_provider.flow.dotted_name import resolve_dotted_name
from airflow_mlflow_provider.flow.location import SourceLocation, caller_location
from airflow_mlflow_provider.flow.parameters import ParameterContext

__all__ = [
    "FILES_VARIABLE",
    "VALUES_VARIABLE",
    "Config",
    "ConfigDeclaration",
    "ConfigExpression",
    "ConfigValue",
    "bind_configs",
    "conda_environment_yml_parser",
    "config_expr",
    "declaration_of",
    "flow_configs",
    "pyproject_toml_parser",
    "requirements_txt_parser",
    "resolve_configs",
    "yaml_parser",
]

FILES_VARIABLE = "AIRFLOW__MLFLOW_PROVIDER__FLOW_CONFIG"
VALUES_VARIABLE = "AIRFLOW__MLFLOW_PROVIDER__FLOW_CONFIG_VALUE"
_VALUES_ATTRIBUTE = "_config_values"


class ConfigDeclaration(msgspec.Struct):
    """What the author wrote about a config.

    Attributes:
        name: Name on the command line.
        attribute: Attribute of the flow that holds it.
        default: Path of a file, or a function that gives one.
        default_value: Text, mapping, or a function that gives one.
        help: For people.
        required: Whether a value must be given.
        parser: Function of the text, or its dotted name; JSON when ``None``.
        plain: Whether the value is given as parsed, mutable and of any type.
        location: Where it was written.
    """

    name: str
    location: SourceLocation
    attribute: str = ""
    default: Any = None
    default_value: Any = None
    help: str = ""
    required: bool = False
    parser: Any = None
    plain: bool = False


class Config(ConfigExpression):
    """A configuration of a flow, as an attribute of its class.

    ```python
    class Train(FlowSpec):
        cfg = Config("cfg", default="train.json")

        @resources(memory=cfg.memory)
        @step
        def start(self):
            print(self.cfg.model.depth)
    ```

    ``--config cfg FILE`` and ``--config-value cfg JSON``, before the command, set it. The parsed value is stored with the run;
    tasks never read the file.

    Args:
        name: Name on the command line.
        default: Path of a file, or a function of a ``ParameterContext`` that gives one.
        default_value: The value as text or as a dict, or a function that gives it; excludes ``default``.
        help: What it means.
        required: Whether a value must be given.
        parser: Turns the text into the value: a function, or its dotted name. JSON by default.
        plain: Give what the parser returns, instead of an immutable ``ConfigValue``; it may then be any JSON value.
    """

    IS_CONFIG: ClassVar[bool] = True
    # Every other name is a key of the config, `name` and `default` included.
    __slots__ = ("_declared",)

    def __init__(
        self,
        name: str,
        default: str | Callable[[ParameterContext], str] | None = None,
        default_value: str | Mapping[str, Any] | Callable[[ParameterContext], Any] | None = None,
        help: str | None = None,
        required: bool | None = None,
        parser: str | Callable[[str], Any] | None = None,
        plain: bool | None = False,
    ) -> None:
        location = caller_location()
        super().__init__(name, lambda configs: _owned(name, configs), location)
        self._declared = ConfigDeclaration(
            name=name,
            location=location,
            default=default,
            default_value=default_value,
            help=help or "",
            required=bool(required),
            parser=parser,
            plain=bool(plain),
        )

    def __set_name__(self, owner: type, attribute: str) -> None:
        if not self._declared.attribute:
            self._declared.attribute = attribute

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        values: Mapping[str, Any] = getattr(owner, _VALUES_ATTRIBUTE, {})
        name = self._declared.name
        if name in values:
            return values[name]
        if instance is None:
            return self
        raise AttributeError(f"The config '{name}' has no value before the flow has started.")

    def __repr__(self) -> str:
        return f"Config({self._declared.name!r})"


def declaration_of(config: Config) -> ConfigDeclaration:
    """What the author wrote about a config."""
    return config._declared


def flow_configs(flow_class: type) -> list[Config]:
    """The configs of a flow, those of base classes first, each class's in the order written."""
    found: list[Config] | None = flow_class.__dict__.get("_authored_configs")
    if found is not None:
        return list(found)
    members: dict[str, Any] = {}
    for cls in reversed(flow_class.__mro__):
        members.update(vars(cls))
    found = [member for member in members.values() if isinstance(member, Config)]
    # Kept, because the runtime puts the values of a run in the place of the declarations.
    flow_class._authored_configs = found  # type: ignore[attr-defined]
    return list(found)


def bind_configs(flow_class: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the configs of a flow their values, for the class and its instances.

    Args:
        flow_class: The flow.
        values: JSON values by name, as :func:`resolve_configs` gave and the run has kept.

    Returns:
        The values as steps see them, by name.
    """
    plain = {declaration_of(config).name: declaration_of(config).plain for config in flow_configs(flow_class)}
    bound = {name: thawed(value) if plain.get(name) else frozen(value) for name, value in values.items()}
    setattr(flow_class, _VALUES_ATTRIBUTE, bound)
    return bound


def resolve_configs(
    flow_class: type,
    files: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    context: ParameterContext | None = None,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read the configs of a flow and bind them to it.

    Per config the first of these counts: ``files`` and ``values``, ``kept``, the environment, the default of the declaration.

    Args:
        flow_class: The flow.
        files: Paths by config name, from ``--config``.
        values: Values by config name, from ``--config-value``: text, or what a program gave.
        context: What functions given as defaults are called with.
        kept: Values by config name as an earlier run had them; no parser sees them again.

    Returns:
        The values by name: a ``ConfigValue``, what the parser gave for ``plain`` configs, or ``None``.

    Raises:
        CommandException: Configs are given wrongly, missing or cannot be read; names all of them.
    """
    configs = [declaration_of(config) for config in flow_configs(flow_class)]
    given = _Given(dict(files or {}), dict(values or {}), "--config", "--config-value")
    environment = _from_environment()
    problems = [*_unknown(given, configs), *_unknown(environment, configs)]
    resolved: dict[str, Any] = {}
    for config in configs:
        if kept and config.name in kept and config.name not in {*given.files, *given.values}:
            resolved[config.name] = kept[config.name]
            continue
        try:
            resolved[config.name] = _resolve(config, (given, environment), flow_class, context)
        except MetaflowException as error:
            problems.append(error.message)
    if problems:
        raise CommandException(
            f"The configs of {flow_class.__name__} cannot be used:\n" + "\n".join(f"- {p}" for p in problems),
            fix="Correct the configs named, with --config NAME FILE or --config-value NAME JSON.",
            where={"flow": flow_class.__name__},
        )
    return bind_configs(flow_class, resolved)


class _Given(msgspec.Struct):
    """Files and values from one source, by config name, and how the user knows the source."""

    files: dict[str, Any]
    values: dict[str, Any]
    files_source: str
    values_source: str


def _from_environment() -> _Given:
    return _Given(
        _json_object(FILES_VARIABLE), _json_object(VALUES_VARIABLE), FILES_VARIABLE, VALUES_VARIABLE
    )


def _json_object(variable: str) -> dict[str, Any]:
    text = os.environ.get(variable)
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CommandException(
            f"The variable {variable} does not hold a JSON object from config names to "
            f"{'paths' if variable == FILES_VARIABLE else 'values'}.",
            fix=f'Set it to the like of {{"cfg": …}}, or unset {variable}.',
            where={"variable": variable},
        )
    return value


def _unknown(given: _Given, configs: list[ConfigDeclaration]) -> list[str]:
    names = [config.name for config in configs]
    return [
        f"'{name}' of {source} is no config of this flow; it has {', '.join(names) or 'none'}"
        for source, mapping in ((given.files_source, given.files), (given.values_source, given.values))
        for name in mapping
        if name not in names
    ]


def _resolve(
    config: ConfigDeclaration, sources: tuple[_Given, ...], flow_class: type, context: ParameterContext | None
) -> Any:
    if config.default is not None and config.default_value is not None:
        raise MetaflowException(f"'{config.name}' has both `default` and `default_value` ({config.location})")
    for source in sources:
        in_file, in_value = config.name in source.files, config.name in source.values
        if in_file and in_value:
            raise MetaflowException(
                f"'{config.name}' is given as a file by {source.files_source} and as a value by "
                f"{source.values_source}"
            )
        if in_file:
            path = str(source.files[config.name])
            return _parsed(config, _read(config, path, source.files_source), f"{source.files_source} {path}")
        if in_value:
            return _value(config, source.values[config.name], source.values_source)
    return _default(config, flow_class, context)


def _default(config: ConfigDeclaration, flow_class: type, context: ParameterContext | None) -> Any:
    if config.default is not None:
        path = str(_called(config, "default", flow_class, context))
        return _parsed(config, _read(config, path, "`default`"), f"`default` {path}")
    if config.default_value is not None:
        return _value(config, _called(config, "default_value", flow_class, context), "`default_value`")
    if config.required:
        raise MetaflowException(f"'{config.name}' is required and was not given")
    return None


def _called(config: ConfigDeclaration, field: str, flow_class: type, context: ParameterContext | None) -> Any:
    given = getattr(config, field)
    if not callable(given):
        return given
    if context is None:
        import logging

        from airflow_mlflow_provider.flow.user import user_name

        logger = logging.getLogger("airflow_mlflow_provider.configs")
        context = ParameterContext(flow_class.__name__, user_name(), "", logger, "local", {})
    try:
        return given(context._replace(parameter_name=config.name))
    except Exception as error:
        raise MetaflowException(
            f"'{config.name}': the function given as `{field}` raised {type(error).__name__}: {error}"
        ) from error


def _read(config: ConfigDeclaration, path: str, source: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MetaflowException(
            f"'{config.name}': the file {path} of {source} cannot be read: {reason}"
        ) from error


def _value(config: ConfigDeclaration, value: Any, source: str) -> Any:
    if isinstance(value, str):
        return _parsed(config, value, source)
    if config.parser is None:
        return _checked(config, value, source)
    try:
        text = json.dumps(thawed(value))
    except (TypeError, ValueError) as error:
        raise MetaflowException(f"'{config.name}': the value of {source} is not JSON: {error}") from error
    return _parsed(config, text, source)


def _parsed(config: ConfigDeclaration, text: str, source: str) -> Any:
    if config.parser is None:
        try:
            return _checked(config, json.loads(text), source)
        except ValueError as error:
            raise MetaflowException(f"'{config.name}': {source} does not hold JSON: {error}") from error
    name = config.parser if isinstance(config.parser, str) else getattr(config.parser, "__name__", "")
    try:
        parser = resolve_dotted_name(config.parser) if isinstance(config.parser, str) else config.parser
        value = parser(text)
    except Exception as error:
        raise MetaflowException(
            f"'{config.name}': the parser {name} failed on {source}: {type(error).__name__}: {error}"
        ) from error
    return _checked(config, value, source)


def _checked(config: ConfigDeclaration, value: Any, source: str) -> Any:
    if not config.plain and not isinstance(value, Mapping):
        raise MetaflowException(
            f"'{config.name}': {source} gives a {type(value).__name__}, not a mapping; plain=True allows that"
        )
    try:
        # What tasks will read from the run's record; so local runs and deployed ones see the same.
        return json.loads(json.dumps(thawed(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise MetaflowException(f"'{config.name}': {source} gives what JSON cannot hold: {error}") from error


def _owned(name: str, configs: Mapping[str, Any]) -> Any:
    if name not in configs:
        raise MetaflowException(
            f"The config '{name}' is used by a flow that does not have it. "
            f"Configs of this flow: {', '.join(sorted(configs)) or 'none'}.",
            fix=f"Declare {name} = Config({name!r}) in the flow's class, or in a base class of it.",
            where={"config": name},
        )
    return configs[name]
