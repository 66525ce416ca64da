"""A collection as a LangChain retriever and vector store, by LangChain's own tests where they are installed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("langchain_core", reason="the extra `langchain` is not installed")

from langchain_core.documents import Document
from langchain_core.runnables import RunnablePassthrough

from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.interop.langchain_collections import CollectionRetriever
from kaggle_magics.rag.embedding.protocol import unit
from kaggle_magics.session import Session

TEXTS = {f"{number}.md": f"# Part {number}\n\nText number {number} about tides.\n" for number in range(12)}


class WordEmbedder:
    """Each word adds one of 32 directions."""

    name, identity, dimension, max_tokens = "words", "words@1", 32, 512

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_query(self, text: str) -> Any:
        vector = np.full(32, 1e-3, np.float32)
        for word in text.lower().replace(".", " ").split():
            vector[zlib.crc32(word.encode()) % 32] += 1
        return unit(vector)

    def embed_documents(self, texts: Sequence[str]) -> Any:
        return np.stack([self.embed_query(text) for text in texts])


def filled() -> Session:
    session = Session()
    session.ingest(TEXTS, embedder=WordEmbedder(), store="numpy")
    return session


@pytest.fixture
def session() -> Iterator[Session]:
    made = filled()
    yield made
    made.close()


def test_a_retriever_gives_what_a_search_gives(session: Session) -> None:
    hits = session.search("number 7 tides", passages=4)
    found = session.as_retriever(passages=4).invoke("number 7 tides")
    assert [document.id for document in found] == [hit.passage.id for hit in hits]
    for document, hit in zip(found, hits, strict=True):
        facts = document.metadata
        assert (document.page_content, facts["source"]) == (hit.passage.text, hit.passage.source)
        assert facts["rank"] == hit.rank
        assert facts["scores"] == dict(hit.scores)
        text = session.collection().document_text(hit.passage.document_id)
        assert text[facts["start_index"] : facts["end_index"]] == document.page_content
    within = session.as_retriever(where={"source": "3.md"}, mode="lexical").invoke("tides")
    assert [document.metadata["source"] for document in within] == ["3.md"]


def test_it_stands_in_a_chain_and_takes_options_of_a_call(session: Session) -> None:
    retriever = session.as_retriever(passages=2)
    chain = {"docs": retriever, "question": RunnablePassthrough()} | RunnablePassthrough()
    assert len(chain.invoke("tides")["docs"]) == 2
    assert len(retriever.invoke("tides", passages=5)) == 5
    assert len(asyncio.run(retriever.ainvoke("tides"))) == 2
    assert [len(found) for found in retriever.batch(["tides", "number 3"])] == [2, 2]


def test_what_does_not_fit_is_refused(session: Session) -> None:
    with pytest.raises(OptionError, match="Did you mean passages"):
        session.as_retriever(passage=3)
    with pytest.raises(CollectionError, match="no collection named 'other'"):
        session.as_retriever(collection="other").invoke("x")
    with pytest.raises(OptionError, match="empty"):
        session.as_retriever().invoke(" ")


def test_a_collection_is_a_vector_store_that_is_only_read(session: Session) -> None:
    store = session.as_vectorstore()
    hits = session.search("number 7", mode="dense", passages=3)
    scored = store.similarity_search_with_score("number 7", k=3)
    assert [(document.id, score) for document, score in scored] == [(h.passage.id, h.scores["dense"]) for h in hits]
    vector = store.embeddings.embed_query("number 7")
    by_vector = store.similarity_search_by_vector(vector, k=3)
    assert [document.metadata["scores"]["dense"] for document in by_vector] == pytest.approx([s for _, s in scored])
    assert [d.metadata["source"] for d in store.similarity_search("x", k=9, filter={"source": "3.md"})] == ["3.md"]
    assert [document.id for document in store.get_by_ids([hits[0].passage.id, "none"])] == [hits[0].passage.id]
    assert len(store.as_retriever(search_kwargs={"k": 2}).invoke("tides")) == 2
    assert all(0 <= score <= 1 for _, score in store.similarity_search_with_relevance_scores("number 7"))
    for call in (lambda: store.add_documents([Document("x")]), lambda: store.delete(["x"])):
        with pytest.raises(OptionError, match="only read"):
            call()
    with pytest.raises(OptionError, match="has 3 numbers"):
        store.similarity_search_by_vector([1.0, 0.0, 0.0])


try:
    from langchain_tests.integration_tests import RetrieversIntegrationTests
except ImportError:

    @pytest.mark.skip(reason="langchain-tests is not installed")
    def test_conformance() -> None:
        """Stands in for `TestConformance`, so that its absence is seen in the report."""

else:

    class TestConformance(RetrieversIntegrationTests):
        """LangChain's own tests of what every retriever has to do."""

        _session: Session | None = None

        @property
        def retriever_constructor(self) -> type[CollectionRetriever]:
            return CollectionRetriever

        @property
        def retriever_constructor_params(self) -> dict[str, Any]:
            kind = type(self)
            if kind._session is None:
                kind._session = filled()
            return {"session": kind._session}

        @property
        def retriever_query_example(self) -> str:
            return "number 7 tides"

        @property
        def num_results_arg_name(self) -> str:
            return "passages"
