"""Conversations and the history: which there are, one of them in full, and what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.answers import ENDED, body
from kaggle_magics.display.bundle import View, join, note, table, title

if TYPE_CHECKING:
    from kaggle_magics.display.results import HistoryEntries
    from kaggle_magics.generation.conversation import Thread, Turn
    from kaggle_magics.generation.history.rows import HistoryEntry


def threads_view(threads: Mapping[str, Thread]) -> View:
    """The conversations by name, each with its latest question."""
    rows = [
        (
            name,
            len(thread),
            thread.turns[-1].answer.card.model if thread.turns else None,
            one_line(thread.turns[-1].question.content) if thread.turns else None,
        )
        for name, thread in threads.items()
    ]
    if not rows:
        return note("There is no thread yet. Begin one with: %%prompt --thread NAME")
    return table("Threads", ("thread", "turns", "model", "latest question"), rows, numbers=("turns",))


def thread_view(thread: Thread) -> View:
    """A conversation in full."""
    system = [_said("system", thread.system)] if thread.system else []
    count = f"{len(thread)} turn{'s' * (len(thread) != 1)}"
    turns = [_turn(number, turn) for number, turn in enumerate(thread.turns, start=1)]
    return join("thread", [title(f"Thread {thread.name}, {count}"), *system, *turns])


def history_view(found: HistoryEntries) -> View:
    """Entries, the latest first; a conversation in its order."""
    if found.thread is not None:
        return thread_view(found.thread)
    if not found:
        said = (
            f"Nothing that was asked holds: {found.words}" if found.words else "Nothing was asked that could be listed."
        )
        return note(said)
    rows = [
        (
            _when(entry.created),
            entry.model,
            _where(entry),
            one_line(entry.question),
            one_line(entry.excerpt if found.words and entry.excerpt else entry.answer),
        )
        for entry in found
    ]
    return table("History", ("asked", "model", "in", "question", "answer"), rows)


def one_line(text: str, most: int = 80) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1].rstrip()}…"


def _where(entry: HistoryEntry) -> str:
    """The conversation or the kind of question it belongs to."""
    if entry.thread is not None:
        return f"thread {entry.thread}"
    if entry.rows is not None:
        return f"row {entry.row} of {entry.rows}"
    return "" if entry.kind == "prompt" else entry.kind


def _when(created: str) -> str:
    """In the time zone of this machine, to the minute."""
    try:
        return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return created


def _turn(number: int, turn: Turn) -> View:
    ended = ENDED.get(turn.answer.stop_reason)
    return join(
        "turn",
        [
            title(f"Turn {number}"),
            _said("you", turn.question.content),
            note(f"{turn.answer.card.model}:"),
            body(turn.answer),
            note(ended, warn=True) if ended and turn.stopped else None,
        ],
    )


def _said(who: str, text: str) -> View:
    """What a person said, as it is."""
    return View(
        "said",
        f'<div class="km-note">{escape.html(who)}:</div><pre>{escape.code(text)}</pre>',
        f"*{who}:*\n\n{escape.markdown(text)}",
        f"{who}: {escape.plain(text)}",
    )
