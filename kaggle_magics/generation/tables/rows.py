"""What a prompt can be asked over: tables and lists of any kind, as rows of named values.

Rows are read in stretches, so that a table of a million rows is never there a second time as a million mappings.
"""

from __future__ import annotations

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.extras import require

Row = dict[Hashable, Any]

VALUE = "value"
"""The column of a list that names none."""
_STRETCH = 1000
_DELIMITED = {".csv": ",", ".tsv": "\t"}
FILES = (*_DELIMITED, ".jsonl", ".parquet")
"""Files that are tables; the first two may be compressed as well (.csv.gz)."""


class Rows(ABC):
    """Rows in order; each is a mapping from column to value."""

    columns: tuple[Hashable, ...]
    """Names of the columns, as fields use them."""
    doubled: frozenset[Hashable] = frozenset()
    """Names that several columns have: they cannot be used."""
    unnamed = False
    """Whether it is one list whose values had no name."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read(self, start: int, stop: int) -> list[Row]:
        """The rows from `start` to before `stop`."""

    @abstractmethod
    def first(self, count: int) -> Rows:
        """The first `count` rows."""

    @abstractmethod
    def renamed(self, name: str) -> Rows:
        """The same rows where the first column has another name."""

    @abstractmethod
    def to_pandas(self) -> Any:
        """The rows as they were given, with their own index and columns: a pandas DataFrame of its own."""

    def labels(self, count: int) -> list[str]:
        """What the first `count` rows are called."""
        return [str(place) for place in range(min(count, len(self)))]

    def __iter__(self) -> Iterator[Row]:
        for start in range(0, len(self), _STRETCH):
            yield from self.read(start, min(start + _STRETCH, len(self)))


class ListRows(Rows):
    """Mappings; their columns are all names that any of them has, empty in the rows that lack them."""

    def __init__(
        self,
        rows: Sequence[Mapping[Any, Any]],
        columns: Sequence[Hashable] | None = None,
        *,
        unnamed: bool = False,
    ) -> None:
        self._rows, self.unnamed = rows, unnamed
        self.columns = tuple(dict.fromkeys(name for row in rows for name in row)) if columns is None else (*columns,)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, start: int, stop: int) -> list[Row]:
        return [{name: row.get(name) for name in self.columns} for row in self._rows[start:stop]]

    def first(self, count: int) -> Rows:
        return ListRows(self._rows[:count], self.columns, unnamed=self.unnamed)

    def renamed(self, name: str) -> Rows:
        old, *rest = self.columns
        return ListRows(
            [{name: row.get(old), **{key: row[key] for key in rest if key in row}} for row in self._rows], (name, *rest)
        )

    def to_pandas(self) -> Any:
        return require("pandas", "A table").DataFrame(list(self._rows), columns=list(self.columns))


class FrameRows(Rows):
    """A pandas DataFrame. Its values are those of its columns: a whole number stays one beside a fraction."""

    def __init__(self, frame: Any, *, unnamed: bool = False) -> None:
        self.unnamed = unnamed
        # What is done to the frame afterwards must not change which answer belongs to which row.
        self._frame = frame.copy()
        names = [_field_name(name) for name in frame.columns]
        self.columns = tuple(dict.fromkeys(names))
        self.doubled = frozenset(name for name in self.columns if names.count(name) > 1)
        self._places = {name: place for place, name in enumerate(names) if name not in self.doubled}

    def __len__(self) -> int:
        return len(self._frame)

    def read(self, start: int, stop: int) -> list[Row]:
        part = self._frame.iloc[start:stop]
        if not self._places:
            return [{} for _ in range(len(part))]
        values = [part.iloc[:, place].tolist() for place in self._places.values()]
        return [dict(zip(self._places, row, strict=True)) for row in zip(*values, strict=True)]

    def first(self, count: int) -> Rows:
        return FrameRows(self._frame.iloc[:count], unnamed=self.unnamed)

    def renamed(self, name: str) -> Rows:
        return FrameRows(self._frame.set_axis([name, *self._frame.columns[1:]], axis=1))

    def to_pandas(self) -> Any:
        return self._frame.copy()

    def labels(self, count: int) -> list[str]:
        labels = self._frame.index[:count]
        return [", ".join(map(str, label)) if isinstance(label, tuple) else str(label) for label in labels]


def rows_of(source: Any, *, name: str = "rows") -> Rows:
    """Rows from what a person has.

    A pandas DataFrame or Series, anything with `to_pandas`, a list of mappings, a mapping of lists, a list of anything
    else (its column is called "value"), or the path of a `.csv`, `.tsv`, `.jsonl` or `.parquet` file. `name` is what
    errors call it. Raises `OptionError` for anything else and for what is empty.
    """
    rows = _rows(source, name)
    if not len(rows):
        again = " An iterator can be read once: make a list of it." if isinstance(source, Iterator) else ""
        raise OptionError(f"{name} has no rows.{again}")
    return rows


def is_missing(value: Any) -> bool:
    """Whether a table's cell is empty: None, NaN, NaT or pandas' NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except Exception:  # NA refuses to be a truth, an array is many, and an object of the person's may raise anything
        return type(value).__name__ == "NAType"


