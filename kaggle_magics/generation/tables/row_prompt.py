"""A prompt that is asked once a row: its fields, checked against the table before anything is asked."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.generation.tables.rows import Row, Rows, is_missing
from kaggle_magics.interpolation import Template, name_of, resolve

ROW = "row"
"""The whole row, for columns whose names are no names: `{row["two words"]}`, `{row[0]}`."""
_KEY = re.compile(r"""\[(?:"([^"]*)"|'([^']*)'|(-?\d+))\]""")
_MOST_NAMES = 12


@dataclass(frozen=True, slots=True)
class RowPrompt:
    """A prompt whose text and system text have fields of a table's rows, and of `names` where no column has them."""

    prompt: Prompt
    text: Template
    system: Template | None
    names: Mapping[str, Any]
    of_rows: tuple[str, ...]
    """The fields that the rows fill."""
    of_names: tuple[str, ...] = field(default=())
    """The fields that `names` fill."""

    @classmethod
    def of(cls, prompt: Prompt, rows: Rows, names: Mapping[str, Any], *, name: str = "the table") -> RowPrompt:
        """Raises `OptionError` for a field that neither fills, and where no field is of the rows."""
        text = Template.of(prompt.text)
        system = Template.of(prompt.system) if prompt.system else None
        fields = dict.fromkeys((*text.fields, *(system.fields if system else ())))
        of_rows: list[str] = []
        for path in fields:
            known = _column(path, rows)
            if known is None:
                _check_name(path, rows, names, name)
                continue
            if known in rows.doubled:
                raise OptionError(f"{name} has several columns named {known}.", "Rename them: which is meant?")
            if known not in rows.columns and not (path == ROW):
                raise OptionError(f"{name} has no column {known!r}.", _columns_hint(str(known), rows))
            of_rows.append(path)
        if not of_rows:
            raise OptionError(
                f"The prompt uses no column of {name}: every row would be asked the same.",
                f"{_columns_hint('', rows)} To ask one prompt several times, use -n.",
            )
        return cls(prompt, text, system, names, tuple(of_rows), tuple(path for path in fields if path not in of_rows))

    def fill(self, row: Row) -> Prompt:
        """The prompt for one row. `OptionError` says why there is none, such as an empty cell."""
        # A column before the whole row before the notebook. Nothing is written into any of them.
        maps: tuple[Any, ...] = (row, {ROW: row}, self.names)
        names: Mapping[str, Any] = ChainMap(*maps)
        for path in self.of_rows:
            try:
                missing = is_missing(resolve(path, names))
            except Exception as error:  # a row without that key, or whatever the person's objects raise
                said = f"{type(error).__name__}: {error}"
                raise OptionError(f"{{{path}}} cannot be filled from this row ({said}).") from error
            if missing:
                raise OptionError(f"{{{path}}} is empty in this row.")
        text = self.text.fill(names)
        system = self.system.fill(names) if self.system else None
        left = (*text.missing, *(system.missing if system else ()))
        if left:
            raise OptionError(f"{{{left[0]}}} cannot be filled from this row.")
        if not text.text.strip():
            raise OptionError("The prompt is empty for this row.")
        filled = tuple(dict((*text.filled, *(system.filled if system else ()))).items())
        return replace(
            self.prompt, text=text.text, system=system.text if system else None, filled=filled, spans=text.spans
        )


def _column(path: str, rows: Rows) -> Hashable | None:
    """The column that a field is of, whether or not there is one; None where the field is no row's."""
    name = name_of(path)
    if name in rows.columns:
        return name
    if name != ROW:
        return None
    key = _KEY.match(path, len(ROW))
    if key is None:
        return ROW
    return int(key[3]) if key[3] is not None else key[1] if key[1] is not None else key[2]


def _check_name(path: str, rows: Rows, names: Mapping[str, Any], table: str) -> None:
    try:
        resolve(path, names)
    except Exception:
        word = name_of(path)
        raise OptionError(
            f"{{{path}}} is neither a column of {table} nor a name in the notebook.",
            f"{_columns_hint(word, rows)} {{{{{path}}}}} keeps the braces.",
        ) from None


def _columns_hint(word: str, rows: Rows) -> str:
    names = [str(name) for name in rows.columns]
    near = did_you_mean(word, names) if word else None
    shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
    return " ".join(filter(None, (near, f"The columns are: {shown}.")))
