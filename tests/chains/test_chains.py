"""Chains: from text to steps, and their run."""

from __future__ import annotations

import pytest

from kaggle_magics.chains.parse import Step, parse
from kaggle_magics.chains.run import StepResult, run
from kaggle_magics.errors import ChainError, EngineError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.models.request import Message, Sampling, StopReason, Usage


def answer(text: str, stop_reason: StopReason = "end") -> Answer:
    card = RunCard(
        "m", "/m", "scripted", "x", "cpu", "text", (Message("user", "q"),), "auto", Sampling(seed=0), "0", "2026-01-01"
    )
    return Answer(text=text, stop_reason=stop_reason, usage=Usage(1, 0, 1, 0.0, 0.0), card=card)


def test_a_step_starts_at_column_0_and_goes_on_indented() -> None:
    text = """
# a comment
dish: What do people eat in {country}?
  Just the name.

    Not a sentence.
ingredients: List what is in {dish}
"""
    assert parse(text) == (
        Step("dish", "What do people eat in {country}?\nJust the name.\n\n  Not a sentence."),
        Step("ingredients", "List what is in {dish}"),
    )


def test_a_prompt_may_start_on_the_next_line_and_hold_colons_and_braces() -> None:
    (step,) = parse('reply:\n  Answer as JSON: {"a": 1}\n  not a step: here')
    assert step.prompt == 'Answer as JSON: {"a": 1}\nnot a step: here'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   \n\n", "empty"),
        ("just words", "Line 1"),
        ("a: x\nloose words", "Line 2"),
        ("  a: x", "before the first step"),
        ("a: x\na: y", "Two steps"),
        ("a:", "no prompt"),
        ("a:\n\n", "no prompt"),
    ],
)
def test_what_is_no_chain_is_said_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ChainError, match=says) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_answers_feed_the_steps_after_them() -> None:
    asked: list[str] = []

    def generate(prompt: str, filled: object) -> Answer:
        asked.append(prompt)
        return answer({1: " Pizza {city}\n", 2: "dough"}[len(asked)])

    result = run(
        parse("food: Dish of {country}?\nparts: What is in {food}, in {city}?"),
        generate,
        inputs={"country": "Italy"},
        namespace={"city": "Rome", "country": "shadowed", "food": "shadowed"},
    )
    # The answer's own braces are text, not fields.
    assert asked == ["Dish of Italy?", "What is in Pizza {city}, in Rome?"]
    assert [step.prompt for step in result.steps.values()] == asked
    assert str(result) == "dough" and result.complete and result.error is None


def test_a_failing_step_names_itself_and_keeps_the_others() -> None:
    def generate(prompt: str, filled: object) -> Answer:
        if prompt.startswith("two"):
            raise EngineError("broken")
        return answer("1")

    result = run(parse("a: one\nb: two {a}\nc: three {b}"), generate, inputs={})
    assert list(result.steps) == ["a", "b"] and not result.complete
    assert result.steps["b"].prompt == "two 1" and str(result.error) == "broken"
    assert result.steps["a"].answer is not None and result.answer is None


def test_an_interrupted_step_ends_the_chain() -> None:
    result = run(parse("a: one\nb: two"), lambda *_: answer("par", "interrupted"), inputs={})
    assert list(result.steps) == ["a"] and not result.complete and result.error is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: Dish of {cuntry}", r"'a' uses {cuntry}.*Did you mean country"),
        ("a: about {b}\nb: x", "only answered later"),
        ("a: about {a}", "only answered later"),
        ("a: about {nothing_like_it}", "-i nothing_like_it="),
    ],
)
def test_fields_are_checked_before_anything_is_asked(text: str, says: str) -> None:
    def generate(*_: object) -> Answer:
        raise AssertionError("asked")

    with pytest.raises(ChainError, match=says):
        run(parse(text), generate, inputs={"country": "Italy"})


def test_steps_are_reported_as_they_start_and_end() -> None:
    seen: list[tuple[str, bool]] = []

    def note(step: StepResult) -> None:
        seen.append((step.name, step.answer is not None))

    run(parse("a: one\nb: two"), lambda *_: answer("x"), inputs={}, on_step=note)
    assert seen == [("a", False), ("a", True), ("b", False), ("b", True)]
