"""``@project``: deployments of one flow that live side by side, by project and branch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, overload

import msgspec

from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.flow.decorators.attributes import Fields, flag, text
from airflow_mlflow_provider.flow.decorators.base import FlowClass, FlowDecorator, Problem, decorate_flow

_NAME = re.compile(r"[a-z0-9_]+")
_LONGEST = 128
_RULE = f"lower-case letters, digits and `_`, at most {_LONGEST}"


class ProjectBranch(msgspec.Struct, frozen=True):
    """The project and branch that a run or a deployment belongs to.

    Attributes:
        name: Name of the project.
        branch: ``user.<name>``, ``test.<branch>``, ``prod`` or ``prod.<branch>``.
        is_user_branch: Whether it is the branch of one user.
        is_production: Whether it is a production branch.
        flow_name: ``project.branch.Flow``.
    """

    name: str
    branch: str
    is_user_branch: bool
    is_production: bool
    flow_name: str

    @property
    def current(self) -> dict[str, Any]:
        """What ``current`` shows in steps."""
        return {
            "project_name": self.name,
            "branch_name": self.branch,
            "is_user_branch": self.is_user_branch,
            "is_production": self.is_production,
            "project_flow_name": self.flow_name,
        }

    @property
    def system_tags(self) -> tuple[str, str]:
        """The tags of every run."""
        return f"project:{self.name}", f"project_branch:{self.branch}"


class ProjectDecorator(FlowDecorator):
    """Keep deployments apart by project and branch; see :func:`project`."""

    name = "project"
    fields: ClassVar[Fields] = {"name": text(None), "branch": text(None), "production": flag(False)}

    def check(self) -> Iterator[Problem]:
        """Refuse a missing or misspelt name or branch."""
        name, branch = self.attributes["name"], self.attributes["branch"]
        if name is None or not _is_name(name):
            yield self.bad_value("name", name, _RULE)
        if branch is not None and not _is_name(branch):
            yield self.bad_value("branch", branch, _RULE)

    def resolve(
        self,
        flow_name: str,
        user: Callable[[], str],
        branch: str | None = None,
        production: bool | None = None,
    ) -> ProjectBranch:
        """The branch that a run or deployment belongs to.

        Args:
            flow_name: Name of the flow.
            user: Gives the user's name; asked only for a user's branch.
            branch: The option ``--branch``.
            production: The option ``--production``; ``None`` or ``False`` when it was not given.

        Raises:
            MetaflowException: The branch is misspelt, or differs from the decorator's.
        """
        self.raise_problem()
        chosen = self._agreed("branch", self.attributes["branch"], branch)
        is_production = bool(production) or self.attributes["production"]
        if chosen is not None and not _is_name(chosen):
            raise MetaflowException(
                f"The branch {chosen!r} of the project '{self.attributes['name']}' is misspelt: it takes {_RULE}.",
                fix="Give --branch a name of that form.",
                where={"flow": flow_name, "branch": chosen},
            )
        full = _branch_name(chosen, production=is_production, user=user)
        return ProjectBranch(
            name=self.attributes["name"],
            branch=full,
            is_user_branch=not is_production and chosen is None,
            is_production=is_production,
            flow_name=f"{self.attributes['name']}.{full}.{flow_name}",
        )

    def _agreed(self, option: str, written: Any, given: Any) -> Any:
        if written is not None and given is not None and written != given:
            raise MetaflowException(
                f"@project says {option}={written!r}, and the option --{option} says {given!r}.",
                self.location.line,
                self.location.file,
                fix=f"Remove '{option}' from @project, or the option --{option}.",
                where={option: given},
            )
        return given if written is None else written


def _branch_name(branch: str | None, *, production: bool, user: Callable[[], str]) -> str:
    if production:
        return f"prod.{branch}" if branch else "prod"
    if branch:
        return f"test.{branch}"
    # A user's name may be an e-mail address or hold capitals; Airflow ids and Kubernetes names may not.
    return f"user.{re.sub(r'[^a-z0-9_]+', '_', user().lower())}"


def _is_name(value: str) -> bool:
    return bool(_NAME.fullmatch(value)) and len(value) <= _LONGEST


@overload
def project(flow: FlowClass, /) -> FlowClass: ...
@overload
def project(
    *, name: str, branch: str | None = None, production: bool = False
) -> Callable[[FlowClass], FlowClass]: ...
def project(flow: Any = None, /, **attributes: Any) -> Any:
    """Flow decorator: give the flow a project, with a branch for each user, test and production.

    Args:
        flow: The flow.
        name: The project; lower case letters, digits and ``_``.
        branch: The branch, unless the option ``--branch`` says it.
        production: Whether it is the production branch, as the option ``--production``.

    Raises:
        BadFlowDecoratorException: It does not stand on a flow.
    """
    return decorate_flow(ProjectDecorator, flow, attributes)
