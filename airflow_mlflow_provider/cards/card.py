"""Types of cards: the class that a custom type extends, and those that come with this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mlflow_provider.cards.component import Rendered

if TYPE_CHECKING:
    from airflow_mlflow_provider.cards.facts import TaskFacts
    from airflow_mlflow_provider.client.task import Task


class MetaflowCard:
    """A type of card. A custom one extends this class and implements :meth:`render`.

    It is found through an entry point of the group ``airflow_mlflow_provider.cards``, or in the list ``CARDS`` of a module
    that the flow imports.

    Args:
        options: What ``@card(options=…)`` says.
        components: What the step put into the card, as data.
        graph: The steps of the flow by name.
        flow: The flow: in the step, the instance that ran.

    Attributes:
        type: What ``@card(type=…)`` calls it.
        ALLOW_USER_COMPONENTS: Whether ``current.card.append`` may fill it.
        RUNTIME_UPDATABLE: Whether it is shown and updated while the step runs.
        RELOAD_POLICY: When the page of a running step is loaded anew.
        scope: ``task``.
        runtime_data: What the last update of the running step held.
    """

    type: ClassVar[str] = ""
    ALLOW_USER_COMPONENTS: ClassVar[bool] = False
    RUNTIME_UPDATABLE: ClassVar[bool] = False
    RELOAD_POLICY_NEVER: ClassVar[str] = "never"
    RELOAD_POLICY_ALWAYS: ClassVar[str] = "always"
    RELOAD_POLICY_ONCHANGE: ClassVar[str] = "onchange"
    RELOAD_POLICY: ClassVar[str] = RELOAD_POLICY_NEVER
    scope: ClassVar[str] = "task"

    runtime_data: Any = None

    def __init__(
        self,
        options: Mapping[str, Any] = {},
        components: Sequence[Any] = (),
        graph: Mapping[str, Any] | None = None,
        flow: Any = None,
    ) -> None:
        self.options, self.components = options, list(components)
        self.graph, self.flow = graph, flow

    def render(self, task: Task) -> str:
        """The card of a finished task, as an HTML page."""
        raise NotImplementedError(f"{self.__class__.__name__}.render is not implemented.")

    def render_runtime(self, task: Task, data: Any) -> str:
        """The card of a running task, as an HTML page.

        Args:
            task: The task.
            data: ``user`` (what was handed to ``refresh``), ``components`` (by id), ``mode``, ``render_seq``,
                ``component_update_ts``.
        """
        raise NotImplementedError(f"{self.__class__.__name__}.render_runtime is not implemented.")

    def refresh(self, task: Task, data: Any) -> Any:
        """JSON values that ``window.metaflow_card_update`` of the page gets at each update."""
        raise NotImplementedError(f"{self.__class__.__name__}.refresh is not implemented.")

    def reload_content_token(self, task: Task, data: Any) -> str:
        """A text whose change reloads the page of a running task, under ``RELOAD_POLICY_ONCHANGE``."""
        return "content-token"


class DataCard(MetaflowCard):
    """A type that is stored as data and shown by the viewer."""

    ALLOW_USER_COMPONENTS: ClassVar[bool] = True
    RUNTIME_UPDATABLE: ClassVar[bool] = True
    RELOAD_POLICY: ClassVar[str] = MetaflowCard.RELOAD_POLICY_ONCHANGE

    def content(self, facts: TaskFacts) -> list[Rendered]:
        """What the card shows of a task, from the top down; the step's components are ``self.components``."""
        raise NotImplementedError

    def render(self, task: Task) -> str:
        """The card as one self-contained page."""
        from airflow_mlflow_provider.cards.facts import facts_of_stored
        from airflow_mlflow_provider.cards.making import document_of
        from airflow_mlflow_provider.cards.page import card_page

        facts = facts_of_stored(task)
        return card_page(document_of(facts, self.type, self.content(facts)))


class DefaultCard(DataCard):
    """What the step's author put into the card, and below it the facts of the task."""

    type: ClassVar[str] = "default"

    def content(self, facts: TaskFacts) -> list[Rendered]:
        """The content."""
        from airflow_mlflow_provider.cards.sections import failure_of, task_sections

        return [*failure_of(facts.record), *self.components, *task_sections(facts)]


class BlankCard(DataCard):
    """Only what the step's author put into the card."""

    type: ClassVar[str] = "blank"

    def content(self, facts: TaskFacts) -> list[Rendered]:
        """The content."""
        from airflow_mlflow_provider.cards.sections import failure_of

        return [*failure_of(facts.record), *self.components]


class ErrorCard(DataCard):
    """Why a card could not be rendered, or a step failed."""

    type: ClassVar[str] = "error"
    ALLOW_USER_COMPONENTS: ClassVar[bool] = False
    RUNTIME_UPDATABLE: ClassVar[bool] = False

    def content(self, facts: TaskFacts) -> list[Rendered]:
        """The content."""
        from airflow_mlflow_provider.cards.sections import failure_of

        return [*failure_of(facts.record), *self.components]


class TaskSpecCard(DataCard):
    """The task's pathspec and nothing else; for tests of set-ups."""

    type: ClassVar[str] = "taskspec_card"
    ALLOW_USER_COMPONENTS: ClassVar[bool] = False
    RUNTIME_UPDATABLE: ClassVar[bool] = False

    def content(self, facts: TaskFacts) -> list[Rendered]:
        """The content."""
        return [{"type": "text", "text": facts.key.pathspec}]


BUILT_IN: Mapping[str, type[MetaflowCard]] = {
    card.type: card for card in (DefaultCard, BlankCard, ErrorCard, TaskSpecCard)
}
