"""What a session notes in the history, and what comes back in a new one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaggle_magics.code.check import CodeAnswer
from kaggle_magics.environment import cache_dir, data_dir
from kaggle_magics.errors import EngineError, HistoryError, OptionError
from kaggle_magics.generation.history.history import HistoryWarning
from kaggle_magics.rag.answering.answer import GroundedAnswer
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


@pytest.fixture
def start() -> Iterator[Callable[..., Session]]:
    """`start("answer", ...)` starts a kernel with a scripted model, in the notebook nb.ipynb."""
    sessions: list[Session] = []

    def make(*answers: object, notebook: str | None = "nb.ipynb", **options: object) -> Session:
        session = Session()
        session.notebook = notebook
        session.adopt(ScriptedEngine(answers or ("Yes.",), **options), name="scripted")  # type: ignore[arg-type]
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.close()


def noted(session: Session, words: str = "") -> list[tuple[str, str, str]]:
    return [(entry.kind, entry.question, entry.answer) for entry in session.history(words)]


def test_everything_asked_is_noted_once(start: Callable[..., Session], no_embedder: None) -> None:
    session = start("one", "two", "```python\nx = 1\n```", "The reading room opens at nine [1].", "row", "row")
    session.chain("first: Say one\nsecond: Say two after {first}")
    session.codegen("A variable x")
    session.ingest({"hours": "The reading room opens at nine."})
    session.ask("When does the reading room open?")
    session.generate_many([request("r1"), request("r2")])
    assert noted(session) == [
        ("table", "r1", "row"),
        ("ask", "When does the reading room open?", "The reading room opens at nine [1]."),
        ("codegen", "A variable x", "```python\nx = 1\n```"),
        ("chain", "Say two after one", "two"),
        ("chain", "Say one", "one"),
    ]
    assert noted(session, "r2") == [("table", "r2", "row")]
    session.ask("When does the reading room open?", extract=True)
    assert noted(session)[0][0] == "ask" and len(session.history()) == 6


def request(text: str) -> object:
    from kaggle_magics.models.request import Request

    return Request.ask(text)


@pytest.fixture
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaggle_magics.rag.embedding.models.installed", lambda module: False)


def test_what_is_streamed_by_others_is_noted_too(start: Callable[..., Session]) -> None:
    session = start("one two three")
    with session.generating(request("Stream")) as running:  # type: ignore[arg-type]
        list(running.generation)
    assert noted(session) == [("prompt", "Stream", "one two three")]


def test_the_last_answer_comes_back_after_a_restart(start: Callable[..., Session], no_embedder: None) -> None:
    before = start("One.", "```python\nx = 1\n```", "It opens at nine [1].")
    first = before.prompt("First")
    code = before.codegen("A variable x")
    before.ingest({"hours": "It opens at nine."})
    grounded = before.ask("When does it open?")
    after = start()
    assert isinstance(after.last_answer(), GroundedAnswer) and after.last_answer() == grounded
    assert [tuple(hit.matches) for hit in after.last_answer().hits] == [tuple(hit.matches) for hit in grounded.hits]
    assert isinstance(after.last_answer(2), CodeAnswer) and after.last_answer(2) == code
    assert after.last_answer(3) == first
    with pytest.raises(OptionError, match="There are no 4 answers"):
        after.last_answer(4)
    with pytest.raises(OptionError, match="There is no answer yet"):
        start(notebook="other.ipynb").last_answer()


def test_a_thread_goes_on_after_a_restart_in_the_same_notebook(start: Callable[..., Session]) -> None:
    before = start("Lima.", "Ten million.")
    before.prompt("The capital of Peru?", thread="peru", system="Be brief.")
    before.prompt("How many live there?", thread="peru", turn="people")
    after = start("Spanish.", "Yes.")
    answer = after.prompt("Which language?", thread="peru")
    engine = after.model().engine
    assert isinstance(engine, ScriptedEngine)
    sent = [message.content for message in engine.requests[-1].messages]
    assert sent == [
        "Be brief.",
        "The capital of Peru?",
        "Lima.",
        "How many live there?",
        "Ten million.",
        "Which language?",
    ]
    assert answer.card.thread is not None and answer.card.thread.restored == 2
    assert after.prompt("Sure?", thread="peru").card.thread.restored == 0  # type: ignore[union-attr]
    # Keys of turns come back too, and what is asked again there is cut off there.
    third = start("Eleven million.")
    third.prompt("How many live there?", thread="peru", turn="people")
    assert [turn.answer.text for turn in start().thread("peru").turns] == ["Lima.", "Eleven million."]


def test_a_thread_does_not_come_back_elsewhere(start: Callable[..., Session]) -> None:
    start().prompt("Hello", thread="a")
    for notebook in ("other.ipynb", None):
        session = start(notebook=notebook)
        assert session.prompt("Hi", thread="a").card.thread.turn == 1  # type: ignore[union-attr]
    session = start()
    session.prompt("Over", thread="a", new=True)
    assert [turn.question.content for turn in start().thread("a").turns] == ["Over"]
    session.threads.drop("a")
    with pytest.raises(OptionError, match="There is no thread named 'a'"):
        start().thread("a")
    assert len(session.history(thread="a")) == 4


def test_a_stop_before_the_first_word_leaves_no_turn_behind(start: Callable[..., Session]) -> None:
    session = start("Lima.")
    session.prompt("The capital?", thread="a")
    engine = session.model().engine
    assert isinstance(engine, ScriptedEngine)
    engine._script = [lambda request: (session.stop() and "never") or "never"]
    answer = session.prompt("And?", thread="a")
    assert (answer.text, answer.stop_reason) == ("", "interrupted")
    assert len(session.threads["a"]) == 1 == len(start().thread("a"))


def test_recording_can_be_switched_off(start: Callable[..., Session]) -> None:
    session = start()
    session.recording = False
    answer = session.prompt("Secret", thread="a")
    session.codegen("Secret too")
    session.threads.drop("a")
    assert not (data_dir() / "history.sqlite").exists()
    assert session.last_answer() is session.last and answer.text == "Yes."
    session.recording = True
    session.prompt("Open")
    assert noted(session) == [("prompt", "Open", "Yes.")]


def test_an_error_notes_nothing(start: Callable[..., Session]) -> None:
    session = start(EngineError("broken"))
    with pytest.raises(EngineError):
        session.prompt("Hello")
    assert noted(session) == []


def test_forgetting_a_thread_ends_it(start: Callable[..., Session]) -> None:
    session = start()
    session.prompt("Hello", thread="a")
    session.prompt("Other")
    assert session.forget(thread="a") == 1
    assert "a" not in session.threads and len(session.history()) == 1
    with pytest.raises(OptionError, match="no entry"):
        session.recall(1)
    assert session.recall(2).card.messages[-1].content == "Other"
    with pytest.raises(OptionError, match="at least 1"):
        session.history(limit=0)


def test_a_history_that_cannot_be_kept_warns_once_and_answers(start: Callable[..., Session]) -> None:
    (data_dir() / "history.sqlite").mkdir()
    session = start()
    with pytest.warns(HistoryWarning, match="The history is not kept") as caught:
        assert [session.prompt("Hello", thread="a").text for _ in range(2)] == ["Yes.", "Yes."]
    assert len(caught) == 1 and len(session.threads["a"]) == 2
    with pytest.raises(HistoryError):
        session.history()


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert data_dir() == cache_dir()
    monkeypatch.setenv("KAGGLE_MAGICS_DATA", str(tmp_path / "data"))
    assert data_dir() == tmp_path / "data" and data_dir().is_dir()
    monkeypatch.delenv("KAGGLE_MAGICS_DATA")
    monkeypatch.delenv("KAGGLE_MAGICS_CACHE")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert not str(data_dir()).startswith(os.path.expanduser("~/.")) and "working" not in str(data_dir())
