"""What the history's file holds of an answer: its row, and back."""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.generation.conversation import Turn, TurnKey
from kaggle_magics.generation.history import stored
from kaggle_magics.models.request import Message, Sampling, StopReason, Usage


@dataclass(frozen=True, slots=True)
class Asked:
    """What is noted of a question beside its answer."""

    kind: str = "prompt"
    """What asked: "prompt", "chain", "codegen", "ask", "table"."""
    question: str | None = None
    """The person's own words, where the request holds more than these."""
    thread: str | None = None
    key: TurnKey | None = None
    previous: int | None = None
    """The entry of the thread's turn before."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One question that was asked, with its answer."""

    id: int
    created: str
    """UTC, ISO 8601."""
    kind: str
    question: str
    answer: str
    model: str
    stop_reason: StopReason
    usage: Usage
    notebook: str
    """The notebook's file, or its folder where the front end does not tell."""
    thread: str | None = None
    row: int | None = None
    """Row of a table, counted from 1, and how many it had."""
    rows: int | None = None
    excerpt: str = ""
    """Where the searched words stand in the answer; its beginning where they are in the question."""


ENTRY = (
    'e.id, e.created, e.kind, e.question, e.answer, e.model, e.stop_reason, e.usage, e.notebook, e.thread, e."row", '
    'e."rows"'
)
"""The columns of an `HistoryEntry`."""
WRITTEN = (
    "created, kind, question, answer, model, stop_reason, usage, notebook, thread, cell, run, previous, "
    '"row", "rows", data'
)
"""The columns of `row_of`."""


def where(words: str, thread: str | None, model: str | None) -> tuple[list[str], list[object], bool]:
    """Conditions, their values, and whether the index of words is used."""
    where: list[str] = []
    values: list[object] = []
    listed = valid(words).split()
    # The index knows words by the spaces and marks around them; Chinese, Japanese and Thai have none.
    parts = [word for word in listed if any(_is_unspaced(character) for character in word)]
    whole = [word for word in listed if word not in parts and any(map(str.isalnum, word))]
    if whole:
        where.append("words MATCH ?")
        values.append(" ".join('"' + word.replace('"', '""') + '"*' for word in whole))
    for word in listed:
        if word not in whole:
            where.append("(instr(e.question, ?) OR instr(e.answer, ?))")
            values += [word, word]
    for column, value in (("thread", thread), ("model", model)):
        if value is not None:
            where.append(f"e.{column} = ?")
            values.append(valid(value))
    return where, values, bool(whole)


def _is_unspaced(character: str) -> bool:
    return character > "\u0e00" and (
        unicodedata.east_asian_width(character) in "WF" or "\u0e00" <= character <= "\u0eff"
    )


def row_of(answer: Answer, asked: Asked, notebook: str, row: int, rows: int, table: bool) -> tuple[object, ...]:
    card, key = answer.card, asked.key
    question = asked.question if asked.question is not None else card.messages[-1].content if card.messages else ""
    # A kept answer's card tells when it was first given.
    created = now_utc() if answer.from_cache else card.created
    return (
        created,
        asked.kind,
        valid(question),
        valid(answer.text),
        card.model,
        answer.stop_reason,
        json.dumps(asdict(answer.usage)),
        valid(notebook),
        None if asked.thread is None else valid(asked.thread),
        key.cell if key else None,
        key.run if key else None,
        asked.previous,
        row if table else None,
        rows if table else None,
        zlib.compress(stored.dump(answer).encode("ascii")),
    )


def entry_of(row: Sequence[object]) -> HistoryEntry:
    values = list(row[:13])
    values[7] = Usage(**json.loads(str(values[7])))
    return HistoryEntry(*values)  # type: ignore[arg-type]


def answer_of(row: Sequence[object]) -> Answer:
    """The answer of a row; one that another release wrote, and this one cannot read, is at least its text."""
    entry, data = entry_of(row), row[13]
    assert isinstance(data, bytes)
    try:
        answer = stored.load(zlib.decompress(data).decode("ascii"))
        if isinstance(answer, Answer):
            return answer
    except (ValueError, zlib.error):
        pass
    card = RunCard(
        model=entry.model,
        source="",
        engine="",
        library="",
        device="",
        dtype="",
        messages=(Message("user", entry.question),),
        template="auto",
        sampling=Sampling(),
        version="",
        created=entry.created,
    )
    return Answer(text=entry.answer, stop_reason=entry.stop_reason, usage=entry.usage, card=card)


def now_utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def valid(text: str) -> str:
    """The text with "?" for lone surrogates, which no file takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def turn_of(row: Sequence[object]) -> Turn:
    """The turn of a row that ends with its key's cell and run."""
    cell, run = row[-2:]
    return Turn(answer_of(row), TurnKey(str(cell), str(run or "")) if cell else None, int(str(row[0])))
