"""Both local engines, the same way: what they share must hold for each."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.request import Message, Request, Sampling

PROMPT = "What is the capital of Peru? The capital"
TEXTS = ["naïve café", "日本語 text", "a 😀👩‍👩‍👧 b", "  two  spaces ", "tab\tand\nline", "🇩🇪", "\x00null"]


class SetAfter(threading.Event):
    """An event that is set once it was asked `count` times."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def is_set(self) -> bool:
        self.count -= 1
        return self.count < 0


@pytest.fixture(params=["transformers", pytest.param("llama.cpp", marks=pytest.mark.gguf)])
def engine(request: pytest.FixtureRequest, open_engine: Callable[..., Engine]) -> Engine:
    """The tiny Llama, by each engine."""
    fixture = "tiny_llama" if request.param == "transformers" else "tiny_gguf"
    return open_engine(request.getfixturevalue(fixture))


def test_facts(engine: Engine) -> None:
    facts = engine.facts
    assert facts.engine in ("transformers", "llama.cpp") and facts.engine.partition(".")[0] in facts.library
    assert (facts.device, facts.context_length) == ("cpu", 2048)
    assert facts.dtype in ("float32", "F32")


def test_reuse_gives_the_text_of_a_fresh_run(engine: Engine, ask: Any) -> None:
    ask(engine, "Something else")
    fresh, first = ask(engine, PROMPT, max_tokens=40)
    again, second = ask(engine, PROMPT, max_tokens=40)
    assert fresh == again and len(fresh) > 5
    assert first.usage.reused_tokens == 0
    assert second.usage.reused_tokens == second.usage.prompt_tokens - 1
    # After another prompt with the same beginning, part of the memory is cut off and the text is still the same.
    ask(engine, PROMPT + " of Chile is", max_tokens=20)
    again, third = ask(engine, PROMPT, max_tokens=40)
    assert again == fresh and third.usage.reused_tokens > 5


def test_the_seed_decides(engine: Engine, ask: Any) -> None:
    def draw(seed: int) -> str:
        return str(ask(engine, PROMPT, max_tokens=20, temperature=1.0, top_k=40, top_p=0.95, seed=seed)[0])

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_stop_strings(engine: Engine, ask: Any) -> None:
    whole, _ = ask(engine, PROMPT, max_tokens=40)
    stop = whole[8:12]
    text, last = ask(engine, PROMPT, max_tokens=40, stop=(stop,))
    assert text == whole[: whole.index(stop)] and last.stop_reason == "stop_sequence"


def test_interrupted_while_it_answers_and_asked_again(engine: Engine, ask: Any) -> None:
    whole, _ = ask(engine, PROMPT, max_tokens=30)
    stop, shown = threading.Event(), ""
    request = Request.ask(PROMPT, template="none", sampling=Sampling(max_tokens=30))
    pieces = []
    for piece in engine.stream(request, stop):
        pieces.append(piece)
        shown += piece.text
        if len(pieces) == 4:
            stop.set()
    assert pieces[-1].stop_reason == "interrupted" and len(pieces) <= 6
    assert whole.startswith(shown) and shown
    assert ask(engine, PROMPT, max_tokens=30)[0] == whole


def test_interrupted_within_the_prompt_and_asked_again(engine: Engine, ask: Any) -> None:
    prompt = PROMPT * 80
    whole, last = ask(engine, prompt, max_tokens=10)
    assert last.usage.prompt_tokens > 600
    ask(engine, "x")
    pieces = list(engine.stream(Request.ask(prompt, template="none"), SetAfter(1)))
    assert [(piece.text, piece.stop_reason) for piece in pieces] == [("", "interrupted")]
    assert ask(engine, prompt, max_tokens=10)[0] == whole


CONTEXTS = [letter * 3 + " the library opens at nine; " * 12 for letter in "xyzw"]


def test_several_contexts_in_turn(engine: Engine, ask: Any) -> None:
    wanted = []
    for context in CONTEXTS:
        engine.forget()  # type: ignore[attr-defined]
        wanted.append([ask(engine, context + question, max_tokens=12)[0] for question in ("Who?", "Where")])
    engine.forget()  # type: ignore[attr-defined]
    for round_, question in enumerate(("Who?", "Where", "Who?")):
        for place, context in enumerate(CONTEXTS):
            text, last = ask(engine, context + question, max_tokens=12)
            assert text == wanted[place][round_ % 2]
            assert (last.usage.reused_tokens > 0.8 * last.usage.prompt_tokens) == (round_ > 0)


def test_rows_of_a_table_say_what_each_says_alone(engine: Engine, ask: Any) -> None:
    questions = ["Who?", "Where is it, and when does it open?", "", "a", "The cook takes two of them"] * 2
    prompts = [CONTEXTS[0] + question for question in questions]
    alone = [ask(engine, prompt, max_tokens=8 + place)[0] for place, prompt in enumerate(prompts)]
    engine.forget()  # type: ignore[attr-defined]
    requests = [
        Request.ask(prompt, template="none", sampling=Sampling(max_tokens=8 + place))
        for place, prompt in enumerate(prompts)
    ]
    rows = dict.fromkeys(range(len(prompts)), "")
    reused = {}
    for index, piece in engine.stream_many(requests, threading.Event()):
        rows[index] += piece.text
        if piece.usage:
            reused[index] = piece.usage.reused_tokens
    assert list(rows.values()) == alone
    # One row has paid for the common beginning.
    assert sorted(reused.values())[0] == 0 and min(sorted(reused.values())[1:]) > 80
    # What is common is kept, and a single question goes on from it.
    assert ask(engine, CONTEXTS[0] + "Why?", max_tokens=1)[1].usage.reused_tokens > 80


