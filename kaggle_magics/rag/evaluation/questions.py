"""Questions with known answers, and where in a collection's documents the answers stand.

A table's columns: `question`; and what tells what should be found, any of them:

- `source` with `start` and `end`: a stretch of that document's text, in characters;
- `quote`: words that stand in the documents (of `source`, where that is given);
- `references`: a JSON list of such stretches, each with `start_index` and `end_index` (or `start`, `end`) or `content`,
  as in Chroma's chunking evaluation, whose column `corpus_id` is the source;
- `source` alone: any passage of these documents (several with ";" between, or a list);
- `answer` alone: any passage that holds one of these texts (several with ";" between, or a list).

`answer` is also what an answer has to say. `answerable` ("no", false, 0), or `is_impossible`, marks questions whose
right answer is a refusal; so does a row where all of these columns are empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.tables.rows import Rows, is_missing

Kind = Literal["spans", "sources", "answers", "none"]
COLUMNS = (
    "question",
    "answer",
    "source",
    "start",
    "end",
    "quote",
    "references",
    "corpus_id",
    "answerable",
    "is_impossible",
)
_NO = {"", "no", "n", "false", "0", "0.0"}
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Reference:
    """A stretch of a document that answers: `text(source)[start:end]`."""

    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and what is known about its answer."""

    text: str
    references: tuple[Reference, ...] = ()
    sources: tuple[str, ...] = ()
    """Documents that answer it, where no stretch of them is known."""
    answers: tuple[str, ...] = ()
    """Texts of which a right answer holds one."""
    answerable: bool = True
    row: int = 0
    """Its row in the table, from 1: the same question under another setting or in another collection."""

    @property
    def kind(self) -> Kind:
        """By what passages are judged."""
        if not self.answerable:
            return "none"
        return "spans" if self.references else "sources" if self.sources else "answers" if self.answers else "none"


@dataclass(frozen=True)
class QuestionSet:
    """Questions in order, and what is to be said of those that were left out."""

    questions: tuple[Question, ...]
    notes: tuple[str, ...] = ()


def questions_of(rows: Rows, *, name: str, sources: Sequence[str], text_of: Callable[[str], str]) -> QuestionSet:
    """Read a table of questions about the documents `sources`; `text_of` gives a document's stored text.

    A question whose place cannot be found in the documents is left out and told. Raises `OptionError` for a table
    without questions, without a column to judge by, or where nothing can be found.
    """
    columns = {_name(column): column for column in rows.columns if column not in rows.doubled}
    if "question" not in columns:
        near = did_you_mean("question", list(columns))
        raise OptionError(f"{name} has no column question. {near or ''}".strip(), f"It has {', '.join(columns)}.")
    if not columns.keys() & {"answer", "answers", "source", "quote", "references", "answerable", "is_impossible"}:
        raise OptionError(
            f"{name} has no column to judge by.", "Such as source, quote, start and end, references or answer."
        )
    texts = _Texts(sources, text_of)
    questions: list[Question] = []
    lost: list[str] = []
    for number, row in enumerate(rows, start=1):
        cells = {key: row[column] for key, column in columns.items() if not is_missing(row[column])}
        asked = str(cells.get("question", "")).strip()
        if not asked:
            lost.append(f"row {number} has no question")
            continue
        try:
            questions.append(replace(_question(asked, cells, texts), row=number))
        except _NotThere as error:
            lost.append(f"row {number}: {error}")
    if not any(question.answerable for question in questions) and not columns.keys() & {"answerable", "is_impossible"}:
        lost.append("no row says where its answer stands")
        questions = []
    if not questions:
        raise OptionError(f"No question of {name} can be judged: {lost[0]}.", "Ingest the documents it is about first.")
    more = f", and {len(lost) - 3} more" if len(lost) > 3 else ""
    notes = (f"Left out: {'; '.join(lost[:3])}{more}.",) if lost else ()
    return QuestionSet(tuple(questions), notes)


class _NotThere(Exception):
    """What a row names is not in the collection."""


