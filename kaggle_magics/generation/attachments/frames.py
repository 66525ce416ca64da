"""Tables and columns of pandas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kaggle_magics.generation.attachments.description import Lines, Words, counted, short

_ROWS = 20
"""Rows shown at most: a model learns the kind of data from few."""
_MOST_ROWS = 1_000_000
"""Rows that are looked at for missing values and ranges: a second's work at most."""
_CELL = 60
"""Characters of a cell."""
_COLUMNS_SHARE = 0.6
"""Of the room, for what is said about the columns; the rows get the rest."""


def describe_frame(frame: Any, room: int) -> Words:
    """Shape; name, type, missing values and range of each column; the first rows as CSV."""
    rows, columns = frame.shape
    what = f"a pandas DataFrame of {counted(rows, 'row')} and {counted(columns, 'column')}"
    lines = Lines(int(room * _COLUMNS_SHARE) if rows else room)
    shown = lines.fill(_column(frame, at) for at in range(columns))
    left = Lines(room - len(lines.text))
    taken = 0
    if rows and shown:
        head = ",".join(_cell(frame.columns[at]) for at in range(shown))
        if left.add("First rows:") and left.add(head):
            first = frame.iloc[:_ROWS, :shown]
            taken = left.fill(",".join(map(_cell, row)) for row in first.itertuples(index=False, name=None))
    left_out = [f"{columns - shown:,} of {columns:,} columns"] if shown < columns else []
    if taken < rows:
        left_out.append(f"all rows after the first {taken}" if taken else "the rows")
    body = "\n".join([*lines.lines, *(left.lines if taken else [])])
    return Words(what, body, ", ".join(left_out))


def describe_series(series: Any, room: int) -> Words:
    """Length, type, missing values, range; the first values with their index."""
    named = f" named {short(series.name, _CELL)}" if series.name is not None else ""
    what = f"a pandas Series{named} of {counted(len(series), 'value')}, {_facts(series)}"
    lines = Lines(room)
    taken = lines.fill(f"{_cell(label)}: {_cell(value)}" for label, value in series.iloc[: 5 * _ROWS].items())
    left_out = f"all values after the first {taken}" if taken < len(series) else ""
    return Words(what, lines.text, left_out)


def _column(frame: Any, at: int) -> str:
    return f"- {short(_text(frame.columns[at]), _CELL)}: {_facts(frame.iloc[:, at])}"


def _facts(series: Any) -> str:
    """Type, missing values, and the range of numbers and dates or the first values of others."""
    parts = [str(series.dtype)]
    if len(series) > _MOST_ROWS:
        series = series.iloc[:_MOST_ROWS]
        parts.append(f"in the first {_MOST_ROWS:,} rows")
    missing = int(series.isna().sum())
    if missing:
        parts.append(f"{missing:,} missing")
    parts += _range(series) if missing < len(series) else []
    return ", ".join(parts)


def _range(series: Any) -> Iterator[str]:
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iufmM":
        yield f"{_cell(series.min())} to {_cell(series.max())}"
    elif kind not in "bc":
        try:
            seen = series.dropna().head(1000).drop_duplicates().head(3)
        except TypeError:  # lists and the like cannot be compared
            return
        yield f"such as {', '.join(short(_text(value), 24) for value in seen)}"


def _text(value: object) -> str:
    if isinstance(value, tuple):  # a name of several levels
        return " / ".join(map(str, value))
    return value if isinstance(value, str) else str(value)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = short(_text(value), _CELL)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"') else text
