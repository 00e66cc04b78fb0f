"""A file that a command writes, as an argument: that it cannot be written is told before anything is done."""

from __future__ import annotations

import os
from typing import Any

import click


class OutputFile(click.Path):
    """The path of a file to write, in a folder that is there.

    Args:
        path_type: The type of the value; a text by default.
    """

    def __init__(self, path_type: Any = None) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=path_type)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or a usage error."""
        folder = os.path.dirname(os.path.abspath(value))  # noqa: PTH100, PTH120 - a text, as the value is
        if not os.path.isdir(folder):  # noqa: PTH112
            self.fail(f"there is no folder {folder!r}.", param, ctx)
        if not os.access(folder, os.W_OK):
            self.fail(f"the folder {folder!r} cannot be written to.", param, ctx)
        return super().convert(value, param, ctx)
