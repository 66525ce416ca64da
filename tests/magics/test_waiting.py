"""Two questions to one model at once: the second waits in line, visibly, and can be stopped."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kaggle_magics.errors import EngineError


@pytest.fixture
def busy(session: Any, script: Any) -> Iterator[Callable[..., threading.Thread]]:
    """`busy("question")` asks in another thread, and is back when the model has begun to answer."""
    engine = script("word " * 200, seconds_per_token=0.01)
    threads: list[threading.Thread] = []

    def ask(question: str, **options: Any) -> threading.Thread:
        before = len(engine.requests)
        thread = threading.Thread(target=lambda: session.prompt(question, **options), daemon=True)
        thread.start()
        threads.append(thread)
        while len(engine.requests) == before:
            time.sleep(0.005)
        engine._script = ["Second."]
        return thread

    yield ask
    session.stop()
    for thread in threads:
        thread.join(10)


def spied(outputs: Any, monkeypatch: pytest.MonkeyPatch, shell: Any) -> list[str]:
    """The plain text of every state that is shown."""
    shown: list[str] = []

    def publish(data: dict[str, str], **more: Any) -> None:
        shown.append(data["text/plain"])
        outputs.publish(data, **more)

    monkeypatch.setattr(shell.display_pub, "publish", publish)
    return shown


def test_the_second_waits_and_says_for_what(
    busy: Any, shell: Any, session: Any, outputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = spied(outputs, monkeypatch, shell)
    first = busy("The first question")
    threading.Timer(0.5, session.stop).start()
    # A stop ends all that is on its way or waits; this one is asked again.
    shell.run("%%prompt\nHello")
    assert any('scripted: waiting for the answer to "The first question" to finish' in text for text in shown)
    first.join(5)
    assert not first.is_alive()
    shell.run("%%prompt -o answer\nHello")
    assert shell.user_ns["answer"].text == "Second." and "waiting" not in outputs[-1]["text/plain"]


def test_what_waits_is_answered_when_its_turn_comes(busy: Any, shell: Any, session: Any) -> None:
    first = busy("The first question", max_tokens=40)
    assert session.answering == 1
    said = shell.run('answer = %prompt "Hello"')
    assert shell.user_ns["answer"].text == "Second." and not session.answering
    assert said == 'scripted: waiting for the answer to "The first question" to finish\n'
    first.join(5)
    assert {entry.question for entry in session.history()} == {"The first question", "Hello"}


def test_the_stop_button_ends_the_waiting_alone(busy: Any, shell: Any, session: Any) -> None:
    first = busy("The first question")
    threading.Timer(0.3, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        session.prompt("Hello")
    assert first.is_alive() and session.answering == 1
    session.stop()
    first.join(5)
    assert session.prompt("Hello").text == "Second."


def test_turns_of_one_thread_wait_for_one_another(busy: Any, session: Any) -> None:
    first = busy("One", thread="t", max_tokens=30)
    session.prompt("Two", thread="t")
    first.join(5)
    assert [turn.question.content for turn in session.threads["t"].turns] == ["One", "Two"]


def test_asking_from_within_an_answer_is_one_line(session: Any, script: Any) -> None:
    script("one two")
    with pytest.raises(EngineError, match='scripted is asked while it gives the answer to "Hello"'):
        session.prompt("Hello", on_text=lambda piece: session.prompt("Again"))
    assert session.prompt("Hello").text == "one two"


def test_the_last_answer_says_that_one_is_on_its_way(shell: Any, session: Any, script: Any) -> None:
    script("Before.")
    session.prompt("Zero", model="scripted")
    script("word " * 200, name="slow", seconds_per_token=0.01)
    first = threading.Thread(target=lambda: session.prompt("First", model="slow"), daemon=True)
    first.start()
    while not session.answering:
        time.sleep(0.005)
    assert "still on its way" in shell.run("last = %llm_last")
    assert shell.user_ns["last"].text == "Before."
    session.stop()
    first.join(5)
    assert "still" not in shell.run("last = %llm_last") and shell.user_ns["last"].stop_reason == "interrupted"
