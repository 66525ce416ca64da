"""The cache of vectors: stopped, damaged, shared, full, and not fooled by another model of the same name."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import EngineError
from kaggle_magics.rag.embedding import cache as caching
from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.embedding.models import find_embedder
from kaggle_magics.rag.embedding.protocol import Batch, gather, unit


class Streaming:
    """Hands over seven texts at a time, the last ones first; a text's vector tells its length."""

    name, identity, dimension, max_tokens = "streaming", "streaming@1", 3, 512

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.computed = most, 0

    def stream_documents(self, texts: Sequence[str]) -> Iterator[Batch]:
        places = list(reversed(range(len(texts))))
        for start in range(0, len(places), 7):
            if self.computed >= self.most:
                raise KeyboardInterrupt
            some = places[start : start + 7]
            self.computed += len(some)
            yield some, unit([[1, len(texts[place]), 2] for place in some])

    def embed_documents(self, texts: Sequence[str]) -> Any:
        return gather(self.stream_documents(texts), len(texts), 3)

    def embed_query(self, text: str) -> Any:
        return unit([1, len(text), 2])


TEXTS = ["x" * size for size in range(1, 101)]


def test_a_stream_is_put_into_the_order_of_the_texts(tmp_path: Path) -> None:
    told: list[int] = []
    vectors, computed = EmbeddingCache(tmp_path).embed(Streaming(), [*TEXTS, *TEXTS], told.append)
    assert computed == 100 and np.array_equal(vectors[:100], vectors[100:])
    assert np.allclose(vectors[:100], unit([[1, len(text), 2] for text in TEXTS]), atol=1e-3)
    assert told == sorted(told) and told[0] == 100 and told[-1] == 200 and len(told) > 10


def test_what_was_computed_before_an_interrupt_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        EmbeddingCache(tmp_path).embed(Streaming(most=42), TEXTS)
    assert EmbeddingCache(tmp_path).embed(Streaming(), TEXTS)[1] == 58


def test_an_interrupt_while_progress_is_told_loses_nothing(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done >= 21:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        EmbeddingCache(tmp_path).embed(Streaming(), TEXTS, stop)
    # The traceback, which a notebook keeps, still holds the frames.
    assert caught.tb is not None
    assert EmbeddingCache(tmp_path).embed(Streaming(), TEXTS)[1] == 79


def test_more_texts_than_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "WINDOW", 10)
    vectors, computed = EmbeddingCache(tmp_path).embed(Streaming(), TEXTS)
    assert computed == 100 and np.allclose(vectors, unit([[1, len(text), 2] for text in TEXTS]), atol=1e-3)


def test_two_processes_fill_one_cache(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\nfrom test_rag_embedding_cache import Streaming, TEXTS\n"
        "from kaggle_magics.rag.embedding.cache import EmbeddingCache\n"
        "cache = EmbeddingCache(Path(sys.argv[1]))\n"
        "for start in range(0, 100, 5): cache.embed(Streaming(), TEXTS[start:start + 20])"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent)]
    running = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for each in running:
        assert each.wait(60) == 0, each.communicate()[1]
    assert EmbeddingCache(tmp_path).embed(Streaming(), TEXTS)[1] == 0


def test_an_older_file_is_used_on(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "embeddings-1.sqlite")
    connection.execute("CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID")
    row = (caching._key("streaming@1", "x"), unit([1, 1, 2]).astype(np.float16).tobytes())
    connection.execute("INSERT INTO vectors VALUES (?, ?)", row)
    connection.commit()
    connection.close()
    assert EmbeddingCache(tmp_path).embed(Streaming(), ["x", "xx"])[1] == 1


def test_a_full_cache_lets_its_oldest_days_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'x' * size}{size}" for size in range(4000)]
    for day, some in enumerate((texts[:3000], texts[3000:])):
        monkeypatch.setattr(caching, "_today", lambda day=day: 20_000 + day)
        cache = EmbeddingCache(tmp_path)
        cache.embed(Streaming(), some)
        cache.close()
    size = (tmp_path / "embeddings-1.sqlite").stat().st_size
    monkeypatch.setattr(caching, "MOST_BYTES", size - 8192)
    cache = EmbeddingCache(tmp_path)
    assert not any(cache.holds(Streaming(), texts[:3000])) and all(cache.holds(Streaming(), texts[3000:]))


class Changing:
    """A function whose model can be exchanged behind its name."""

    __name__ = "served"

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def __call__(self, texts: list[str]) -> Any:
        rows = np.full((len(texts), 4), 0.01)
        rows[:, self.axis] = 1
        return rows


def test_another_model_behind_the_same_name_gets_no_vector_of_the_first(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    one, again, other = (find_embedder(Changing(axis)) for axis in (0, 0, 1))
    assert one is not None and again is not None and other is not None and one.identity == other.identity
    assert [cache.embed(each, ["a", "b"])[1] for each in (one, again, other, again, other)] == [2, 0, 2, 0, 0]
    assert cache.embed(other, ["a"])[0].argmax() == 1 and cache.embed(one, ["a"])[0].argmax() == 0


def test_an_embedder_that_loses_a_text_is_an_error(embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "embed_documents", lambda texts: np.zeros((len(texts) - 1, 64), np.float32))
    with pytest.raises(EngineError, match="1 vectors for 2 texts"):
        EmbeddingCache(tmp_path).embed(embedder, ["a", "b"])
