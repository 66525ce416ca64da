"""Open collections and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, join, note, size, table

if TYPE_CHECKING:
    from kaggle_magics.display.results import Collections


def collections_view(collections: Collections) -> View:
    """Open collections: how much is in them, by which embedder, where they lie; and their documents, if asked for."""
    if not collections:
        return note("No collection is open. Make one with: %rag_ingest PATH")
    rows = [
        (
            name,
            facts.documents,
            facts.passages,
            f"{facts.embedder} ({facts.dimension})" if facts.embedder else "none: search is by words only",
            facts.store,
            size(facts.bytes),
            f"{facts.path} (temporary)" if facts.temporary else facts.path,
        )
        for name, facts in collections.items()
    ]
    columns = ("collection", "documents", "passages", "embedder", "store", "size", "folder")
    views = [table("Collections", columns, rows, numbers=("documents", "passages", "size"))]
    for name, facts in collections.items():
        if collections.detailed:
            sources = [(source.source, source.pages, source.characters, source.passages) for source in facts.sources]
            heads = ("document", "pages", "characters", "passages")
            views.append(table(f"Documents of {name}", heads, sources, numbers=heads[1:]))
        views += [note(f"{name}: {warning}", warn=True) for warning in facts.warnings]
    return join("collections", views)
