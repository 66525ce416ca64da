"""Conversations: which there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, table

if TYPE_CHECKING:
    from kaggle_magics.generation.conversation import Thread


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
    return table("Threads", ("thread", "turns", "model", "latest question"), rows, numbers=("turns",))


def one_line(text: str, most: int = 80) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1].rstrip()}…"
