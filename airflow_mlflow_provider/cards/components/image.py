"""Pictures; they are stored in the card, as data."""

from __future__ import annotations

import base64
import io
from typing import Any, ClassVar

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered

_KINDS = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8", "jpeg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
_UNKNOWN = "The picture cannot be shown: it is neither PNG, JPEG, GIF, WebP, BMP, TIFF nor SVG."


class Image(MetaflowCardComponent):
    """A picture.

    Args:
        src: Its bytes, or a ``data:image/…`` address.
        label: What stands below it, and what screen readers say.
        disable_updates: Whether :meth:`update` does nothing.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(
        self, src: bytes | str | None = None, label: str | None = None, disable_updates: bool = True
    ) -> None:
        self._label = label
        self._fixed = disable_updates
        self._src, self._error = _source(src)

    @classmethod
    def from_matplotlib(cls, plot: Any, label: str | None = None, disable_updates: bool = False) -> Image:
        """A picture of a figure of Matplotlib, or of the figure that an axis is in."""
        return cls._of(lambda: _matplotlib(plot), label, disable_updates)

    @classmethod
    def from_pil_image(cls, pilimage: Any, label: str | None = None, disable_updates: bool = False) -> Image:
        """A picture of an image of Pillow."""
        return cls._of(lambda: _pillow(pilimage), label, disable_updates)

    def update(self, image: Any, label: str | None = None) -> None:
        """Replace the picture by bytes, a ``data:`` address, a figure of Matplotlib or an image of Pillow."""
        if self._fixed:
            return
        self._label = self._label if label is None else label
        try:
            self._src, self._error = _source(_any(image))
        except Exception as error:  # noqa: BLE001 - a card never costs its task
            self._src, self._error = "", _not_drawn(error)

    def render(self) -> Rendered:
        """The component as data."""
        return {"type": "image", "src": self._src, "label": self._label, "error": self._error}

    @classmethod
    def _of(cls, make: Any, label: str | None, disable_updates: bool) -> Image:
        image = cls(label=label, disable_updates=disable_updates)
        try:
            image._src, image._error = _source(make())
        except Exception as error:  # noqa: BLE001 - a card never costs its task
            image._error = _not_drawn(error)
        return image


def _source(src: bytes | str | None) -> tuple[str, str | None]:
    """The picture as a ``data:`` address, or why it cannot be shown."""
    if src is None:
        return "", "No picture was given."
    if isinstance(src, str):
        known = src.startswith("data:image/")
        return (src, None) if known else ("", "Only pictures that are data can be shown, not addresses.")
    kind = _kind(bytes(src))
    if kind is None:
        return "", _UNKNOWN
    return f"data:image/{kind};base64,{base64.b64encode(src).decode()}", None


def _kind(data: bytes) -> str | None:
    for start, kind in _KINDS:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return "svg+xml" if b"<svg" in data[:1000].lower() else None


def _any(image: Any) -> bytes | str | None:
    if image is None or isinstance(image, (bytes, str)):
        return image
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    return _pillow(image) if hasattr(image, "getbands") else _matplotlib(image)


def _matplotlib(plot: Any) -> bytes:
    figure = plot if hasattr(plot, "savefig") else plot.get_figure()
    return _written(lambda buffer: figure.savefig(buffer, format="png", bbox_inches="tight"))


def _pillow(image: Any) -> bytes:
    return _written(lambda buffer: image.save(buffer, format="PNG"))


def _written(write: Any) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _not_drawn(error: Exception) -> str:
    return f"The picture could not be drawn: {type(error).__name__}: {error}"
