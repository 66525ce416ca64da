"""Embeddings of a server: either form of numbers, its limits, its refusals, and never its key."""

from __future__ import annotations

import base64
import logging
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import EngineError, KaggleMagicsError, ModelNotFound, OptionError
from kaggle_magics.models.engines.endpoint import Limits
from kaggle_magics.models.engines.endpoint.reference import parse
from kaggle_magics.rag.embedding.kinds.endpoint import EndpointEmbedder
from kaggle_magics.rag.embedding.models import find_embedder
from kaggle_magics.session import Session

KEY = "sk-planted-0123456789"
QUICK = Limits(connect=5.0, idle=5.0, retries=2, backoff=0.0)


def numbers(text: str) -> list[float]:
    return [text.lower().count(letter) + 0.1 for letter in "abcdefghilmnorst"]


class Model:
    """Answers `/v1/embeddings`, in base64 where that is asked for, within limits that are told only by refusing."""

    def __init__(
        self, *, takes_base64: bool = True, most: int = 1000, longest: int = 10**6, nested: bool = False
    ) -> None:
        self.takes_base64, self.most, self.longest, self.nested = takes_base64, most, longest, nested
        self.bodies: list[dict[str, Any]] = []
        self.before: list[Any] = []
        """Answers to be given first."""

    def __call__(self, exchange: Any) -> None:
        body = exchange.body
        self.bodies.append(body)
        if self.before:
            self.before.pop(0)(exchange)
            return
        if not self.takes_base64 and "encoding_format" in body:
            exchange.error(400, "encoding_format: 'base64' is not supported", param="encoding_format")
            return
        if len(body["input"]) > self.most:
            exchange.error(422, f"batch size {len(body['input'])} > maximum allowed batch size {self.most}")
            return
        if any(len(text) > self.longest for text in body["input"]):
            exchange.error(500, "input is too large to process. increase the physical batch size")
            return
        rows: list[Any] = []
        for place, text in enumerate(body["input"]):
            row: Any = numbers(text)
            if body.get("encoding_format") == "base64":
                row = base64.b64encode(np.asarray(row, "<f4").tobytes()).decode()
            elif self.nested:
                row = [row]
            rows.append({"object": "embedding", "index": place, "embedding": row})
        exchange.json({"object": "list", "data": rows[::-1], "model": body["model"]})


@pytest.fixture
def model(server: Any) -> Model:
    made = Model()
    server.routes["/v1/embeddings"] = made
    return made


def embedder_of(server: Any) -> EndpointEmbedder:
    reference = parse(server.reference)
    assert reference is not None
    return EndpointEmbedder(reference, QUICK)


TEXTS = ["The library opens at nine.", "", "Books", "naïve 多言語", "x" * 400]