class _Texts:
    """Documents by the names that a table uses for them."""

    def __init__(self, sources: Sequence[str], text_of: Callable[[str], str]) -> None:
        self._sources = sources
        self._text_of = text_of
        self._kept: dict[str, str] = {}

    def text(self, source: str) -> str:
        if source not in self._kept:
            self._kept[source] = self._text_of(source)
        return self._kept[source]

    def named(self, name: str) -> list[str]:
        """The documents of this name: their source, file name, or file name without its suffix; or a pattern."""
        for fits in (_equal, _file_name, _stem, fnmatchcase):
            found = [source for source in self._sources if fits(source, name)]
            if found:
                return found
        raise _NotThere(f"there is no document {name!r} in the collection")

    def find(self, quote: str, among: Iterable[str]) -> list[Reference]:
        """Where a quote stands, word for word; white space counts as any other white space."""
        words = quote.split()
        if not words:
            return []
        pattern = re.compile(r"\s+".join(map(re.escape, words)))
        found = [
            Reference(source, match.start(), match.end())
            for source in among
            for match in pattern.finditer(self.text(source))
        ]
        if not found:
            raise _NotThere(f"{_SPACE.sub(' ', quote)[:60]!r} does not stand in the documents")
        return found

    def all(self) -> Sequence[str]:
        return self._sources


def _equal(source: str, name: str) -> bool:
    return source == name


def _file_name(source: str, name: str) -> bool:
    return re.split(r"[/!]", source)[-1] == name


def _stem(source: str, name: str) -> bool:
    return re.split(r"[/!]", source)[-1].rpartition(".")[0] == name


def _question(asked: str, cells: Mapping[str, Any], texts: _Texts) -> Question:
    answers = _texts(cells.get("answer", cells.get("answers")))
    if not _answerable(cells):
        return Question(asked, answers=answers, answerable=False)
    named = [source for name in _texts(cells.get("source", cells.get("corpus_id"))) for source in texts.named(name)]
    references: list[Reference] = []
    if "references" in cells:
        for part in _parsed(cells["references"]):
            references += _stretch(part, named, texts)
    elif "start" in cells and "end" in cells:
        references += _stretch(cells, named, texts)
    elif "quote" in cells:
        for quote in _texts(cells["quote"], several=False):
            references += texts.find(quote, named or texts.all())
    if not (references or named or answers):
        return Question(asked, answerable=False)
    return Question(asked, tuple(dict.fromkeys(references)), () if references else tuple(named), answers)


def _stretch(part: Mapping[str, Any], named: Sequence[str], texts: _Texts) -> list[Reference]:
    """One stretch, by its offsets where the text there is the quoted one (or nothing is quoted), else by its words."""
    quote = str(part.get("content") or part.get("quote") or "")
    among = [each for name in _texts(part.get("source")) for each in texts.named(name)] or list(named)
    start, end = (_whole(part.get(f"{edge}_index", part.get(edge))) for edge in ("start", "end"))
    if start is None or end is None or len(among) != 1:
        if not quote:
            raise _NotThere("a stretch needs start, end and one source, or a quote")
        return texts.find(quote, among or texts.all())
    text = texts.text(among[0])
    if quote and text[start:end].split() != quote.split():
        return texts.find(quote, among)
    if not 0 <= start < end <= len(text):
        raise _NotThere(f"{start} to {end} is no stretch of {among[0]}, which has {len(text)} characters")
    return [Reference(among[0], start, end)]


def _parsed(cell: Any) -> list[Mapping[str, Any]]:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError as error:
            raise _NotThere(f"references is not JSON ({error})") from error
    parts = cell if isinstance(cell, list | tuple) else [cell]
    if not all(isinstance(part, Mapping) for part in parts):
        raise _NotThere("references is not a list of objects")
    return list(parts)


def _texts(cell: Any, *, several: bool = True) -> tuple[str, ...]:
    """The texts of a cell: a list's, or those between semicolons."""
    if cell is None:
        return ()
    if isinstance(cell, list | tuple | set | frozenset):
        parts = [str(part.get("text", "")) if isinstance(part, Mapping) else str(part) for part in cell]
    else:
        parts = str(cell).split(";") if several else [str(cell)]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _answerable(cells: Mapping[str, Any]) -> bool:
    if "answerable" in cells:
        return str(cells["answerable"]).strip().casefold() not in _NO
    if "is_impossible" in cells:
        return str(cells["is_impossible"]).strip().casefold() in _NO
    return True


def _whole(cell: Any) -> int | None:
    try:
        number = float(cell)
        return int(number) if number.is_integer() else None
    except (TypeError, ValueError):
        return None


def _name(column: Any) -> str:
    return "_".join(str(column).casefold().split())
