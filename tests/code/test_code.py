"""Code is taken out of answers whole, and checked without being run."""

from __future__ import annotations

import pytest

from kaggle_magics.code.check import check_code
from kaggle_magics.code.extract import extract_code

AREA = "import math\n\ndef area(r):\n    return math.pi * r ** 2"


@pytest.mark.parametrize(
    "text",
    [
        AREA,
        f"```python\n{AREA}\n```",
        f"Sure! Here is the function:\n\n```py\n{AREA}\n```\n\nIt uses math.pi.",
        f"```\n{AREA}\n```",
        f"~~~python title=area.py\n{AREA}\n~~~",
        f"Here is the code:\n{AREA}\nThis function returns the area.",
        f"```python\n{AREA}",  # stopped before the fence was closed
        f"Run it:\n```bash\npip install x\n```\nThe code:\n```python\n{AREA}\n```",
    ],
)
def test_only_the_code_comes_out(text: str) -> None:
    assert extract_code(text) == AREA


def test_several_blocks_are_joined_in_order() -> None:
    assert extract_code("```python\na = 1\n```\nthen\n```python\nb = 2\n```") == "a = 1\n\n\nb = 2"


def test_indented_fence_in_a_docstring_like_text_does_not_end_a_longer_one() -> None:
    text = "````python\ntext = '''\n```\ninner\n```\n'''\n````"
    assert extract_code(text) == "text = '''\n```\ninner\n```\n'''"


def test_another_language_is_taken_as_it_is() -> None:
    assert extract_code("```js\nlet a = 1;\n```", "JavaScript") == "let a = 1;"
    assert extract_code("SELECT 1;\n", "sql") == "SELECT 1;"


def test_bare_words_are_not_mistaken_for_code() -> None:
    assert extract_code("Sure\nx = 1\nDone") == "x = 1"


def test_unicode_and_no_code_at_all() -> None:
    assert extract_code("```python\nname = 'Zoë 🎈'\n```") == "name = 'Zoë 🎈'"
    assert extract_code("I cannot do that.") == "I cannot do that."
    assert extract_code("") == ""


def found(code: str, language: str = "python") -> dict[str, bool]:
    return {check.name: check.passed for check in check_code(code, language)}


def test_checks_say_what_is_wrong() -> None:
    assert found(AREA) == {"syntax": True, "imports": True}
    assert found("def f(:\n  pass") == {"syntax": False}
    assert "line 1" in check_code("def f(:")[0].detail
    assert found("import no_such_package_here\nfrom os import path") == {"syntax": True, "imports": False}
    assert "no_such_package_here" in check_code("import no_such_package_here")[1].detail
    assert found("") == {"code": False}
    assert found("a\0b") == {"syntax": False}
    assert found("let a = 1;", "javascript") == {"code": True}
