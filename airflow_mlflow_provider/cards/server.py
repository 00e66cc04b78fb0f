"""``card server``: the cards of a run in a browser, live while it runs; for one user on one machine, without Airflow.

==============================  =========================================================
address                         answer
==============================  =========================================================
``/``                           a page with the cards of the run
``/card/RUN/STEP/TASK/A/N``     the page of card N of attempt A
``/flow``                       the card of the whole flow
``/data``, ``/data/…``          the same as JSON, with an ETag
``/viewer/vega.js``             the charts' bundle
==============================  =========================================================

It listens on this machine only, and answers only requests that name this machine, so that no page of another site can
read cards through a name of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from airflow_mlflow_provider.cards.document import CardDocument, encode_card
from airflow_mlflow_provider.cards.exception import CardNotPresentException
from airflow_mlflow_provider.cards.flow_card import flow_card
from airflow_mlflow_provider.cards.page import Live, card_page, viewer_file
from airflow_mlflow_provider.cards.reading import attempt_card, attempt_cards
from airflow_mlflow_provider.client.flow import Flow
from airflow_mlflow_provider.client.run import Run
from airflow_mlflow_provider.client.scope import get_metadata, ledger_of
from airflow_mlflow_provider.exception import CommandException, MetaflowException, MetaflowNotFound
from airflow_mlflow_provider.store.records import AttemptKey

_HOST = "127.0.0.1"
_NAMES = (_HOST, "localhost")
_PARTS = 5


@dataclass(frozen=True)
class Served:
    """What a server shows.

    Attributes:
        flow: Name of the flow.
        run: Run id; ``None`` for the latest run at any time.
        seconds: Seconds between two questions of a page.
        most: How many cards are listed.
    """

    flow: str
    run: str | None
    seconds: float
    most: int


class CardServer(ThreadingHTTPServer):
    """The server; a context manager that closes it.

    Args:
        served: What it shows.
        port: Port to listen on; 0 for any free one.

    Raises:
        CommandException: The port is taken, or this user may not listen on it.
    """

    daemon_threads = True

    def __init__(self, served: Served, port: int) -> None:
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise CommandException(
                f"The server of cards cannot listen on port {port}: {error.strerror}.",
                fix="Give another with --port; 0 is any free one.",
                where={"port": port},
            ) from None
        self.served = served
        self.store = get_metadata()

    @property
    def url(self) -> str:
        """Address of the page with all cards."""
        return f"http://{_HOST}:{self.server_address[1]}/"

    def answer(self, path: str) -> tuple[str, str]:
        """Body and media type for an address.

        Raises:
            MetaflowNotFound: There is nothing at it.
            CardNotPresentException: There is no such card.
        """
        parts = [unquote(part) for part in path.split("/") if part]
        match parts:
            case ["viewer", "vega.js"]:
                return viewer_file("vega.js"), "text/javascript"
            case []:
                return self._page(self._list(), "data")
            case ["flow"]:
                return self._page(flow_card(ledger_of(self.store), self.served.flow), "data/flow")
            case ["data", "flow"]:
                document = flow_card(ledger_of(self.store), self.served.flow)
                return encode_card(document).decode(), "application/json"
            case ["data"]:
                return encode_card(self._list()).decode(), "application/json"
            case ["card", *place] if len(place) == _PARTS:
                address = "/".join(quote(part, safe="") for part in place)
                return self._page(self._card(place), f"data/{address}")
            case ["data", *place] if len(place) == _PARTS:
                return encode_card(self._card(place)).decode(), "application/json"
        raise MetaflowNotFound(f"There is nothing at {path}.", fix="Begin at /.")

    def _page(self, document: CardDocument, data: str) -> tuple[str, str]:
        live = Live(f"/{data}", self.served.seconds, "/viewer/vega.js")
        return card_page(document, live), "text/html"

    def _card(self, place: list[str]) -> CardDocument:
        run, step, task, attempt, index = place
        strange = any("/" in part or part in (".", "..") for part in place)
        if strange or not (attempt.isdecimal() and index.isdecimal()):
            raise MetaflowNotFound("That is not the address of a card.", fix="Begin at /.")
        return attempt_card(
            ledger_of(self.store), AttemptKey(self.served.flow, run, step, task, int(attempt)), int(index)
        )

    def _list(self) -> CardDocument:
        try:
            run = self._run()
        except MetaflowNotFound as error:
            return self._listing("no run yet", [{"type": "text", "text": str(error)}], "running")
        rows = list(itertools.islice(_rows(run), self.served.most))
        ended = run.status not in ("pending", "running")
        # The latest run may be followed by another.
        status = "running" if self.served.run is None or not ended else "succeeded"
        table = {"type": "table", "headers": ["Step", "Task", "Card", "State"], "rows": rows}
        empty = {
            "type": "text",
            "text": "No cards yet. They come when a step with @card ends, or calls refresh().",
        }
        whole = {"type": "markdown", "text": "[The flow and its last runs](/flow)"}
        return self._listing(run.id, [whole, table if rows else empty], status, run.created_at.timestamp())

    def _run(self) -> Run:
        if self.served.run is not None:
            return Run(f"{self.served.flow}/{self.served.run}", _namespace_check=False)
        latest = Flow(self.served.flow).latest_run
        if latest is None:
            raise MetaflowNotFound(f"{self.served.flow} has no run in the namespace.", fix="Start one.")
        return latest

    def _listing(
        self, run: str, content: list[Any], status: Any, created_at: float | None = None
    ) -> CardDocument:
        return CardDocument(
            type="list",
            hash=run,
            title=f"Cards of {self.served.flow}",
            pathspec=f"{self.served.flow}/{run}",
            attempt=0,
            status=status,
            created_at=time.time() if created_at is None else created_at,
            components=content,
        )


def _rows(run: Run) -> Any:
    for step in run:
        for task in step:
            key = task._key
            for index, card in sorted(attempt_cards(task._ledger, key), key=lambda one: one[1].order):
                address = "/".join(quote(str(part), safe="") for part in (*_place(key), index))
                name = f"{card.type} {card.id}" if card.id else card.type
                link = {"type": "markdown", "text": f"[{name}](/card/{address})"}
                yield [step.id, task.id, link, card.status]


def _place(key: AttemptKey) -> tuple[str, str, str, int]:
    return key.run, key.step, key.task, key.attempt


class _Handler(BaseHTTPRequestHandler):
    server: CardServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in _NAMES:
            self._send(403, "This server answers only on this machine.", "text/plain")
            return
        try:
            body, media = self.server.answer(urlsplit(self.path).path)
        except (MetaflowNotFound, CardNotPresentException) as error:
            self._send(404, str(error), "text/plain")
        except MetaflowException as error:
            self._send(500, str(error), "text/plain")
        else:
            self._send(200, body, media)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not printed."""

    def _send(self, status: int, text: str, media: str) -> None:
        body = text.encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if status == 200 and self.headers.get("If-None-Match") == tag:
            status, body = 304, b""
        self.send_response(status)
        self.send_header("Content-Type", f"{media}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)
