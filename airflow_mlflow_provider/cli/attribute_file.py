"""Files through which a command tells the program that started it what it has made."""

from __future__ import annotations

from pathlib import Path

import msgspec


def write_attributes(path: str, **attributes: str) -> None:
    """Write attributes as JSON, so that a reader sees all of them or no file."""
    target = Path(path)
    fresh = target.with_name(f".{target.name}.writing")
    fresh.write_bytes(msgspec.json.encode(attributes))
    fresh.replace(target)
