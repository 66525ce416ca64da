"""A passage as it is shown: its label, and its text word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold

if TYPE_CHECKING:
    from kaggle_magics.rag.passages import Passage

_HEADING = 70
"""Characters of a passage's heading path, or table header, that stand in its label."""
_TOOLTIP = 300
"""Characters of a passage that a citation shows when it is pointed at."""


def passage_view(
    label: str, passage: Passage, *, open: bool = False, id: str = "", marked: Sequence[tuple[int, int]] = ()
) -> View:
    """A passage that folds; `marked` are stretches of its text that are made to stand out, (start, end) each."""
    context = f'<div class="km-note">{escape.html(passage.context)}</div>' if len(passage.context) > _HEADING else ""
    parts = list(_parts(passage.text, marked))
    quoted = "".join(f"<mark>{_lines(part)}</mark>" if stands_out else _lines(part) for part, stands_out in parts)
    text = escape.plain("".join(f"\u00ab{part}\u00bb" if out else part for part, out in parts).strip())
    bold = "".join(
        f"**{escape.markdown_line(part)}**" if out else _spaced(part, escape.markdown_line(part)) for part, out in parts
    )
    return View(
        "passage",
        fold(label, f"{context}<blockquote>{quoted}</blockquote>", open=open, id=id),
        f"{escape.markdown_line(label)}\n\n> {bold.strip()}",
        f"{escape.plain(label)}\n" + "\n".join(f"    {line}" for line in text.splitlines()),
    )


def _parts(text: str, marked: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it stands out; all of them together are the text."""
    at = 0
    for start, end in sorted(marked):
        start, end = max(start, at), min(end, len(text))
        if start >= end:
            continue
        if at < start:
            yield text[at:start], False
        yield text[start:end], True
        at = end
    if at < len(text):
        yield text[at:], False


def _lines(text: str) -> str:
    return escape.html(text).replace("\n", "<br>")


def _spaced(text: str, drawn: str) -> str:
    """A drawn piece with the white space around it, which drawing took away."""
    before = " " * (text[:1].isspace())
    return f"{before}{drawn}{' ' * (text[-1:].isspace() and bool(drawn))}"


def whereabouts(passage: Passage) -> str:
    """Source, place and heading: two passages of one file are told apart before they are opened."""
    place, heading = str(passage.place), passage.context
    if len(heading) > _HEADING:
        heading = f"{heading[: _HEADING - 1]}…"
    source = f"{passage.source}, {place}" if place else passage.source
    return f"{source} · {heading}" if heading else source


def tooltip(passage: Passage, spans: Sequence[tuple[int, int]] = ()) -> str:
    """Where a passage stands, and its first marked sentence or else its beginning."""
    told = passage.text[slice(*spans[0])] if spans else passage.text
    text = " ".join(told.split())
    dots = "\u2026" if len(text) > _TOOLTIP else ""
    return f"{whereabouts(passage)}: {text[:_TOOLTIP]}{dots}"