@pytest.mark.parametrize("options", [{}, {"takes_base64": False}, {"takes_base64": False, "nested": True}])
def test_vectors_come_in_the_order_of_the_texts_in_every_form(server: Any, options: dict[str, bool]) -> None:
    server.routes["/v1/embeddings"] = model = Model(**options)
    embedder = embedder_of(server)
    rows = embedder.embed_documents(TEXTS)
    expected = np.asarray([numbers(text) for text in TEXTS])
    assert np.allclose(rows, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    assert embedder.dimension == 16 and np.allclose(embedder.embed_query("Books"), rows[2])
    assert {body["model"] for body in model.bodies} == {"small-1"}
    if not embedder._base64:
        refused = [body for body in model.bodies if "encoding_format" in body]
        assert len(refused) == 1, "what a server does not take is asked for once"


def test_looking_for_it_asks_the_server_nothing(server: Any, model: Model) -> None:
    embedder = find_embedder(server.reference)
    assert embedder is not None and embedder.name == "small-1" and embedder.identity == server.reference
    assert embedder.count_tokens(["one two three"])[0] >= 3 and server.seen == []


def test_batches_within_what_the_server_takes(server: Any, model: Model) -> None:
    embedder = embedder_of(server)
    texts = [f"text {number}" for number in range(150)]
    rows = embedder.embed_documents(texts)
    assert [len(body["input"]) for body in model.bodies] == [64, 64, 22] and rows.shape == (150, 16)
    model.most, model.bodies[:] = 20, []
    assert np.allclose(embedder.embed_documents(texts), rows)
    sizes = [len(body["input"]) for body in model.bodies]
    assert sizes.count(64) == 1 and sum(size for size in sizes if size <= 20) == 150, "the refusal is remembered"


def test_a_text_that_is_too_long_is_cut_and_told(server: Any, model: Model) -> None:
    model.longest = 200
    embedder = embedder_of(server)
    rows = embedder.embed_documents(["abc" * 300, "short"])
    assert rows.shape == (2, 16) and "1 text was too long" in embedder.notes[0]
    sent = [text for body in model.bodies for text in body["input"] if text.startswith("abc")]
    assert 100 < len(sent[-1]) <= 200
    model.longest = 10
    with pytest.raises(EngineError, match="too large"):
        embedder.embed_query("abc" * 300)


def test_a_server_that_is_busy_is_asked_again_but_not_for_ever(server: Any, model: Model) -> None:
    embedder = embedder_of(server)
    model.before = [
        lambda exchange: exchange.error(503, "loading"),
        lambda exchange: exchange.json({"error": {"message": "slow down"}}, 429, Retry_After="0"),
    ]
    assert embedder.embed_query("a").shape == (16,) and len(model.bodies) == 3
    model.before = [lambda exchange: exchange.error(503, "loading")] * 10
    with pytest.raises(EngineError, match="503"):
        embedder.embed_query("a")
    assert len(model.bodies) == 6


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda exchange: exchange.json({"data": []}), "gave 0 vectors for 1 texts"),
        (lambda exchange: exchange.json({"data": [{"embedding": [1, None]}]}), "not finite"),
        (lambda exchange: exchange.json({"data": [{"embedding": "!!"}]}), "does not answer with embeddings"),
        (lambda exchange: exchange.json([1]), "does not answer with embeddings"),
        (lambda exchange: exchange.send(200, b"<html>"), "does not answer with embeddings"),
        (lambda exchange: exchange.error(404, "no route"), "makes no embeddings: no route.*--embeddings"),
        (lambda exchange: exchange.error(501, "start it with --embeddings"), "makes no embeddings"),
        (lambda exchange: exchange.error(401, "bad key"), "asks for a key"),
    ],
)
def test_what_a_server_does_wrong_is_one_line(server: Any, answer: Any, complaint: str) -> None:
    server.routes["/v1/embeddings"] = answer
    with pytest.raises(EngineError, match=complaint):
        embedder_of(server).embed_query("a")


def test_vectors_of_another_length_than_before_are_refused(server: Any, model: Model) -> None:
    embedder = embedder_of(server)
    assert embedder.dimension == 16
    model.before = [lambda exchange: exchange.json({"data": [{"embedding": [1.0, 2.0]}]})]
    with pytest.raises(EngineError, match="2 numbers a text, and 16 before"):
        embedder.embed_query("a")


def test_the_key_is_sent_and_never_said(
    server: Any, model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KAGGLE_MAGICS_ENDPOINT_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    embedder = embedder_of(server)
    embedder.embed_query("a")
    sent = [one for one in server.seen if one.path.endswith("/embeddings")]
    assert sent[0].headers["Authorization"] == f"Bearer {KEY}"
    server.routes["/v1/embeddings"] = lambda exchange: exchange.error(401, f"{KEY} is not valid")
    with pytest.raises(KaggleMagicsError) as caught:
        embedder.embed_query("a")
    shown = f"{caught.value!r} {caught.value} {caplog.text} {embedder.identity} {embedder.reference} {vars(embedder)}"
    assert KEY not in shown


def test_addresses_that_cannot_be(server: Any) -> None:
    with pytest.raises(OptionError, match="password"):
        find_embedder("openai:http://user:word@127.0.0.1/v1#m")
    server.models[:] = [{"id": "one"}, {"id": "two"}]
    several: Any = find_embedder(f"openai:{server.url}")
    with pytest.raises(ModelNotFound, match="2 models"):
        several.embed_query("a")


def test_a_collection_on_a_server_s_embeddings_opens_again_and_notices_another_model(
    server: Any, model: Model, tmp_path: Any
) -> None:
    session = Session()
    papers = {"a.txt": "The library opens at nine.", "b.txt": "Trains leave at noon."}
    session.ingest(papers, embedder=server.reference, path=tmp_path / "kept", store="numpy")
    assert session.search("library opens", mode="dense")[0].passage.source == "a.txt"
    session.close_collection()
    opened = session.open_collection(tmp_path / "kept", store="numpy")
    assert opened.embedder is not None and opened.search("Trains at noon", mode="dense")[0].passage.source == "b.txt"
    session.close_collection()

    def other(exchange: Any) -> None:
        body = exchange.body
        exchange.json(
            {"data": [{"index": at, "embedding": numbers(text)[::-1]} for at, text in enumerate(body["input"])]}
        )

    server.routes["/v1/embeddings"] = other
    session.open_collection(tmp_path / "kept", store="numpy")
    with pytest.raises(KaggleMagicsError, match="another model that was called small-1"):
        session.search("library", mode="dense")
    session.close()
