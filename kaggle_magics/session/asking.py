"""What a session answers from its collections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kaggle_magics.generation.history.rows import Asked
from kaggle_magics.generation.preview import Own, Preview, Spans
from kaggle_magics.generation.prompt import not_empty
from kaggle_magics.generation.worker import OnText
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Filled, Request, Sampling
from kaggle_magics.session.searching import SearchingCalls

if TYPE_CHECKING:
    from kaggle_magics.rag.answering.answer import GroundedAnswer
    from kaggle_magics.rag.passages import Hit


class AskingCalls(SearchingCalls):
    """The part of a `Session` that answers from documents."""

    def ask(
        self,
        question: str,
        *,
        collection: str = "default",
        model: str | None = None,
        extract: bool = False,
        filled: Filled = (),
        cache: bool | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        **options: Any,
    ) -> GroundedAnswer:
        """Answer from the collection only, with citations, or refuse.

        Without any model, or with `extract`, the answer is the best sentences of the documents, word for word.
        `options` are those of `search` and of sampling, by name.
        """
        from kaggle_magics.rag.answering import answer as grounded
        from kaggle_magics.rag.finding.options import SearchOptions

        finding = SearchOptions.take(options)
        sampling = Sampling.of(options)
        hits = self.collection(collection).find(not_empty(question, "question"), finding)
        # With nothing found there is nothing to ask a model about: the extract of nothing is the refusal.
        if extract or not hits or (model is None and self.current is None):
            sentences = grounded.extractive(question, hits, embedder=self.collection(collection).embedder)
            return self._keep(sentences, Asked("ask", question))
        loaded = self.model(model)
        request, used = self._grounded(question, hits, sampling, loaded)
        request = replace(request, filled=filled, cache=cache)
        asked = Asked("ask", question)
        answer = self.generate(request, model=loaded.name, on_text=on_text, on_reasoning=on_reasoning, asked=asked)
        return self._keep(grounded.finish(answer, used), asked)

    def preview_ask(
        self,
        question: str,
        *,
        collection: str = "default",
        model: str | None = None,
        spans: Spans = (),
        **options: Any,
    ) -> Preview:
        """What `ask` would send to a model: the passages that fit, then the question. Nothing is evaluated.

        `spans` tells where in the question values of variables stand. Raises `CollectionError` where nothing is found.
        """
        from kaggle_magics.rag.finding.options import SearchOptions

        finding = SearchOptions.take(options)
        sampling = Sampling.of(options)
        hits = self.collection(collection).find(not_empty(question, "question"), finding)
        loaded = self.model(model)
        request, _ = self._grounded(question, hits, sampling, loaded)
        return self._preview(request, Own(question, spans), model=loaded.name)

    def _grounded(
        self, question: str, hits: Sequence[Hit], sampling: Sampling, loaded: LoadedModel
    ) -> tuple[Request, list[Hit]]:
        """The request for an answer from `hits`, and those that fit."""
        from kaggle_magics.rag.answering import answer as grounded

        return grounded.grounded_request(
            question, hits, sampling=sampling, count_tokens=loaded.count_tokens, budget=loaded.facts.context_length
        )
