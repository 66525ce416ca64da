"""A session's collections in LangChain: as a retriever, as a vector store that is only read, and their embedder.

Importing this file imports langchain-core; `Session.as_retriever` and its neighbours do so when they are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from pydantic import Field

from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.embedding.protocol import unit
from kaggle_magics.rag.passages import Hit
from kaggle_magics.rag.vectors.langchain_index import metadata_of


class CollectionRetriever(BaseRetriever):
    """Finds passages as `session.search` does; `invoke(question, passages=3)` changes an option for one call.

    A document has the passage's id, source, place, `start_index` and `end_index` (in characters of the stored text),
    its rank and its scores by name.
    """

    session: Any
    """A `kaggle_magics.session.Session`."""
    collection: str = "default"
    options: dict[str, Any] = Field(default_factory=dict)
    """Search options: `kaggle_magics.rag.finding.options.SearchOptions`."""
    passages: int | None = None
    """One of them, which is asked for most."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        own = dict(self.options) if self.passages is None else {**self.options, "passages": self.passages}
        return [document_of(hit) for hit in self.session.search(query, collection=self.collection, **own | options)]


class CollectionEmbeddings(Embeddings):
    """The embedder of a collection."""

    def __init__(self, session: Any, collection: str = "default") -> None:
        self._session, self._collection = session, collection

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._embedder().embed_documents(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self._embedder().embed_query(text).tolist()
        return vector

    def _embedder(self) -> Any:
        embedder = self._session.collection(self._collection).embedder
        if embedder is None:
            raise CollectionError(
                f"The collection {self._collection!r} has no embedder.", "Attach an embedding model, and ingest."
            )
        return embedder


class CollectionVectorStore(VectorStore):
    """A collection's passages by their vectors. Documents come in by `session.ingest`, so nothing is added here."""

    def __init__(self, session: Any, collection: str = "default") -> None:
        self._session, self._name = session, collection

    @property
    def embeddings(self) -> Embeddings:
        return CollectionEmbeddings(self._session, self._name)

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """With the cosine similarity; `filter` is what `where` is elsewhere."""
        hits = self._session.search(
            query, collection=self._name, passages=k, mode="dense", where=kwargs.get("filter") or None
        )
        return [(document_of(hit), hit.scores["dense"]) for hit in hits]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        vector = unit(np.asarray(embedding, np.float32))
        return [document_of(hit) for hit in self._collection.nearest(vector, k, where=kwargs.get("filter") or None)]

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        found = self._collection.passages(ids)
        return [Document(id=key, page_content=one.text, metadata=metadata_of(one)) for key, one in found.items()]

    def add_texts(self, texts: Iterable[str], *args: Any, **kwargs: Any) -> list[str]:
        raise OptionError("This vector store is only read.", "Add documents with session.ingest(...) or %rag_ingest.")

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        raise OptionError("This vector store is only read.", "Remove a document with %rag_forget SOURCE.")

    @classmethod
    def from_texts(cls, texts: list[str], embedding: Embeddings, *args: Any, **kwargs: Any) -> CollectionVectorStore:
        raise OptionError("A collection is made by ingesting.", "Use session.ingest({name: text}).")

    @property
    def _collection(self) -> Collection:
        found: Collection = self._session.collection(self._name)
        return found

    def _select_relevance_score_fn(self) -> Any:
        return lambda cosine: max(0.0, cosine)  # LangChain wants it between 0 and 1


def document_of(hit: Hit) -> Document:
    """A hit as LangChain has it."""
    passage = hit.passage
    metadata = metadata_of(passage) | {"end_index": passage.end, "rank": hit.rank, "scores": dict(hit.scores)}
    return Document(id=passage.id, page_content=passage.text, metadata=metadata)
