"""Small pictures of images and matrices, for previews: PNG as a ``data:`` address, made with zlib alone."""

from __future__ import annotations

import base64
import math
import struct
import sys
import zlib
from typing import Any

_SIDE = 32
_COLOURED_SIDE = 24
_SMALLEST = 8
_LARGEST = 20_000
_MOST_CHARACTERS = 3_000
_SLIMMEST = 3
_CHANNELS = {1: 0, 3: 2, 4: 6}


def array_picture(value: Any) -> str | None:
    """A picture of a matrix (brighter is more) or of an image of one, three or four channels; else ``None``."""
    shape, kind = value.shape, value.dtype.kind
    channels = 1 if len(shape) == 2 else (shape[2] if len(shape) == 3 else 0)
    if (
        channels not in _CHANNELS
        or kind not in "buif"
        or (channels > 1 and value.dtype.itemsize > 1 and kind != "f")
    ):
        return None
    height, width = shape[:2]
    low, high = sorted((height, width))
    if low < _SMALLEST or high > _LARGEST or high > low * _SLIMMEST:
        return None
    step = math.ceil(high / (_SIDE if channels == 1 else _COLOURED_SIDE))
    return _png(_as_bytes(value[::step, ::step]), channels)


def image_picture(value: Any) -> str | None:
    """A picture of an image of Pillow."""
    width, height = value.size
    share = min(1.0, _COLOURED_SIDE / max(width, height))
    small = value.resize((max(1, round(width * share)), max(1, round(height * share)))).convert("RGB")
    row = small.size[0] * 3
    data = small.tobytes()
    return _written(small.size, 2, [data[start : start + row] for start in range(0, len(data), row)])


def _as_bytes(small: Any) -> Any:
    """The values as bytes from 0 to 255."""
    if small.dtype == "uint8":
        return small
    numpy = sys.modules["numpy"]
    wide = small.astype("float64")
    finite = wide[numpy.isfinite(wide)]
    if not finite.size:
        return numpy.zeros(small.shape, "uint8")
    low, high = float(finite.min()), float(finite.max())
    span = (high - low) or 1.0
    scaled = numpy.nan_to_num((wide - low) / span, nan=0.0, posinf=1.0, neginf=0.0)
    return (scaled.clip(0, 1) * 255).astype("uint8")


def _png(pixels: Any, channels: int) -> str | None:
    height, width = pixels.shape[:2]
    return _written((width, height), _CHANNELS[channels], [row.tobytes() for row in pixels])


def _written(size: tuple[int, int], colour: int, rows: list[bytes]) -> str | None:
    """PNG of rows of pixels, https://www.w3.org/TR/png-3; ``None`` if it is not small."""
    header = struct.pack(">IIBBBBB", *size, 8, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    address = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return address if len(address) <= _MOST_CHARACTERS else None


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
