"""What a collection tells of its documents and passages."""

from __future__ import annotations

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.collection.opened import OpenedFolder
from kaggle_magics.rag.passages import Passage


class ReadingPart(OpenedFolder):
    """Stored documents and passages."""

    def document_text(self, document_id: str) -> str:
        """The stored text of a document: `document_text(p.document_id)[p.start:p.end] == p.text` for each passage."""
        with self._working():
            return self._records.document_text(document_id)

    def source_text(self, source: str) -> str:
        """The stored text of a source by its name. Raises `CollectionError` where there is none."""
        with self._working():
            text = self._records.source_text(source)
        if text is None:
            raise CollectionError(f"There is no source {source!r} in the collection {self.name!r}.")
        return text

    def all_passages(self) -> list[Passage]:
        """Every passage, in the order of the sources' names and of their texts."""
        with self._working():
            return self._records.all_passages()
