"""What turns text into vectors, and the vectors' form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Unit vectors, shape (n, d), or (d,) for one; float32."""

Batch = tuple[Sequence[int], Vectors]
"""Places of texts in a list, and their vectors, shape (number of places, d)."""


@runtime_checkable
class Embedder(Protocol):
    """What turns text into vectors. `identity` changes whenever the same text would get another vector.

    More than this an embedder may have: `stream_documents` (see `StreamingEmbedder`), `reference` (what a later session
    finds it by, where it is not its name), `notes` (lines that a person should know, such as what is cut off), and
    `probe()` where the identity cannot tell its weights (see `embedding.probing`).
    """

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count, special ones included; what is longer is cut off."""
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each passage has for this model, special ones included; loads no weights."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of passages, shape (len(texts), dimension), float32."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """The unit vector of a question, shape (dimension,), float32."""
        ...


@runtime_checkable
class StreamingEmbedder(Protocol):
    """An embedder that hands each of its batches over as soon as it is computed, so that a stop loses one batch."""

    def stream_documents(self, texts: Sequence[str]) -> Iterator[Batch]:
        """Every place of `texts` once, in whatever order and sizes suit the model."""
        ...


def gather(batches: Iterator[Batch], count: int, dimension: int) -> Vectors:
    """The vectors of a stream in the order of the texts, shape (count, dimension)."""
    vectors: Vectors | None = None
    for places, some in batches:
        if vectors is None:
            vectors = np.zeros((count, some.shape[-1]), np.float32)
        vectors[np.asarray(places)] = some
    return np.zeros((count, dimension), np.float32) if vectors is None else vectors


def unit(vectors: Any) -> Vectors:
    """Rows scaled to length 1 in float32; a zero row stays zero."""
    array = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(array, axis=-1, keepdims=True)
    scaled: Vectors = np.divide(array, length, out=np.zeros_like(array), where=length > 0)
    return scaled
