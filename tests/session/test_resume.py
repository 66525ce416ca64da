"""An answer that was stopped or cut off goes on exactly where it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

QUESTION = "What is the area of a circle with radius 5?"
ENGINES = ["pocket", pytest.param("pocket.gguf", marks=pytest.mark.gguf)]


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    session.notebook = "nb.ipynb"
    # An answer from the cache would equal itself.
    session.answers.enabled = False
    yield session
    session.close()


@pytest.fixture(scope="module", params=ENGINES)
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The bundled model on each engine."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    session = Session()
    session.load(request.param)
    session.recording = session.answers.enabled = False
    yield session
    session.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.9, "seed": 3},
        {"temperature": 1.5, "seed": 4, "top_k": 40, "top_p": 0.9, "repeat_penalty": 1.3},
        {"regex": r"[a-z ]{30,60}", "temperature": 1.0, "seed": 5},
    ],
    ids=["greedy", "sampled", "filtered", "constrained"],
)
def test_resumed_is_what_would_have_been_said_without_a_break(real: Session, options: dict[str, Any]) -> None:
    whole = cut(real, 30, **options)
    for length in (1, 7):
        part = cut(real, length, **options)
        assert part.stop_reason == "length" and whole.text.startswith(part.text)
        while part.usage.generated_tokens and part.card.resumed + part.usage.generated_tokens < 30:
            left = 30 - part.card.resumed - part.usage.generated_tokens
            part = resumed(real, part, min(left, 11))
            if part.stop_reason != "length":
                break
        assert (part.text, part.stop_reason) == (whole.text, whole.stop_reason)
        assert part.progress == whole.progress


def cut(session: Session, length: int, **options: Any) -> Any:
    from kaggle_magics.errors import StructureError

    try:
        return session.prompt(QUESTION, max_tokens=length, **options)
    except StructureError as error:
        return error.answer


def resumed(session: Session, part: Any, length: int) -> Any:
    from kaggle_magics.errors import StructureError

    try:
        return session.resume(part, max_tokens=length)
    except StructureError as error:
        return error.answer


def test_a_stopped_answer_goes_on_and_reuses_all_it_had(real: Session) -> None:
    whole = real.prompt(QUESTION, max_tokens=25)
    pieces: list[str] = []

    def stop_after_some(piece: str) -> None:
        pieces.append(piece)
        if len(pieces) == 5:
            real.stop()

    part = real.prompt(QUESTION, max_tokens=25, on_text=stop_after_some)
    assert part.stop_reason == "interrupted" and part.progress is not None
    done = len(part.progress.tokens)
    shown: list[str] = []
    answer = real.resume(max_tokens=25 - done, on_text=shown.append)
    assert answer.text == whole.text == "".join(shown)
    assert answer.card.resumed == done and answer.usage.generated_tokens == whole.usage.generated_tokens - done
    # All but the last token, whose logits are where the answer goes on.
    assert answer.usage.reused_tokens >= whole.usage.prompt_tokens + done - 2
    assert answer.card.messages == whole.card.messages


def test_characters_and_stop_texts_that_span_the_break_are_whole(real: Session) -> None:
    for text in ("Repeat: 日本語 🎈 café", "Write café in capitals."):
        whole = real.prompt(text, max_tokens=20)
        part = real.prompt(text, max_tokens=1)
        while part.stop_reason == "length" and part.card.resumed < 19:
            part = real.resume(part, max_tokens=1)
        assert part.text == whole.text
    whole = real.prompt(QUESTION, max_tokens=30)
    mark = whole.text[9:14]
    ended = real.prompt(QUESTION, max_tokens=30, stop=mark)
    part = real.prompt(QUESTION, max_tokens=1, stop=mark)
    for _ in range(30):
        if part.stop_reason != "length":
            break
        part = real.resume(part, max_tokens=1)
    assert (part.text, part.stop_reason) == (ended.text, ended.stop_reason) and part.stop_reason == "stop_sequence"


def test_it_goes_on_after_a_restart_and_in_its_thread(session: Session) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    session.load("pocket")
    whole = session.prompt(QUESTION, max_tokens=20)
    session.prompt("What is the capital of Peru?", max_tokens=4, thread="a")
    session.prompt(QUESTION, max_tokens=6)
    after = Session()
    try:
        after.notebook, after.answers.enabled = "nb.ipynb", False
        after.load("pocket")
        assert after.resume(max_tokens=14).text == whole.text
        answer = after.resume(thread="a", max_tokens=8)
        [turn] = after.threads["a"].turns
        assert turn.answer is answer and answer.card.thread is not None and answer.card.thread.turn == 1
    finally:
        after.close()


def test_another_model_goes_on_from_the_text(session: Session) -> None:
    engine = ScriptedEngine(["one two three four", " three four."])
    session.adopt(engine, name="a")
    session.prompt("Count", max_tokens=2, thread="t")
    shown: list[str] = []
    answer = session.resume(max_tokens=9, on_text=shown.append)
    assert answer.text == "one two three four." == "".join(shown)
    assert [message.content for message in engine.requests[-1].messages] == ["Count", "one two"]
    assert [message.role for message in answer.card.messages] == ["user"] and answer.card.resumed == 2
    assert [turn.answer.text for turn in session.threads["t"].turns] == ["one two three four."]
    assert session.last is answer and session.history()[0].answer == "one two three four."


@pytest.mark.parametrize(
    ("reason", "says"),
    [("end", "ended by itself"), ("stop_sequence", "ended at a stop text"), ("error", "by an error")],
)
def test_what_is_complete_is_one_line(session: Session, reason: Any, says: str) -> None:
    engine = ScriptedEngine(["Yes."])
    session.adopt(engine, name="a")
    answer = session.prompt("Hello")
    with pytest.raises(OptionError, match=says):
        session.resume(replace(answer, stop_reason=reason))
    assert len(engine.requests) == 1


def test_bad_calls_are_one_line(session: Session) -> None:
    with pytest.raises(OptionError, match="no answer yet"):
        session.resume()
    with pytest.raises(OptionError, match="There is no thread"):
        session.resume(thread="a")


def test_a_full_context_says_so(tiny_llama: Path, session: Session) -> None:
    session.load(tiny_llama, context=40)
    part = session.prompt("The capital of Peru", max_tokens=400, template="none")
    if part.stop_reason == "length":
        with pytest.raises(OptionError, match="filled the model's context"):
            session.resume(part)
    with pytest.raises(OptionError, match=r"at least \d+ too many.*of the user text"):
        session.prompt("The capital of Peru " * 40, template="none")


def test_code_stays_code(session: Session) -> None:
    from kaggle_magics.code.check import CodeAnswer

    session.adopt(ScriptedEngine(["```python\nx = 1\n```", "\ny = 2\n```"]), name="a")
    part = session.codegen("Two variables", max_tokens=4)
    answer = session.resume(part)
    assert isinstance(answer, CodeAnswer) and answer.code == "x = 1\ny = 2" and session.last is answer
