"""A server on this machine that speaks OpenAI's API as a script tells it to, well or badly."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kaggle_magics.models.engines.endpoint import EndpointEngine, Limits, connect, parse
from kaggle_magics.models.request import Piece, Request, Sampling

KEY = "sk-planted-0123456789"
QUICK = Limits(connect=5.0, idle=5.0, retries=3, backoff=0.0)
MODEL = "small-1"


class Exchange:
    """One request as it came, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.handler, self.raw = handler, body
        self.method, self.path = handler.command, handler.path
        self.headers = dict(handler.headers.items())
        self.gone = threading.Event()

    @property
    def body(self) -> dict[str, Any]:
        value = json.loads(self.raw)
        assert isinstance(value, dict)
        return value

    def send(self, status: int, data: bytes, kind: str = "application/json", **headers: str) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.write(data)

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(value).encode(), **headers)

    def error(self, status: int, message: str, **fields: Any) -> None:
        self.json({"error": {"message": message, **fields}}, status)

    def begin_stream(self, kind: str = "text/event-stream") -> None:
        self.handler.send_response(200)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()

    def write(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def event(self, value: Any) -> None:
        self.write(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")

    def say(self, *texts: str, finish: str | None = "stop", usage: Any = None, **choice: Any) -> None:
        """A whole chat answer as vLLM streams it."""
        self.begin_stream()
        self.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for text in texts:
            self.event({"choices": [{"index": 0, "delta": {"content": text}}]})
        if finish:
            self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish, **choice}]})
        if usage:
            self.event({"choices": [], "usage": usage})
        if finish:
            self.event(b"[DONE]")

    def wait_until_gone(self) -> None:
        """Wait until the client has closed the connection; set `gone` then."""
        self.handler.connection.settimeout(10)
        try:
            while self.handler.connection.recv(1):
                pass
        except TimeoutError:
            return
        except OSError:
            pass
        self.gone.set()

    def drop(self) -> None:
        """Close the connection without a word."""
        self.handler.connection.shutdown(socket.SHUT_RDWR)
        self.handler.close_connection = True


Answer = Callable[[Exchange], None]


@dataclass
class FakeServer:
    """`script` answers the completions in turn, the last one again and again; `models` is what it lists."""

    port: int = 0
    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": MODEL}])
    script: list[Answer] = field(default_factory=lambda: [lambda exchange: exchange.say("Lima", ".")])
    routes: dict[str, Answer] = field(default_factory=dict)
    """Path -> answer, before anything else."""
    seen: list[Exchange] = field(default_factory=list)
    asked: list[Exchange] = field(default_factory=list)
    """The completions among `seen`."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def reference(self) -> str:
        return f"openai:{self.url}#{MODEL}"

    def connect(self, reference: str | None = None, **options: Any) -> EndpointEngine:
        parsed = parse(reference or self.reference)
        assert parsed is not None
        return connect(parsed, **{"limits": QUICK, **options})

    def answer(self, exchange: Exchange) -> None:
        self.seen.append(exchange)
        path = exchange.path.partition("?")[0]
        if path in self.routes:
            self.routes[path](exchange)
        elif path == "/v1/models":
            exchange.json({"object": "list", "data": self.models})
        elif path in ("/v1/chat/completions", "/v1/completions"):
            try:
                _ = exchange.body
            except ValueError:  # whoever asked was stopped before the body was sent
                return
            self.asked.append(exchange)
            self.script[min(len(self.asked), len(self.script)) - 1](exchange)
        else:
            exchange.json({"detail": "Not Found"}, 404)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.close_connection = True
            exchange = Exchange(self, body)
            try:
                fake.answer(exchange)
            except ConnectionError:
                exchange.gone.set()

        do_GET = do_POST = do

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    fake.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield fake
    http.shutdown()
    http.server_close()


Ask = Callable[..., tuple[str, Piece]]


@pytest.fixture
def ask() -> Ask:
    """Ask an engine: the text and the last piece."""

    def ask_it(engine: EndpointEngine, text: str = "Hi", *, system: str | None = None, **options: Any) -> Any:
        template = options.pop("template", "auto")
        request = Request.ask(text, system=system, template=template, sampling=Sampling(**options))
        pieces = list(engine.stream(request, threading.Event()))
        assert all(piece.stop_reason is None for piece in pieces[:-1])
        return "".join(piece.text for piece in pieces), pieces[-1]

    return ask_it
