"""The endpoint engine against a server that does what it is told."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest

from kaggle_magics.errors import EngineError, ModelNotFound, OptionError
from kaggle_magics.models.request import Message, Piece, Request, Sampling


def pieces(engine: Any, stop: threading.Event | None = None, **sampling: Any) -> list[Piece]:
    return list(engine.stream(Request.ask("Hi", sampling=Sampling(**sampling)), stop or threading.Event()))


# -- finding the server and the model ------------------------------------------------------------------------------


def test_the_only_model_is_taken(server: Any, ask: Any) -> None:
    engine = server.connect(f"openai:{server.url}")
    assert engine.reference.model == "small-1" and engine.reference.name == "small-1"
    assert engine.facts.device == "endpoint" and engine.facts.library == server.reference
    assert ask(engine)[0] == "Lima."


def test_v1_is_appended_where_the_server_answers_there(server: Any) -> None:
    assert server.connect(f"openai:127.0.0.1:{server.port}").reference.url == server.url
    server.routes["/models"] = lambda exchange: exchange.json({"data": [{"id": "bare"}]})
    server.routes["/v1/models"] = lambda exchange: exchange.json({"detail": "Not Found"}, 404)
    assert str(server.connect(f"openai:127.0.0.1:{server.port}").reference) == (
        f"openai:http://127.0.0.1:{server.port}#bare"
    )


def test_several_models_are_listed_with_the_text_to_type(server: Any) -> None:
    server.models = [{"id": "org/Big-70B"}, {"id": "org/small-1"}, {"id": "org/small-10"}]
    with pytest.raises(ModelNotFound, match="has 3 models") as caught:
        server.connect(f"openai:{server.url}")
    assert f"openai:{server.url}#org/Big-70B" in str(caught.value)
    assert server.connect(f"openai:{server.url}#big").reference.model == "org/Big-70B"
    assert server.connect(f"openai:{server.url}#ORG/SMALL-1").reference.model == "org/small-1"
    with pytest.raises(ModelNotFound, match="names 2 models"):
        server.connect(f"openai:{server.url}#small")
    # Not listed is no proof that it is not there.
    assert server.connect(f"openai:{server.url}#alias").reference.model == "alias"


def test_no_models_and_no_list(server: Any, ask: Any) -> None:
    server.models = []
    with pytest.raises(ModelNotFound, match="lists no models"):
        server.connect(f"openai:{server.url}")
    server.routes["/v1/models"] = lambda exchange: exchange.json({"detail": "Not Found"}, 404)
    assert ask(server.connect())[0] == "Lima."
    with pytest.raises(EngineError):
        server.connect(f"openai:{server.url}")


def test_the_context_is_the_server_s(server: Any) -> None:
    assert server.connect().facts.context_length == 4096
    assert server.connect(context=100).facts.context_length == 100
    server.models = [{"id": "small-1", "max_model_len": 32768}]
    assert server.connect().facts.context_length == 32768
    server.models = [{"id": "small-1", "meta": {"n_ctx_train": 131072}}]
    assert server.connect().facts.context_length == 131072
    server.routes["/props"] = lambda exchange: exchange.json({"default_generation_settings": {"n_ctx": 2048}})
    assert server.connect().facts.context_length == 2048


# -- what is sent, what comes back -----------------------------------------------------------------------------------


def test_a_chat(server: Any, ask: Any) -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}
    server.script = [lambda exchange: exchange.say("Li", "ma", ".", usage=usage)]
    text, last = ask(server.connect(), "Capital of Peru?", system="Be terse.", max_tokens=5)
    assert text == "Lima." and last.stop_reason == "end"
    assert (last.usage.prompt_tokens, last.usage.generated_tokens, last.usage.reused_tokens) == (12, 3, 8)
    assert not last.usage.estimated and 0 < last.usage.seconds_to_first_token <= last.usage.seconds
    assert server.asked[0].path == "/v1/chat/completions"
    assert server.asked[0].body == {
        "model": "small-1",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "temperature": 0.0,
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "Capital of Peru?"},
        ],
    }


def test_sampling_is_sent_only_as_far_as_it_is_set(server: Any, ask: Any) -> None:
    engine = server.connect()
    ask(engine, temperature=0.7, top_k=5, top_p=0.9, min_p=0.1, repeat_penalty=1.2, seed=3, stop=("\n", "END"))
    sent = server.asked[0].body
    assert (sent["temperature"], sent["top_p"], sent["top_k"], sent["min_p"], sent["seed"]) == (0.7, 0.9, 5, 0.1, 3)
    assert sent["repeat_penalty"] == sent["repetition_penalty"] == 1.2 and sent["stop"] == ["\n", "END"]
    ask(engine, seed=3)
    assert not {"seed", "top_k", "top_p", "min_p", "repeat_penalty", "stop"} & server.asked[1].body.keys()


def test_text_as_it_is_and_named_templates_are_completions(server: Any, ask: Any) -> None:
    def complete(exchange: Any) -> None:
        exchange.begin_stream()
        exchange.event({"choices": [{"text": " Lima"}]})
        exchange.event({"choices": [{"text": "", "finish_reason": "length"}]})
        exchange.event(b"[DONE]")

    server.script = [complete]
    engine = server.connect()
    text, last = ask(engine, "The capital of Peru is", template="none")
    assert text == " Lima" and last.stop_reason == "length" and last.usage.estimated
    assert server.asked[0].path == "/v1/completions" and server.asked[0].body["prompt"] == "The capital of Peru is"
    ask(engine, "Hi", template="chatml")
    assert server.asked[1].body["prompt"] == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert engine.render(Request.ask("Hi", template="chatml")) == server.asked[1].body["prompt"]
    assert json.loads(engine.render(Request.ask("é"))) == [{"role": "user", "content": "é"}]
    with pytest.raises(OptionError, match="no template 'chatmel'"):
        ask(engine, template="chatmel")


def test_reasoning_is_kept_apart_from_the_answer(server: Any) -> None:
    def think(exchange: Any) -> None:
        exchange.begin_stream()
        for delta in ({"reasoning_content": "Peru, "}, {"reasoning": "hm."}, {"content": "Lima"}):
            exchange.event({"choices": [{"delta": delta}]})
        exchange.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})

    server.script = [think]
    got = pieces(server.connect())
    assert "".join(piece.reasoning for piece in got) == "Peru, hm."
    assert "".join(piece.text for piece in got) == "Lima"


def test_unicode_and_odd_white_space_come_through(server: Any, ask: Any) -> None:
    text = "é 東京 🗼\n\n\u2028\x85 {x} \\ \"'\t"
    server.script = [lambda exchange: exchange.say(*text)]
    assert ask(server.connect(), text)[0] == text
    assert server.asked[0].body["messages"][0]["content"] == text
    assert ask(server.connect(), "lone \ud800")[0] == text
    assert server.asked[1].body["messages"][0]["content"] == "lone ?"


def test_why_an_answer_ended(server: Any, ask: Any) -> None:
    engine = server.connect()
    for finish, more, wanted in (
        ("stop", {}, "end"),
        ("length", {}, "length"),
        ("stop", {"stop_reason": "END"}, "stop_sequence"),
        ("stop", {"stop_reason": 128009}, "end"),
        ("tool_calls", {}, "end"),
        ("content_filter", {}, "error"),
    ):
        server.script = [lambda exchange, finish=finish, more=more: exchange.say("x", finish=finish, **more)]
        assert ask(engine)[1].stop_reason == wanted


def test_stop_strings_hold_on_servers_that_do_not_know_them(server: Any, ask: Any) -> None:
    def go_on(exchange: Any) -> None:
        exchange.say("one E", "N", "D two", finish=None)
        exchange.wait_until_gone()

    server.script = [go_on]
    text, last = ask(server.connect(), stop=("END",))
    assert text == "one " and last.stop_reason == "stop_sequence"
    assert server.asked[0].gone.wait(5)


def test_tokens_are_estimated_where_they_are_not_told(server: Any, ask: Any) -> None:
    server.script = [lambda exchange: exchange.say(*(["word "] * 40))]
    _, last = ask(server.connect(), "one two three four five six seven eight")
    assert last.usage.estimated and last.usage.generated_tokens == 40 and 8 <= last.usage.prompt_tokens <= 24
    server.script = [lambda exchange: exchange.say("word " * 40)]
    assert 40 <= ask(server.connect())[1].usage.generated_tokens <= 60


# -- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the headers", "before the first token", "after some text"])
def test_stopping_closes_the_connection(server: Any, when: str) -> None:
    came = threading.Event()

    def answer(exchange: Any) -> None:
        if when != "before the headers":
            exchange.begin_stream()
        if when == "after some text":
            exchange.event({"choices": [{"delta": {"content": "Once"}}]})
        came.set()
        exchange.wait_until_gone()

    server.script = [answer]
    engine = server.connect()
    stop = threading.Event()

    def press() -> None:
        came.wait(5)
        stop.set()

    presser = threading.Thread(target=press)
    presser.start()
    got = pieces(engine, stop)
    presser.join()
    assert got[-1].stop_reason == "interrupted" and got[-1].usage is not None and got[-1].usage.estimated
    if when == "after some text":
        assert "".join(piece.text for piece in got) in ("", "Once")
    assert server.asked[0].gone.wait(5), "the server must notice it"
    server.script = [lambda exchange: exchange.say("again")]
    assert pieces(engine)[1 - 1].text == "again"


def test_stopping_while_the_connection_is_made(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can interrupt a name's look-up or a connection: it is left behind, and closed once it is there."""
    engine = server.connect()
    stop, let_go = threading.Event(), threading.Event()
    create = socket.create_connection

    def slow(*args: Any, **kwargs: Any) -> socket.socket:
        stop.set()
        let_go.wait(10)
        return create(*args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", slow)
    assert [piece.stop_reason for piece in pieces(engine, stop)] == ["interrupted"]
    assert not let_go.is_set() and not server.asked
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "kaggle_magics-endpoint":
            thread.join(10)
            assert not thread.is_alive()
    assert not server.asked, "what was stopped is not sent any more"


def test_stopped_before_it_began(server: Any) -> None:
    engine = server.connect()
    stop = threading.Event()
    stop.set()
    assert [piece.stop_reason for piece in pieces(engine, stop)] == ["interrupted"]


def test_stopping_during_a_wait_for_another_try(server: Any) -> None:
    stop = threading.Event()

    def busy(exchange: Any) -> None:
        exchange.json({"error": {"message": "busy"}}, 503, Retry_After="30")
        stop.set()

    server.script = [busy]
    started = time.monotonic()
    assert pieces(server.connect(), stop)[-1].stop_reason == "interrupted"
    assert time.monotonic() - started < 20


def test_leaving_the_iterator_closes_the_connection(server: Any) -> None:
    def answer(exchange: Any) -> None:
        exchange.say("Once", finish=None)
        exchange.wait_until_gone()

    server.script = [answer]
    stream = server.connect().stream(Request.ask("Hi"), threading.Event())
    assert next(stream).text == "Once"
    stream.close()
    assert server.asked[0].gone.wait(5)


def test_unloaded(server: Any) -> None:
    engine = server.connect()
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="was unloaded"):
        pieces(engine)


