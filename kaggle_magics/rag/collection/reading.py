"""What a collection tells of its documents and passages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.rag.collection.opened import OpenedFolder
from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.finding.where import make_where
from kaggle_magics.rag.passages import Hit, Passage
from kaggle_magics.rag.vectors import nearest


class ReadingPart(OpenedFolder):
    """Stored documents and passages."""

    def document_text(self, document_id: str) -> str:
        """The stored text of a document: `document_text(p.document_id)[p.start:p.end] == p.text` for each passage."""
        with self._working():
            return self._records.document_text(document_id)

    def has(self, passage: Passage) -> bool:
        """Whether what a passage was taken from is still there, unchanged."""
        try:
            return self.document_text(passage.document_id)[passage.start : passage.end] == passage.text
        except CollectionError:
            return False

    def source_text(self, source: str) -> str:
        """The stored text of a source by its name. Raises `CollectionError` where there is none."""
        with self._working():
            text = self._records.source_text(source)
        if text is None:
            raise CollectionError(f"There is no source {source!r} in the collection {self.name!r}.")
        return text

    def passages(self, ids: Iterable[str]) -> dict[str, Passage]:
        """Passages by id; ids that are not there are left out."""
        with self._working():
            return self._records.passages(ids)

    def nearest(self, vector: Vectors, passages: int, *, where: Mapping[str, Any] | None = None) -> list[Hit]:
        """The passages nearest to a unit vector, shape (dimension,), of the collection's embedder; best first.

        Raises `OptionError` for a vector of another length.
        """
        with self._working():
            if not self._records.has_vectors():
                return []
            if (dimension := self._records.get_meta("dimension")) and len(vector) != int(dimension):
                raise OptionError(f"The vector has {len(vector)} numbers, those of the collection have {dimension}.")
            records = self._records
            filtered = make_where(where, records.source_names(), records.metadata) if where else None
            found = nearest(self._opened_index(), records, vector, passages, filtered)
            texts = records.passages([key for key, _ in found])
            hits = [(texts[key], {"dense": cosine}) for key, cosine in found if key in texts]
            return [Hit(passage, rank, scores) for rank, (passage, scores) in enumerate(hits, start=1)]

    def all_passages(self) -> list[Passage]:
        """Every passage, in the order of the sources' names and of their texts."""
        with self._working():
            return self._records.all_passages()

    def beside(self, passage: Passage) -> list[Passage]:
        """The passages right after and right before one in its document, as far as there are any."""
        with self._working():
            return self._records.beside(passage)
