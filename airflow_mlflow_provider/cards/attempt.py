"""The cards of one attempt: opened before the step's code, updated while it runs, stored when it has ended.

The task runner commits the attempt's record first and stores cards after that, so that nothing in a card, not even the
death of the process, changes how the task ended.
"""

from __future__ import annotations

import dataclasses
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from airflow_mlflow_provider.cards.card import DataCard, ErrorCard, MetaflowCard
from airflow_mlflow_provider.cards.collecting import CardCollector, CardEditor, Place
from airflow_mlflow_provider.cards.component import Rendered, failure
from airflow_mlflow_provider.cards.document import CardDocument, card_key, encode_card, masked
from airflow_mlflow_provider.cards.exception import CardException, UnrenderableCardException
from airflow_mlflow_provider.cards.facts import TaskFacts, method_source, running_python
from airflow_mlflow_provider.cards.live import LiveWriter
from airflow_mlflow_provider.cards.making import document_of, make_card, render_finished, within
from airflow_mlflow_provider.cards.types import card_class
from airflow_mlflow_provider.exception import StoreException
from airflow_mlflow_provider.flow.current import current
from airflow_mlflow_provider.flow.decorators.base import StepDecorator
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.masking import Mask
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


def open_cards(
    decorators: Sequence[StepDecorator],
    key: AttemptKey,
    manifest: FlowManifest,
    ledger: Ledger,
    flow: Any,
    mask: Mask,
) -> AttemptCards:
    """Make ``current.card`` for an attempt.

    Args:
        decorators: The step's ``@card`` decorators, in source order.
        key: The attempt.
        manifest: The flow as data.
        ledger: The store's records.
        flow: The instance that runs.
        mask: Hides the values of the step's secrets.
    """
    cards = AttemptCards(decorators, key, manifest, ledger, flow, mask)
    current._set(card=cards.collector)
    return cards


class AttemptCards:
    """The cards of one attempt."""

    def __init__(
        self,
        decorators: Sequence[StepDecorator],
        key: AttemptKey,
        manifest: FlowManifest,
        ledger: Ledger,
        flow: Any,
        mask: Mask,
    ) -> None:
        self._facts = TaskFacts(
            key=key,
            manifest=manifest,
            ledger=ledger,
            record=None,
            source=lambda: method_source(type(flow), key.step),
            started_at=time.time(),
            python=running_python(),
        )
        self._flow = flow
        self._mask = mask
        self._writer = LiveWriter()
        self._cards = [self._card(index, decorator) for index, decorator in enumerate(decorators)]
        self.collector = CardCollector([card.place for card in self._cards])

    def finish(self, record: DoneRecord) -> None:
        """Store the cards of the attempt, whose record is committed. What goes wrong is printed and not raised."""
        self._writer.close()
        for error in self._writer.errors[:1]:
            sys.stderr.write(
                f"@card: {len(self._writer.errors)} update(s) of the running step failed, first by:\n"
            )
            traceback.print_exception(error)
        facts = dataclasses.replace(self._facts, record=record)
        for card in self._cards:
            try:
                document = card.finished(facts)
                if document is not None:
                    _put(facts.ledger, facts.key, card.index, masked(document, self._mask))
            except Exception as error:  # noqa: BLE001 - a card never costs its task
                kind = type(error).__name__
                sys.stderr.write(f"@card: {card.place.editor.name} could not be stored: {kind}: {error}\n")
                if not isinstance(error, (CardException, StoreException)):
                    traceback.print_exception(error)

    def _card(self, index: int, decorator: StepDecorator) -> _OpenCard:
        return _OpenCard(index, decorator.attributes, self._facts, self._flow, self._writer, self._mask)


