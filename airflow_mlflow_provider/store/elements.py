"""The elements of a foreach as one object, laid out so that each can be read and verified alone.

An element is 16 bytes of the digest of its pickle, one byte that says how much padding follows, the padding, and the
pickle. Pickles with buffers of their own begin at a multiple of 64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_mlflow_provider.store.codecs import Encoded
from airflow_mlflow_provider.store.hashing import digest_of
from airflow_mlflow_provider.store.pickling import ALIGNMENT

if TYPE_CHECKING:
    from typing_extensions import Buffer

ELEMENT_DIGEST_BYTES = 16
_HEAD_BYTES = ELEMENT_DIGEST_BYTES + 1


def join_elements(elements: Iterable[Encoded]) -> tuple[list[Buffer], tuple[int, ...]]:
    """Lay elements out one after another.

    Returns:
        The parts of the object, and ``n + 1`` offsets: element *i* is ``offsets[i]:offsets[i + 1]``.
    """
    parts: list[Buffer] = []
    offsets = [0]
    for element in elements:
        begin = offsets[-1] + _HEAD_BYTES
        gap = -begin % ALIGNMENT if len(element.parts) > 1 else 0
        digest = bytes.fromhex(digest_of(element.parts, element.size))[:ELEMENT_DIGEST_BYTES]
        parts.append(digest + bytes([gap]) + bytes(gap))
        parts.extend(element.parts)
        offsets.append(begin + gap + element.size)
    return parts, tuple(offsets)


def open_element(data: memoryview) -> memoryview | None:
    """The pickle in the bytes of one element; ``None`` if it has not the digest that it was stored with."""
    if len(data) < _HEAD_BYTES:
        return None
    pickle = data[_HEAD_BYTES + data[ELEMENT_DIGEST_BYTES] :]
    found = bytes.fromhex(digest_of([pickle], len(pickle)))[:ELEMENT_DIGEST_BYTES]
    return pickle if found == data[:ELEMENT_DIGEST_BYTES] else None
