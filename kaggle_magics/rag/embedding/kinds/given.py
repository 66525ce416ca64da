"""Embedders from the notebook: LangChain's `Embeddings`, objects with `encode`, plain functions from texts to vectors.

What they compute with cannot be read off them, so besides their name a probe tells whether they are the same as before
(`embedding.probing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kaggle_magics.errors import EngineError, KaggleMagicsError
from kaggle_magics.models.engines.endpoint.tokens import estimate
from kaggle_magics.rag.embedding.probing import PROBE
from kaggle_magics.rag.embedding.protocol import Embedder, Vectors, unit

MAX_TOKENS = 512
"""What most embedding models read; an object does not tell its own limit."""
_NAMES = ("model_name", "model", "model_id", "repo_id", "deployment", "deployment_name")


def recognise(thing: Any, name: str | None = None) -> Embedder | None:
    """An object with `embed_documents` and `embed_query`, or with `encode`, or a function."""
    if isinstance(thing, str | type) or hasattr(thing, "__fspath__"):
        return None
    if callable(getattr(thing, "embed_documents", None)) and callable(getattr(thing, "embed_query", None)):
        return GivenEmbedder(name or _name(thing), thing.embed_documents, lambda text: [thing.embed_query(text)])
    if callable(getattr(thing, "encode", None)):
        # sentence-transformers tells questions from passages; model2vec and others do not.
        documents = getattr(thing, "encode_document", thing.encode)
        queries = getattr(thing, "encode_query", thing.encode)
        return GivenEmbedder(name or _name(thing), documents, lambda text: queries([text]))
    if callable(thing):
        return GivenEmbedder(name or _name(thing), thing, lambda text: thing([text]))
    return None


class GivenEmbedder:
    """Someone else's embedder, whose answers are checked: a vector for each text, all finite and of one length."""

    def __init__(self, name: str, documents: Callable[[list[str]], Any], query: Callable[[str], Any]) -> None:
        self.name = name
        self._documents, self._query = documents, query
        self._probe: Vectors | None = None

    @property
    def identity(self) -> str:
        return f"{self.name}@object"

    @property
    def dimension(self) -> int:
        return int(self.probe().shape[0])

    @property
    def max_tokens(self) -> int:
        return MAX_TOKENS

    def probe(self) -> Vectors:
        """The vector of a text that never changes, shape (d,)."""
        if self._probe is None:
            self._probe = self._checked(lambda: self._documents([PROBE]), 1, None)[0]
        return self._probe

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Estimates, rather too high: nothing tells the object's own tokens."""
        return [estimate(text) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return self._checked(lambda: self._documents(list(texts)), len(texts), self.dimension)

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._checked(lambda: self._query(text), 1, self.dimension)[0]
        return vector

    def _checked(self, compute: Callable[[], Any], count: int, dimension: int | None) -> Vectors:
        try:
            given = compute()
            given = given.detach().cpu().numpy() if hasattr(given, "detach") else given
            rows = np.asarray(given, np.float32)
        except (KaggleMagicsError, KeyboardInterrupt):
            raise
        except Exception as error:  # whatever someone's code raises
            reason = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
            raise EngineError(f"The embedder {self.name} failed: {reason}") from error
        if rows.ndim != 2 or len(rows) != count or rows.shape[1] == 0:
            raise EngineError(f"The embedder {self.name} gave an array of shape {rows.shape} for {count} texts.")
        if dimension is not None and rows.shape[1] != dimension:
            raise EngineError(f"The embedder {self.name} gave {rows.shape[1]} numbers a text, and {dimension} before.")
        if not np.isfinite(rows).all():
            raise EngineError(f"The embedder {self.name} gave numbers that are not finite.")
        return unit(rows)


def _name(thing: Any) -> str:
    """Class and model of an object, or a function's name."""
    kind = getattr(thing, "__name__", None) or type(thing).__name__
    model = next((value for name in _NAMES if isinstance(value := getattr(thing, name, None), str) and value), None)
    return f"{kind} {model}" if model else str(kind).replace("<lambda>", "function")
