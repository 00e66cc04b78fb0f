"""What Metaflow's command line has and this one does not, with what to use instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import click

_PACKAGES: Final = (
    "packages come from @pypi and --environment pypi, from --environment uv, or from an image of @kubernetes"
)
_DEPLOY: Final = "flows are deployed with the `airflow` group"
COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "step-functions": _DEPLOY,
        "argo-workflows": _DEPLOY,
        "kubernetes": "steps run in pods by @kubernetes, once the flow is deployed with the `airflow` group",
        "batch": "use @kubernetes or @resources, and the `airflow` group",
        "develop": "the package ships its type hints; no stubs are needed",
        "tutorials": "see the example flows in the documentation",
        "environment": f"nothing is resolved ahead of a command: {_PACKAGES}",
    }
)
AIRFLOW_COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "suspend": "Airflow cannot suspend one run; `airflow pause` starts no further ones, `airflow terminate` ends one",
        "unsuspend": "Airflow cannot suspend one run; `airflow unpause` is the end of `airflow pause`",
    }
)
ENVIRONMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {"conda": _PACKAGES, "fast-bakery": _PACKAGES, "conda-flow": _PACKAGES}
)
METADATA: Final = (
    "the artifact store is the metadata provider; name it with --datastore-root (datastore_root)"
)
SIDECARS: Final = "no events are logged and nothing is monitored; leave the option out"


class Offered(click.Choice):  # type: ignore[type-arg]
    """A choice that says what to use instead of values that Metaflow takes.

    Args:
        choices: What is taken.
        instead: What to use instead of other values, by value.
        otherwise: The same for all other values.
    """

    def __init__(
        self, choices: Sequence[str], instead: Mapping[str, str] = MappingProxyType({}), otherwise: str = ""
    ) -> None:
        super().__init__(choices)
        self._instead, self._otherwise = instead, otherwise

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value.

        Raises:
            BadParameter: It is none of the choices.
        """
        hint = self._instead.get(str(value), self._otherwise)
        if hint and value not in self.choices:
            self.fail(f"'{value}' is not offered: {hint}.", param, ctx)
        return super().convert(value, param, ctx)


def refuse_command(name: str, commands: Mapping[str, str], ctx: click.Context) -> None:
    """Refuse a command that is not offered, by what to use instead; does nothing for any other.

    Raises:
        UsageError: It is one of ``commands``.
    """
    if name in commands:
        raise click.UsageError(f"'{name}' is not offered: {commands[name]}.", ctx)
