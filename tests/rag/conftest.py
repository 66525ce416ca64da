"""A deterministic embedder without weights: texts that share words are near each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.embedding.protocol import Vectors, unit


class HashEmbedder:
    """Each word adds one of 64 directions; counts what it is asked to embed."""

    dimension = 64
    max_tokens = 512

    def __init__(self, name: str = "hash") -> None:
        self.name = name
        self.identity = f"{name}@1"
        self.texts: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w+", text)) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        vector = np.full(self.dimension, 1e-3, np.float32)
        for word in re.findall(r"\w+", text.lower()):
            digest = hashlib.blake2b(f"{self.name} {word}".encode(), digest_size=4).digest()
            vector[int.from_bytes(digest[:2], "little") % self.dimension] += 1 if digest[2] % 2 else -1
        return unit(vector)


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def new_embedder() -> type[HashEmbedder]:
    return HashEmbedder


@pytest.fixture
def make(embedder: HashEmbedder) -> Iterator[Callable[..., Collection]]:
    """Opens collections that are closed after the test; exact search and the hash embedder unless said otherwise."""
    opened: list[Collection] = []

    def open_one(path: Path | None = None, **options: Any) -> Collection:
        collection = Collection(path, **{"name": "default", "embedder": embedder, "store": "numpy", **options})
        opened.append(collection)
        return collection

    yield open_one
    for collection in opened:
        collection.close()
