"""Saved prompts: the list, and one of them as it will be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, facts, join, note, table, title

if TYPE_CHECKING:
    from kaggle_magics.display.results import Prompts
    from kaggle_magics.generation.library.prompt_file import SavedPrompt

_LINE = 80
"""Characters of a prompt's first line."""


def prompts_view(prompts: Prompts) -> View:
    """Name, fields and first line of each; what cannot be read says why."""
    if not prompts:
        return note("No saved prompt is there. Keep one: %%prompt --save NAME")
    rows = [
        (one.name, one.kind, ", ".join(one.fields), one.problem or _short(one.first_line), one.path) for one in prompts
    ]
    return table("Saved prompts", ("name", "kind", "fields", "begins with", "file"), rows)


def saved_view(saved: SavedPrompt) -> View:
    """A saved prompt: its options, then its text."""
    told = [("fields", ", ".join(saved.fields))] if saved.fields else []
    told += [(name, repr(value) if isinstance(value, list) else str(value)) for name, value in saved.options.items()]
    if saved.path is not None:
        told.append(("file", str(saved.path)))
    plain = escape.plain(saved.text)
    text = View("text", f"<pre>{escape.code(plain)}</pre>", escape.markdown(plain), plain)
    return join("saved", [facts(f"{saved.kind} {saved.name}", told) if told else title(saved.name), text])


def _short(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"
