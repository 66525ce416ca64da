"""What a session does with documents: ingest, search, answer from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from kaggle_magics.generation.history.rows import Asked
from kaggle_magics.generation.preview import Own, Preview, Spans
from kaggle_magics.generation.prompt import not_empty
from kaggle_magics.generation.worker import OnText
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Filled, Request, Sampling
from kaggle_magics.rag.shelf import Shelf
from kaggle_magics.session.generating import GeneratingCalls

if TYPE_CHECKING:
    from kaggle_magics.rag.answer import GroundedAnswer
    from kaggle_magics.rag.collection import Collection
    from kaggle_magics.rag.ingestion import IngestReport
    from kaggle_magics.rag.passages import Hit
    from kaggle_magics.rag.search import Mode


class DocumentCalls(GeneratingCalls):
    """The part of a `Session` that is about documents."""

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
        embedder: str | None = None,
        store: str | None = None,
        on_progress: Callable[..., None] | None = None,
    ) -> IngestReport:
        """Read documents into a collection: files, folders, globs, a `{name: text}` mapping, or LangChain documents.

        Running it again on the same files embeds nothing. `path` is the folder that keeps the collection; without it
        the collection is temporary. `chunk_size` and `chunk_overlap` are in characters.
        """
        target = self._shelf.get_or_open(path, name=collection, embedder=embedder, store=store)
        return target.ingest(paths, chunk_size=chunk_size, chunk_overlap=chunk_overlap, on_progress=on_progress)

    def open_collection(
        self,
        path: str | PathLike[str] | None,
        *,
        collection: str = "default",
        embedder: str | None = None,
        store: str | None = None,
    ) -> Collection:
        """Open (or begin) a collection in the folder `path`, or a temporary one; it replaces one of the same name."""
        return self._shelf.open(path, name=collection, embedder=embedder, store=store)

    def collection(self, name: str = "default") -> Collection:
        """The open collection of that name; `CollectionError` where there is none."""
        return self._shelf.get(name)

    def close_collection(self, name: str = "default") -> None:
        """Close a collection; a temporary one is deleted."""
        self._shelf.close(name)

    def search(
        self,
        question: str,
        *,
        collection: str = "default",
        passages: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The passages nearest to a question, best first. `mode` is "hybrid", "vector" or "lexical"."""
        return self.collection(collection).search(
            not_empty(question, "question"), passages=passages, mode=mode, where=where
        )

    def ask(
        self,
        question: str,
        *,
        collection: str = "default",
        passages: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        model: str | None = None,
        extract: bool = False,
        filled: Filled = (),
        cache: bool | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        **sampling: Any,
    ) -> GroundedAnswer:
        """Answer from the collection only, with citations, or refuse.

        Without any model, or with `extract`, the answer is the best sentences of the documents, word for word.
        """
        from kaggle_magics.rag import answer as grounded

        options = Sampling.of(sampling)
        hits = self.search(question, collection=collection, passages=passages, mode=mode, where=where)
        # With nothing found there is nothing to ask a model about: the extract of nothing is the refusal.
        if extract or not hits or (model is None and self.current is None):
            sentences = grounded.extractive(question, hits, embedder=self.collection(collection).embedder)
            return self._keep(sentences, Asked("ask", question))
        loaded = self.model(model)
        request, used = self._grounded(question, hits, options, loaded)
        request = replace(request, filled=filled, cache=cache)
        asked = Asked("ask", question)
        answer = self.generate(request, model=loaded.name, on_text=on_text, on_reasoning=on_reasoning, asked=asked)
        return self._keep(grounded.finish(answer, used), asked)

    def preview_ask(
        self,
        question: str,
        *,
        collection: str = "default",
        passages: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        model: str | None = None,
        spans: Spans = (),
        **sampling: Any,
    ) -> Preview:
        """What `ask` would send to a model: the passages that fit, then the question. Nothing is evaluated.

        `spans` tells where in the question values of variables stand. Raises `CollectionError` where nothing is found.
        """
        options = Sampling.of(sampling)
        hits = self.search(question, collection=collection, passages=passages, mode=mode, where=where)
        loaded = self.model(model)
        request, _ = self._grounded(question, hits, options, loaded)
        return self._preview(request, Own(question, spans), model=loaded.name)

    def _grounded(
        self, question: str, hits: Sequence[Hit], options: Sampling, loaded: LoadedModel
    ) -> tuple[Request, list[Hit]]:
        """The request for an answer from `hits`, and those that fit."""
        from kaggle_magics.rag import answer as grounded

        return grounded.grounded_request(
            question, hits, sampling=options, count_tokens=loaded.count_tokens, budget=loaded.facts.context_length
        )
