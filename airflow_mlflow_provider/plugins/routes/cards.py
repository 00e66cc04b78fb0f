"""The cards of an attempt: as data, and as pages of their own for HTML of their authors."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from airflow_mlflow_provider.cards.document import CardDocument, card_key, encode_card
from airflow_mlflow_provider.cards.page import card_page
from airflow_mlflow_provider.cards.reading import attempt_card, attempt_cards
from airflow_mlflow_provider.exception import MetaflowException
from airflow_mlflow_provider.plugins.access import READS_DATA
from airflow_mlflow_provider.plugins.models.cards import CardList, CardRow
from airflow_mlflow_provider.plugins.parameters import Attempt, CardIndex, TaskId
from airflow_mlflow_provider.plugins.routes.runs import RunDep
from airflow_mlflow_provider.plugins.routes.tasks import TasksDep
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

_MOST_BYTES = 32_000_000
# Whatever its author wrote runs in an origin of its own, which has neither Airflow's cookie nor its pages.
_SANDBOX = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' https:; "
    "style-src 'unsafe-inline' https:; img-src data: blob: https:; font-src data: https:; connect-src https:; "
    "frame-src https: data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

router = APIRouter(
    prefix="/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards",
    dependencies=[READS_DATA],
    tags=["Cards"],
)


@router.get("")
def list_cards(run: RunDep, tasks: TasksDep, task: TaskId, attempt: Attempt) -> CardList:
    """The cards of the attempt, the highest rank first."""
    cards = attempt_cards(run.ledger, tasks.key(task, attempt))
    cards.sort(key=lambda one: one[1].order)
    return CardList(cards=[_row(index, card) for index, card in cards])


@router.get("/{index}")
def get_card(
    run: RunDep, tasks: TasksDep, task: TaskId, attempt: Attempt, index: CardIndex
) -> dict[str, Any]:
    """A card as data, which the viewer shows; it changes while its step runs."""
    document = _card(run.ledger, tasks.key(task, attempt), index)
    return msgspec.json.decode(encode_card(document), type=dict[str, Any])


@router.get("/{index}/page", response_class=HTMLResponse)
def get_card_page(
    run: RunDep, tasks: TasksDep, task: TaskId, attempt: Attempt, index: CardIndex
) -> HTMLResponse:
    """A card as a page, sandboxed."""
    document = _card(run.ledger, tasks.key(task, attempt), index)
    page = document.html if document.html is not None else card_page(document)
    return HTMLResponse(page, headers={"Content-Security-Policy": _SANDBOX})


def _card(ledger: Ledger, key: AttemptKey, index: int) -> CardDocument:
    size = ledger.store.size(card_key(key, index)) or 0
    if size > _MOST_BYTES:
        raise MetaflowException(
            f"The card has {size / 1e6:.0f} MB, which is too much to show here.",
            fix="Get it with the command `card get`.",
            where={"task": key.pathspec, "card": index},
        )
    return attempt_card(ledger, key, index)


def _row(index: int, card: CardDocument) -> CardRow:
    return CardRow(
        index=index,
        type=card.type,
        id=card.id,
        title=card.title,
        status=card.status,
        rank=card.rank,
        created_at=card.created_at,
    )
