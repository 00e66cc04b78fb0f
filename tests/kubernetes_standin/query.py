"""Query parameters, read as a Go server reads them."""

from __future__ import annotations

from tests.kubernetes_standin.status import bad_request


def flag(text: str | None) -> bool:
    """``strconv.ParseBool``; what it does not understand is false."""
    return text in ("1", "t", "T", "true", "TRUE", "True")


def number(text: str | None, name: str) -> float | None:
    """A number, None when it is absent. Raises ``ApiError`` 400."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax ({name})') from error
