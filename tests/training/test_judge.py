"""The verdicts of the evaluation: what is right in another form passes, what is nearly right does not."""

from __future__ import annotations

import pytest

from training.data.sample import Sample, talk
from training.judge import right


def asked(answer: str, **check: object) -> Sample:
    return talk("formats", "?", answer, **check)


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ("Lima [2]", True),
        (" Lima [2] \n", True),
        ("Lima [1]", False),
        ("lima [2]", False),
        ("Lima", False),
        ("", False),
    ],
)
def test_an_exact_answer_has_the_words_and_the_citation(said: str, good: bool) -> None:
    assert right(asked("Lima [2]", kind="exact"), said) is good


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ("3 + 4 = 7. Ada has 7 pens.", True),
        ("7", True),
        ("3 + 4 = 7. Ada has 8 pens.", False),
        ("seven", False),
        ("-7", False),
    ],
)
def test_of_a_word_problem_the_last_number_counts(said: str, good: bool) -> None:
    assert right(asked("7", kind="number", value=7), said) is good


def test_a_formula_needs_its_steps_and_a_near_value() -> None:
    sample = asked("3.14 * 25 = 78.5", kind="number", value=78.5, tolerance=0.002, steps=True)
    assert right(sample, "Area = 3.14 * 25 = 78.5") and right(sample, "Area = pi * 25 = 78.54")
    assert not right(sample, "78.5") and not right(sample, "Area = 3.14 * 25 = 75.5")


def test_ingredients_may_come_in_another_order_but_all_of_them_and_as_bullets() -> None:
    sample = asked("- rice\n- milk", kind="bullets")
    assert right(sample, "- rice\n- milk") and right(sample, "- milk\n- rice\n")
    for said in ("- rice", "rice\nmilk", "- rice\n- milk\n- milk", "- rice\n- milk\n- salt", "rice, milk"):
        assert not right(sample, said), said


def test_json_has_the_same_keys_in_any_order() -> None:
    sample = asked("{}", kind="json", value={"name": "Ida", "age": 4})
    assert right(sample, '{"age": 4, "name": "Ida"}')
    for said in ('{"name": "Ida"}', '{"name": "Ida", "age": "4"}', "name: Ida, age: 4", '["Ida", 4]'):
        assert not right(sample, said), said


def test_code_must_run_and_keep_its_asserts() -> None:
    sample = asked("", kind="code", asserts=["assert double(2) == 4"])
    assert right(sample, "def double(x):\n    return x * 2")
    for said in ("def double(x):\n    return x + 3", "def twice(x):\n    return 2 * x", "def double(x)", "x\x00"):
        assert not right(sample, said), said
