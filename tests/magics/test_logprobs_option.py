"""--logprobs: the probabilities of real models on both engines, and what is said where there are none."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.models.find import catalog


@pytest.mark.parametrize(
    "engine", ["transformers", pytest.param("gguf", marks=pytest.mark.gguf)], ids=["transformers", "llama.cpp"]
)
def test_a_real_answer_shows_its_doubts(shell: Any, outputs: Any, session: Any, engine: str) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    session.load("pocket" if engine == "transformers" else str(catalog.POCKET / "pocket-Q8_0.gguf"), name="m")
    shell.run_cell("%%prompt --logprobs --max-tokens 12 -o answer\nWhat is the capital of Peru?").raise_error()
    answer = shell.user_ns["answer"]
    assert "".join(token.piece for token in answer.tokens).strip() == answer.text.strip()
    for token in answer.tokens:
        # Greedy: what was said is what was likeliest.
        assert len(token.top) == 5 and token.top[0][0] == token.token
        assert token.top[0][2] == pytest.approx(token.logprob)
        assert sum(math.exp(value) for _, _, value in token.top) <= 1.0001
    assert outputs.html.count('title="') == len(answer.tokens)
    assert "perplexity" in outputs[0]["text/plain"] and answer.text in outputs[0]["text/plain"]


def test_how_many_alternatives(shell: Any, session: Any) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    session.load("pocket")
    for line, count in (("--logprobs 2", 2), ("--logprobs=3", 3), ("--logprobs 0", 0), ("--logprobs -s terse", 5)):
        shell.run(f"%%prompt --max-tokens 2 {line} -o answer\nHello")
        assert {len(token.top) for token in shell.user_ns["answer"].tokens} == {count}
    shell.run("%%prompt --max-tokens 2 -o answer\nHello")
    assert shell.user_ns["answer"].tokens == ()


def test_an_engine_that_tells_none_says_so(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("Lima")
    shell.run_cell("%%prompt --logprobs 4\nCapital?").raise_error()
    assert engine.requests[0].logprobs == 4
    assert "Lima" in outputs.html and "No probabilities" in outputs.html


def test_a_terminal_gets_the_doubts_below_the_text(shell: Any, session: Any) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    session.load("pocket")
    shown = shell.run("%%prompt --logprobs --max-tokens 12 -o answer\nWhat is the capital of Peru?")
    assert shown.count(shell.user_ns["answer"].text.strip()) == 1 and "perplexity" in shown


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--logprobs many", "--logprobs needs a whole number, not 'many'"),
        ("--logprobs -1", "logprobs must be a whole number between 0 and 20, not -1"),
        ("--logprobs 21", "logprobs must be a whole number between 0 and 20, not 21"),
        ("--logprobs 2 --logprobs 3", "--logprobs is given twice"),
        ("--logprob", "no option --logprob. Did you mean --logprobs?"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(shell: Any, script: Any, line: str, says: str) -> None:
    engine = script("never")
    with pytest.raises(OptionError) as caught:
        shell.run(f"%%prompt {line}\nHello")
    assert says in str(caught.value) and engine.requests == []


def test_the_python_call_checks_too(script: Any, session: Any) -> None:
    script("never")
    for wrong in (True, 1.5, "3", -1, 21):
        with pytest.raises(OptionError, match="logprobs must be a whole number between 0 and 20"):
            session.prompt("x", logprobs=wrong)


def test_the_help_says_that_the_number_may_be_left_out(shell: Any) -> None:
    assert "--logprobs [N]" in shell.run("%prompt --help")


def test_tables_and_comparisons_tell_the_mean_probability(shell: Any, session: Any, outputs: Any) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    session.load("pocket")
    shell.user_ns["places"] = [{"place": "Peru"}, {"place": "France"}]
    shell.run_cell("%%prompt --over places --logprobs --max-tokens 12 -o out\nCapital of {place}?").raise_error()
    shell.run_cell("%%compare --system terse --logprobs --max-tokens 4 -o found\nCapital of Peru?").raise_error()
    answers = [row.answer for row in shell.user_ns["out"]] + shell.user_ns["found"].answers
    assert len(answers) == 3
    for answer, shown in zip(answers, [0, 0, 1], strict=True):
        mean = sum(math.exp(token.logprob) for token in answer.tokens) / len(answer.tokens)
        assert f"{mean:.0%}" in outputs[shown]["text/plain"] and "probability: the mean" in outputs[shown]["text/html"]
    shell.run_cell("%%prompt --over places --max-tokens 3\nCapital of {place}?").raise_error()
    assert "probability" not in outputs[-1]["text/html"]
