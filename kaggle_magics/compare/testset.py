"""Test sets: a table with questions, and columns that say what is expected of each answer.

A column is an assertion by its name, one of `compare.expectations` with "_" for spaces, such as `expected`, `contains`,
`not_contains`, `regex`, `similar`, `max_tokens`; an empty cell expects nothing, and a list expects each of its items.
`json` and `stops` hold a truth ("yes", "true", 1) instead of a text. A cell of `similar` may begin with the least
similarity, which is 0.8 otherwise. The column `question` is the prompt, unless another text names columns in braces.
`python` is never run from a file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kaggle_magics.compare.expectations import MAKERS, Expectation, make
from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.tables.rows import Rows, is_missing

QUESTION = "question"
SIMILAR = 0.8
_FLAGS = ("json", "stops")
_KINDS = tuple(kind for kind in MAKERS if kind not in ("python", "json schema"))
CHECKS = (*_KINDS, *(f"not_{kind}" for kind in _KINDS))
"""Names of columns that are checked."""
_NO = {"", "no", "false", "0", "0.0"}
_MOST_NAMES = 12


@dataclass(frozen=True)
class TestSet:
    """Rows, and what is expected of the answer to each."""

    __test__ = False

    name: str
    rows: Rows
    expected: tuple[tuple[Expectation, ...], ...]
    """One tuple for each row: those of its columns, then those of all rows."""
    text: str
    """The prompt, with columns in braces."""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, rows: Rows, *, text: str | None = None, all_rows: Sequence[Expectation] = ()) -> TestSet:
        """Read a test set. `all_rows` are expected of every answer, `text` is the prompt where it is not `question`.

        Raises `OptionError`: no question, nothing to check by, or a cell that is no assertion, with its row.
        """
        if text == f"{{{QUESTION}}}":
            text = None
        columns = [column for column in rows.columns if _name(column) in CHECKS and column not in rows.doubled]
        listed = _listed(rows)
        if text is None and QUESTION not in rows.columns:
            near = did_you_mean(QUESTION, map(str, rows.columns))
            raise OptionError(
                f"{name} has no column {QUESTION}. {near or ''}".strip(),
                f"Name it so, or write the prompt with columns in braces in the body of %%compare. {listed}",
            )
        if not columns and not all_rows:
            near = next(filter(None, (_near(column) for column in _others(rows, text))), "")
            raise OptionError(
                f"{name} has no column that answers are checked by. {near}".strip(),
                f"Such as expected, contains, regex or similar. {listed}",
            )
        expected = []
        for number, row in enumerate(rows, start=1):
            try:
                expected.append((*(each for column in columns for each in _read(column, row[column])), *all_rows))
            except OptionError as error:
                raise OptionError(f"{name}, row {number}: {error.message}", error.hint) from None
        if not any(expected):
            raise OptionError(f"{name} expects nothing: {', '.join(map(str, columns))} is empty in every row.")
        return cls(name, rows, tuple(expected), text or f"{{{QUESTION}}}", tuple(_unused(rows, text)))

    def cases(self) -> list[Mapping[str, Any]]:
        """The rows by the names of their columns."""
        return [{str(column): value for column, value in row.items()} for row in self.rows]


def _read(column: Hashable, cell: Any) -> list[Expectation]:
    """What one cell expects."""
    if isinstance(cell, list | tuple):
        return [each for item in cell for each in _read(column, item)]
    if is_missing(cell):
        return []
    name, given = _name(column), _given(cell)
    negated, kind = name.startswith("not_"), name.removeprefix("not_")
    if kind in _FLAGS:
        return [] if given.casefold() in _NO else [replace(make(kind, ""), negated=negated, column=str(column))]
    if not given:
        return []
    if kind == "similar" and re.match(r"[01]?\.?\d+\s+\S", given) is None:
        given = f"{SIMILAR} {given}"
    return [replace(make(kind, given), negated=negated, column=str(column))]


def _given(cell: Any) -> str:
    # A whole number that stands beside an empty cell comes as a fraction.
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()


def _name(column: Hashable) -> str:
    return "_".join(str(column).casefold().split())


def _others(rows: Rows, text: str | None) -> list[Hashable]:
    """Columns that are neither checked nor asked."""
    prompt = text or f"{{{QUESTION}}}"
    return [
        column
        for column in rows.columns
        if _name(column) not in CHECKS and f"{{{column}" not in prompt and str(column) not in prompt
    ]


def _unused(rows: Rows, text: str | None) -> list[str]:
    """What is to be said of columns that look as if they should be checked, and are not."""
    said = []
    for column in _others(rows, text):
        near = _near(column)
        if _name(column) == "python":
            said.append("The column python is not run: write python: lines in the body of %%expect.")
        elif near is not None:
            said.append(f"The column {column} is not checked. {near}")
    return said


def _near(column: Hashable) -> str | None:
    """The hint for a name that nearly is one; most columns are just that, and far from any."""
    name = _name(column)
    near = difflib.get_close_matches(name, CHECKS if name.startswith("not") else _KINDS, n=1, cutoff=0.75)
    return f"Did you mean {near[0]}?" if near else None


def _listed(rows: Rows) -> str:
    names = [str(name) for name in rows.columns]
    return f"The columns are: {', '.join(names[:_MOST_NAMES])}{', ...' if len(names) > _MOST_NAMES else ''}."
