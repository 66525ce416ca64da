"""A collection out of its folder: into a file, or into somebody's vector store."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.rag.collection.opened import OpenedFolder
from kaggle_magics.rag.moving.exporting import Exported, export_file
from kaggle_magics.rag.vectors import choose_store, open_index


class MovingPart(OpenedFolder):
    """Exporting."""

    def export(
        self, target: str | os.PathLike[str] | None = None, *, store: Any = None, overwrite: bool = False
    ) -> Exported:
        """Write the collection into the file `target`, or its passages with their vectors into `store`, a LangChain
        `VectorStore`.

        A file is a zip; one that ends in `.sqlite` holds the records alone, one in `.jsonl` a passage a line. Raises
        `OptionError` for a file that is there already, `CollectionError` when nothing can be written.
        """
        if (target is None) == (store is None):
            raise OptionError("Name either a file or a store to export into.")
        with self._working():
            if self._records.is_empty():
                raise CollectionError(f"The collection {self.name!r} is empty.", "Fill it first: %rag_ingest PATH")
            if target is not None:
                return export_file(self._records, Path(target), name=self.name, overwrite=overwrite)
            return self._export_into(store)

    def _export_into(self, store: Any) -> Exported:
        chosen = choose_store(store)
        if chosen.target is None or chosen.kind != "langchain":
            raise OptionError(
                f"{chosen.name} is an index of the collection's own.", f"Use: %rag_open DIR --store {chosen.name}"
            )
        if not self._records.has_vectors():
            raise CollectionError("The collection has no vectors to export.", "Attach an embedding model, and ingest.")
        # What the index notes beside itself is no note of this collection's.
        with tempfile.TemporaryDirectory(prefix="kaggle_magics-export-") as folder:
            index = open_index(chosen, Path(folder), self._records)
            index.add(self._records.vector_batches())
            count = len(index.ids())
        return Exported(chosen.name, self._records.counts()[0], count)
