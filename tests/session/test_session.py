"""The session on a scripted engine: what it keeps, what it refuses, what it says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from kaggle_magics.errors import ChainError, CollectionError, EngineError, ModelNotLoaded, OptionError
from kaggle_magics.models.request import Request, Sampling
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def test_without_a_model_it_says_how_to_get_one(session: Session) -> None:
    with pytest.raises(ModelNotLoaded, match="%llm_load"):
        session.prompt("hello")
    with pytest.raises(ModelNotLoaded):
        session.chain("a: hello")
    with pytest.raises(ModelNotLoaded):
        session.unload()
    assert session.last is None


def test_an_answer_carries_all_that_is_needed_to_get_it_again(session: Session) -> None:
    session.adopt(ScriptedEngine(["Lima is the capital."]), name="scripted")
    answer = session.prompt("Capital of Peru?", system="Be brief.", temperature=0.5, stop=" is")
    assert answer.text == "Lima" and answer.stop_reason == "stop_sequence"
    assert session.last is answer
    card = answer.card
    turns = [(turn.role, turn.content) for turn in card.messages]
    assert turns == [("system", "Be brief."), ("user", "Capital of Peru?")]
    assert card.sampling.temperature == 0.5 and card.sampling.seed is not None
    assert (card.model, card.engine, card.source) == ("scripted", "scripted", "kaggle_magics.testing")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda s: s.prompt(""), "prompt is empty"),
        (lambda s: s.prompt("  \n"), "prompt is empty"),
        (lambda s: s.prompt(7), "must be text, not int"),
        (lambda s: s.prompt("x", temprature=1), "Did you mean temperature"),
        (lambda s: s.prompt("x", temperature=-1), "temperature must be"),
        (lambda s: s.prompt("x", max_tokens="many"), "wrong type"),
        (lambda s: s.prompt("x", max_tokens=0), "max_tokens must be at least 1"),
        (lambda s: s.prompt("x", stop=("",)), "stop must be text"),
        (lambda s: s.codegen(""), "task is empty"),
        (lambda s: s.search("x"), "no collection named 'default'"),
        (lambda s: s.use("scripte"), "Did you mean scripted"),
        (lambda s: s.prompt("x", model="other"), "No model named 'other'"),
        (lambda s: s.chain("nonsense"), "Line 1"),
        (lambda s: s.chain_over("a: x", []), "list is empty"),
    ],
)
def test_wrong_calls_are_one_line_and_ask_nothing(session: Session, call, says: str) -> None:  # type: ignore[no-untyped-def]
    engine = ScriptedEngine()
    session.adopt(engine, name="scripted")
    with pytest.raises((OptionError, ModelNotLoaded, CollectionError, ChainError), match=says) as caught:
        call(session)
    assert "\n" not in str(caught.value)
    assert engine.requests == []
    assert session.prompt("still usable").text == "Yes."


def test_models_are_used_by_name_and_unloading_falls_back(session: Session) -> None:
    first, second = ScriptedEngine(["one"]), ScriptedEngine(["two"])
    session.adopt(first, name="first")
    session.adopt(second, name="second")
    assert session.prompt("x").text == "two"
    assert session.prompt("x", model="first").text == "one"
    session.use("first")
    assert session.prompt("x").text == "one"
    session.unload()
    assert first.closed and session.current is not None and session.current.name == "second"
    session.adopt(ScriptedEngine(["three"]), name="second")
    assert second.closed and session.prompt("x").text == "three"


def test_stop_from_another_thread_reaches_the_running_answer(session: Session) -> None:
    session.adopt(ScriptedEngine(["word " * 5000], seconds_per_token=0.01), name="slow")
    stopper = threading.Timer(0.1, session.stop)
    stopper.start()
    answer = session.prompt("talk", max_tokens=5000)
    stopper.join()
    assert answer.stop_reason == "interrupted" and answer.text.startswith("word")
    assert session.stop() == 0


def test_one_model_answers_one_request_at_a_time(session: Session) -> None:
    running, most = 0, 0

    class Counting(ScriptedEngine):
        def stream(self, request, stop):  # type: ignore[no-untyped-def]
            nonlocal running, most
            running += 1
            most = max(most, running)
            time.sleep(0.02)
            yield from super().stream(request, stop)
            running -= 1

    session.adopt(Counting(), name="counting")
    threads = [threading.Thread(target=session.prompt, args=("x",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_failing_answer_leaves_the_session_usable(session: Session) -> None:
    session.adopt(ScriptedEngine([ValueError("boom"), "fine"]), name="scripted")
    with pytest.raises(EngineError, match="boom"):
        session.prompt("x")
    assert session.prompt("x").text == "fine"


def test_a_chain_over_rows_goes_on_after_a_row_that_fails(session: Session) -> None:
    session.adopt(ScriptedEngine(["Pizza", EngineError("broken"), "Ceviche"]), name="scripted")
    rows = [{"country": name} for name in ("Italy", "Chad", "Peru")]
    results = session.chain_over("dish: Dish of {country}?", rows)
    assert [str(result) for result in results] == ["Pizza", "", "Ceviche"]
    assert str(results[1].error) == "broken" and results[1].inputs == {"country": "Chad"}


def test_code_comes_out_of_the_prose(session: Session) -> None:
    engine = ScriptedEngine(["Sure:\n```python\ndef double(x):\n    return 2 * x\n```"])
    session.adopt(engine, name="scripted")
    answer = session.codegen("double a number")
    assert answer.code == "def double(x):\n    return 2 * x"
    assert all(check.passed for check in answer.checks)
    assert "Python" in engine.requests[0].messages[0].content
    assert session.last is answer and answer.text.startswith("Sure")


def test_close_frees_everything_and_can_be_called_twice(session: Session) -> None:
    engine = ScriptedEngine()
    session.adopt(engine, name="scripted")
    session.prompt("x")
    session.close()
    session.close()
    assert engine.closed and session.loaded == {} and session.last is None and session.current is None


def test_a_table_of_requests(session: Session) -> None:
    engine = ScriptedEngine([lambda request: request.messages[-1].content.upper()])
    session.adopt(engine, name="scripted")
    seen: list[tuple[int, str]] = []
    answers = session.generate_many(
        [Request.ask("one"), Request.ask("two", sampling=Sampling(seed=7))],
        on_piece=lambda index, piece: seen.append((index, piece.text)),
    )
    assert [answer.text for answer in answers] == ["ONE", "TWO"]
    assert answers[0].card.sampling.seed is not None and answers[1].card.sampling.seed == 7
    assert [piece for piece in seen if piece[1]] == [(0, "ONE"), (1, "TWO")]
    assert session.generate_many([]) == []
