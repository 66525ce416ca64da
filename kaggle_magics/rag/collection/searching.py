"""What a collection finds."""

from __future__ import annotations

import json
from typing import Any

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.collection.opened import OpenedFolder
from kaggle_magics.rag.finding.fusion import EVEN
from kaggle_magics.rag.finding.learning import FEWEST, Learnt, learn_weight
from kaggle_magics.rag.finding.options import SearchOptions
from kaggle_magics.rag.finding.rerank import CrossEncoderReranker, Reranker
from kaggle_magics.rag.finding.search import search as search_records
from kaggle_magics.rag.finding.where import make_where
from kaggle_magics.rag.passages import Hit

_LEARNT = "fusion_weight"


class SearchingPart(OpenedFolder):
    """Searching a collection."""

    _reranker: tuple[str, Reranker] | None = None
    _learnt: tuple[int, float] | None = None
    """What `Records.changes` was when the weight was looked up, and the weight."""

    def search(self, question: str, **options: Any) -> list[Hit]:
        """The best passages for a question, best first; empty when nothing fits. For `options` see `SearchOptions`.

        Raises `CollectionError` when the collection is empty, `OptionError` on bad arguments.
        """
        return self.find(question, SearchOptions.of(options))

    def find(self, question: str, options: SearchOptions) -> list[Hit]:
        """`search` with its options as one object."""
        with self._working():
            records = self._records
            if records.is_empty():
                raise CollectionError(f"The collection {self.name!r} is empty.", "Fill it first: %rag_ingest PATH")
            where = make_where(options.where, records.source_names(), records.metadata) if options.where else None
            embedder = None if options.mode == "lexical" else self._remembered_embedder()
            index = self._opened_index() if embedder is not None else None
            return search_records(
                question,
                records=records,
                index=index,
                embedder=embedder,
                options=options,
                where=where,
                weight=self.weight,
                reranker=self._opened_reranker(options.reranker),
            )

    @property
    def weight(self) -> float:
        """The dense scores' share of a hybrid search: learnt by `learn`, one half before that."""
        if self._learnt is None or self._learnt[0] != self._records.changes:
            kept = json.loads(self._records.get_meta(_LEARNT) or "{}")
            # What was learnt from other documents of the same collection is nearer than nothing.
            self._learnt = self._records.changes, float(kept.get("weight", EVEN))
        return self._learnt[1]

    def _learn(self, seconds: float) -> None:
        self.learn(seconds=seconds, again=False)

    def learn(self, *, seconds: float = 10.0, again: bool = True) -> Learnt | None:
        """Learn the weight from the collection's own passages, within about `seconds`, and keep it with them.

        None without an embedder, or where it was learnt from the same documents before and not `again`.
        """
        with self._working():
            embedder = self._remembered_embedder()
            if embedder is None or not self._records.has_vectors():
                return None
            state = f"{self._records.fingerprint()} {embedder.identity}"
            kept = json.loads(self._records.get_meta(_LEARNT) or "{}")
            if not again and kept.get("state") == state:
                return None
            learnt = learn_weight(self._records, embedder, seconds=seconds)
            if learnt.questions < FEWEST:
                return learnt
            facts = {"weight": learnt.weight, "questions": learnt.questions, "state": state}
            self._records.set_meta({_LEARNT: json.dumps(facts)})
            self._learnt = None
            return learnt

    def fields(self) -> list[str]:
        """Fields of the documents' metadata that `where` takes, beside source and page."""
        with self._working():
            return list(dict.fromkeys(name for own in self._records.metadata().values() for name in own))

    def _opened_reranker(self, reference: str | None) -> Reranker | None:
        """Loaded once; another reference takes its place, closing the collection frees it."""
        if reference is None:
            return None
        if self._reranker is None or self._reranker[0] != reference:
            if self._reranker is not None:
                self._reranker[1].close()
                self._reranker = None
            opened = CrossEncoderReranker(reference)
            self._closing.callback(opened.close)
            self._reranker = reference, opened
        return self._reranker[1]
