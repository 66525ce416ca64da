"""Servers that refuse, fail, break off or answer nonsense: one clear line each, and the text so far is kept."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kaggle_magics.errors import EngineError, KaggleMagicsError, ModelNotFound, OptionError
from kaggle_magics.models.engines.endpoint import Limits, connect, parse
from kaggle_magics.models.engines.endpoint.events import chunk
from kaggle_magics.models.engines.endpoint.http import Cancelled, Client, Head, Retry, retry_after
from kaggle_magics.models.engines.endpoint.refusals import explain, read_refusal
from kaggle_magics.models.request import Request, Sampling


def fails(engine: Any, kind: type[KaggleMagicsError] = EngineError, **options: Any) -> tuple[str, str]:
    """The error's line, and the text that came before it."""
    template = options.pop("template", "auto")
    texts = []
    with pytest.raises(kind) as caught:
        for piece in engine.stream(
            Request.ask("Hi", template=template, sampling=Sampling(**options)), threading.Event()
        ):
            texts.append(piece.text)
    said = str(caught.value)
    assert "\n" not in said and len(said) < 700
    return said, "".join(texts)


# -- not reached -------------------------------------------------------------------------------------------------------


def refused(reference: str, **limits: float) -> str:
    parsed = parse(reference)
    assert parsed is not None
    with pytest.raises(EngineError) as caught:
        connect(parsed, limits=Limits(connect=2, idle=0.3, retries=0, **limits))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes | None], str]]:
    """A port that answers every connection with these bytes and closes it; None says nothing."""
    sockets: list[socket.socket] = []

    def start(answer: bytes | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                sockets.append(connection)
                if answer is not None:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        return f"openai:http://127.0.0.1:{listener.getsockname()[1]}/v1#m"

    yield start
    for each in sockets:
        each.close()


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "the connection was refused. Is the server running" in refused(f"openai:http://127.0.0.1:{port}/v1#m")


def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "There is no host no.example" in refused("openai:https://no.example/v1#m")


def test_a_silent_server(raw_server: Any) -> None:
    assert "was silent for too long" in refused(raw_server(None))


def test_not_http(raw_server: Any) -> None:
    assert "does not speak HTTP" in refused(raw_server(b"SSH-2.0-OpenSSH_9.6\r\n"))


def test_closed_without_an_answer(raw_server: Any) -> None:
    assert "closed the connection" in refused(raw_server(b""))


def test_https_where_there_is_none(server: Any) -> None:
    assert "does not speak https" in refused(f"openai:https://127.0.0.1:{server.port}/v1#m")


def test_a_certificate_that_cannot_be_verified(tmp_path: Any, server: Any) -> None:
    import subprocess

    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"),
            *("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("openssl cannot make a certificate here")
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        assert "cannot be verified" in refused(f"openai:https://127.0.0.1:{port}/v1#m")


# -- something else answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda exchange: exchange.send(200, b"<html>Welcome</html>", "text/html"), "does not list models"),
        (lambda exchange: exchange.send(404, b"<!doctype html><p>no", "text/html"), "answers with a web page"),
        (lambda exchange: exchange.send(502, b"<html>Bad gateway", "text/html"), "answers with a web page"),
        (lambda exchange: exchange.json({"models": []}), "does not list models"),
        (lambda exchange: exchange.json("hello"), "does not list models"),
        (lambda exchange: exchange.send(200, b"{"), "does not list models"),
        (lambda exchange: exchange.error(401, "No key"), "asks for a key"),
        (lambda exchange: exchange.error(500, "Broken"), "failed (status 500): Broken"),
    ],
)
def test_an_address_where_something_else_answers(server: Any, answer: Any, said: str) -> None:
    server.routes["/v1/models"] = answer
    with pytest.raises(EngineError) as caught:
        server.connect()
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"data: {\n\n", "malformed: no JSON"),
        (b"data: [1]\n\n", "malformed: an event that is no object"),
        (b"data: {" + b"[" * 100_000 + b"\n\n", "malformed"),
        (b"<html>Hello</html>\n\n", "closed the connection without an answer"),
        (b"", "closed the connection without an answer"),
        (b'data: {"choices": [{"delta": ["x"]}]}\n\n', "malformed: a message that is no object"),
        (b'data: {"error": {"message": "CUDA out\\nof memory"}}\n\n', "reports an error: CUDA out of memory"),
        (b'data: {"error": "nope"}\n\n', "reports an error: nope"),
        (b'data: {"choices": []}\n\n: comment\n\ndata: {"choices": null}\n\n', "broke off in the middle"),
        (b"data: [DONE]\n\n", "broke off in the middle"),
    ],
)
def test_a_stream_that_is_none(server: Any, stream: bytes, said: str) -> None:
    def answer(exchange: Any) -> None:
        exchange.begin_stream()
        exchange.write(stream)

    server.script = [answer]
    line, text = fails(server.connect())
    assert said in line and text == ""


