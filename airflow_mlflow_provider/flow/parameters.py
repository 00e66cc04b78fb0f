"""Parameters: the values that a run of a flow is given."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from airflow_mlflow_provider.exception import (
    CommandException,
    MetaflowException,
    ParameterFieldFailed,
    ParameterFieldTypeMismatch,
)
from airflow_mlflow_provider.flow.config_expression import evaluate, has_expression
from airflow_mlflow_provider.flow.config_value import ConfigValue
from airflow_mlflow_provider.flow.location import SourceLocation, caller_location
from airflow_mlflow_provider.flow.parameter_spec import ParameterSpec
from airflow_mlflow_provider.flow.parameter_types import (
    JSONType,
    JSONTypeClass,
    ParameterType,
    WrongValue,
    parameter_type,
)

if TYPE_CHECKING:
    import logging

__all__ = [
    "ENVIRONMENT_PREFIX",
    "RESERVED",
    "JSONType",
    "JSONTypeClass",
    "Parameter",
    "ParameterContext",
    "ParameterSpec",
    "environment_variable",
    "flow_parameters",
    "is_reserved",
]

ENVIRONMENT_PREFIX = "AIRFLOW__MLFLOW_PROVIDER_PARAMS__"
RESERVED = frozenset(
    {
        "params",
        "with",
        "tag",
        "namespace",
        "obj",
        "tags",
        "decospecs",
        "run-id-file",
        "max-num-splits",
        "max-workers",
        "max-log-size",
        "user-namespace",
        "run-id",
        "task-id",
        "runner-attribute-file",
    }
)
_FIELDS = ("name", "default", "type", "help", "required", "show_default", "separator")


class ParameterContext(NamedTuple):
    """What a function given as ``default`` is called with.

    Attributes:
        flow_name: Name of the flow.
        user_name: Name of the user that starts or deploys it.
        parameter_name: Name of the parameter.
        logger: Takes lines for the user.
        ds_type: Kind of the store: ``local``, ``s3``, ``gs``, ``azure``.
        configs: The flow's configs; each is an attribute.
    """

    flow_name: str
    user_name: str
    parameter_name: str
    logger: logging.Logger
    ds_type: str
    configs: Mapping[str, Any]


class Parameter:
    """A value that each run of a flow is given, as an attribute of the flow's class.

    ```python
    class Train(FlowSpec):
        alpha = Parameter("alpha", default=0.01, help="Learning rate")
    ```

    ``python flow.py run --alpha 0.1`` sets it, as do ``AIRFLOW__MLFLOW_PROVIDER_PARAMS__ALPHA`` and the trigger form of
    Airflow. Steps read ``self.alpha``; it cannot be assigned to.

    Args:
        name: Name of the option, as it is to be written.
        default: Value of a run that is given none, or a function of a :class:`ParameterContext` that gives it, called once when
            a local run starts or the flow is deployed.
        type: ``str``, ``int``, ``float``, ``bool`` or ``JSONType``; by default the type of ``default``, else ``str``.
        help: What it means, for the command line and the trigger form.
        required: Whether a run must give a value; a default makes this moot.
        show_default: Whether the help shows the default. ``None`` means yes.
        separator: Makes a string into a list of strings, split here.
        extra: Further arguments of a ``click.option``.

    Every argument may be a config or a part of one.
    """

    IS_CONFIG: ClassVar[bool] = False
    KIND: ClassVar[Literal["value", "file"]] = "value"

    def __init__(
        self,
        name: str,
        default: Any = None,
        type: Any = None,
        help: str | None = None,
        required: bool | None = None,
        show_default: bool | None = None,
        separator: str | None = None,
        **extra: Any,
    ) -> None:
        self.name = name
        self.attribute = ""
        self.location: SourceLocation = caller_location()
        self.default = default
        self.type = type
        self.help = help
        self.required = required
        self.show_default = show_default
        self.separator = separator
        self.extra = extra

    def __set_name__(self, owner: type, attribute: str) -> None:
        if not self.attribute:
            self.attribute = attribute

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise AttributeError(
            f"The parameter '{self.name}' has no value here. Parameters have values while a run executes: "
            "read them in a step."
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    @property
    def value_type(self) -> ParameterType:
        """How its values look."""
        return parameter_type(self.type, self.default, self.separator)

    @property
    def is_required(self) -> bool:
        """Whether a run must give a value."""
        return bool(self.required) and self.default is None

    @property
    def shows_default(self) -> bool:
        """Whether the help shows the default."""
        return self.show_default is None or bool(self.show_default)

    def needs_configs(self) -> bool:
        """Whether an argument waits for a config."""
        return any(has_expression(getattr(self, field)) for field in (*_FIELDS, "extra"))

    def with_configs(self, configs: Mapping[str, Any]) -> Parameter:
        """The same parameter with the values of configs in the place of expressions over them.

        Args:
            configs: Values of the flow's configs, by name.

        Raises:
            MetaflowException: An expression cannot be evaluated.
        """
        if not self.needs_configs():
            return self
        resolved = copy.copy(self)
        for field in (*_FIELDS, "extra"):
            setattr(resolved, field, evaluate(getattr(self, field), configs))
        return resolved

    def spec(self, context: ParameterContext) -> ParameterSpec:
        """The parameter as data, with the default that it has here and now.

        Raises:
            ParameterFieldFailed: The function that gives the default raised.
            ParameterFieldTypeMismatch: The default has the wrong type.
        """
        default = self.resolve_default(context)
        return ParameterSpec(
            name=self.name,
            attribute=self.attribute or self.name,
            schema=self.value_type.schema(nullable=default is None and not self.is_required),
            default=default,
            required=self.is_required,
            help=self.help or "",
            separator=self.separator if self.value_type.kind == "list" else None,
            kind=self.KIND,
        )

    def parse(self, text: str) -> Any:
        """The value for its text on a command line or in an environment variable.

        Raises:
            CommandException: The text does not have the parameter's type.
        """
        try:
            return self.value_type.parse(text)
        except WrongValue as error:
            raise CommandException(
                f"The parameter '{self.name}' expects {error.expected}, and got {error.got}.",
                fix=f"Give --{self.name} {error.expected}.",
                where=self._where(),
            ) from error

    def check(self, value: Any) -> Any:
        """The value for a JSON value from ``dag_run.conf``, a trigger or a program; ``None`` stays ``None``.

        Raises:
            ParameterFieldTypeMismatch: It does not have the parameter's type.
            CommandException: It is ``None`` and the parameter is required.
        """
        if value is None and self.is_required and self.value_type.kind != "json":
            raise CommandException(
                f"The parameter '{self.name}' is required and was given no value.",
                fix=f"Give a value for '{self.name}'.",
                where=self._where(),
            )
        if value is None:
            return None
        try:
            return self.value_type.check(value)
        except WrongValue as error:
            raise self._mismatch("value", error) from error

    def resolve_default(self, context: ParameterContext) -> Any:
        """The default as a JSON value; a function is called.

        Raises:
            ParameterFieldFailed: The function raised.
            ParameterFieldTypeMismatch: The default has the wrong type.
        """
        if callable(self.default):
            return self._checked_default(self._call_default(self.default, context), given_as_text=False)
        return self._checked_default(self.default, given_as_text=True)

    def _call_default(self, function: Callable[[ParameterContext], Any], context: ParameterContext) -> Any:
        try:
            configs = ConfigValue(context.configs)
            return function(context._replace(parameter_name=self.name, configs=configs))
        except MetaflowException:
            raise
        except Exception as error:
            import traceback

            raise ParameterFieldFailed(
                f"The function given as `default` of the parameter '{self.name}' raised "
                f"{type(error).__name__}: {error}\n{traceback.format_exc().rstrip()}",
                self.location.line,
                self.location.file,
                fix="Correct the function.",
                where=self._where(field="default"),
            ) from error

    def _checked_default(self, value: Any, *, given_as_text: bool) -> Any:
        if value is None:
            return None
        kind = self.value_type.kind
        # A default in the source may be the text that a command line would have; what a function returns may not.
        reads_text = isinstance(value, str) and (kind == "json" or (given_as_text and kind != "custom"))
        try:
            return self.value_type.parse(value) if reads_text else self.value_type.check(value)
        except WrongValue as error:
            raise self._mismatch("default", error) from error

    def _mismatch(self, field: str, error: WrongValue) -> ParameterFieldTypeMismatch:
        location: tuple[Any, Any] = (
            (self.location.line, self.location.file) if field == "default" else (None, None)
        )
        return ParameterFieldTypeMismatch(
            f"The {field} of the parameter '{self.name}' must be {error.expected}, and is {error.got}.",
            *location,
            fix=f"Give '{self.name}' {error.expected}.",
            where=self._where(field=field),
        )

    def _where(self, **more: str) -> dict[str, Any]:
        return {"parameter": self.name, **more}


def is_reserved(name: str) -> bool:
    """Whether a parameter may not have this name, because an option of ``run`` or ``resume`` has it."""
    return name.replace("_", "-") in RESERVED


def environment_variable(name: str) -> str:
    """The variable that gives a value to the parameter called ``name``."""
    return ENVIRONMENT_PREFIX + name.upper().replace("-", "_")


def flow_parameters(flow_class: type) -> list[Parameter]:
    """The parameters of a flow, those of base classes first, each class's in the order written.

    A class that redefines an attribute of a base class wins. Once the mutators of the flow have run, what they have added
    and removed counts.
    """
    effective = flow_class.__dict__.get("_effective")
    parameters = authored_parameters(flow_class) if effective is None else effective.parameters
    return list(parameters.values())


def authored_parameters(flow_class: type) -> dict[str, Parameter]:
    """The parameters as written, by attribute."""
    found: dict[str, Parameter] | None = flow_class.__dict__.get("_authored_parameters")
    if found is not None:
        return dict(found)
    members: dict[str, Any] = {}
    for cls in reversed(flow_class.__mro__):
        members.update(vars(cls))
    found = {name: member for name, member in members.items() if isinstance(member, Parameter)}
    # Kept, because the runtime puts the values of a run in the place of the declarations.
    flow_class._authored_parameters = found  # type: ignore[attr-defined]
    return dict(found)
