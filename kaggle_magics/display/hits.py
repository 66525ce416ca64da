"""What a search found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, join, note, title
from kaggle_magics.display.passages import passage_view, whereabouts

if TYPE_CHECKING:
    from kaggle_magics.rag.passages import Hit


def hits_view(hits: Sequence[Hit]) -> View:
    """Passages that were found, best first, each with its scores."""
    if not hits:
        return note("Nothing was found.")
    views = [title(f"{len(hits)} passage{'s' * (len(hits) != 1)}, nearest first")]
    for hit in hits:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in hit.scores.items())
        views.append(passage_view(f"{hit.rank}. {whereabouts(hit.passage)} ({scores})", hit.passage, open=True))
    return join("hits", views)
