"""What a session finds in its collections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kaggle_magics.generation.prompt import not_empty
from kaggle_magics.session.collections import CollectionCalls

if TYPE_CHECKING:
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