# -- tables ------------------------------------------------------------------------------------------------------------


def rows(count: int) -> list[Request]:
    return [Request.ask(f"row {number}") for number in range(count)]


def row_of(exchange: Any) -> int:
    return int(exchange.body["messages"][0]["content"].split()[1])


def test_many_are_under_way_together_but_no_more_than_allowed(server: Any) -> None:
    together, most, lock, full = 0, 0, threading.Lock(), threading.Event()

    def answer(exchange: Any) -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
            if together == 3:
                full.set()
        full.wait(5)
        with lock:
            together -= 1
        exchange.say(f"answer {row_of(exchange)}")

    server.script = [answer]
    texts: dict[int, str] = {}
    ends: dict[int, str | None] = {}
    for index, piece in server.connect(at_once=3).stream_many(rows(7), threading.Event()):
        texts[index] = texts.get(index, "") + piece.text
        ends[index] = piece.stop_reason
    assert texts == {number: f"answer {number}" for number in range(7)} and set(ends.values()) == {"end"}
    assert most == 3


def test_a_row_that_fails_does_not_stop_the_others(server: Any) -> None:
    def answer(exchange: Any) -> None:
        if row_of(exchange) == 1:
            exchange.error(400, "row one is odd")
        else:
            exchange.say("fine")

    server.script = [answer]
    last = dict(server.connect().stream_many(rows(4), threading.Event()))
    assert [last[number].stop_reason for number in range(4)] == ["end", "error", "end", "end"]
    assert "row one is odd" in last[1].text
    assert list(server.connect().stream_many([], threading.Event())) == []


