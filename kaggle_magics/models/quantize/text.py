"""The texts that results are checked and measured on; written for this package."""

from __future__ import annotations

from pathlib import Path

CHECK_TEXT = (
    "The library opens at nine and closes at six, from Monday to Friday. On Saturday it opens at 10:30, but only the "
    "reading room is heated.\n\nA ticket costs 4.50; children under twelve don't pay. Who lends a book for 28 days may "
    "keep it twice as long, unless somebody else waits for it."
)
"""Short: every result is checked on it. Prose, figures, punctuation, a blank line."""


def measure_text() -> str:
    """About 550 words of English: what `measure` reads where no other text is given."""
    return Path(__file__).with_name("measure_text.txt").read_text(encoding="utf-8")
