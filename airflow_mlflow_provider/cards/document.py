"""A card as it is stored: one JSON object of an attempt, ``…/A/card-00.json``, which live updates overwrite.

It holds data only; the viewer (``static/card.js``, ``frontend/src/card``) shows it. :mod:`.page` joins both into a page.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from airflow_mlflow_provider.runtime.masking import Mask
from airflow_mlflow_provider.store.records import AttemptKey
from airflow_mlflow_provider.store.versioned import decode_versioned

DOCUMENT_VERSION = 1
Status = Literal["running", "succeeded", "failed"]


class CardDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A card.

    Attributes:
        type: Type of the card, such as ``default``.
        hash: Names the card among all cards; it stays the same while the card is updated.
        title: Heading.
        pathspec: The task that it belongs to.
        attempt: Number of the attempt.
        status: Whether the step still runs, and how it ended.
        created_at: When it was rendered, in Unix seconds.
        components: Its content, from the top down: dicts with a ``type``.
        id: Its name in ``current.card["id"]``.
        rank: ``high``, ``medium``, ``low`` or ``None``.
        html: The page of a type that renders its own HTML.
        data: What the step last handed to ``current.card.refresh``, or what the type made of it.
        reload_token: Changes when the page of a running step is to be loaded anew.
    """

    type: str
    hash: str
    title: str
    pathspec: str
    attempt: int
    status: Status
    created_at: float
    components: list[Any] = []
    id: str | None = None
    rank: str | None = None
    html: str | None = None
    data: Any = None
    reload_token: str | None = None
    version: int = DOCUMENT_VERSION

    @property
    def order(self) -> int:
        """What lists sort by: 0 for the rank ``high``, 1 for ``medium`` and none, 2 for ``low``."""
        return {"high": 0, "low": 2}.get(self.rank or "", 1)

    @property
    def holds_chart(self) -> bool:
        """Whether showing it needs the bundle for charts."""
        return _holds(self.components, "chart")

    @property
    def holds_html(self) -> bool:
        """Whether HTML of its author's is in it, which belongs into a sandbox."""
        return self.html is not None or _holds(self.components, "html")


def card_key(key: AttemptKey, index: int) -> str:
    """Where the card at a position among the attempt's cards is stored."""
    return f"{key.prefix}/card-{index:02d}.json"


def card_index(name: str) -> int | None:
    """The position that the last part of a key tells, ``None`` if it is not that of a card."""
    number = name.removeprefix("card-").removesuffix(".json")
    is_card = name.startswith("card-") and name.endswith(".json") and number.isdecimal()
    return int(number) if is_card else None


def card_hash(key: AttemptKey, index: int, kind: str, id: str | None) -> str:
    """20 hex digits that name a card among all cards."""
    text = "\0".join((key.pathspec, str(key.attempt), str(index), kind, id or ""))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def encode_card(document: CardDocument) -> bytes:
    """The document as JSON."""
    # Compact, with what a client's viewer may ask for even where it has its default.
    fields = {name: getattr(document, name) for name in document.__struct_fields__}
    return msgspec.json.encode(fields, enc_hook=str)


def decode_card(data: bytes | memoryview, key: str) -> CardDocument:
    """The document that :func:`encode_card` wrote.

    Raises:
        CorruptedDataException: It cannot be read.
        UnreadableArtifactException: It was written by a later version.
    """
    fix = "Make it again with the command `card create`."
    return decode_versioned(data, CardDocument, DOCUMENT_VERSION, called="card", key=key, fix=fix)


def masked(document: CardDocument, mask: Mask) -> CardDocument:
    """The card without the values that a mask hides; the names and types of its parts stay."""
    hidden = {name: _hide(getattr(document, name), mask) for name in ("components", "html", "data")}
    return msgspec.structs.replace(document, **hidden)


def _hide(value: Any, mask: Mask) -> Any:
    if isinstance(value, str):
        return mask.text(value)
    if isinstance(value, dict):
        return {name: one if name == "type" else _hide(one, mask) for name, one in value.items()}
    return [_hide(one, mask) for one in value] if isinstance(value, (list, tuple)) else value


def _holds(value: Any, kind: str) -> bool:
    if isinstance(value, dict):
        return value.get("type") == kind or any(_holds(one, kind) for one in value.values())
    return isinstance(value, list) and any(_holds(one, kind) for one in value)
