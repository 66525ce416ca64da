"""What goes with a prompt: folded, exactly as the model gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold, note

if TYPE_CHECKING:
    from kaggle_magics.generation.attachments.attach import Attached


def attached_view(attached: Attached) -> View:
    """One line that names it all, with tokens and what was left out; the text unfolds below it."""
    parts = [f"{part.name} ({part.tokens:,} tokens{_cut(part.words.left_out)})" for part in attached.descriptions]
    parts += [str(image) for image in attached.images]
    line = f"Attached: {', '.join(parts)}"
    if not attached.text:
        return note(line)
    plain = escape.plain(line)
    shown = fold(plain, f'<div class="km-scroll"><pre>{escape.code(attached.text)}</pre></div>')
    return View("attached", shown, f"*{escape.markdown_line(line)}*", f"[{plain}]")


def _cut(left_out: str) -> str:
    return f", left out: {left_out}" if left_out else ""
