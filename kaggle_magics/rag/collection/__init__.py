"""A collection: documents ingested under one name, with their embedder, in one folder."""

from __future__ import annotations

import os

from kaggle_magics.rag.collection.facts import CollectionFacts
from kaggle_magics.rag.collection.ingesting import IngestingPart
from kaggle_magics.rag.collection.moving import MovingPart
from kaggle_magics.rag.collection.reading import ReadingPart
from kaggle_magics.rag.collection.searching import SearchingPart
from kaggle_magics.rag.finding.where import match_sources
from kaggle_magics.rag.storing.writing import Change

__all__ = ["Collection", "CollectionFacts"]


class Collection(MovingPart, IngestingPart, SearchingPart, ReadingPart):
    """Documents under one name. `path` None is a temporary folder that goes when the collection is closed.

    `embedder` is a name, a model folder or an `Embedder`; None takes the one the collection was made with, else the
    best at hand. `store` is the name of a vector index, the address of a Chroma server or a LangChain `VectorStore`;
    None is Chroma where it is installed, else numpy. A folder that cannot be written to is copied to temporary space.
    Raises `CollectionError` when the folder is in use by another process, damaged, or was embedded by another model;
    `ModelNotFound` for an embedder that leads nowhere.
    """

    def facts(self) -> CollectionFacts:
        """Counts, embedder, place and size; loads no model."""
        with self._working():
            documents, passages = self._records.counts()
            dimension = self._records.get_meta("dimension")
            size = sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())
            sources = tuple(self._records.sources())
            return CollectionFacts(
                self.name,
                documents,
                passages,
                self.embedder.name if self.embedder else None,
                int(dimension) if dimension and self.embedder else None,
                self.store,
                self.path,
                self.temporary,
                size,
                sources,
                self.warnings,
                sum(source.characters for source in sources),
                self.in_step,
            )

    def forget(self, source: str) -> int:
        """Remove a source by its name, its file name, its path or a pattern; how many passages went.

        Raises `CollectionError` when nothing bears that name.
        """
        with self._working():
            self._make_writable()
            known = {facts.source: facts.uri for facts in self._records.sources()}
            by_uri = {uri: label for label, uri in known.items()}
            absolute = os.path.abspath(os.path.expanduser(str(source)))
            labels = (by_uri[absolute],) if absolute in by_uri else match_sources([source], list(known))
            removed = self._records.remove([known[label] for label in labels])
            if self._index is not None:
                self._follow(Change(removed=removed))
            return len(removed)
