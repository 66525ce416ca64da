"""What a session does with collections: open them, read documents into them, close them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from kaggle_magics.rag.shelf import Shelf
from kaggle_magics.session.generating import GeneratingCalls

if TYPE_CHECKING:
    from kaggle_magics.rag.collection import Collection
    from kaggle_magics.rag.ingesting.report import IngestReport
    from kaggle_magics.rag.moving.exporting import Exported


class CollectionCalls(GeneratingCalls):
    """The part of a `Session` that holds collections."""

    def __init__(self) -> None:
        super().__init__()
        self._shelf = Shelf()

    @property
    def collections(self) -> Mapping[str, Collection]:
        """The open collections by name."""
        return self._shelf.collections

    def ingest(
        self,
        paths: Any,
        *,
        collection: str = "default",
        path: str | PathLike[str] | None = None,
        chunk_size: int | None = None,
        chunk_overlap: int | None = None,
        language: str | None = None,
        speech_model: str | None = None,
        text: str | None = None,
        id: str | None = None,
        embedder: Any = None,
        store: Any = None,
        prune: bool = False,
        reembed: bool = False,
        wait: float = 0.0,
        on_progress: Callable[..., None] | None = None,
    ) -> IngestReport:
        """Read documents into a collection: files, folders, globs, texts, tables, or LangChain documents.

        Texts are a list, or a `{name: text}` mapping; a DataFrame is one document, or with `text`, the column that
        holds the texts, a document for each row: `id` names the column that tells rows apart, the others become
        metadata.

        Running it again on the same files embeds nothing. `path` is the folder that keeps the collection; without it
        the collection is temporary. `chunk_size` and `chunk_overlap` are in characters. `language` (ISO 639) is that
        of OCR and speech, `speech_model` the Whisper model for recordings (an attached one by default). `prune`
        removes from the collection what the paths cover and is no longer there. `embedder` is a model's name or path,
        an `openai:` address, a LangChain `Embeddings` object or a function from texts to vectors; with `reembed` it
        replaces the one that made the vectors that are there. `store` is the name of a vector index, the address of a
        Chroma server or a LangChain `VectorStore`. A folder that another process uses is waited for up to `wait`
        seconds.
        """
        if text is not None:
            from kaggle_magics.rag.sources import row_texts

            paths = row_texts(paths, text, id)
        target = self._shelf.get_or_open(
            path, name=collection, embedder=embedder, store=store, reembed=reembed, wait=wait
        )
        return target.ingest(
            paths,
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            language=language,
            speech_model=speech_model,
            prune=prune,
            on_progress=on_progress,
        )

    def open_collection(
        self,
        path: str | PathLike[str] | None,
        *,
        collection: str = "default",
        embedder: Any = None,
        store: Any = None,
        wait: float = 0.0,
        read_only: bool = False,
    ) -> Collection:
        """Open (or begin) a collection in the folder `path`, or a temporary one; it replaces one of the same name.

        A folder that another process uses is waited for up to `wait` seconds, or with `read_only` copied as it is now.
        """
        return self._shelf.open(path, name=collection, embedder=embedder, store=store, wait=wait, read_only=read_only)

    def export_collection(
        self,
        file: str | PathLike[str] | None = None,
        *,
        collection: str = "default",
        store: Any = None,
        overwrite: bool = False,
    ) -> Exported:
        """Write a collection into one file, or its passages into a LangChain `VectorStore`; see `Collection.export`."""
        return self.collection(collection).export(file, store=store, overwrite=overwrite)

    def import_collection(
        self,
        file: str | PathLike[str],
        *,
        collection: str = "default",
        path: str | PathLike[str] | None = None,
        embedder: Any = None,
        store: Any = None,
    ) -> Collection:
        """Open a collection from a file that `export_collection` wrote, kept in the folder `path` or temporary.

        Raises `CollectionError` for a file that is damaged, no export, or of a newer release, and for a folder that
        holds a collection already; `OptionError` when one of that name is open.
        """
        return self._shelf.bring_in(file, path, name=collection, embedder=embedder, store=store)

    def collection(self, name: str = "default") -> Collection:
        """The open collection of that name; `CollectionError` where there is none."""
        return self._shelf.get(name)

    def close_collection(self, name: str = "default") -> None:
        """Close a collection; a temporary one is deleted."""
        self._shelf.close(name)