def test_an_answer_that_is_a_web_page(server: Any) -> None:
    server.script = [lambda exchange: exchange.send(200, b"<html>Log in</html>", "text/html")]
    assert "malformed: no JSON in '<html>" in fails(server.connect())[0]


@pytest.mark.parametrize("how", ["closed", "error", "nonsense"])
def test_what_was_said_before_it_broke_is_kept(server: Any, how: str) -> None:
    def answer(exchange: Any) -> None:
        exchange.say("Once ", "upon", finish=None)
        if how == "error":
            exchange.event({"error": {"message": "worker died"}})
        elif how == "nonsense":
            exchange.write(b"data: {oops\n\n")

    server.script = [answer]
    line, text = fails(server.connect())
    assert text == "Once upon" and len(server.asked) == 1
    assert {"closed": "broke off", "error": "worker died", "nonsense": "malformed"}[how] in line


def test_unusual_but_right_streams(server: Any, ask: Any) -> None:
    done = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    for stream in (
        b'\xef\xbb\xbf: ping\r\n\r\nevent: x\r\nid: 7\r\ndata:{"choices":[{"delta":{"content":"Lima"}}]}\r\n\r\n'
        + done,
        b'data: {"choices": [{"delta":\ndata: {"content": "Lima"}}]}\n\n' + done,
        b'data: {"choices": [{"delta": {"content": [{"type": "text", "text": "Lima"}]}}]}\n\n' + done,
        b'data: {"choices": [{"delta": {"content": "Lima"}, "finish_reason": "stop"}]}',
    ):
        server.script = [lambda exchange, stream=stream: (exchange.begin_stream(), exchange.write(stream))]
        text, last = ask(server.connect())
        assert (text, last.stop_reason) == ("Lima", "end")


def test_a_server_that_does_not_stream(server: Any, ask: Any) -> None:
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "Lima."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2},
    }
    server.script = [lambda exchange: exchange.json(whole)]
    text, last = ask(server.connect())
    assert text == "Lima." and last.usage.generated_tokens == 2 and not last.usage.estimated


# -- refusals ----------------------------------------------------------------------------------------------------------


def refuse(server: Any, status: int, message: str, kind: type[KaggleMagicsError] = EngineError, **fields: Any) -> str:
    options = fields.pop("options", {})
    server.script = [lambda exchange: exchange.error(status, message, **fields)]
    return fails(server.connect(), kind, **options)[0]


def test_unauthorised(server: Any) -> None:
    line = refuse(server, 401, "You must log in")
    assert "asks for a key (401): You must log in" in line and "KAGGLE_MAGICS_ENDPOINT_KEY" in line
    assert "asks for a key (403)" in refuse(server, 403, "Forbidden")
    assert len(server.asked) == 2


def test_no_such_model(server: Any) -> None:
    server.models = [{"id": "small-1"}, {"id": "large-2"}]
    server.script = [lambda exchange: exchange.error(404, "The model `small1` does not exist", code="model_not_found")]
    line = fails(server.connect(f"openai:{server.url}#small1"), ModelNotFound)[0]
    assert "has no model 'small1'" in line and "Did you mean small-1" in line


