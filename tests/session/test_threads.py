"""Conversations: what is sent with a turn, what fits, what asking again changes, and what both engines reuse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.generation.conversation import TurnKey, count_prompt
from kaggle_magics.models.request import Message
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def scripted(session: Session, *answers: object, name: str = "scripted", **options: object) -> ScriptedEngine:
    engine = ScriptedEngine(answers or ("Yes.",), **options)  # type: ignore[arg-type]
    session.adopt(engine, name=name)
    return engine


def texts(engine: ScriptedEngine, at: int = -1) -> list[str]:
    return [message.content for message in engine.requests[at].messages]


def test_earlier_turns_are_sent_with_the_next_one(session: Session) -> None:
    engine = scripted(session, "Lima.", "About ten million.")
    session.prompt("The capital of Peru?", thread="peru")
    answer = session.prompt("How many live there?", thread="peru")
    assert engine.requests[-1].messages == (
        Message("user", "The capital of Peru?"),
        Message("assistant", "Lima."),
        Message("user", "How many live there?"),
    )
    assert answer.card.thread is not None
    assert (answer.card.thread.name, answer.card.thread.turn, answer.card.thread.left_out) == ("peru", 2, 0)
    assert [turn.answer.text for turn in session.threads["peru"].turns] == ["Lima.", "About ten million."]
    assert session.last is answer


def test_threads_know_nothing_of_one_another_or_of_single_questions(session: Session) -> None:
    engine = scripted(session)
    session.prompt("One", thread="a")
    session.prompt("Two", thread="b")
    session.prompt("Three")
    assert [texts(engine, at) for at in range(3)] == [["One"], ["Two"], ["Three"]]
    assert list(session.threads) == ["a", "b"]


def test_a_system_text_stays_until_another_is_given(session: Session) -> None:
    engine = scripted(session)
    session.prompt("One", thread="a", system="Be brief.")
    session.prompt("Two", thread="a")
    assert texts(engine)[0] == "Be brief." and len(texts(engine)) == 4
    session.prompt("Three", thread="a", system="Be long.")
    session.prompt("Four", thread="a")
    assert texts(engine)[0] == "Be long."
    assert [message.role for message in session.threads["a"].messages] == ["system", *["user", "assistant"] * 4]
    session.prompt("Afresh", thread="a", new=True)
    assert texts(engine) == ["Afresh"]


def test_new_starts_over(session: Session) -> None:
    engine = scripted(session)
    session.prompt("One", thread="a")
    answer = session.prompt("Two", thread="a", new=True)
    assert texts(engine) == ["Two"] and len(session.threads["a"]) == 1
    assert answer.card.thread is not None and not answer.card.thread.replaced


def test_models_can_change_within_a_thread(session: Session) -> None:
    scripted(session, "From one.", name="one")
    other = scripted(session, "From two.", name="two")
    session.prompt("Hello", thread="a", model="one")
    session.prompt("And?", thread="a", model="two")
    assert texts(other) == ["Hello", "From one.", "And?"]
    assert [turn.answer.card.model for turn in session.threads["a"].turns] == ["one", "two"]


def test_a_named_turn_is_asked_again_and_cuts_the_thread_there(session: Session) -> None:
    engine = scripted(session, "1", "2", "3", "2 again")
    for number in "123":
        session.prompt(f"Q{number}", thread="a", turn=number)
    answer = session.prompt("Q2, better", thread="a", turn="2")
    assert texts(engine) == ["Q1", "1", "Q2, better"]
    assert [turn.answer.text for turn in session.threads["a"].turns] == ["1", "2 again"]
    assert answer.card.thread is not None
    assert (answer.card.thread.turn, answer.card.thread.replaced, answer.card.thread.cut) == (2, True, 1)


def test_without_a_name_the_same_question_is_a_new_turn(session: Session) -> None:
    scripted(session)
    for _ in range(3):
        session.prompt("Go on.", thread="a")
    assert len(session.threads["a"]) == 3


def test_one_run_of_a_cell_keeps_all_its_turns_and_the_next_run_replaces_them(session: Session) -> None:
    engine = scripted(session)
    for run in ("first", "second"):
        for question in ("One", "Two"):
            session.prompt(question, thread="a", turn=TurnKey("cell", run))
    assert len(session.threads["a"]) == 2
    assert texts(engine, 2) == ["One"] and texts(engine, 3) == ["One", "Yes.", "Two"]


def test_an_error_changes_nothing(session: Session) -> None:
    scripted(session, "1", "2", EngineError("broken"))
    for number in "12":
        session.prompt(f"Q{number}", thread="a", turn=number)
    for options in ({"turn": "1"}, {"new": True}, {}):
        session.model().engine._script = [EngineError("broken")]  # type: ignore[attr-defined]
        with pytest.raises(EngineError, match="broken"):
            session.prompt("Again", thread="a", **options)
    assert [turn.answer.text for turn in session.threads["a"].turns] == ["1", "2"]
    with pytest.raises(EngineError):
        session.prompt("Never begun", thread="b")
    assert "b" not in session.threads


def test_a_stopped_answer_stays_as_a_turn_that_says_so(session: Session) -> None:
    engine = scripted(session, "one two three four " * 10, seconds_per_token=0.01)
    session.prompt("Count", thread="a", on_text=lambda piece: session.stop() and None)
    [turn] = session.threads["a"].turns
    assert turn.stopped and turn.answer.stop_reason == "interrupted"
    session.prompt("And?", thread="a")
    assert texts(engine)[1] == turn.answer.text


def test_the_oldest_turns_are_left_out_whole_and_the_system_text_never(session: Session) -> None:
    engine = scripted(session, "a b c", context_length=40)
    for number in range(12):
        answer = session.prompt(f"question {number}", thread="a", system="Be brief.", max_tokens=10)
        sent = texts(engine)
        assert sent[0] == "Be brief." and sent[-1] == f"question {number}"
        assert answer.card.thread is not None
        left_out = answer.card.thread.left_out
        turns = [text for at in range(left_out, number) for text in (f"question {at}", "a b c")]
        assert sent[1:-1] == turns
        request = engine.requests[-1]
        assert count_prompt(engine, request) <= 30
        if left_out:
            longer = [*turns, f"question {left_out - 1}", "a b c"]
            assert sum(map(engine.count_tokens, ["Be brief.", *longer, sent[-1]])) > 30, "too much was left out"
    assert left_out > 0 and len(session.threads["a"]) == 12


def test_a_high_limit_does_not_cost_the_history(session: Session) -> None:
    engine = scripted(session, "short", context_length=40)
    session.prompt("One", thread="a", max_tokens=4000)
    session.prompt("Two", thread="a", max_tokens=4000)
    assert texts(engine) == ["One", "short", "Two"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"new": True}, "none is named"),
        ({"turn": "x"}, "none is named"),
        ({"thread": " "}, "not empty"),
        ({"thread": 3}, "must be text"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(session: Session, options: dict[str, object], says: str) -> None:
    engine = scripted(session)
    with pytest.raises(OptionError, match=says):
        session.prompt("Hello", **options)  # type: ignore[arg-type]
    assert not engine.requests


def test_a_thread_that_is_not_there_names_those_that_are(session: Session) -> None:
    with pytest.raises(OptionError, match=r"There is no thread named .a.\. Begin one"):
        session.threads["a"]
    scripted(session)
    session.prompt("Hello", thread="recipes")
    with pytest.raises(OptionError, match="Did you mean recipes"):
        session.threads.drop("recipe")
    session.threads.drop("recipes")
    assert not session.threads


@pytest.mark.parametrize("reference", ["pocket", pytest.param("pocket.gguf", marks=pytest.mark.gguf)])
def test_the_second_turn_reuses_prompt_and_answer_of_the_first(session: Session, reference: str) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    loaded = session.load(reference)
    first = session.prompt("What is the capital of Peru?", thread="a", max_tokens=24)
    second = session.prompt("What is the capital of France?", thread="a", max_tokens=24)
    said = loaded.engine.render(engine_request(session))
    assert "Peru" in said and first.text in said
    # All the model has read; the last token of an answer that ended is the template's own to write.
    assert second.usage.reused_tokens >= first.usage.prompt_tokens + first.usage.generated_tokens - 1
    assert second.usage.prompt_tokens > second.usage.reused_tokens


def engine_request(session: Session) -> object:
    from kaggle_magics.models.request import Request

    assert session.last is not None
    return Request(session.last.card.messages, template=session.last.card.template)
