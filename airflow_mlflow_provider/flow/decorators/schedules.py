"""``@schedule``: when Airflow starts a run by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, overload

from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.decorators.attributes import Fields, flag, text
from airflow_mlflow_provider.flow.decorators.base import (
    FlowClass,
    FlowDecorator,
    Problem,
    decorate_flow,
)
from airflow_mlflow_provider.flow.decorators.cron import CronError, unix_cron


class ResolvedSchedule(NamedTuple):
    """A schedule as Airflow takes it.

    Attributes:
        cron: Five fields of Unix cron.
        timezone: IANA name.
    """

    cron: str
    timezone: str


class ScheduleDecorator(FlowDecorator):
    """Start runs by the clock; see :func:`schedule`."""

    name = "schedule"
    fields: ClassVar[Fields] = {
        "cron": text(None),
        "weekly": flag(False),
        "daily": flag(True),
        "hourly": flag(False),
        "timezone": text(None),
    }

    @property
    def written_cron(self) -> str | None:
        """The cron expression by precedence: ``cron``, ``weekly``, ``hourly``, ``daily``; ``None`` for no schedule."""
        if self.attributes["cron"]:
            return str(self.attributes["cron"])
        for name, expression in (("weekly", "0 0 * * 0"), ("hourly", "0 * * * *"), ("daily", "0 0 * * *")):
            if self.attributes[name]:
                return expression
        return None

    def resolve(self) -> ResolvedSchedule | None:
        """The schedule as Airflow takes it; ``None`` when everything is switched off.

        Raises:
            CommandException: The expression says what Airflow's cron cannot, or the timezone is unknown (X007).
        """
        for problem in self.deployment_problems():
            raise CommandException(
                f"{problem.rule}: {problem.message}",
                self.location.line,
                self.location.file,
                fix=problem.fix,
                where={"decorator": self.name},
            )
        written = self.written_cron
        return (
            None
            if written is None
            else ResolvedSchedule(unix_cron(written), self.attributes["timezone"] or "UTC")
        )

    def deployment_problems(self) -> Iterator[Problem]:
        """What keeps Airflow from running by this schedule (X007)."""
        written = self.written_cron
        if written is not None:
            try:
                unix_cron(written)
            except CronError as error:
                yield Problem(
                    "X007",
                    f"@schedule(cron={written!r}): {error}.",
                    "Write a cron expression that Airflow can express, such as '0 6 * * 1-5'.",
                )
        zone = self.attributes["timezone"]
        if zone is not None and not is_timezone(zone):
            yield Problem(
                "X007",
                f"@schedule(timezone={zone!r}): no time zone has this name.",
                "Give an IANA name, such as 'Europe/Berlin'.",
            )


def is_timezone(name: str) -> bool:
    """Whether ``name`` is an IANA time zone known here."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A name that is a folder of the database, or that climbs out of it, is an OSError or a ValueError.
        return False
    return True


@overload
def schedule(flow: FlowClass, /) -> FlowClass: ...
@overload
def schedule(
    *,
    cron: str | None = None,
    weekly: bool = False,
    daily: bool = True,
    hourly: bool = False,
    timezone: str | None = None,
) -> Callable[[FlowClass], FlowClass]: ...
def schedule(flow: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: start a run of the deployed flow by the clock. Local runs ignore it.

    Args:
        flow: The flow, for ``@schedule`` without parentheses.
        cron: Five fields (Unix), or six (with ``?`` and a year, ``*``).
        weekly: Sunday 00:00, where there is no ``cron``.
        daily: 00:00, where none of the others is set.
        hourly: Minute 0, where neither ``cron`` nor ``weekly`` is set.
        timezone: An IANA name; UTC by default.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(ScheduleDecorator, flow, attributes)
