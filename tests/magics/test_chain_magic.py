"""%%chain: fields from steps, -i and the notebook; several runs; failures keep what is finished."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import ChainError, ModelNotLoaded, OptionError

CHAIN = "dish: The dish of {country}?\ningredients: What is in {dish}\n  as a list?"


def asked(engine: Any) -> list[str]:
    return [request.messages[-1].content for request in engine.requests]


def test_steps_feed_one_another_and_all_are_shown(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("ceviche", "- fish\n- lime")
    shell.run_cell(f"%%chain -i country=Peru -o result\n{CHAIN}").raise_error()
    assert asked(engine) == ["The dish of Peru?", "What is in ceviche\nas a list?"]
    result = shell.user_ns["result"]
    assert (result.answer.text, list(result.steps), result.complete) == (
        "- fish\n- lime",
        ["dish", "ingredients"],
        True,
    )
    assert len(outputs) == 1
    assert "ceviche" in outputs.html and "<li>fish</li>" in outputs.html
    assert outputs.html.count("<summary>Prompt</summary>") == 2 and "What is in ceviche" in outputs.html


def test_a_field_comes_from_a_step_then_from_the_line_then_from_the_notebook(shell: Any, script: Any) -> None:
    engine = script("first", "second")
    shell.user_ns.update(a="notebook a", b="notebook b", c="notebook c")
    shell.run("%%chain -i b=given\na: {c} {b}\nd: {a} {b} {c}")
    assert asked(engine) == ["notebook c given", "first given notebook c"]


@pytest.mark.parametrize(
    "over", ["France,Japan", "countries", "country=countries", "country=France,Japan", "' France , Japan '"]
)
def test_over_runs_it_for_each(shell: Any, script: Any, outputs: Any, over: str) -> None:
    engine = script("one", "two", "three", "four")
    shell.user_ns["countries"] = ["France", "Japan"]
    shell.run_cell(f"%%chain --over {over} -o runs\n{CHAIN}").raise_error()
    assert asked(engine)[::2] == ["The dish of France?", "The dish of Japan?"]
    runs = shell.user_ns["runs"]
    assert [run.answer.text for run in runs] == ["two", "four"]
    assert [run.inputs for run in runs] == [{"country": "France"}, {"country": "Japan"}]
    assert "1 of 2: country = France" in outputs.html and "2 of 2: country = Japan" in outputs.html


def test_over_takes_rows_with_several_fields(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.user_ns["rows"] = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    shell.run("%%chain --over rows -o runs\nstep: {x} and {y}")
    assert asked(engine) == ["1 and 2", "3 and 4"]
    frame = shell.user_ns["runs"].to_pandas()
    assert frame.to_dict("list") == {"x": [1, 3], "y": [2, 4], "step": ["ok", "ok"]}
    shell.user_ns["frame"] = frame
    shell.run("%%chain --over frame\nstep: {x} + {y}")
    assert asked(engine)[2:] == ["1 + 2", "3 + 4"]


def test_a_failing_step_keeps_the_finished_ones(shell: Any, script: Any, outputs: Any) -> None:
    script("ceviche", RuntimeError("no more <i>"))
    shell.run_cell(f"%%chain -i country=Peru -o result\n{CHAIN}").raise_error()
    result = shell.user_ns["result"]
    assert result.steps["dish"].answer.text == "ceviche" and not result.complete
    assert "ceviche" in outputs.html and "Step ingredients failed" in outputs.html
    assert "<i>" not in outputs.html


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        (f"%%chain\n{CHAIN}", ChainError, "{country}"),
        ("%%chain\nb: {c}\nc: x", ChainError, "only answered later"),
        ("%%chain\nno step here", ChainError, "Line 1 of the chain"),
        ("%%chain\n  \n", OptionError, "has no chain"),
        ("%chain", OptionError, "has no chain"),
        ("%%chain -i country\na: {country}", OptionError, "needs name=value"),
        ("%%chain -i x=1 -i x=2\na: {x}", OptionError, "gives a name twice"),
        (f"%%chain --over ','\n{CHAIN}", OptionError, "the list is empty"),
        ("%%chain --over a,b\nstep: {x} {y}", OptionError, "the chain has the fields x, y. Write --over NAME=LIST"),
        ("%%chain --over a,b\nstep: nothing", OptionError, "has no open field"),
        (f"%%chain --over number\n{CHAIN}", OptionError, "number is an int, not a table"),
        (f"%%chain -m other -i country=Peru\n{CHAIN}", ModelNotLoaded, "'other'"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(shell: Any, script: Any, cell: str, kind: type, says: str) -> None:
    engine = script("never")
    shell.user_ns["number"] = 5
    with pytest.raises(kind) as caught:
        shell.run(cell)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert engine.requests == []