def test_too_long(server: Any) -> None:
    for status, message, fields in (
        (400, "This model's maximum context length is 512 tokens.", {"code": "context_length_exceeded"}),
        (
            400,
            "the request exceeds the available context size. try increasing it",
            {"type": "exceed_context_size_error"},
        ),
        (500, "Requested tokens (3004) exceed context window of 1024", {}),
    ):
        line = refuse(server, status, message, OptionError, **fields)
        assert "too long for small-1" in line and message.rstrip(".") in line
    assert len(server.asked) == 3, "another try would fail too"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "Unrecognized request argument supplied: top_k", "param": None}}),
        (400, {"error": {"message": "Unknown parameter: 'top_k'.", "code": "unknown_parameter", "param": "top_k"}}),
        (422, {"detail": "Unexpected fields in the request: {'top_k'}"}),
        (
            422,
            {
                "detail": [
                    {"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}
                ]
            },
        ),
    ],
)
def test_an_option_that_the_server_does_not_take(server: Any, status: int, body: Any) -> None:
    server.script = [lambda exchange: exchange.json(body, status)]
    line = fails(server.connect(), OptionError, top_k=5)[0]
    assert "does not take this top_k" in line and "Leave --top-k out" in line


def test_several_options_that_the_server_does_not_take(server: Any) -> None:
    """As `transformers serve` refuses them."""
    unknown = {"repeat_penalty", "repetition_penalty", "min_p", "top_k"}

    def answer(exchange: Any) -> None:
        named = unknown & exchange.body.keys()
        exchange.json({"detail": f"Unexpected fields in the request: {named}"}, 422) if named else exchange.say("fine")

    server.script = [answer]
    line = fails(server.connect(), OptionError, top_k=5, min_p=0.1, repeat_penalty=1.1)[0]
    assert "Leave --top-k and --min-p and --repeat-penalty out" in line and len(server.asked) == 1
    assert "Leave --repeat-penalty out" in fails(server.connect(), OptionError, repeat_penalty=1.1)[0]


def test_a_temperature_that_the_model_does_not_take(server: Any) -> None:
    message = "Unsupported value: 'temperature' does not support 0 with this model."
    assert "--temperature 1" in refuse(server, 400, message, OptionError, param="temperature")


def test_what_a_server_can_do_without_is_left_out(server: Any, ask: Any) -> None:
    def answer(exchange: Any) -> None:
        for name in ("stream_options", "seed", "repetition_penalty"):
            if name in exchange.body:
                return exchange.error(400, f"Unknown parameter: '{name}'.", param=name)
        if "max_tokens" in exchange.body:
            said = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
            return exchange.error(400, said, param="max_tokens")
        return exchange.say("fine")

    server.script = [answer]
    engine = server.connect()
    options: dict[str, Any] = {"temperature": 1.0, "seed": 4, "repeat_penalty": 1.1, "max_tokens": 9}
    assert ask(engine, **options)[0] == "fine"
    tries = len(server.asked)
    assert server.asked[-1].body["max_completion_tokens"] == 9 and server.asked[-1].body["repeat_penalty"] == 1.1
    assert ask(engine, **options)[0] == "fine"
    assert len(server.asked) == tries + 1, "it is remembered"


def test_chats_only(server: Any) -> None:
    message = "This is a chat model and not supported in the v1/completions endpoint."
    assert "Use template auto" in refuse(server, 404, message, options={"template": "none"})


# -- trying again ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_a_server_that_is_busy_is_asked_again(server: Any, ask: Any, status: int) -> None:
    server.script = [
        lambda exchange: exchange.error(status, "busy"),
        lambda exchange: exchange.drop(),
        lambda exchange: exchange.say("at last"),
    ]
    assert ask(server.connect())[0] == "at last" and len(server.asked) == 3
    assert server.asked[0].raw == server.asked[2].raw


def test_but_not_for_ever(server: Any) -> None:
    line = refuse(server, 503, "Loading model")
    assert "failed (status 503): Loading model" in line and len(server.asked) == 4
    server.asked.clear()
    assert "allows no more requests for now (429): slow down" in refuse(server, 429, "slow down")
    server.asked.clear()
    assert "Check its account" in refuse(server, 429, "You exceeded your quota", code="insufficient_quota")
    assert len(server.asked) == 1


def test_no_second_try_once_it_has_begun_to_answer(server: Any) -> None:
    server.script = [lambda exchange: exchange.say("Once", finish=None)]
    fails(server.connect())
    assert len(server.asked) == 1


