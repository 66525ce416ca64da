"""A key is planted and looked for in all that comes out."""

from __future__ import annotations

import io
import logging
import pickle
import threading
import traceback
from dataclasses import asdict
from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.models.request import Request, Sampling

KEY = "sk-planted-0123456789"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


def test_it_is_sent(server: Any, ask: Any, key: str) -> None:
    ask(server.connect())
    assert all(exchange.headers["Authorization"] == f"Bearer {key}" for exchange in server.seen)
    assert all(key not in exchange.path and key not in exchange.raw.decode() for exchange in server.seen)


def test_no_key_no_header(server: Any, ask: Any) -> None:
    ask(server.connect())
    assert all("Authorization" not in exchange.headers for exchange in server.seen)


@pytest.mark.parametrize(
    "answer",
    [
        lambda exchange: exchange.error(401, f"Incorrect API key provided: {KEY}. Find yours."),
        lambda exchange: exchange.error(400, f"Bearer {KEY} is odd"),
        lambda exchange: exchange.json({"detail": [{"msg": KEY, "loc": ["header", KEY]}]}, 422),
        lambda exchange: exchange.send(500, f"Traceback: {KEY}".encode(), "text/plain"),
        lambda exchange: exchange.send(429, KEY.encode(), "text/plain", Retry_After="9999"),
        lambda exchange: exchange.send(200, f"<html>{KEY}".encode(), "text/html"),
        lambda exchange: (exchange.begin_stream(), exchange.event({"error": {"message": KEY}})),
        lambda exchange: (exchange.begin_stream(), exchange.event(KEY.encode())),
        lambda exchange: exchange.send(307, b"", Location=f"http://llm.example.org/{KEY}"),
        lambda exchange: exchange.drop(),
    ],
)
def test_no_error_repeats_it(
    server: Any, key: str, answer: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = server.connect()
    server.script = [answer]
    with pytest.raises(KaggleMagicsError) as caught:
        list(engine.stream(Request.ask("Hi", sampling=Sampling()), threading.Event()))
    printed = io.StringIO()
    traceback.print_exception(caught.value, file=printed)
    error = caught.value
    out, err = capfd.readouterr()
    shown = f"{error} {error!r} {error.args} {error.hint} {printed.getvalue()} {caplog.text} {out} {err}"
    assert key not in shown
    last = list(engine.stream_many([Request.ask("Hi")], threading.Event()))[-1][1]
    assert last.stop_reason == "error" and key not in repr(last)


def test_connecting_does_not_repeat_it_either(server: Any, key: str) -> None:
    for answer in (
        lambda exchange: exchange.error(401, f"Bad {KEY}"),
        lambda exchange: exchange.error(500, f"Bad {KEY}"),
        lambda exchange: exchange.send(302, b"", Location=f"http://{KEY}@llm.example.org/{KEY}"),
    ):
        server.routes["/v1/models"] = answer
        with pytest.raises(KaggleMagicsError) as caught:
            server.connect()
        printed = "".join(traceback.format_exception(caught.value))
        assert key not in printed and key not in repr(caught.value)


def test_it_never_goes_to_another_server(server: Any, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the key nor the conversation: a redirect to another port is another server."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.2)
        place = f"http://127.0.0.1:{other.getsockname()[1]}/v1/chat/completions"
        server.script = [lambda exchange: exchange.send(307, b"", Location=place)]
        with pytest.raises(KaggleMagicsError, match="redirects to another server"):
            list(server.connect().stream(Request.ask("Hi"), threading.Event()))
        with pytest.raises(TimeoutError):
            other.accept()


def test_nothing_that_is_kept_holds_it(server: Any, key: str) -> None:
    from kaggle_magics.session import Session

    engine = server.connect()
    assert key not in f"{engine!r} {engine.facts!r} {engine.reference} {asdict(engine.facts)}"
    assert key not in repr(vars(engine)) and key not in repr(vars(engine._client))
    with pytest.raises(TypeError):
        pickle.dumps(engine._client)
    session = Session()
    model = session.adopt(engine, name="far")
    answer = session.prompt("Hi")
    assert answer.text == "Lima."
    for kept in (answer, answer.card, model, session.status(), session.last, asdict(answer)):
        assert key not in repr(kept)
    assert key.encode() not in pickle.dumps(answer)
    assert server.url in answer.card.source
    session.close()
