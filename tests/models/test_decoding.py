"""The decode loop on a model whose answers are written down: every way to end, to fail, and what usage says."""

from __future__ import annotations

import threading

import pytest
from scripted_model import BOS, Scripted, run

from kaggle_magics.errors import DoesNotFit, EngineError, OptionError
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.request import Message, Request


def test_an_answer_that_ends() -> None:
    text, last = run(LocalEngine(Scripted("Hé 😀")), "ab")
    assert (text, last.stop_reason) == ("Hé 😀", "end")
    assert last.usage is not None
    # BOS and two bytes; the end token is no part of the answer.
    assert (last.usage.prompt_tokens, last.usage.reused_tokens, last.usage.generated_tokens) == (3, 0, 8)
    assert 0 < last.usage.seconds_to_first_token <= last.usage.seconds


def test_max_tokens_and_the_rest_of_the_context() -> None:
    text, last = run(LocalEngine(Scripted("Hello")), "ab", max_tokens=3)
    assert (text, last.stop_reason) == ("Hel", "length")
    text, last = run(LocalEngine(Scripted("Hello", context=5)), "ab", max_tokens=100)
    assert (text, last.stop_reason) == ("He", "length")
    # Cut inside a character: what cannot be shown is shown as broken, not left out.
    assert run(LocalEngine(Scripted("é")), "ab", max_tokens=1)[0] == "\ufffd"


def test_a_prompt_that_is_too_long_names_both_numbers() -> None:
    with pytest.raises(OptionError, match=r"has 9 tokens; the model's context holds 9"):
        run(LocalEngine(Scripted("x", context=9)), "12345678")
    assert run(LocalEngine(Scripted("x", context=9)), "1234567")[0] == "x"


def test_stop_strings_that_span_tokens_are_never_shown() -> None:
    text, last = run(LocalEngine(Scripted("one END two")), "ab", stop=("END",))
    assert (text, last.stop_reason) == ("one ", "stop_sequence")
    text, last = run(LocalEngine(Scripted("one EN")), "ab", stop=("END",))
    assert (text, last.stop_reason) == ("one EN", "end")


def test_the_loop_stops_within_a_token() -> None:
    engine, stop = LocalEngine(Scripted("x" * 100)), threading.Event()
    seen = []
    for piece in engine.stream(Request.ask("ab", template="none"), stop):
        seen.append(piece)
        if len(seen) == 3:
            stop.set()
    assert "".join(piece.text for piece in seen) == "xxx"
    assert seen[-1].stop_reason == "interrupted"
    assert run(engine, "ab", max_tokens=5)[0] == "xxxxx"


def test_stopped_before_and_within_the_prompt() -> None:
    stop = threading.Event()
    stop.set()
    model = Scripted("x")
    text, last = run(LocalEngine(model), "ab", stop)
    assert (text, last.stop_reason, model.read) == ("", "interrupted", [])
    model = Scripted("x")
    engine, prompt = LocalEngine(model), "p" * 300
    model.stop_at = 210
    text, last = run(engine, prompt)
    assert (text, last.stop_reason) == ("", "interrupted")
    assert last.usage is not None and last.usage.generated_tokens == 0
    # What was read before the stop is not read again.
    model.stop_at = None
    text, last = run(engine, prompt)
    assert (text, last.stop_reason) == ("x", "end")
    assert last.usage is not None and last.usage.reused_tokens == 210
    assert [len(tails[0]) for tails in model.read] == [301, 301 - 210, 1]


def test_an_abandoned_answer_leaves_the_engine_usable() -> None:
    engine = LocalEngine(Scripted("x" * 50))
    stream = engine.stream(Request.ask("ab", template="none"), threading.Event())
    next(stream)
    stream.close()
    assert run(engine, "ab", max_tokens=2)[0] == "xx"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("torch failed"), DoesNotFit("too much")])
def test_an_error_in_the_middle_leaves_the_engine_usable(error: BaseException) -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model)
    run(engine, "another prompt")
    model.fail_when = lambda rows: error if len(model.read) >= 6 else None
    with pytest.raises(type(error)):
        run(engine, "ab")
    model.fail_when = lambda rows: None
    assert run(engine, "ab")[0] == "xyz"
    # When memory runs out, nothing is kept for later.
    assert len(model.rows) == (1 if isinstance(error, DoesNotFit) else 2)


def test_bos_is_written_once() -> None:
    own = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    model = Scripted("x", template=own)
    engine = LocalEngine(model)
    list(engine.stream(Request.ask("ab"), threading.Event()))
    assert model.read[0] == [[BOS, ord("a") + 2, ord("b") + 2]]
    assert engine.render(Request.ask("ab")) == "<s>ab"
    assert engine.render(Request.ask("ab", template="none")) == "<s>ab"
    assert engine.render(Request.ask("ab", template="chatml")).startswith("<s><|im_start|>")
    assert engine.render(Request.ask("ab", template="mistral")).count("<s>") == 1


def test_white_space_after_a_template_is_no_answer() -> None:
    model = Scripted(" \n Hello ", template="{% for m in messages %}{{ m.content }}{% endfor %}:")
    request = Request((Message("user", "hi"),))
    text = "".join(piece.text for piece in LocalEngine(model).stream(request, threading.Event()))
    assert text == "Hello "
    assert run(LocalEngine(Scripted(" \n Hello ")), "hi")[0] == " \n Hello "


def test_closed_twice_and_used_after() -> None:
    model = Scripted("x")
    engine = LocalEngine(model)
    engine.close()
    engine.close()
    assert model.closed
    with pytest.raises(EngineError, match="unloaded"):
        run(engine, "ab")
    with pytest.raises(EngineError, match="unloaded"):
        engine.count_tokens("ab")


def test_tokens_of_a_text() -> None:
    assert LocalEngine(Scripted()).count_tokens("abc") == 3
    assert LocalEngine(Scripted()).count_tokens("") == 0