def test_a_server_that_takes_one_request_at_a_time(server: Any) -> None:
    """As llama-cpp-python's: a new request breaks the one before off, without a reason."""
    newest, lock = [0], threading.Lock()

    def answer(exchange: Any) -> None:
        with lock:
            newest[0] += 1
            mine = newest[0]
        exchange.begin_stream()
        for word in ("a", "b", "c", f" {row_of(exchange)}"):
            time.sleep(0.01)
            if newest[0] != mine:
                exchange.event(b"[DONE]")
                return
            exchange.event({"choices": [{"delta": {"content": word}}]})
        exchange.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})

    server.script = [answer]
    texts: dict[int, str] = {}
    for index, piece in server.connect(at_once=4).stream_many(rows(6), threading.Event()):
        texts[index] = texts.get(index, "") + piece.text
        assert piece.stop_reason in (None, "end")
    assert texts == {number: f"abc {number}" for number in range(6)}


def test_stopping_a_table(server: Any) -> None:
    stop = threading.Event()

    def answer(exchange: Any) -> None:
        if row_of(exchange) == 0:
            exchange.say("first")
        else:
            exchange.say("Once", finish=None)
            exchange.wait_until_gone()

    server.script = [answer]
    last: dict[int, Piece] = {}
    for index, piece in server.connect(at_once=2).stream_many(rows(9), stop):
        last[index] = piece
        if index == 0 and piece.stop_reason:
            stop.set()
    assert last[0].stop_reason == "end"
    assert all(piece.stop_reason == "interrupted" for index, piece in last.items() if index)
    assert len(server.asked) <= 4 and all(exchange.gone.wait(5) for exchange in server.asked if row_of(exchange))


