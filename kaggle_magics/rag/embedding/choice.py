"""Which embedder a collection uses: the one it was embedded with stays, as long as it holds vectors."""

from __future__ import annotations

import os
from pathlib import Path

from kaggle_magics.errors import CheckpointError, CollectionError, MissingExtra, ModelNotFound
from kaggle_magics.rag.embedding.models import find_embedder, why_none
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.storing.records import Records


def choose_embedder(
    records: Records, wanted: str | os.PathLike[str] | Embedder | None, collection: str
) -> tuple[Embedder | None, str | None]:
    """The embedder for a collection, and a warning where search will be by words only.

    Raises `ModelNotFound` for a name that leads nowhere and `CollectionError` when another model than the wanted one
    made the vectors that are there.
    """
    name, identity = records.get_meta("embedder"), records.get_meta("embedder_identity")
    if identity is None or not records.has_vectors():
        chosen = find_embedder(wanted)
        return chosen, None if chosen is not None else why_none()
    if wanted is None:
        chosen = _again(name or "", records.get_meta("embedder_folder"))
        if chosen is not None and chosen.identity == identity:
            return chosen, None
        return (
            None,
            f"The collection was embedded with {name}, which is not at hand: search is by words only. Attach it.",
        )
    chosen = find_embedder(wanted)
    if chosen is None or chosen.identity != identity:
        other = chosen.name if chosen else "none"
        raise CollectionError(
            f"The collection {collection!r} was embedded with {name}, not with {other}.",
            "Leave the embedder out, or ingest into another collection.",
        )
    return chosen, None


def remember_embedder(records: Records, embedder: Embedder) -> None:
    """Write down who makes the vectors."""
    if records.get_meta("embedder_identity") != embedder.identity:
        records.set_meta(
            {
                "embedder": embedder.name,
                "embedder_identity": embedder.identity,
                "embedder_folder": str(getattr(embedder, "folder", "")),
                "dimension": str(embedder.dimension),
            }
        )


def _again(name: str, folder: str | None) -> Embedder | None:
    """The embedder of an earlier session, from its folder or by its name; never downloaded."""
    for reference in filter(None, (folder if folder and Path(folder).is_dir() else None, name)):
        try:
            return find_embedder(reference, download=False)
        except (ModelNotFound, CheckpointError, MissingExtra):
            continue
    return None
