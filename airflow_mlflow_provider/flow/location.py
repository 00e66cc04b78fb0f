"""Where in the user's source something was written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

# Bytecode in an archive names the file as it is called in there.
_PACKAGE = (str(Path(__file__).parent.parent), f"{__name__.partition('.')[0]}/")


class SourceLocation(NamedTuple):
    """A line of the user's source.

    Attributes:
        file: Path as Python knows it.
        line: 1-based line.
    """

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def caller_location() -> SourceLocation:
    """The innermost line on the stack that is not of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_own_file(frame.f_code.co_filename):
        frame = frame.f_back
    return SourceLocation(frame.f_code.co_filename, frame.f_lineno)


def is_own_file(file: str) -> bool:
    """Whether a source file belongs to this package."""
    return file.startswith(_PACKAGE)
