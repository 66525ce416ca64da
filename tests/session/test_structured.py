"""Answers that are held to a structure, on both local engines: always valid, or an error that keeps the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest

from kaggle_magics.errors import MissingExtra, OptionError, StructureError
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.models.request import Request, Sampling
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

ANN = "Anna is 30 years old."


@dataclass
class Person:
    name: str
    age: int


@pytest.fixture(
    scope="module", params=["pocket", pytest.param("pocket.gguf", marks=pytest.mark.gguf)], ids=["transformers", "gguf"]
)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    pytest.importorskip("llguidance", reason="llguidance is not installed")
    session = Session()
    session.load(request.param)
    yield session
    session.close()


def test_the_bundled_model_fills_in_a_dataclass(session: Session) -> None:
    answer = session.prompt(ANN, schema=Person)
    assert answer.value == Person("Anna", 30) and answer.stop_reason == "end"
    assert json.loads(answer.text) == {"name": "Anna", "age": 30} and session.last is answer
    # The card says what was asked for, and the messages what the model was told of it.
    assert json.loads(answer.card.structure or "")["schema"]["required"] == ["name", "age"]
    assert answer.card.messages[-1].content == f"{ANN}\n\nAnswer with a JSON object with the keys name and age."


def test_it_can_be_held_to_a_form_without_being_told(session: Session) -> None:
    answer = session.prompt("What is the capital of Peru?", choices=["Lima", "Paris"], constrain_only=True)
    assert answer.value in ("Lima", "Paris") and answer.card.messages[-1].content == "What is the capital of Peru?"


def test_numbers_and_expressions(session: Session) -> None:
    assert session.prompt(f"{ANN} How old is Anna?", schema=int, constrain_only=True, max_tokens=9).value == 30
    assert session.prompt("What is 2 + 3?", regex=r"[0-9]{2}:[0-9]{2}").value[2] == ":"
    assert session.prompt("Is the sky blue?", schema=Literal["yes", "no"]).value in ("yes", "no")


@pytest.mark.parametrize("template", ["auto", "none"])
def test_random_answers_are_valid_and_the_seed_decides(session: Session, template: str) -> None:
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["cat", "dog", "Bär"]},
            "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-zé]{1,6}$"}, "maxItems": 3},
            "size": {"type": "integer", "minimum": 1, "maximum": 99},
        },
        "required": ["kind", "tags", "size"],
    }
    texts = []
    for seed in (1, 2, 3, 1):
        answer = session.prompt(
            "Describe a pet.", schema=schema, temperature=1.5, seed=seed, template=template, max_tokens=200
        )
        assert answer.value == json.loads(answer.text) and 1 <= answer.value["size"] <= 99
        assert all(re.fullmatch("[a-zé]{1,6}", tag) for tag in answer.value["tags"])
        texts.append(answer.text)
    assert texts[0] == texts[3] and len(set(texts)) == 3


def test_what_is_cut_off_is_an_error_that_keeps_the_text(session: Session) -> None:
    whole = session.prompt(ANN, schema=Person)
    with pytest.raises(StructureError, match=r"cut off after 5 tokens \(max_tokens 5\).*Raise --max-tokens") as caught:
        session.prompt(ANN, schema=Person, max_tokens=5)
    answer = caught.value.answer
    assert answer is session.last and answer.stop_reason == "length" and answer.value is None
    assert answer.text and whole.text.startswith(answer.text) and answer.text.strip() in str(caught.value)
    # With exactly as many tokens as it takes it is complete.
    most = whole.usage.generated_tokens
    assert session.prompt(ANN, schema=Person, max_tokens=most).value == whole.value


def test_a_stopped_answer_keeps_its_text_and_is_no_error(session: Session) -> None:
    def stop(text: str) -> None:
        session.stop()

    answer = session.prompt("Write.", regex="[a-z ]{300}", constrain_only=True, on_text=stop)
    assert answer.stop_reason == "interrupted" and answer.value is None and 0 < len(answer.text) < 300


def test_many_at_once_each_with_its_own(session: Session) -> None:
    prompts = [
        Prompt.of(ANN, schema=Person),
        Prompt.of("What is the capital of Peru?", choices="Lima,Paris"),
        Prompt.of("What is the capital of Peru?", max_tokens=4),
        Prompt.of(ANN, schema=Person, max_tokens=3),
        Prompt.of("Hello", regex=r"(a)\1"),
    ]
    rows = session.generate_many([prompt.request() for prompt in prompts])
    assert rows[0].value == Person("Anna", 30) and rows[1].value in ("Lima", "Paris")
    assert rows[2].value is None and rows[2].card.structure is None
    assert rows[3].stop_reason == "length" and rows[3].value is None and rows[3].text
    assert rows[4].stop_reason == "error" and "backreferences" in rows[4].text
    again = session.generate_many([prompts[0].request()] * 3)
    assert [row.value for row in again] == [Person("Anna", 30)] * 3


def test_probabilities_are_the_models_own(session: Session) -> None:
    request = Prompt.of("What is the capital of Peru?", choices=["zzz", "Lima"], constrain_only=True).request()
    answer = session.generate(Request(request.messages, Sampling(), constraint=request.constraint, logprobs=3))
    assert answer.value in ("zzz", "Lima")
    assert "".join(token.text for token in answer.tokens).strip() == answer.text
    assert all(len(token.top) == 3 and token.logprob < 0 for token in answer.tokens)


def test_what_cannot_be_enforced_is_said_before_anything_runs(session: Session) -> None:
    before = session.last
    for given, said in (
        ({"schema": {"type": "array", "uniqueItems": True}}, "uses uniqueItems"),
        ({"schema": {"type": "integer", "minimum": 2, "maximum": 1}}, "No answer can fit"),
        ({"regex": r"\bx"}, "cannot be used"),
        ({"choices": "a,b", "stop": "x"}, "stop text would cut"),
        ({"constrain_only": True}, "none is asked for"),
    ):
        with pytest.raises(OptionError, match=said):
            session.prompt("Hello", **given)
    assert session.last is before and session.prompt("Hello", max_tokens=2).text


def test_a_conversation_goes_on_with_structured_answers(session: Session) -> None:
    first = session.prompt(ANN, schema=Person, thread="people", new=True)
    second = session.prompt("And who is that?", thread="people", choices="Anna,Bob")
    assert first.value == Person("Anna", 30) and second.value in ("Anna", "Bob")
    assert [message.content for message in second.card.messages][1] == first.text


# -- engines that are not held: their answers are checked when they arrive -------------------------------------


@pytest.fixture
def scripted() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def test_a_scripted_answer_is_checked(scripted: Session) -> None:
    scripted.adopt(ScriptedEngine(['{"name": "Ann", "age": 3}', '{"name": "Ann"}', "Sure! Ann."]), name="said")
    assert scripted.prompt("Who?", schema=Person).value == Person("Ann", 3)
    for why in ("Person lacks age", "no JSON"):
        with pytest.raises(StructureError, match=f"said did not keep to what was asked for: .*{why}") as caught:
            scripted.prompt("Who?", schema=Person)
        assert scripted.last is caught.value.answer and caught.value.answer.text in str(caught.value)


def test_rows_that_do_not_fit_are_failed_rows(scripted: Session) -> None:
    scripted.adopt(ScriptedEngine(["yes", "maybe"]), name="said")
    rows = scripted.generate_many([Prompt.of("?", choices="yes,no").request()] * 2)
    assert rows[0].value == "yes" and rows[0].stop_reason == "end"
    assert rows[1].stop_reason == "error" and "maybe" in rows[1].text


def test_without_llguidance_a_local_engine_names_the_extra(monkeypatch: pytest.MonkeyPatch, scripted: Session) -> None:
    from kaggle_magics import extras

    found = extras.installed
    monkeypatch.setattr(extras, "installed", lambda module: module != "llguidance" and found(module))
    scripted.load("pocket")
    with pytest.raises(MissingExtra, match=r"needs llguidance.*kaggle-magics\[structured\]"):
        scripted.prompt("?", choices="a,b")
    assert scripted.prompt("Hello", max_tokens=2).text