# -- counting ----------------------------------------------------------------------------------------------------------


def test_tokens_are_counted_by_the_server_where_it_can(server: Any) -> None:
    engine = server.connect()
    estimated = engine.count_tokens("one two three")
    assert estimated == 3
    server.routes["/tokenize"] = lambda exchange: exchange.json({"tokens": list(range(len(exchange.body["content"])))})
    engine = server.connect()
    assert engine.count_tokens("one two three") == 13 and engine.count_tokens("") == 0
    server.routes["/tokenize"] = lambda exchange: exchange.json({"count": 7, "max_model_len": 99, "tokens": []})
    assert server.connect().count_tokens("one two three") == 7
    del server.routes["/tokenize"]
    server.routes["/extras/tokenize/count"] = lambda exchange: exchange.json({"count": 5})
    assert server.connect().count_tokens("one two three") == 5


def test_a_tokenizer_that_fails_is_replaced_by_the_estimate(server: Any) -> None:
    for answer in (
        lambda exchange: exchange.send(200, b"<html>", "text/html"),
        lambda exchange: exchange.json([1, 2]),
        lambda exchange: exchange.json({"count": -1}),
        lambda exchange: exchange.json({"count": True}),
        lambda exchange: exchange.drop(),
    ):
        server.routes["/tokenize"] = answer
        assert server.connect().count_tokens("one two three") == 3


def test_the_same_text_is_counted_once(server: Any) -> None:
    server.routes["/tokenize"] = lambda exchange: exchange.json({"count": 7})
    engine = server.connect()
    before = len(server.seen)
    assert [engine.count_tokens("text") for _ in range(5)] == [7] * 5
    assert len(server.seen) == before + 1


def test_a_turn_to_be_continued_is_sent_as_it_is(server: Any) -> None:
    request = Request((Message("user", "Count."), Message("assistant", "One,")))
    list(server.connect().stream(request, threading.Event()))
    assert server.asked[0].body["messages"][-1] == {"role": "assistant", "content": "One,"}
