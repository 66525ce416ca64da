"""What `--over` means, for every magic that has it: a table or list of the notebook, a file, or values with commas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.tables.rows import FILES, ListRows, Rows, rows_of
from kaggle_magics.interpolation import is_path, resolve
from kaggle_magics.magics.arguments import Parser


@dataclass(frozen=True, slots=True)
class Over:
    """Rows, and what to call them."""

    name: str
    rows: Rows


def over_option(parser: Parser, does: str) -> None:
    """`does` says what is done with each row, as in "Ask once for each"."""
    parser.option(
        "--over",
        help=f"{does}: a table or list in the notebook, a .csv or .jsonl file, or values with commas; NAME=LIST says "
        "which field a list fills.",
        metavar="TABLE",
        complete="variable",
    )


def read_over(given: str, names: Mapping[str, Any], *, field: Callable[[], str]) -> Over:
    """The rows that the option's value means; `field` tells which field plain values fill when NAME= does not.

    Raises `OptionError` for a name that the notebook does not have, and for what holds no rows.
    """
    name, equals, word = given.partition("=")
    if not equals or not name.isidentifier():
        name, word = "", given
    word = word.strip()
    source: Any = _source(word, names)
    called = "--over" if isinstance(source, list) and not word.isidentifier() and not is_path(word) else word
    rows = rows_of(source, name=Path(source).name if isinstance(source, Path) else called)
    if name and not rows.unnamed:
        # The whole row under that name: {city["name"]}.
        rows = ListRows([{name: row} for row in rows], (name,))
    elif rows.unnamed:
        rows = rows.renamed(name or field())
    return Over(called if not isinstance(source, Path) else source.name, rows)


def _source(word: str, names: Mapping[str, Any]) -> Any:
    if word.isidentifier():
        if word not in names:
            visible = [name for name in names if not name.startswith("_")]
            raise OptionError(
                f"--over: there is no {word} in the notebook.",
                did_you_mean(word, visible) or f"For one value, put a comma behind it: {word},",
            )
        value = names[word]
        return _words(value) if isinstance(value, str) else value
    if _is_of_variable(word, names):
        return _part(word, names)
    return _words(word)


def _is_of_variable(word: str, names: Mapping[str, Any]) -> bool:
    """Whether `word` is code about a variable rather than a value or a file: `df.city`, `df[df.n > 1]`."""
    begins = re.match(r"([A-Za-z_]\w*)(?:\.[A-Za-z_]|[\[(])", word)
    return begins is not None and begins[1] in names and not Path(word).is_file()


def _part(word: str, names: Mapping[str, Any]) -> Any:
    """The part of a variable that a path such as `table["test"]` or `df.city` names; nothing else is evaluated."""
    if not is_path(word):
        raise OptionError(
            f"--over takes a name, not the code {word}.", "Put it into a variable in a cell first, and name that."
        )
    try:
        return resolve(word, names)
    except Exception as error:  # a person's object may raise anything
        raise OptionError(f"--over {word} cannot be found: {type(error).__name__}: {error}.") from None


def _words(text: str) -> Path | list[str]:
    if any(ending in Path(text.strip()).suffixes for ending in FILES):
        return Path(text.strip())
    values = [value.strip() for value in text.split(",") if value.strip()]
    if not values:
        raise OptionError("--over has nothing to run over: the list is empty.")
    return values
