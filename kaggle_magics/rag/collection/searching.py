"""What a collection finds."""

from __future__ import annotations

from typing import Any

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.collection.opened import OpenedFolder
from kaggle_magics.rag.finding.options import SearchOptions
from kaggle_magics.rag.finding.search import search as search_records
from kaggle_magics.rag.finding.where import make_where
from kaggle_magics.rag.passages import Hit


class SearchingPart(OpenedFolder):
    """Searching a collection."""

    def search(self, question: str, **options: Any) -> list[Hit]:
        """The best passages for a question, best first; empty when nothing fits. For `options` see `SearchOptions`.

        Raises `CollectionError` when the collection is empty, `OptionError` on bad arguments.
        """
        return self.find(question, SearchOptions.of(options))

    def find(self, question: str, options: SearchOptions) -> list[Hit]:
        """`search` with its options as one object."""
        with self._working():
            if self._records.is_empty():
                raise CollectionError(f"The collection {self.name!r} is empty.", "Fill it first: %rag_ingest PATH")
            where = make_where(options.where, self._records.source_names()) if options.where else None
            embedder = None if options.mode == "lexical" else self._remembered_embedder()
            index = self._opened_index() if embedder is not None else None
            return search_records(
                question, records=self._records, index=index, embedder=embedder, options=options, where=where
            )
