"""--format and what a model thinks: how answers are shown, streamed and kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kaggle_magics.errors import OptionError

MARKUP = "**Lima** <script>alert(1)</script> & <b>more</b>"


def test_markdown_is_drawn_and_text_is_left(shell: Any, script: Any, outputs: Any) -> None:
    script(MARKUP)
    shell.run_cell("%%prompt\nx").raise_error()
    assert "<strong>Lima</strong>" in outputs.html
    outputs.clear()
    shell.run_cell("%%prompt --format text -o answer\nx").raise_error()
    assert "**Lima** &lt;script&gt;" in outputs.html and "<strong>" not in outputs.html
    assert shell.user_ns["answer"].text == MARKUP and shell.user_ns["answer"].format == "text"


@pytest.mark.parametrize("form", ["markdown", "text", "json", "html", "code"])
def test_whatever_the_format_it_is_escaped(shell: Any, script: Any, outputs: Any, form: str) -> None:
    script(f"```html\n{MARKUP}\n```", json.dumps({MARKUP: [MARKUP]}), MARKUP)
    for _ in range(3):
        shell.run_cell(f"%%prompt --format {form}\nx").raise_error()
    assert "<script" not in outputs.html and "<b>" not in outputs.html
    assert "alert(1)" in outputs.html


def test_html_is_shown_as_source_without_its_fence(shell: Any, script: Any, outputs: Any) -> None:
    script("Here it is:\n```html\n<h1>Hi</h1>\n```\nEnjoy.")
    shell.run_cell("%%prompt --format html -o answer\nx").raise_error()
    assert "<pre><code>&lt;h1&gt;Hi&lt;/h1&gt;</code></pre>" in outputs.html
    assert "Enjoy" in shell.user_ns["answer"].text and "Enjoy" not in outputs.html


def test_code_is_taken_out_of_its_fences(shell: Any, script: Any, outputs: Any) -> None:
    script("Sure:\n```python\nx = 1 < 2\n```")
    shell.run_cell("%%prompt --format code\nx").raise_error()
    assert "<pre><code>x = 1 &lt; 2</code></pre>" in outputs.html and "Sure" not in outputs.html
    assert "```\nx = 1 < 2\n```" in outputs[0]["text/markdown"]


def test_json_is_printed_and_folds(shell: Any, script: Any, outputs: Any) -> None:
    script('```json\n{"a": [1, 2.50, 1e400], "b": {"c": null}, "a\\"<": "é"}\n```')
    shell.run_cell("%%prompt --format json\nx").raise_error()
    assert outputs.html.count("<details") == 3
    # Numbers stay as the model wrote them.
    assert "2.50" in outputs.html and "1e400" in outputs.html and "&lt;" in outputs.html
    shown = outputs[0]["text/plain"]
    assert shown.startswith('{\n  "a": [\n    1,\n    2.50,\n    1e400\n  ],\n  "b": {\n    "c": null\n  },')


@pytest.mark.parametrize(
    "text", ['{"a": 1', "NaN", '{"a": Infinity}', "[" * 100_000, "no json at all", '{"a": 1} and more', ""]
)
def test_what_is_no_json_is_shown_with_a_line(shell: Any, script: Any, outputs: Any, text: str) -> None:
    script(text)
    shell.run_cell("%%prompt --format json\nx").raise_error()
    assert ("This is no JSON" in outputs.html) == bool(text)


def test_a_large_json_is_one_block(shell: Any, script: Any, outputs: Any) -> None:
    script(json.dumps([{"n": n} for n in range(1000)]), json.dumps([{"n": n} for n in range(100)]))
    shell.run_cell("%%prompt --format json\nx").raise_error()
    assert "<details" not in outputs.html
    outputs.clear()
    shell.run_cell("%%prompt --format json\nx").raise_error()
    assert outputs.html.count("<details") == 101 and "100 items" in outputs.html


def test_the_format_is_a_setting_and_stays_with_the_answer(shell: Any, script: Any, outputs: Any) -> None:
    script("**Lima**")
    shell.run("%config KaggleMagics.format = 'text'")
    shell.run_cell("%%prompt\nx").raise_error()
    assert "**Lima**" in outputs.html
    assert shell.run("last = %llm_last") == "" and shell.user_ns["last"].format == "text"
    bundle, _ = shell.display_formatter.format(shell.user_ns["last"])
    assert "**Lima**" in bundle["text/html"]
    shell.run("line = %prompt 'x' --format markdown")
    assert shell.user_ns["line"].format == "markdown"
    shell.run("%config KaggleMagics.format = 'pdf'")
    script("**Lima**")
    outputs.clear()
    shell.run_cell("%%prompt\nx").raise_error()
    assert "**Lima**" in outputs.html


def test_a_format_there_is_none_of(shell: Any, script: Any, session: Any) -> None:
    engine = script("never")
    with pytest.raises(
        OptionError, match=r"--format is one of markdown, text, json, html, code, not 'jsn'. Did you mean"
    ):
        shell.run("%%prompt --format jsn\nx")
    with pytest.raises(OptionError, match="There is no format 'jsn'"):
        session.prompt("x", format="jsn")
    assert engine.requests == []


THOUGHT = "<think> Peru <b>hm</b> </think> Lima is the *capital*."


def test_what_a_model_thinks_folds_away(shell: Any, script: Any, outputs: Any) -> None:
    script(THOUGHT)
    shell.run_cell("%%prompt -o answer\nx").raise_error()
    answer = shell.user_ns["answer"]
    assert (answer.text, answer.reasoning) == ("Lima is the *capital*.", "Peru <b>hm</b>")
    assert "<details><summary>What the model thought (2 words)</summary>" in outputs.html
    assert "Peru &lt;b&gt;hm&lt;/b&gt;" in outputs.html and "<em>capital</em>" in outputs.html
    assert "Peru" not in outputs[0]["text/markdown"] and "think>" not in outputs.html


def test_an_answer_that_did_not_begin_says_so(shell: Any, script: Any, outputs: Any) -> None:
    script(THOUGHT)
    shell.run_cell("%%prompt --max-tokens 2 -o answer\nx").raise_error()
    assert shell.user_ns["answer"].text == ""
    assert "The answer did not begin: max_tokens 2 went into thinking." in outputs.html
    shell.run_cell("%%codegen --max-tokens 2\nx").raise_error()
    assert outputs.html.count("The answer did not begin") == 2


def test_a_terminal_gets_the_answer_without_the_thoughts(shell: Any, script: Any) -> None:
    script(THOUGHT)
    assert shell.run("%%prompt\nx").startswith("Lima is the *capital*.")


def test_chains_and_langchain_get_the_answer_alone(shell: Any, script: Any, session: Any) -> None:
    engine = script("<think> a </think> Lima", "<think> b </think> Peru")
    session.chain("one: x\ntwo: and {one}?")
    assert engine.requests[1].messages[-1].content == "and Lima?"
    pytest.importorskip("langchain_core", reason="langchain-core is not installed")
    message = session.as_langchain().invoke("x")
    assert message.content == "Lima" and message.additional_kwargs["reasoning_content"] == "a"
