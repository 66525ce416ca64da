"""Assertions about answers: how they are read, what they check, what is said of those that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kaggle_magics.compare.expectations import Checking, make, parse
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


def answer(text: str, **changes: Any) -> Answer:
    session = Session()
    session.adopt(ScriptedEngine([text]))
    return replace(session.prompt("x"), **changes)


def holds(line: str, text: str, **names: Any) -> bool:
    [expectation] = parse(line, schema_of=lambda name: names.get(name, name))
    outcome = expectation.of(answer(text), Checking(names))
    assert outcome.passed or outcome.detail or expectation.negated
    return outcome.passed


@pytest.mark.parametrize(
    ("line", "good", "bad"),
    [
        ("contains Lima", "It is Lima.", "It is lima."),
        ("contains: Lima", "It is Lima.", "Cusco"),
        ("not contains Cusco", "It is Lima.", "It is Cusco."),
        ('contains "a \\n b"', "x a \n b y", "a b"),
        ('contains "\\"quoted\\""', 'a "quoted" word', "a quoted word"),
        ("contains 首都", "秘鲁的首都是利马", "利马"),
        ("equals Lima", " Lima\n", "Lima."),
        ("expected lima", "Lima.", "It is Lima"),
        ("regex ^\\d{4}$", "1990", "x1990"),
        ("regex (?i)lima", "LIMA", "x"),
        ("json", '{"a": [1, null]}', "{'a': 1}"),
        ("json", "[]", "NaN"),
        ("not json", "Lima", "1"),
        ('json schema {"type": "object", "required": ["a"]}', '{"a": 1}', '{"b": 1}'),
        ("similar 0.8 The capital of Peru is Lima.", "The capital of Peru is Lima", "I do not know."),
        ("python: len(text) < 5 and answer.stop_reason == 'end'", "abc", "abcdef"),
        ("python: [word for word in text.split() if word in wanted]", "a b", "c"),
        ("max_tokens 2", "one two", "one two three"),
    ],
)
def test_each_kind_tells_good_from_bad(line: str, good: str, bad: str) -> None:
    assert holds(line, good, wanted={"a"})
    assert not holds(line, bad, wanted={"a"})


def test_a_schema_can_be_a_class_of_the_notebook() -> None:
    pydantic = pytest.importorskip("pydantic")
    person = pydantic.create_model("Person", name=(str, ...), age=(int, ...))
    assert holds("json schema Person", '{"name": "Ada", "age": 36}', Person=person)
    assert not holds("json schema Person", '{"name": "Ada"}', Person=person)


def test_stops_is_about_how_it_ended() -> None:
    [stops] = parse("stops")
    assert stops.of(answer("x"), Checking()).passed
    cut = stops.of(answer("x", stop_reason="length"), Checking())
    assert not cut.passed and "length" in cut.detail


def test_an_answer_that_failed_holds_nothing_that_is_said_of_it() -> None:
    failed = answer("The engine failed.", stop_reason="error", error="The engine failed.")
    for expectation in parse("not contains Cusco\ncontains engine"):
        outcome = expectation.of(failed, Checking())
        assert not outcome.passed and outcome.detail == "The engine failed."


def test_code_that_raises_is_an_assertion_that_fails() -> None:
    [raises] = parse("python: answer.nothing")
    outcome = raises.of(answer("x"), Checking())
    assert not outcome.passed and outcome.detail.startswith("AttributeError")


def test_code_cannot_change_the_names_it_is_given() -> None:
    names: dict[str, Any] = {"count": 1}
    [assigns] = parse("python: (count := 5)")
    assert assigns.of(answer("x"), Checking(names)).passed and names == {"count": 1}


def test_comments_and_empty_lines_say_nothing_and_fields_are_filled_but_in_code() -> None:
    found = parse(
        "\n# a comment\n contains {city}\npython: {city} != text\n", fill=lambda text: text.replace("{city}", "Lima")
    )
    assert [each.text for each in found] == ["contains Lima", "python: {city} != text"]
    assert found[0].of(answer("Lima"), Checking()).passed


def test_a_cell_of_a_table_is_taken_as_it_is() -> None:
    assert make("contains", '"a"').of(answer('say "a"'), Checking()).passed
    assert not make("contains", '"a"').of(answer("say a"), Checking()).passed


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("contains x\ncontain Paris", "Line 2: 'contain' is no assertion. Did you mean contains?"),
        ("contains", "Line 1: contains needs a text. Such as: contains Paris"),
        ("regex (", "Line 1: '(' is no regular expression: missing )"),
        ("similar Lima", "similar needs a number from 0 to 1, not 'Lima'"),
        ("similar 1.5 Lima", "similar needs a number from 0 to 1"),
        ("similar 0.5", "similar 0.8 needs a text"),
        ("json yes", "json takes no text 'yes'"),
        ("json schema", "json schema needs the name of a schema"),
        ("python: assert x", "no Python expression"),
        ("python:", "no Python expression"),
        ("max_tokens few", "max_tokens needs a whole number, not 'few'"),
        ("stops now", "stops takes no text"),
        ("not", "'not' is no assertion"),
        ("\n# nothing\n", "there is no assertion"),
        ("«»", "is no assertion"),
    ],
)
def test_what_is_no_assertion(lines: str, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(lines)
    assert says in str(caught.value)