def test_a_table_is_interrupted_and_asked_again(engine: Engine, ask: Any) -> None:
    requests = [
        Request.ask(CONTEXTS[1] + question, template="none", sampling=Sampling(max_tokens=20))
        for question in ("Who?", "Where is it?", "x")
    ]
    whole = {index: "" for index in range(3)}
    for index, piece in engine.stream_many(requests, threading.Event()):
        whole[index] += piece.text
    stop, seen, last = threading.Event(), {index: "" for index in range(3)}, {}
    for index, piece in engine.stream_many(requests, stop):
        seen[index] += piece.text
        last[index] = piece.stop_reason
        if len(seen[0]) > 5:
            stop.set()
    assert set(last.values()) == {"interrupted"}
    assert all(whole[index].startswith(text.rstrip("\ufffd")) for index, text in seen.items())
    again = {index: "" for index in range(3)}
    for index, piece in engine.stream_many(requests, threading.Event()):
        again[index] += piece.text
    assert again == whole
    # Interrupted in the common beginning: nothing was begun.
    engine.forget()  # type: ignore[attr-defined]
    assert list(engine.stream_many(requests, SetAfter(1))) == []
    again = {index: "" for index in range(3)}
    for index, piece in engine.stream_many(requests, threading.Event()):
        again[index] += piece.text
    assert again == whole


def test_probabilities_are_those_of_the_library(
    tiny_llama: Path, request: pytest.FixtureRequest, open_engine: Callable[..., Engine]
) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    engines = [open_engine(tiny_llama)]
    if importlib.util.find_spec("llama_cpp"):
        engines.append(open_engine(request.getfixturevalue("tiny_gguf")))
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    model = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    for engine in engines:
        pieces = engine.stream(
            Request.ask(PROMPT, template="none", sampling=Sampling(max_tokens=6), logprobs=3), threading.Event()
        )
        tokens = [token for piece in pieces for token in piece.tokens]
        ids = [*tokenizer(PROMPT)["input_ids"], *(token.token for token in tokens)]
        with torch.inference_mode():
            scores = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
        assert len(tokens) == 6
        for place, token in enumerate(tokens, start=len(ids) - 7):
            assert token.logprob == pytest.approx(float(scores[place, token.token]), abs=0.05)
            assert [one for one, _, _ in token.top] == scores[place].topk(3).indices.tolist()


def test_a_prompt_that_is_too_long(engine: Engine, ask: Any) -> None:
    with pytest.raises(OptionError, match=r"has \d+ tokens; the model's context holds 2048"):
        ask(engine, "word " * 3000)
    assert ask(engine, PROMPT, max_tokens=3)[1].stop_reason == "length"


def test_the_context_limits_the_answer(engine: Engine, ask: Any) -> None:
    prompt = "a" * 2040
    room = 2048 - engine.count_tokens(prompt)
    assert 0 < room < 500 or pytest.skip("this vocabulary joins the letters")
    _, last = ask(engine, prompt, max_tokens=5000, temperature=1.0, seed=3)
    assert last.stop_reason in ("length", "end") and last.usage.generated_tokens <= room


def test_the_chat_template_is_used(engine: Engine) -> None:
    messages = (Message("system", "Be terse."), Message("user", "Hi"))
    assert engine.render(Request(messages)) == "<s><|system|>\nBe terse.</s>\n<|user|>\nHi</s>\n<|assistant|>\n"
    assert engine.render(Request(messages, template="none")) == "Be terse.\n\nHi"


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_become_the_text_again_without_half_characters(engine: Engine, text: str) -> None:
    model: Any = engine._model  # type: ignore[attr-defined]
    prompt = model.encode("x", add_special=False)
    decoder = model.decoder(prompt)
    pieces = [decoder.feed(token) for token in model.encode(text, add_special=False)]
    assert "".join(pieces) + decoder.flush() == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_text_that_is_no_unicode_is_still_answered(engine: Engine, ask: Any) -> None:
    assert ask(engine, "lone \ud83d surrogate", max_tokens=2)[1].usage.prompt_tokens > 3
    assert engine.count_tokens("\ud83d") > 0


def test_both_engines_read_the_same_tokens(
    tiny_llama: Path, request: pytest.FixtureRequest, open_engine: Callable[..., Engine]
) -> None:
    pytest.importorskip("llama_cpp")
    one, other = open_engine(tiny_llama), open_engine(request.getfixturevalue("tiny_gguf"))
    messages = (Message("system", "Réponds."), Message("user", "Combien? 12 + 30 🙂"))
    rendered = one.render(Request(messages))
    assert rendered == other.render(Request(messages))
    models: list[Any] = [engine._model for engine in (one, other)]  # type: ignore[attr-defined]
    assert models[0].encode(rendered, add_special=False) == models[1].encode(rendered, add_special=False)


def test_closing(request: pytest.FixtureRequest, tiny_llama: Path, ask: Any) -> None:
    from kaggle_magics.errors import EngineError
    from kaggle_magics.models.checkpoint import read_checkpoint
    from kaggle_magics.models.engines.registry import load_engine
    from kaggle_magics.models.fit.plan import make_plan

    engine = load_engine(make_plan(read_checkpoint(tiny_llama)))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="unloaded"):
        ask(engine, "x")