def _rows(source: Any, name: str) -> Rows:
    if isinstance(source, Rows):
        return source
    if isinstance(source, str | os.PathLike):
        return _file(Path(source))
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return FrameRows(source)
    if pandas is not None and isinstance(source, pandas.Series):
        return FrameRows(source.to_frame(VALUE if source.name is None else source.name), unnamed=source.name is None)
    if hasattr(source, "to_pandas"):
        return _rows(_as_pandas(source, name), name)
    if isinstance(source, Mapping):
        return _columns(source, name)
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise OptionError(
            f"{name} is {_a(source)}, not a table.",
            "Give a DataFrame, a list of values or of dicts, a dict of lists, or a .csv or .jsonl file.",
        )
    items = list(source.tolist() if hasattr(source, "tolist") else source)
    mappings = sum(isinstance(item, Mapping) for item in items)
    if not mappings:
        return ListRows([{VALUE: item} for item in items], (VALUE,), unnamed=True)
    if mappings < len(items):
        odd = next(place for place, item in enumerate(items) if not isinstance(item, Mapping))
        raise OptionError(f"{name} holds dicts, but {name}[{odd}] is {_a(items[odd])}.", "Give one kind of rows.")
    return ListRows(items)


def _as_pandas(source: Any, name: str) -> Any:
    try:
        return source.to_pandas()
    except Exception as error:  # some tables need one more library for it
        if hasattr(source, "to_dicts"):
            return source.to_dicts()
        raise OptionError(f"{name} cannot be made a pandas table: {_first_line(error)}") from error


def _columns(source: Mapping[Any, Any], name: str) -> Rows:
    """A mapping of lists; all of one length."""
    columns: dict[Any, list[Any]] = {}
    for column, values in source.items():
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise OptionError(
                f"{name} is a dict, and {name}[{column!r}] is {_a(values)}.", "A dict must hold a list for each column."
            )
        columns[column] = list(values)
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{column} {length}" for column, length in lengths.items())
        raise OptionError(f"The columns of {name} are not equally long: {told}.")
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return ListRows(rows, tuple(columns))


def _file(path: Path) -> Rows:
    path = path.expanduser()
    kind = path.suffix.casefold()
    delimiter = _DELIMITED.get(kind) or next(
        (mark for ending, mark in _DELIMITED.items() if f"{ending}." in path.name.casefold()), None
    )
    if path.is_dir():
        raise OptionError(f"{path} is a folder, not a table.", f"Name a file: {', '.join(FILES)}.")
    if not path.is_file():
        raise OptionError(f"There is no file {path}.")
    try:
        if kind == ".jsonl":
            return ListRows(list(_json_lines(path)))
        if delimiter is not None:
            # As written: nothing becomes a number, a date or "missing" by guessing; 007 and NA are texts.
            read = require("pandas", "Reading a table").read_csv
            return FrameRows(read(path, sep=delimiter, dtype=str, keep_default_na=False, na_values=[""]))
        if kind == ".parquet":
            return FrameRows(require("pandas", "Reading a table").read_parquet(path))
    except (OSError, ValueError, ImportError) as error:
        raise OptionError(f"{path} cannot be read as a table: {_first_line(error)}") from error
    raise OptionError(f"{path} is no table that can be read.", f"These can: {', '.join(FILES)}.")


def _json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object")
            yield row


def _field_name(name: Any) -> Hashable:
    """How fields call a column: texts and numbers as they are, the levels of a MultiIndex joined by "_"."""
    if isinstance(name, tuple):
        return "_".join(str(level) for level in name if str(level))
    return name if isinstance(name, str | int) else str(name)


def _a(value: Any) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
