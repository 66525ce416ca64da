"""What was found for a question, shown before the first word of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, join, note, table
from kaggle_magics.display.grounded import evidence_line
from kaggle_magics.display.passages import whereabouts

if TYPE_CHECKING:
    from kaggle_magics.rag.answering.found import Found


def found_view(found: Found) -> View:
    """The passages that are given, each on a line; what was searched where the question was rewritten."""
    return join("found", [rewritten_view(found), _passages(found)])


def rewritten_view(found: Found) -> View | None:
    """How a follow-up was made to stand alone."""
    return note(f"Searched for: {found.searched}") if found.rewritten else None


def _passages(found: Found) -> View:
    names = [f"[{number}] {whereabouts(hit.passage)}" for number, hit in enumerate(found.hits, start=1)]
    told = "Nearest found, but not good enough" if found.refused else "Found"
    head = f"{told} ({evidence_line(found.evidence)})"
    items = "".join(f"<li>{escape.html(name)}</li>" for name in names)
    html = f'<div class="km-note">{escape.html(head)}<ul>{items}</ul></div>'
    listed = "\n".join(f"- {escape.markdown_line(name)}" for name in names)
    plain = "\n".join(f"    {escape.plain(name)}" for name in names)
    return View("found", html, f"{escape.markdown_line(head)}\n\n{listed}", f"{escape.plain(head)}\n{plain}")


def parts_view(found: Found) -> View:
    """Tokens of each part of what is sent, and what was cut to make it fit."""
    counts = found.counts()
    if not counts or found.grounded is None:
        return note("No model is asked, so nothing is sent.")
    context = found.grounded.context
    rows = [(name, f"{count:,}") for name, count in counts]
    views: list[View | None] = [table("What is sent, part by part", ("part", "tokens"), rows, numbers=("tokens",))]
    if context.cut:
        views.append(note("The best passage did not fit: only its beginning is sent.", warn=True))
    if context.left_out:
        names = "; ".join(whereabouts(hit.passage) for hit in context.left_out)
        views.append(note(f"Left out, for want of room: {names}.", warn=True))
    if context.joined or context.widened:
        views.append(
            note(f"Passages joined with one they touch: {context.joined}; with a neighbour: {context.widened}.")
        )
    return join("parts", views)
