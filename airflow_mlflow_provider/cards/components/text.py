"""Text: Markdown, source code, an exception, a titled part of a page."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered, failure, rendered


class Markdown(MetaflowCardComponent):
    """Formatted text; scripts and event handlers in it are stripped where it is shown.

    Args:
        text: Markdown, in GitHub's flavour.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(self, text: str | None = None) -> None:
        self._text = text

    def update(self, text: str | None = None) -> None:
        """Replace the text."""
        self._text = text

    def render(self) -> Rendered:
        """The component as data."""
        return {"type": "markdown", "text": "" if self._text is None else str(self._text)}


class Error(MetaflowCardComponent):
    """An exception with its traceback.

    Args:
        exception: The exception.
        title: What stands above it.
    """

    def __init__(self, exception: BaseException, title: str | None = None) -> None:
        self._data = failure(exception, title or "Error")

    def render(self) -> Rendered:
        """The component as data."""
        return dict(self._data)


class PythonCode(MetaflowCardComponent):
    """Python source.

    Args:
        code_func: A function, whose source is shown.
        code_string: Source; counts if no function is given.
    """

    def __init__(self, code_func: Callable[..., Any] | None = None, code_string: str | None = None) -> None:
        self._function = code_func
        self._text = code_string

    def render(self) -> Rendered:
        """The component as data."""
        text = self._text or ""
        if self._function is not None:
            try:
                text = textwrap.dedent(inspect.getsource(self._function))
            except (OSError, TypeError) as error:
                text = f"# The source cannot be found: {error}"
        return {"type": "code", "text": text, "language": "python"}


class PageComponent(MetaflowCardComponent):
    """A titled part of a page.

    Args:
        title: Its heading.
        subtitle: A line below the heading.
        contents: Components in it.
    """

    def __init__(
        self,
        title: str | None = None,
        subtitle: str | None = None,
        contents: Sequence[MetaflowCardComponent] = (),
    ) -> None:
        self._title, self._subtitle, self._contents = title, subtitle, tuple(contents)

    def render(self) -> Rendered:
        """The component as data."""
        below: list[Rendered] = [{"type": "text", "text": self._subtitle}] if self._subtitle else []
        children = below + [rendered(component) for component in self._contents]
        return {"type": "section", "title": self._title or "", "children": children}