class _OpenCard:
    """One ``@card`` of the attempt."""

    def __init__(
        self,
        index: int,
        attributes: dict[str, Any],
        facts: TaskFacts,
        flow: Any,
        writer: LiveWriter,
        mask: Mask,
    ) -> None:
        self.index = index
        self._attributes = attributes
        self._facts, self._flow, self._writer, self._mask = facts, flow, writer, mask
        self._rounds = 0
        self._token: str | None = None
        self._html: str | None = None
        self._data: Any = None
        self._unknown: CardException | None = None
        self._class: type[MetaflowCard]
        try:
            self._class = card_class(attributes["type"], facts.key.pathspec)
        except Exception as error:  # noqa: BLE001 - an entry point may raise anything
            self._unknown = error if isinstance(error, CardException) else UnrenderableCardException(error)
            self._class = ErrorCard
        name_of = attributes["id"]
        card_id = None if name_of is None else str(name_of)
        name = f"the {attributes['type']} card" + (f" {card_id!r}" if card_id else "")
        self.place = Place(
            CardEditor(name, self._refresh),
            attributes["type"],
            card_id,
            bool(attributes["customize"]),
            self._class.ALLOW_USER_COMPONENTS or self._class.RUNTIME_UPDATABLE,
        )

    def finished(self, facts: TaskFacts) -> CardDocument | None:
        """The card of the attempt that has ended; ``None`` if there is to be none."""
        failed = facts.record is not None and not facts.record.finished
        saves_errors = bool(self._attributes["save_errors"])
        if failed and not saves_errors:
            return None
        components = self.place.editor.components.rendered()
        try:
            if self._unknown is not None:
                raise self._unknown
            if failed and not issubclass(self._class, DataCard):
                # The code of a custom type expects what a step that succeeded leaves.
                return self._document(facts, ErrorCard.type, ErrorCard(components=components).content(facts))
            content, html = within(
                self._attributes["timeout"],
                lambda: render_finished(self._make(facts, components), facts),
                f"{self.place.editor.name} of {facts.key.pathspec}",
            )
        except CardException as error:
            sys.stderr.write(f"@card: {error}\n")
            if not saves_errors:
                return None
            shown = error.__cause__ or error
            return self._document(
                facts, ErrorCard.type, [failure(shown, "The card could not be rendered"), *components]
            )
        return self._document(facts, self._class.type, content, html=html)

    def _refresh(self, data: Any, force: bool) -> None:
        if not self._class.RUNTIME_UPDATABLE or self._unknown is not None:
            return
        self._data = data if data is not None else self._data
        self._writer.ask(self.index, self._attributes["refresh_interval"], force, self._write_running)

    def _write_running(self) -> None:
        facts = self._facts
        components = self.place.editor.components.rendered()
        self._rounds += 1
        update = {
            "user": self._data,
            "components": {one["id"]: one for one in components if "id" in one},
            "mode": "RUNTIME",
            "render_seq": self._rounds,
            "component_update_ts": time.time(),
        }
        card = self._make(facts, components)
        card.runtime_data = update
        if isinstance(card, DataCard):
            document = self._document(facts, card.type, card.content(facts), data=update)
        else:
            document = self._running_html(card, facts, update)
        _put(facts.ledger, facts.key, self.index, masked(document, self._mask))

    def _running_html(self, card: MetaflowCard, facts: TaskFacts, update: dict[str, Any]) -> CardDocument:
        task = facts.task
        token = self._token
        if card.RELOAD_POLICY == card.RELOAD_POLICY_ALWAYS:
            token = str(self._rounds)
        elif card.RELOAD_POLICY == card.RELOAD_POLICY_ONCHANGE:
            token = str(card.reload_content_token(task, update))
        if self._html is None or token != self._token:
            self._html, self._token = str(card.render_runtime(task, update)), token
        data = card.refresh(task, update)
        return self._document(facts, card.type, [], html=self._html, data=data, reload_token=self._token)

    def _make(self, facts: TaskFacts, components: list[Rendered]) -> MetaflowCard:
        return make_card(self._class, self._attributes["options"], components, facts, self._flow)

    def _document(self, facts: TaskFacts, kind: str, content: list[Rendered], **more: Any) -> CardDocument:
        named = {"index": self.index, "id": self.place.id, "rank": self._attributes["rank"]}
        return document_of(facts, kind, content, **named, **more)


def _put(ledger: Ledger, key: AttemptKey, index: int, document: CardDocument) -> None:
    ledger.store.put(card_key(key, index), encode_card(document))
