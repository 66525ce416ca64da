"""Open collections and what is in them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, fold, join, note, size, table

if TYPE_CHECKING:
    from kaggle_magics.display.results import Collections
    from kaggle_magics.rag.storing.records import SourceFacts

_ROWS = 50
"""Documents that are shown unfolded."""
_STEP = {True: ", in step", False: ", behind the records until the next search", None: ", not opened yet"}
"""How the vector index stands to the records."""


def collections_view(collections: Collections) -> View:
    """Open collections: how much is in them, by which embedder, where they lie; and their documents, if asked for."""
    if not collections:
        return note("No collection is open. Make one with: %rag_ingest PATH")
    rows = [
        (
            name,
            facts.documents,
            facts.passages,
            f"{facts.characters:,}",
            f"{facts.embedder} ({facts.dimension})" if facts.embedder else "none: search is by words only",
            f"{facts.store}{_STEP[facts.in_step]}" if facts.embedder else facts.store,
            size(facts.bytes),
            f"{facts.path} (temporary)" if facts.temporary else facts.path,
        )
        for name, facts in collections.items()
    ]
    columns = ("collection", "documents", "passages", "characters", "embedder", "store", "size", "folder")
    views = [table("Collections", columns, rows, numbers=("documents", "passages", "characters", "size"))]
    for name, facts in collections.items():
        if collections.detailed:
            views.append(_documents(name, facts.sources))
        views += [note(f"{name}: {warning}", warn=True) for warning in facts.warnings]
    return join("collections", views)


def _documents(name: str, sources: Sequence[SourceFacts]) -> View:
    """One row a document; a long list folds."""
    heads = ("document", "pages", "characters", "passages", "recognised", "ingested")
    rows = [
        (
            source.source,
            source.pages,
            f"{source.characters:,}",
            f"{source.passages:,}",
            source.recognised or None,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(source.ingested)) if source.ingested else None,
        )
        for source in sources
    ]
    first = table(f"Documents of {name}", heads, rows[:_ROWS], numbers=heads[1:5])
    if len(rows) <= _ROWS:
        return first
    line = f"{len(rows) - _ROWS:,} more documents"
    rest = table(line, heads, rows[_ROWS:], numbers=heads[1:5])
    return join("documents", [first, View("rest", fold(line, rest.html), f"*and {line}*", f"and {line}")])
