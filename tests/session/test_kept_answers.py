"""Answers that are kept: what is given again without asking, what is not, and what a replay needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import EngineError
from kaggle_magics.models.identity import Identity
from kaggle_magics.models.request import Image, Message, Request, Sampling
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAGGLE_MAGICS_ANSWERS", str(tmp_path / "answers"))
    return tmp_path / "answers"


def fake(session: Session, *answers: Any, content: str | None = "km1:one", **identity: Any) -> ScriptedEngine:
    """A scripted model that has, as a loaded one, files with a content hash."""
    engine = ScriptedEngine(answers or ("first", "second", "third"))
    model = session.adopt(engine, name="fake")
    model.identity = Identity("/models/fake", content=content, **identity)
    return engine


def test_the_same_greedy_question_is_asked_once(place: Path) -> None:
    session = Session()
    engine = fake(session)
    first = session.prompt("Hello?", max_tokens=9)
    pieces: list[str] = []
    again = session.prompt("Hello?", max_tokens=9, seed=5, on_text=pieces.append)
    assert again.text == "first" and again.from_cache and not first.from_cache and pieces == ["first"]
    assert again.usage == first.usage and again.card == first.card and len(engine.requests) == 1
    assert session.prompt("Hello?", max_tokens=9, cache=False).text == "second", "asked anew"
    assert session.prompt("Hello?", max_tokens=9).text == "second", "and the new answer is kept"
    assert [answer.text for answer in session.said] == ["first", "first", "second", "second"]


def test_another_session_finds_it_and_names_things_as_they_are_now(place: Path) -> None:
    one, two = Session(), Session()
    fake(one)
    one.prompt("Hello Peru?", filled=(("country", "Peru"),))
    engine = fake(two, "other")
    two.model().name = "renamed"
    two.loaded["fake"].identity = Identity("/elsewhere/fake", content="km1:one")
    answer = two.prompt("Hello Peru?", model="fake")
    assert answer.text == "first" and not engine.requests
    assert (answer.card.model, answer.card.source, answer.card.filled) == ("renamed", "/elsewhere/fake", ())


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 8},
        {"system": "Be brief."},
        {"template": "none"},
        {"stop": ["x"]},
        {"repeat_penalty": 1.1},
        {"temperature": 0.5, "seed": 1},
        {"text": "Hello? "},
    ],
)
def test_another_question_is_another_answer(place: Path, change: dict[str, Any]) -> None:
    session = Session()
    fake(session)
    session.prompt("Hello?", max_tokens=9)
    asked = {"text": "Hello?", "max_tokens": 9, **change}
    assert session.prompt(asked.pop("text"), **asked).text == "second"


@pytest.mark.parametrize(
    "identity",
    [
        {"content": "km1:changed"},
        {"quant": "nf4"},
        {"template": "0123"},
        {"adapter": "/a", "adapter_content": "km1:a"},
    ],
)
def test_another_model_under_the_same_name_is_another_answer(place: Path, identity: dict[str, Any]) -> None:
    session = Session()
    fake(session)
    session.prompt("Hello?")
    fake(session, "other", **identity)
    assert session.prompt("Hello?").text == "other"


def test_random_answers_are_given_again_only_with_a_seed_of_the_persons(place: Path) -> None:
    session = Session()
    fake(session)
    assert [session.prompt("Hi", temperature=1.0).text for _ in range(2)] == ["first", "second"]
    assert [session.prompt("Hi", temperature=1.0, seed=3).text for _ in range(2)] == ["third", "third"]
    assert session.prompt("Hi", temperature=1.0, seed=4).text == "first"


def test_models_that_may_change_and_servers_are_asked_every_time(place: Path) -> None:
    session = Session()
    engine = fake(session, content=None)
    assert [session.prompt("Hi").text for _ in range(2)] == ["first", "second"] and not place.exists()
    engine.facts = replace(engine.facts, engine="endpoint")
    assert [session.prompt("Hi").text for _ in range(2)] == ["third", "first"]
    assert len(list(place.glob("answer-*.json"))) == 2, "kept for a replay"


def test_only_what_came_to_its_end_is_kept(place: Path) -> None:
    session = Session()
    fake(session, "one two three four", "whole")

    def stop(_: str) -> None:
        session.stop()

    session.model().engine._seconds_per_token = 0.05  # type: ignore[attr-defined]
    assert session.prompt("Hi", on_text=stop).stop_reason == "interrupted"
    session.model().engine._seconds_per_token = 0.0  # type: ignore[attr-defined]
    assert session.prompt("Hi").text == "whole"
    assert session.prompt("Hi", max_tokens=1).stop_reason in ("length", "end")
    fake(session, RuntimeError("broken"), "mended")
    with pytest.raises(Exception, match="broken"):
        session.prompt("Another")
    assert session.prompt("Another").text == "mended"


def test_it_can_be_switched_off(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    fake(session)
    session.answers.enabled = False
    assert [session.prompt("Hi").text for _ in range(2)] == ["first", "second"] and not place.exists()
    session.answers.enabled = True
    monkeypatch.setenv("KAGGLE_MAGICS_ANSWERS", "off")
    assert [session.prompt("Hi").text for _ in range(2)] == ["third", "first"]


class Keyed:
    """A constraint whose `key` says what it allows."""

    def __init__(self, key: Any) -> None:
        self.key = key

    def begin(self, vocabulary: Any) -> Any:
        raise NotImplementedError


def test_a_structure_is_part_of_the_question_if_it_has_a_stable_form(place: Path) -> None:
    session = Session()
    fake(session)

    def ask(constraint: Any) -> str:
        return session.generate(Request((Message("user", "Hi"),), Sampling(), constraint=constraint)).text

    assert [ask(Keyed("a|b")), ask(Keyed("a|c")), ask(Keyed("a|b"))] == ["first", "second", "first"]
    assert [ask(Keyed(None)), ask(Keyed(None))] == ["third", "first"]


def test_an_image_is_part_of_the_question_by_its_content(place: Path) -> None:
    session = Session()
    engine = fake(session)
    engine.facts = replace(engine.facts, takes_images=True)

    def ask(data: bytes) -> Any:
        return session.generate(Request.ask("What is it?", images=(Image(data, "image/png", "a.png", 1, 1),)))

    first, other, again = ask(b"one"), ask(b"two"), ask(b"one")
    assert [first.text, other.text, again.text] == ["first", "second", "first"]
    assert again.card.messages[0].images[0].data == b"one", "it can go on in a conversation"


def test_a_table_asks_only_the_rows_that_are_new(place: Path) -> None:
    session = Session()
    engine = fake(session, lambda request: request.messages[-1].content.upper())
    requests = [Request.ask(text) for text in ("a", "b", "c")]
    session.generate(requests[1])
    pieces: list[tuple[int, str]] = []
    answers = session.generate_many(requests, on_piece=lambda row, piece: pieces.append((row, piece.text)))
    assert [answer.text for answer in answers] == ["A", "B", "C"]
    assert [answer.from_cache for answer in answers] == [False, True, False] and len(engine.requests) == 3
    assert {row: text for row, text in pieces if text} == {0: "A", 1: "B", 2: "C"}
    assert all(answer.from_cache for answer in session.generate_many(requests)) and len(engine.requests) == 3


def test_several_random_answers_are_replayed_in_their_order_though_their_seeds_were_drawn(place: Path) -> None:
    session = Session()
    fake(session, "a", "b", "c", "d")
    several = [answer.text for answer in session.prompt_many("Hi", n=3, temperature=1.0)]
    assert several == ["a", "b", "c"] and session.prompt("Hi", temperature=1.0).text == "d"
    later = Session()
    engine = fake(later, "new")
    later.answers.replay = True
    assert [answer.text for answer in later.prompt_many("Hi", n=3, temperature=1.0)] == several
    assert later.prompt("Hi", temperature=1.0).text == "d" and not engine.requests
    assert [answer.text for answer in later.prompt_many("Hi", n=2, temperature=1.0, seed=7)] == ["new", "new"]


def test_an_answer_that_was_stopped_does_not_count_in_a_replay(place: Path) -> None:
    """The cell was run again; in the replay nobody stops it."""
    one, two = Session(), Session()
    engine = fake(one, "one two three four", "blue", "green")
    engine._seconds_per_token = 0.05
    stopped = one.prompt("A colour?", temperature=1, on_text=lambda _: (one.stop(), None)[1])
    assert stopped.stop_reason == "interrupted"
    engine._seconds_per_token = 0.0
    said = [one.prompt("A colour?", temperature=1).text for _ in range(2)]
    assert said == ["blue", "green"]
    fake(two)
    two.answers.replay = True
    assert [two.prompt("A colour?", temperature=1).text for _ in range(2)] == said


def test_an_answer_that_failed_does_not_count_in_a_replay(place: Path) -> None:
    one, two = Session(), Session()
    fake(one, EngineError("The server is gone."), "blue")
    with pytest.raises(EngineError):
        one.prompt("A colour?", temperature=1)
    assert one.prompt("A colour?", temperature=1).text == "blue"
    fake(two)
    two.answers.replay = True
    assert two.prompt("A colour?", temperature=1).text == "blue"


def test_langchain_gets_kept_answers_too(place: Path) -> None:
    pytest.importorskip("langchain_core", reason="langchain-core is not installed")
    session = Session()
    engine = fake(session)
    model = session.as_langchain()
    assert [model.invoke("Hi").text for _ in range(2)] == ["first", "first"] and len(engine.requests) == 1


@pytest.mark.parametrize("text", ["¿Dónde? 🦊", "a\ud800b", "x" * 10**6, "\u2028\0\n"])
def test_any_text_can_be_kept(place: Path, text: str) -> None:
    session = Session()
    engine = fake(session, lambda request: request.messages[-1].content)
    first, again = session.prompt(text, max_tokens=9), session.prompt(text, max_tokens=9)
    assert again.from_cache and len(engine.requests) == 1 and len(list(place.iterdir())) == 1
    assert again.text == first.text.encode("utf-8", "replace").decode()


def test_a_record_that_makes_no_sense_is_asked_again(place: Path) -> None:
    session = Session()
    fake(session)
    session.prompt("Hi")
    [file] = place.iterdir()
    store = session.answers.store
    assert store is not None
    store.put("answer", file.stem.removeprefix("answer-"), {"parts": {}, "answer": {"text": 3}})
    assert session.prompt("Hi").text == "second" and session.prompt("Hi").from_cache
