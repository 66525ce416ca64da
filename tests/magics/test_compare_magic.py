"""%%compare: its lists of values, what it shows while it runs and at the end, and what it gives."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError, ModelNotLoaded, OptionError


def test_a_grid_is_shown_side_by_side(shell: Any, script: Any, outputs: Any) -> None:
    engine = script("Lima is the capital of Peru.", "Lima is a city of Peru.")
    shell.user_ns["country"] = "Peru"
    assert (
        shell.run_cell("%%compare --temperature 0,0.7 --seed 4 --max-tokens 9 -o found\nCapital of {country}?").result
        is None
    )
    found = shell.user_ns["found"]
    assert [request.sampling.temperature for request in engine.requests] == [0, 0.7]
    assert {request.messages[0].content for request in engine.requests} == {"Capital of Peru?"}
    assert [row.title for row in found] == ["temperature 0", "temperature 0.7"]
    assert len(outputs) == 1 and outputs.html.count('<section class="km-column"') == 2
    assert "<ins>a city</ins> of Peru" in outputs.html and "<ins>Lima" not in outputs.html
    assert "Filled in from the notebook: country" in outputs.html
    text = outputs[0]["text/plain"]
    assert "-- temperature 0.7 --\nLima is a city of Peru." in text and "agreement" in text
    # `found` by itself shows the same.
    shown = shell.display_formatter.format(found)[0]
    assert "<ins>a city</ins>" in shown["text/html"] and "-- temperature 0.7 --" in shown["text/plain"]


def test_a_terminal_gets_each_answer_as_it_comes(shell: Any, script: Any) -> None:
    script("Lima it is.", "Cusco it is.")
    shown = shell.run("%%compare --temperature 0.1,0.2\nCapital?")
    assert shown.count("Lima it is.") == shown.count("Cusco it is.") == 1
    assert shown.index("temperature 0.1") < shown.index("Lima") < shown.index("temperature 0.2") < shown.index("Cusco")
    assert "2 variants" in shown


def test_models_are_values_too_and_a_comma_can_belong_to_a_name(shell: Any, script: Any) -> None:
    script("one", name="a")
    script("two", name="b,c")
    shell.run("%%compare -m 'a,b\\,c' -o found\nHello")
    assert [(row.model, row.text) for row in shell.user_ns["found"]] == [("a", "one"), ("b,c", "two")]


def test_the_line_form_returns_the_table(shell: Any, script: Any) -> None:
    script("x", "y")
    shell.run('found = %compare "Hello" --top-k 1,2')
    assert [row.text for row in shell.user_ns["found"]] == ["x", "y"]


def test_what_models_say_is_escaped(shell: Any, script: Any, outputs: Any) -> None:
    script("<script>alert(1)</script> one $x$", "<img src=x onerror=alert(1)> one $x$ ![x](http://evil.example/a.png)")
    shell.run_cell("%%compare --seed 1,2 --temperature 1 -s '<b onclick=x>'\nHello").raise_error()
    assert "<script" not in outputs.html and "<img" not in outputs.html and "<b " not in outputs.html
    assert "<script" not in outputs[0]["text/markdown"] and "![" not in outputs[0]["text/markdown"]


def test_a_variant_that_failed_says_why_in_its_place(shell: Any, script: Any, outputs: Any) -> None:
    script("fine", name="a")
    shell.run_cell("%%compare -m a,no-such-model\nHello").raise_error()
    assert "No model is called" in outputs.html and "fine" in outputs.html
    assert "error" in outputs[0]["text/plain"]


def test_one_variant_and_an_empty_answer(shell: Any, script: Any, outputs: Any) -> None:
    script("")
    shell.run_cell("%%compare\nHello").raise_error()
    assert "(The answer is empty.)" in outputs.html and "agreement" not in outputs.html


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%%compare --temperature 0,,1\nx", OptionError, "--temperature needs values with commas"),
        ("%%compare --temperature 0,hot\nx", OptionError, "--temperature needs a number, not 'hot'"),
        ("%%compare --temperature 0,0\nx", OptionError, "temperature has the value 0.0 twice"),
        ("%%compare --quant q4,none\nx", OptionError, "Did you mean q4_0"),
        ("%%compare --temprature 0,1\nx", OptionError, "Did you mean --temperature"),
        ("%%compare --template chatmll,none\nx", OptionError, "chatml"),
        ("%%compare --top-p 0.5,3\nx", OptionError, "top_p must be above 0"),
        ("%%compare --seed 1,2\n  ", OptionError, "%%compare has no prompt"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(shell: Any, script: Any, cell: str, kind: type, says: str) -> None:
    engine = script("never")
    with pytest.raises(kind) as caught:
        shell.run(cell)
    assert isinstance(caught.value, KaggleMagicsError) and says in str(caught.value)
    assert not engine.requests


def test_without_a_model(shell: Any) -> None:
    with pytest.raises(ModelNotLoaded, match="No model is loaded"):
        shell.run("%%compare --seed 1,2\nx")


@pytest.mark.filterwarnings("ignore:.*Completer.complete.*:PendingDeprecationWarning")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%%compare --quant none,q8", "q8_0"),
        ("%%compare --template none,chatm", "chatml"),
        ("%%compare -m scripted,pocket.g", "pocket.gguf"),
        ("%%compare -m scr", "scripted"),
    ],
)
def test_tab_completes_each_value_of_a_list(shell: Any, script: Any, line: str, expected: str) -> None:
    script("x")
    assert [word.rpartition(",")[2] for word in shell.complete(None, line)[1]] == [expected]
