"""Answers that were asked again: a row each, with where the first difference is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, join, note, table

if TYPE_CHECKING:
    from kaggle_magics.compare.verification import Check, Verified

_SHOWN = 60
_AROUND = 30
"""Characters that are shown of both texts from the first difference on."""


def verified_view(found: Verified) -> View:
    """How many are the same, then every answer."""
    same, changed, left = len(found.same), len(found.changed), len(found) - len(found.same) - len(found.changed)
    line = f"{same} of {len(found)} answers are the same, {changed} changed"
    line += f", {left} could not be asked again." if left else "."
    views: list[View | None] = [note(line, warn=bool(changed))]
    if len(found) < found.of:
        views.append(note(f"Stopped: {found.of - len(found)} more were not looked at.", warn=True))
    rows = [
        (
            check.number,
            check.before.card.model,
            _short(check.prompt),
            "CHANGED" if check.outcome == "changed" else check.outcome,
            None if check.similarity is None else f"{check.similarity:.2f}",
            _where(check),
        )
        for check in found
    ]
    columns = ("", "model", "prompt", "answer", "similarity", "")
    if rows:
        views.append(table("Asked again", columns, rows, numbers=("similarity",)))
    return join("verified", [*views, *(note(text) for text in found.notes)])


def _where(check: Check) -> str:
    """The first difference, and what else there is to know."""
    said = []
    if check.after is not None and check.differs_at is not None:
        at = check.differs_at
        then, now = _short(check.before.text[at:], _AROUND), _short(check.after.text[at:], _AROUND)
        said.append(f'From character {at + 1}: "{then}" then, "{now}" now.')
    elif check.after is not None and check.outcome == "changed":
        said.append(f"The same text; ended by {check.before.stop_reason} then, by {check.after.stop_reason} now.")
    return " ".join([*said, *check.remarks])


def _short(text: str, longest: int = _SHOWN) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
