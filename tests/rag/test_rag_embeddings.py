"""Which embedder is found, and the cache that embeds nothing twice."""

from __future__ import annotations

import http.server
import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from kaggle_magics.errors import ModelNotFound
from kaggle_magics.rag.embedding import models as embedding_models
from kaggle_magics.rag.embedding import places
from kaggle_magics.rag.embedding.cache import BATCH, EmbeddingCache
from kaggle_magics.rag.embedding.files.fingerprint import fingerprint
from kaggle_magics.rag.embedding.models import find_embedder
from kaggle_magics.rag.embedding.protocol import unit


def model_folder(folder: Path, dimension: int = 8) -> Path:
    (folder / "1_Pooling").mkdir(parents=True)
    parts = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in parts]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": dimension}))
    return folder


@pytest.fixture
def attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAGGLE_MAGICS_INPUT", str(tmp_path))
    return tmp_path


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (embedding_models, places):
        monkeypatch.setattr(module, "installed", lambda name: name == "sentence_transformers")


def test_an_attached_model_comes_before_the_package(attached: Path, library: None) -> None:
    folder = model_folder(attached / "models/owner/gte-small/transformers/default/1")
    found = find_embedder()
    assert found is not None and (found.name, found.dimension, found.folder) == ("gte-small", 8, folder)  # type: ignore[attr-defined]
    assert find_embedder("gte-small").identity == found.identity  # type: ignore[union-attr]


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    found = find_embedder(model_folder(tmp_path / "mine", 12))
    assert found is not None and (found.name, found.dimension) == ("mine", 12)


def test_the_cache_of_the_hub_is_searched_without_any_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    base = tmp_path / "models--sentence-transformers--all-mpnet-base-v2"
    model_folder(base / "snapshots/aaa", 4)
    model_folder(base / "snapshots/bbb", 768)
    (base / "refs").mkdir()
    (base / "refs/main").write_text("bbb")
    for name in ("all-mpnet-base-v2", "sentence-transformers/all-mpnet-base-v2"):
        found = find_embedder(name)
        assert found is not None and (found.name, found.dimension) == ("all-mpnet-base-v2", 768)


def test_without_model_or_library_there_is_none_and_a_line_says_what_to_do(attached: Path, library: None) -> None:
    assert find_embedder() is None
    assert "kaggle-magics[embedder]" in embedding_models.why_none()


def test_a_name_that_leads_nowhere_suggests_what_is_there(attached: Path, library: None) -> None:
    model_folder(attached / "gte-small")
    with pytest.raises(ModelNotFound, match="Did you mean gte-small"):
        find_embedder("gte-smoll")


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub that has one model, and counts what it is asked."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if "sentence-transformers/small" in self.path else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_model_asked_for_by_name_is_downloaded_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    server = http.server.HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fetched: list[str] = []

    def fetch(repository: str, ignore_patterns: list[str]) -> str:
        fetched.append(repository)
        return str(model_folder(tmp_path / "fetched"))

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    monkeypatch.setattr(hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelNotFound):
        find_embedder("small")  # HF_HUB_OFFLINE is set for all tests
    assert Hub.asked == []
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    found = find_embedder("small")
    assert found is not None and found.name == "small" and fetched == ["sentence-transformers/small"]
    with pytest.raises(ModelNotFound, match="cached or reachable"):
        find_embedder("other/thing")
    with pytest.raises(ModelNotFound):
        find_embedder("tiny", download=False)
    assert len(fetched) == 1
    server.shutdown()
    server.server_close()


def test_without_a_network_a_name_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(places, "_PATIENCE", 0.1)

    answer = threading.Event()

    def hang(*arguments: object, **options: object) -> None:
        answer.wait(20)
        raise OSError("no name servers")

    monkeypatch.setattr("socket.getaddrinfo", hang)
    begin = time.perf_counter()
    with pytest.raises(ModelNotFound):
        find_embedder("nobody/nothing")
    assert time.perf_counter() - begin < 10
    answer.set()


def test_a_fingerprint_changes_with_any_file(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    weights = np.zeros(1 << 20, np.float32)
    seen = set()
    for place in (0, (1 << 20) - 1):
        weights[place] = 1
        (folder / "model.safetensors").write_bytes(weights.tobytes())
        seen.add(fingerprint(folder))
    (folder / "config.json").write_text("{}")
    assert len({*seen, fingerprint(folder)}) == 3


def test_unit_vectors_have_length_one_and_zero_stays_zero() -> None:
    rows = unit([[3, 4], [0, 0]])
    assert rows.dtype == np.float32 and np.allclose(rows, [[0.6, 0.8], [0, 0]])


def test_the_cache_embeds_each_text_once(embedder, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    first, computed = cache.embed(embedder, ["a b", "c", "a b"])
    assert computed == 2 and sorted(embedder.texts) == ["a b", "c"]
    cache.close()
    again, computed = EmbeddingCache(tmp_path).embed(embedder, ["c", "a b", "d"])
    assert computed == 1 and embedder.texts[-1] == "d"
    assert np.array_equal(first[0], again[1]) and np.array_equal(first[1], again[0])
    assert np.allclose(first @ first.T, [[1, *(first[0] @ first[1:].T)], *(first[1:] @ first.T)], atol=1e-3)


def test_the_cache_keeps_embedders_apart(embedder, new_embedder, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    one, _ = cache.embed(embedder, ["a b c"])
    other, computed = cache.embed(new_embedder("other"), ["a b c"])
    assert computed == 1 and not np.allclose(one, other)


def test_batches_are_kept_when_the_next_one_fails(embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text {number}" for number in range(BATCH + 10)]
    cache = EmbeddingCache(tmp_path)
    embed = embedder.embed_documents
    monkeypatch.setattr(embedder, "embed_documents", lambda batch: embed(batch) if len(batch) == BATCH else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cache.embed(embedder, texts)
    monkeypatch.undo()
    assert cache.embed(embedder, texts)[1] == 10


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b""])
def test_a_damaged_cache_costs_only_time(embedder, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "embeddings-1.sqlite").write_bytes(content)
    assert EmbeddingCache(tmp_path).embed(embedder, ["a"])[1] == 1
    assert EmbeddingCache(tmp_path).embed(embedder, ["a"])[1] == 0


def test_a_locked_or_missing_cache_costs_only_time(embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = EmbeddingCache(tmp_path / "not there")
    assert cache.embed(embedder, ["a"])[1] == 1
    cache = EmbeddingCache(tmp_path)
    other = sqlite3.connect(tmp_path / "embeddings-1.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    assert cache._connection is not None
    cache._connection.execute("PRAGMA busy_timeout = 10")
    vectors, computed = cache.embed(embedder, ["a", "b"])
    assert computed == 2 and vectors.shape == (2, 64)


def test_no_texts_give_an_empty_matrix(embedder, tmp_path: Path) -> None:
    vectors, computed = EmbeddingCache(tmp_path).embed(embedder, [])
    assert vectors.shape == (0, 64) and computed == 0
