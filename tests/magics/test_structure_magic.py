"""--schema, --choices and --regex on the line of %%prompt, and how the values look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError, OptionError, StructureError

DEFINITIONS = """
import enum, types
from dataclasses import dataclass
from typing import Literal
@dataclass
class Person:
    name: str
    age: int
class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"
schemas = {"person": Person, "size": {"type": "integer"}}
module = types.SimpleNamespace(Person=Person)
words = ["yes", "no"]
size = {"type": "object", "properties": {"cm": {"type": "integer"}}, "required": ["cm"]}
"""
ANN = '{"name": "Ann", "age": 3}'


@pytest.fixture
def notebook(shell: Any) -> Any:
    shell.run(DEFINITIONS)
    return shell


@pytest.mark.parametrize(
    ("line", "said", "value"),
    [
        ("--schema Person", ANN, "Person('Ann', 3)"),
        ("--schema module.Person", ANN, "Person('Ann', 3)"),
        ("""--schema 'schemas["person"]'""", ANN, "Person('Ann', 3)"),
        ("--schema list[Person]", f"[{ANN}]", "[Person('Ann', 3)]"),
        ("--schema 'dict[str, int]'", '{"a": 1}', "{'a': 1}"),
        ("--schema 'int | None'", "null", "None"),
        ("--schema int", "7", "7"),
        ("--schema Colour", "blue", "Colour.BLUE"),
        ("""--schema 'Literal["a", "b", -1]'""", "-1", "-1"),
        ("--schema size", '{"cm": 3}', "{'cm': 3}"),
        ("""--schema '{"type": "boolean"}'""", "true", "True"),
        ("--choices yes,no", "no", "'no'"),
        ("--choices words", "no", "'no'"),
        ("--choices Colour", "red", "Colour.RED"),
        (r"--regex '\d{4}-\d{2}'", "2024-05", "'2024-05'"),
    ],
)
def test_what_the_line_names_is_what_comes_back(notebook: Any, script: Any, line: str, said: str, value: str) -> None:
    script(said)
    notebook.run_cell_magic("prompt", f"{line} -o answer", "What?")
    assert notebook.ev(f"answer.value == {value}") and notebook.ev("answer.text") == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--schema Persn", "no Persn in the notebook.*Did you mean Person"),
        ("--schema module.Nobody", "cannot be found: AttributeError"),
        ("""--schema 'schemas["x"]'""", "cannot be found: KeyError"),
        ("--schema 'open(\"x\")'", "takes a name or a type"),
        ("--schema '[1,'", "takes a name or a type"),
        ("--schema words", r"no schema for \['yes', 'no'\]"),
        ("--schema complex", "no complex in the notebook"),
        ("""--schema '{"a": 1}'""", "no JSON schema"),
        ("--choices a,,b", "without white space"),
        ("--regex '('", "no regular expression"),
        ("--schema int --regex a", "schema and regex cannot be asked for together"),
        ("--choices a,b --stop x", "Leave --stop out"),
        ("--constrain-only", "none is asked for"),
    ],
)
def test_a_wrong_line_is_one_clear_error(notebook: Any, script: Any, line: str, said: str) -> None:
    engine = script("yes")
    with pytest.raises(OptionError, match=said) as caught:
        notebook.run_cell_magic("prompt", line, "What?")
    assert "\n" not in str(caught.value) and not engine.requests


def test_the_model_is_told_unless_it_is_not_to_be(notebook: Any, script: Any) -> None:
    engine = script("yes")
    notebook.run_cell_magic("prompt", "--choices yes,no", "Is it?")
    notebook.run_cell_magic("prompt", "--choices yes,no --constrain-only", "Is it?")
    told = [request.messages[-1].content for request in engine.requests]
    assert told == ["Is it?\n\nAnswer with one of these only: yes, no", "Is it?"]


def test_stop_texts_of_the_settings_make_way(notebook: Any, script: Any) -> None:
    engine = script("yes")
    notebook.run("%config KaggleMagics.stop = ['e']")
    notebook.run_cell_magic("prompt", "--choices yes,no -o answer", "Is it?")
    assert notebook.ev("answer.value") == "yes" and engine.requests[-1].sampling.stop == ()


def test_an_unfinished_answer_shows_what_there_is(notebook: Any, script: Any, outputs: Any) -> None:
    script('{"name": "Ann Lee Fox", "age": 3}')
    with pytest.raises(StructureError, match="Raise --max-tokens") as caught:
        notebook.run_cell_magic("prompt", "--schema Person --max-tokens 3 -o answer", "Who?")
    assert '{"name": "Ann Lee' in str(caught.value) and "Ann Lee" in outputs.html
    assert "answer" not in notebook.user_ns
    kept = notebook.run_line_magic("llm_last", "")
    assert kept.text == '{"name": "Ann Lee' and kept.stop_reason == "length"


def test_a_value_of_plain_fields_is_a_table(notebook: Any, script: Any, outputs: Any) -> None:
    script('{"name": "<b>Ann</b> & $x$", "age": 3}')
    notebook.run_cell_magic("prompt", "--schema Person", "Who?")
    assert '<th scope="row">age</th><td>3</td>' in outputs.html and "<caption>Person</caption>" in outputs.html
    assert "<b>" not in outputs.html and "&lt;b&gt;Ann" in outputs.html
    assert "- age: 3" in outputs[-1]["text/markdown"]


def test_other_values_are_json_or_text(notebook: Any, script: Any, outputs: Any) -> None:
    script('[{"name": "<i>Ann", "age": 3}]', "*no*", "[]")
    notebook.run_cell_magic("prompt", "--schema list[Person]", "Who?")
    assert "&lt;i&gt;Ann" in outputs.html and "<i>" not in outputs.html
    drawn = outputs[-1]["text/markdown"].partition("```json\n")[2].partition("\n```")[0]
    assert json.loads(drawn) == [{"name": "<i>Ann", "age": 3}] and drawn.startswith("[\n  {")
    # A choice is not Markdown.
    notebook.run_cell_magic("prompt", "--choices *no*,*yes*", "Is it?")
    assert "<code>*no*</code>" in outputs[-1]["text/html"]


def test_a_saved_prompt_keeps_its_structure(notebook: Any, script: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    script(ANN)
    notebook.run_cell_magic("prompt", "--save who --schema Person --constrain-only", "Who is {name}?")
    answer = notebook.run_line_magic("prompt", "--use who -i name=Ann")
    assert answer.value == notebook.ev("Person('Ann', 3)")


@pytest.mark.filterwarnings("ignore:.*Completer.complete.*:PendingDeprecationWarning")
def test_names_are_completed(notebook: Any) -> None:
    assert notebook.complete(None, "%%prompt --schema Per")[1] == ["Person"]
    assert {"list", "size", "str"} <= set(notebook.complete(None, "%%prompt --schema ")[1])


def test_errors_are_shown_in_one_line(notebook: Any, script: Any, capsys: Any) -> None:
    script("maybe")
    result = notebook.run_cell("%%prompt --choices yes,no\nIs it?")
    assert isinstance(result.error_in_exec, KaggleMagicsError)
    assert "Traceback" not in capsys.readouterr().err
