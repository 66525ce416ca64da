"""Any LangChain vector store of the notebook as an index: Qdrant, Pinecone, pgvector, ... as their users have them.

The store is given our ids, texts and vectors. LangChain has no call that takes vectors, so while the store works for us
its embeddings object is one that gives back the vectors we have. What it says of nearness depends on the store and its
metric; cosines are computed from the records, so that scores mean the same everywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kaggle_magics.errors import CollectionError, KaggleMagicsError
from kaggle_magics.extras import require
from kaggle_magics.rag.embedding.protocol import Vectors
from kaggle_magics.rag.passages import Passage
from kaggle_magics.rag.vectors.index import Batch, IndexSetting
from kaggle_magics.rag.vectors.keeping import compared

_BATCH = 200
"""Passages that go to the store in one call: hosted ones bound the size of a request."""
_ID = "passage_id"
"""The id is among the metadata too: not every store gives it back with a document."""


class LangChainIndex:
    """A `VectorStore` that may hold other documents beside ours.

    A store cannot list what it holds: our ids are noted in a file beside the records, and looked up in the store when
    the collection is opened, so that a store that was emptied meanwhile is filled again.
    """

    def __init__(self, setting: IndexSetting) -> None:
        self._store = setting.target
        self.name = f"langchain:{type(self._store).__name__}"
        self._records = setting.records
        self._vectors = _our_vectors()
        self._attributes = _embedding_attributes(self._store)
        key = hashlib.blake2b(f"{self.name}\0{setting.identity}".encode(), digest_size=6).hexdigest()
        self._file = setting.folder / f"langchain-{key}.json"
        self._ids = self._still_there(self._noted())

    def ids(self) -> set[str]:
        return set(self._ids)

    def add(self, batches: Iterable[Batch]) -> None:
        try:
            for ids, vectors in batches:
                for start in range(0, len(ids), _BATCH):
                    some = slice(start, start + _BATCH)
                    self._add(ids[some], vectors[some])
        finally:
            self._note()

    def remove(self, ids: Iterable[str]) -> None:
        gone = [key for key in ids if key in self._ids]
        for start in range(0, len(gone), _BATCH):
            some = gone[start : start + _BATCH]
            self._asked("delete from", lambda some=some: self._store.delete(some))  # type: ignore[misc]
            self._ids.difference_update(some)
        if gone:
            self._note()

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        wanted = min(limit, len(self._ids))
        if wanted < 1:
            return []
        ask = wanted
        while True:
            documents = self._nearest(vector, ask)
            ours = {key: None for document in documents if (key := _id_of(document)) in self._ids}
            if len(ours) >= wanted or len(documents) < ask:
                return compared(self._records, vector, ours)[:wanted]
            ask *= 4  # documents of others stand before ours

    def close(self) -> None:
        """The store is the notebook's: it stays as it is."""

    def _add(self, ids: Sequence[str], vectors: Vectors) -> None:
        passages = self._records.passages(ids)
        chosen = [at for at, key in enumerate(ids) if key in passages]
        texts = [passages[ids[at]].text for at in chosen]
        metadatas = [metadata_of(passages[ids[at]]) for at in chosen]
        keys = [ids[at] for at in chosen]
        again = [key for key in keys if key in self._ids]
        if again:  # not every store replaces what has the same id
            self._asked("delete from", lambda: self._store.delete(again))
        with self._giving(vectors[chosen]):
            self._asked("add to", lambda: self._store.add_texts(texts, metadatas=metadatas, ids=keys))
        self._ids.update(keys)

    def _nearest(self, vector: Vectors, limit: int) -> list[Any]:
        with self._giving(vector[None, :]):
            try:
                found = self._asked("search", lambda: self._store.similarity_search_by_vector(vector.tolist(), k=limit))
            except NotImplementedError:
                found = self._asked("search", lambda: self._store.similarity_search("question", k=limit))
            return list(found)

    @contextlib.contextmanager
    def _giving(self, vectors: Vectors) -> Iterator[None]:
        """While this lasts, the store's embeddings object gives `vectors`, in their order."""
        before = {name: getattr(self._store, name) for name in self._attributes}
        given = self._vectors(vectors)
        try:
            for name in self._attributes:
                setattr(self._store, name, given)
            yield
        finally:
            for name, value in before.items():
                setattr(self._store, name, value)

    def _asked(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (NotImplementedError, KaggleMagicsError):
            raise
        except Exception as error:  # every store raises its own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise CollectionError(
                f"The vector store {type(self._store).__name__} could not be used to {what} it ({reason}).",
                "What was ingested is safe in the records: mend the store, or open it with another --store.",
            ) from error

    def _noted(self) -> list[str]:
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
            return [key for key in noted if isinstance(key, str)]
        except (OSError, ValueError, TypeError):
            return []

    def _note(self) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(sorted(self._ids)), encoding="utf-8")
        part.replace(self._file)

    def _still_there(self, noted: Sequence[str]) -> set[str]:
        """Those of our ids that the store has. One that cannot be asked is believed to have none."""
        found: set[str] = set()
        with contextlib.suppress(Exception):
            for start in range(0, len(noted), _BATCH):
                some = noted[start : start + _BATCH]
                found.update(key for document in self._store.get_by_ids(some) if (key := _id_of(document)) in some)
        return found


def metadata_of(passage: Passage) -> dict[str, Any]:
    """What a document of LangChain's says of its passage: plain values that every store takes."""
    place = passage.place
    known = {
        "page": place.page,
        "slide": place.slide,
        "sheet": place.sheet,
        "row": place.row,
        "cell": place.cell,
        "time": place.time,
        "context": passage.context or None,
        "place": str(place) or None,
    }
    given = {name: value for name, value in known.items() if value is not None}
    return {_ID: passage.id, "source": passage.source, "start_index": passage.start, **given}


def _id_of(document: Any) -> str:
    return str((document.metadata or {}).get(_ID) or getattr(document, "id", None) or "")


def _embedding_attributes(store: Any) -> list[str]:
    """Where a store keeps its embeddings object. Raises `CollectionError` for one that hides it."""
    embeddings = _embeddings()
    held: Mapping[str, Any] = getattr(store, "__dict__", {})
    names = [name for name, value in held.items() if isinstance(value, embeddings)]
    # langchain-chroma without one: `_embedding_function` is None.
    names = names or [name for name, value in held.items() if value is None and "embedding" in name]
    if not names:
        raise CollectionError(
            f"{type(store).__name__} does not say which embeddings it uses, so it cannot be given our vectors.",
            "Make it with an embeddings object: session.as_embeddings() is the collection's own.",
        )
    return names


def _embeddings() -> Any:
    require("langchain_core", "A LangChain vector store")
    from langchain_core.embeddings import Embeddings

    return Embeddings


def _our_vectors() -> Callable[[Vectors], Any]:
    """Makes embeddings objects that give the vectors they were made with, whatever the texts."""
    embeddings = _embeddings()

    class Given(embeddings):  # type: ignore[misc, valid-type]
        def __init__(self, vectors: Vectors) -> None:
            self._rows: list[list[float]] = np.asarray(vectors, np.float32).tolist()
            self._next = 0

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            begin, self._next = self._next, self._next + len(texts)  # a store may take its texts in parts
            if self._next > len(self._rows):
                raise ValueError("the store embeds other texts than it was given")
            return self._rows[begin : self._next]

        def embed_query(self, text: str) -> list[float]:
            return self._rows[0]

    return Given
