"""Structure on servers: `response_format` in the forms they know, and answers that are checked when they arrive."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from kaggle_magics.errors import EngineError, StructureError
from kaggle_magics.session import Session


@dataclass
class Person:
    name: str
    age: int


ANN = '{"name": "Ann", "age": 3}'


@pytest.fixture
def session(server: Any) -> Any:
    session = Session()
    session.adopt(server.connect(), name="served")
    yield session
    session.close()


def formats(server: Any) -> list[Any]:
    return [exchange.body.get("response_format") for exchange in server.asked]


def test_a_schema_is_asked_for_as_openai_has_it(server: Any, session: Session) -> None:
    server.script = [lambda exchange: exchange.say(ANN[:9], ANN[9:])]
    answer = session.prompt("Who?", schema=Person)
    assert answer.value == Person("Ann", 3) and answer.text == ANN
    [form] = formats(server)
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True and form["json_schema"]["name"]
    assert form["json_schema"]["schema"]["properties"]["age"] == {"type": "integer"}
    assert server.asked[0].body["messages"][-1]["content"].endswith("with the keys name and age.")
    assert "response_format" not in (session.prompt("Hi", max_tokens=3) and server.asked[1].body)


def test_optional_fields_are_not_strict(server: Any, session: Session) -> None:
    server.script = [lambda exchange: exchange.say("{}")]
    session.prompt("?", schema={"type": "object", "properties": {"a": {"type": "string"}}})
    assert formats(server)[0]["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("given", "said", "value"),
    [
        ({"choices": ["yes", "no"]}, '{"answer": "yes"}', "yes"),
        ({"choices": [1, 2]}, "2", 2),
        ({"schema": int}, '{"answer": 7}', 7),
        ({"schema": list[str]}, '```json\n["a"]\n```', ["a"]),
        ({"regex": r"\d{4}"}, '{"answer": "2024"}', "2024"),
    ],
)
def test_what_is_no_object_is_asked_for_inside_of_one(
    server: Any, session: Session, given: dict[str, Any], said: str, value: Any
) -> None:
    server.script = [lambda exchange: exchange.say(said)]
    assert session.prompt("?", **given).value == value
    schema = formats(server)[0]["json_schema"]["schema"]
    assert schema["type"] == "object" and schema["required"] == ["answer"] and schema["additionalProperties"] is False


def test_servers_that_know_less_are_asked_for_less(server: Any, session: Session) -> None:
    def knows_objects_only(exchange: Any) -> None:
        form = exchange.body.get("response_format") or {}
        if form.get("type") == "json_schema":
            # FastAPI's way, as llama-cpp-python's server says it.
            place = ["body", "response_format", "type"]
            said = {"type": "literal_error", "loc": place, "msg": "Input should be 'text' or 'json_object'"}
            exchange.json({"detail": [said]}, 422)
        else:
            exchange.say(ANN)

    server.script = [knows_objects_only]
    assert session.prompt("Who?", schema=Person).value == Person("Ann", 3)
    assert formats(server)[1] == {"type": "json_object", "schema": formats(server)[0]["json_schema"]["schema"]}
    # What it does not know is not tried again.
    session.prompt("Who?", schema=Person)
    assert len(server.asked) == 3 and formats(server)[2]["type"] == "json_object"


def test_a_schema_that_is_refused_says_nothing_of_the_next_one(server: Any, session: Session) -> None:
    def refuses_once(exchange: Any) -> None:
        if len(server.asked) == 1:
            exchange.error(400, "Invalid schema for response_format 'answer': no.", param="response_format")
        else:
            exchange.say(ANN)

    server.script = [refuses_once]
    assert session.prompt("Who?", schema=Person).value == session.prompt("Who?", schema=Person).value
    assert [form["type"] for form in formats(server)] == ["json_schema", "json_object", "json_schema"]


def test_servers_that_know_nothing_of_it_are_asked_in_words(server: Any, session: Session) -> None:
    def knows_nothing(exchange: Any) -> None:
        if "response_format" in exchange.body:
            exchange.error(400, "Unknown parameter: 'response_format'.", param="response_format")
        else:
            exchange.say("yes")

    server.script = [knows_nothing]
    assert session.prompt("?", choices="yes,no").value == "yes"
    assert [form and form["type"] for form in formats(server)] == ["json_schema", "json_object", None]


def test_other_refusals_are_errors_as_ever(server: Any, session: Session) -> None:
    server.script = [lambda exchange: exchange.error(401, "no key")]
    with pytest.raises(EngineError, match="asks for a key"):
        session.prompt("?", schema=Person)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("said", "finish", "why"),
    [
        ("Ann is 3.", "stop", "no JSON"),
        ('{"name": "Ann"}', "stop", "Person lacks age"),
        ('{"name": "An', "length", "cut off"),
    ],
)
def test_an_answer_of_another_form_is_an_error_with_its_text(
    server: Any, session: Session, said: str, finish: str, why: str
) -> None:
    server.script = [lambda exchange: exchange.say(said, finish=finish)]
    with pytest.raises(StructureError, match=why) as caught:
        session.prompt("Who?", schema=Person)
    assert said in str(caught.value) and session.last is caught.value.answer and session.last.text == said


def test_a_table_of_rows(server: Any, session: Session) -> None:
    from kaggle_magics.generation.prompt import Prompt

    server.script = [lambda exchange: exchange.say(json.dumps({"answer": "no"}))]
    rows = session.generate_many([Prompt.of("?", choices="yes,no").request()] * 3)
    assert [row.value for row in rows] == ["no"] * 3
