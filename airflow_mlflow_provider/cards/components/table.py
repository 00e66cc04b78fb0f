"""A table of values and components, and one of a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from airflow_mlflow_provider.cards.component import MetaflowCardComponent, Rendered, cell_of

_ROWS = 100
_COLUMNS = 50


class Table(MetaflowCardComponent):
    """A table; cells are values or components.

    Args:
        data: Rows.
        headers: Headings of the columns.
        disable_updates: Whether :meth:`update` does nothing.
    """

    REALTIME_UPDATABLE: ClassVar[bool] = True

    def __init__(
        self,
        data: Iterable[Sequence[Any]] | None = None,
        headers: Sequence[Any] | None = None,
        disable_updates: bool = False,
    ) -> None:
        self._rows = [list(row) for row in data or ()]
        self._headers = list(headers or ())
        self._fixed = disable_updates
        self._note: str | None = None

    @classmethod
    def from_dataframe(cls, dataframe: Any = None, truncate: bool = True) -> Table:
        """A table of a data frame of pandas or polars, or of an Arrow table.

        Args:
            dataframe: The frame.
            truncate: Whether to show at most 100 rows and 50 columns of it.
        """
        table = cls()
        if dataframe is not None:
            table._show(dataframe, _ROWS if truncate else None, _COLUMNS if truncate else None)
        return table

    def update(self, data: Any = None, headers: Sequence[Any] | None = None) -> None:
        """Replace the rows, and the headings if any are given; ``data`` may be a data frame."""
        if self._fixed:
            return
        if hasattr(data, "columns") or hasattr(data, "schema"):
            self._show(data, _ROWS, _COLUMNS)
            return
        self._rows = [list(row) for row in data or ()]
        if headers is not None:
            self._headers = list(headers)

    def render(self) -> Rendered:
        """The component as data."""
        made: Rendered = {
            "type": "table",
            "headers": [cell_of(head) for head in self._headers],
            "rows": [[cell_of(cell) for cell in row] for row in self._rows],
        }
        return {**made, "note": self._note} if self._note else made

    def _show(self, frame: Any, rows: int | None, columns: int | None) -> None:
        headers, data, height = _frame(frame, rows, columns)
        shown = headers[:columns] if columns else headers
        self._headers, self._rows = shown, data
        is_cut = len(data) < height or len(shown) < len(headers)
        self._note = (
            f"{len(data):,} of {height:,} rows, {len(shown)} of {len(headers)} columns" if is_cut else None
        )


def _frame(frame: Any, rows: int | None, columns: int | None) -> tuple[list[Any], list[list[Any]], int]:
    """Names of all columns, the first rows of the first columns, and the number of rows."""
    if hasattr(frame, "iloc"):
        part = frame.iloc[:rows, :columns]
        named_index = frame.index.name is not None or type(frame.index).__name__ != "RangeIndex"
        cells = [list(row) for row in part.itertuples(index=named_index, name=None)]
        headers = [*([frame.index.name or ""] if named_index else []), *frame.columns]
        return headers, cells, len(frame)
    if hasattr(frame, "to_pylist"):
        names = list(frame.schema.names)
        part = frame.slice(0, rows).select(names[:columns])
        return names, [list(row.values()) for row in part.to_pylist()], int(frame.num_rows)
    names = list(frame.columns)
    part = frame.select(names[:columns])
    return names, [list(row) for row in (part.head(rows) if rows else part).rows()], len(frame)
