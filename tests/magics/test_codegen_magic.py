"""%%codegen: only the code, checked, shown, and put into the next cell when asked to."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.errors import ModelNotLoaded, OptionError

CODE = "import math\n\ndef area(r):\n    return math.pi * r ** 2"
ANSWER = f"Sure, here it is:\n```python\n{CODE}\n```\nI hope this helps you."


def test_the_code_is_shown_alone_and_never_run(shell: Any, script: Any, outputs: Any) -> None:
    engine = script(ANSWER)
    shell.run_cell("%%codegen -o code\nThe area of a circle\n").raise_error()
    answer = shell.user_ns["code"]
    assert answer.code == CODE and all(check.passed for check in answer.checks)
    assert engine.requests[0].messages[0].role == "system" and "Python" in engine.requests[0].messages[0].content
    assert "<pre><code>import math" in outputs.html and "passed: syntax" in outputs.html
    assert "area" not in shell.user_ns
    assert "<details><summary>All that the model said" in outputs.html


def test_insert_fills_the_next_cell(shell: Any, script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inserted: list[tuple[str, bool]] = []
    monkeypatch.setattr(shell, "set_next_input", lambda text, replace=False: inserted.append((text, replace)))
    script(ANSWER)
    assert CODE in shell.run("%%codegen\nThe area of a circle").replace("\r", "")
    assert inserted == []
    shell.run("%%codegen --insert\nThe area of a circle")
    assert inserted == [(CODE, False)]


def test_code_that_does_not_parse_says_so(shell: Any, script: Any, outputs: Any) -> None:
    script("```python\ndef f(:\n```")
    shell.run_cell("%%codegen\nBroken").raise_error()
    assert "FAILED: syntax" in outputs.html


def test_code_cannot_break_out_of_its_element(shell: Any, script: Any, outputs: Any) -> None:
    script("```python\nx = '</code></pre><script>alert(1)</script>'\n````\n```")
    shell.run_cell("%%codegen\nEvil").raise_error()
    assert "<script" not in outputs.html


def test_another_language_is_asked_for(shell: Any, script: Any) -> None:
    engine = script("SELECT 1")
    shell.run('answer = %codegen "a query" --language SQL')
    assert "SQL" in engine.requests[0].messages[0].content
    assert (shell.user_ns["answer"].code, shell.user_ns["answer"].language) == ("SELECT 1", "SQL")


def test_bad_input_is_one_line(shell: Any, script: Any) -> None:
    with pytest.raises(ModelNotLoaded):
        shell.run("%%codegen\nThe area of a circle")
    script("x = 1")
    with pytest.raises(OptionError, match="has no task"):
        shell.run("%%codegen\n \n")
    with pytest.raises(OptionError, match=r"no option --system"):
        shell.run("%%codegen --system x\nThe area of a circle")