class Waits(threading.Event):
    """A stop flag that notes how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return self.is_set()


def test_the_waits_double_with_chance_and_follow_the_server() -> None:
    waits = Waits()
    retry = Retry(Limits(retries=4, backoff=1.0, longest_wait=60), iter([0.0, 1.0, 0.5]).__next__)
    assert retry.wait(waits) and retry.wait(waits) and retry.wait(waits) and retry.wait(waits, 17.0)
    assert waits.seconds == [1.0, 1.0, 3.0, 17.0]
    assert not retry.wait(waits), "four were allowed"
    assert not Retry(Limits(retries=4, longest_wait=60), lambda: 0.0).wait(waits, 61.0), "too long to wait"
    stopped = Waits()
    stopped.set()
    with pytest.raises(Cancelled):
        Retry(Limits(), lambda: 0.0).wait(stopped)


def test_retry_after() -> None:
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "-3"}) == 0.0
    for nonsense in ("soon", "nan", "inf", ""):
        assert retry_after({"retry-after": nonsense}) is None
    assert retry_after({}) is None


# -- redirects and proxies ---------------------------------------------------------------------------------------------


def test_redirects_stay_on_the_server(server: Any, ask: Any) -> None:
    def elsewhere(exchange: Any) -> None:
        exchange.send(308, b"", Location="/v1/chat/completions/")

    server.script = [elsewhere]
    server.routes["/v1/chat/completions/"] = lambda exchange: exchange.say("moved")
    assert ask(server.connect())[0] == "moved"
    server.routes["/v1/chat/completions/"] = elsewhere
    assert "redirects in a circle" in fails(server.connect())[0]


def test_a_proxy_is_for_others_only(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{server.port}")
    assert server.connect().reference.model == "small-1"
    assert "Proxy-Authorization" not in server.seen[-1].headers
    server.routes["http://llm.example.org/v1/models"] = lambda exchange: exchange.json({"data": [{"id": "far"}]})
    head, body = Client("http://llm.example.org/v1", None, Limits()).fetch("GET", "http://llm.example.org/v1/models")
    assert head.status == 200 and b"far" in body
    assert server.seen[-1].headers["Proxy-Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    assert server.seen[-1].headers["Host"] == "llm.example.org"


# -- nonsense in every place -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b'{"error": null}',
        b'{"error": []}',
        b'{"error": {"message": null}}',
        b'{"error": {"message": {"a": 1}, "code": 3}}',
        b'{"detail": []}',
        b'{"detail": [3]}',
        b'{"detail": [null]}',
        b'{"detail": [{"loc": 5}]}',
        b'{"detail": {"a": "b"}}',
        b'{"message": "x", "code": 404}',
        b"\xff\xfe",
        b'{"error": {"message": "' + b"a\\n" * 5000 + b'"}}',
        b"[" * 100000,
    ],
)
def test_any_refusal_is_one_short_line(body: bytes) -> None:
    reference = parse("openai:http://llm.example.org/v1#m")
    assert reference is not None
    for status in (204, 302, 400, 401, 404, 405, 413, 422, 429, 500, 503, 999):
        refusal = read_refusal(Head(status, {}), body)
        line = str(explain(refusal, reference, has_key=False, sent=("top_k", "model"), models=("a",)))
        assert "\n" not in line and 10 < len(line) < 700
        assert isinstance(refusal.again, bool)


def test_any_event_is_a_chunk_or_an_error() -> None:
    values: list[Any] = [None, 1, "x", [], {}, True, [1], [None], {"a": 1}]
    for one, other in itertools.product(values, values):
        for event in (
            {"choices": [{"delta": one, "finish_reason": other}]},
            {"choices": one, "usage": other},
            {"choices": [{"delta": {"content": one, "reasoning": other}}]},
            {"choices": [{"text": one}], "timings": other},
            {"usage": {"prompt_tokens": one, "prompt_tokens_details": other}},
            {"error": one, "choices": other},
            {"choices": [{"message": one, "stop_reason": other}]},
        ):
            try:
                found = chunk(event)
            except EngineError as error:
                assert "\n" not in str(error)
            else:
                assert isinstance(found.text, str) and isinstance(found.reasoning, str)
                assert found.finish is None or isinstance(found.finish, str)
