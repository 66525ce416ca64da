"""What a session finds in its collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kaggle_magics import extras
from kaggle_magics.generation.prompt import not_empty
from kaggle_magics.session.collections import CollectionCalls

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.vectorstores import VectorStore

    from kaggle_magics.rag.passages import Hit


class SearchingCalls(CollectionCalls):
    """The part of a `Session` that finds passages."""

    def search(self, question: str, *, collection: str = "default", **options: Any) -> list[Hit]:
        """The passages nearest to a question, best first.

        `options`: `passages` (how many), `mode` ("hybrid", "dense", "lexical"), `where`, `weight`, `fusion`,
        `diversity`, `neighbours`, `reranker`; see `kaggle_magics.rag.finding.options.SearchOptions`. Raises
        `OptionError` for a name or value that does not fit.
        """
        return self.collection(collection).search(not_empty(question, "question"), **options)

    def as_retriever(self, *, collection: str = "default", **options: Any) -> BaseRetriever:
        """A LangChain retriever on a collection: `retriever | format | prompt | session.as_langchain()`.

        `options` are those of `search`. Raises `OptionError` for one that does not fit, `MissingExtra` without
        langchain-core.
        """
        extras.require("langchain_core", "A LangChain retriever")
        from kaggle_magics.interop.langchain_collections import CollectionRetriever
        from kaggle_magics.rag.finding.options import SearchOptions

        SearchOptions.of(options)
        return CollectionRetriever(session=self, collection=collection, options=options)

    def as_vectorstore(self, *, collection: str = "default") -> VectorStore:
        """A collection as a LangChain vector store that is only read. Raises `MissingExtra` without langchain-core."""
        extras.require("langchain_core", "A LangChain vector store")
        from kaggle_magics.interop.langchain_collections import CollectionVectorStore

        return CollectionVectorStore(self, collection)

    def as_embeddings(self, *, collection: str = "default") -> Embeddings:
        """A collection's embedder as LangChain has it. Raises `MissingExtra` without langchain-core."""
        extras.require("langchain_core", "LangChain embeddings")
        from kaggle_magics.interop.langchain_collections import CollectionEmbeddings

        return CollectionEmbeddings(self, collection)
