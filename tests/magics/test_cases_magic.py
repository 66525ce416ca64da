"""--file on %%compare and %%expect, and `Session.evaluate`: test sets, asked and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import EngineError, ExpectationFailed, KaggleMagicsError
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

CAPITALS = {"Peru": "Lima", "France": "Paris", "Japan": "Kyoto"}


def geographer(request: Any) -> str:
    asked = request.messages[-1].content
    return next((city for country, city in CAPITALS.items() if country in asked), "I do not know.")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.csv"
    path.write_text(
        "question,country,contains,expected\n"
        "What is the capital of Peru?,Peru,Lima,\n"
        '"And of France, please?",France,,paris\n'
        "And of Japan?,Japan,Tokyo,\n",
        encoding="utf-8",
    )
    return path


def test_a_test_set_gives_pass_rates_by_variant_and_assertion(
    shell: Any, script: Any, outputs: Any, questions: Path
) -> None:
    engine = script(geographer)
    script("I do not know.", name="ignorant")
    shell.run_cell(f"%%compare --file {questions} -m scripted,ignorant -o found\nShortly: {{question}}").raise_error()
    found = shell.user_ns["found"]
    assert [request.messages[-1].content for request in engine.requests] == [
        "Shortly: What is the capital of Peru?",
        "Shortly: And of France, please?",
        "Shortly: And of Japan?",
    ]
    assert [(rate.name, rate.passed, rate.of) for rate in found.by_variant] == [("scripted", 2, 3), ("ignorant", 0, 3)]
    assert [(rate.name, rate.passed, rate.of) for rate in found.by_expectation] == [
        ("contains", 1, 4),
        ("expected", 1, 2),
    ]
    assert "contains Tokyo: it says: Kyoto" in found.by_expectation_of("scripted")["contains"].first_failure
    text = outputs[0]["text/plain"]
    assert "FAILED: 2 of 6 answers as expected" in text and "By variant" in text
    assert "Filled in from the notebook" not in text
    frame = found.to_pandas()
    assert list(frame["country"]) == ["Peru", "France", "Japan"] * 2
    assert list(frame["passed"]) == [True, True, False, False, False, False]
    assert shell.display_formatter.format(found)[0]["text/plain"].startswith("FAILED: 2 of 6")


def test_without_a_text_the_question_is_asked(shell: Any, script: Any, questions: Path) -> None:
    engine = script(geographer)
    shell.run(f"found = %compare --file {questions} --max-tokens 7 -s terse")
    assert engine.requests[0].messages[-1].content == "What is the capital of Peru?"
    assert engine.requests[0].messages[0].content == "terse" and engine.requests[0].sampling.max_tokens == 7
    assert shell.user_ns["found"].total.passed == 2 and shell.user_ns["found"].by_variant == []


def test_a_table_of_the_notebook_and_columns_before_its_names(shell: Any, script: Any) -> None:
    engine = script(geographer)
    shell.user_ns.update(country="Chile", tests=[{"country": "Peru", "equals": "Lima"}], style="terse")
    shell.run("%%compare --file tests -o found --must\nBe {style}: {country}?")
    assert engine.requests[0].messages[-1].content == "Be terse: Peru?"


def test_json_lines_with_lists(shell: Any, script: Any, tmp_path: Path) -> None:
    script("Lima, in Peru.")
    lines = [{"question": "Where?", "contains": ["Lima", "Peru"], "not_contains": "Cusco"}]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    shell.run(f"%compare --file {tmp_path / 'q.jsonl'} --must -o found")
    assert len(shell.user_ns["found"][0].checks) == 3


def test_expect_asks_the_file_of_the_current_model_with_assertions_for_all_rows(
    shell: Any, script: Any, questions: Path
) -> None:
    engine = script(geographer)
    with pytest.raises(ExpectationFailed, match="2 of 3 answers are as expected"):
        shell.run(f"%%expect --file {questions} --at-least 0.9 -o found\nmax_tokens 3\npython: 'u' not in text")
    names = [rate.name for rate in shell.user_ns["found"].by_expectation]
    assert names == ["contains", "max_tokens 3", "python: 'u' not in text", "expected"]
    shell.run("%config KaggleMagics.temperature = 0.5")
    shell.run(f"%expect --file {questions} --seeds 2 -o found")
    assert len(shell.user_ns["found"]) == 6 and [rate.name for rate in shell.user_ns["found"].by_variant] == [
        "seed 1",
        "seed 2",
    ]
    assert {request.sampling.seed for request in engine.requests[3:]} == {1, 2}


def test_a_model_that_fails_counts_as_failed_and_the_others_go_on(session: Session) -> None:
    session.adopt(ScriptedEngine([EngineError("It broke.")]), name="broken")
    session.adopt(ScriptedEngine([geographer]), name="good")
    tests = [{"question": "Peru?", "equals": "Lima"}, {"question": "France?", "not_contains": "Lima"}]
    found = session.evaluate(tests, models=["broken", "no-such-model", "good"])
    assert [(rate.name, rate.rate) for rate in found.by_variant] == [("broken", 0), ("no-such-model", 0), ("good", 1)]
    assert "It broke." in str(found[0].error) and "No model is called" in str(found[2].error)
    assert session.current is not None and session.current.name == "good"


def test_a_stop_keeps_what_is_done(session: Session) -> None:
    session.adopt(ScriptedEngine(["Lima and four words more"], seconds_per_token=0.03))

    def stop(variant: str, progress: Any) -> None:
        if progress.done == 1:
            raise KeyboardInterrupt

    tests = [{"question": f"{number}?", "contains": "Lima"} for number in range(4)]
    found = session.evaluate(tests, temperature=[0.5, 0.6], seed=1, on_cases=stop)
    assert 1 <= len(found) < 4 and found.rate == 1
    assert found.notes == (f"Stopped: {len(found)} of 8 answers are there and were checked.",)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%compare --file {file}\nWhere is {{cuntry}}?", "{cuntry} is neither a column of questions.csv"),
        ("%%compare --file {file}\nWhere is it?", "The prompt uses no column of questions.csv"),
        ("%compare --file {file}x", "There is no file"),
        ("%compare --file {file} --top-p 0.1,7", "top_p must be above 0"),
        ("%compare --file {file} --raw", "--raw leaves fields as they are"),
        ("%%compare --must\nx", "--must goes with --file"),
        ("%%expect --file {file} --on x\nstops", "--on and --file do not go together"),
        ("%%expect --file {file} --seeds 0\nstops", "seeds must be at least 1"),
        ("%%expect --file {file}\nstop", "'stop' is no assertion. Did you mean stops or json?"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(shell: Any, script: Any, questions: Path, cell: str, says: str) -> None:
    engine = script("never")
    with pytest.raises(KaggleMagicsError) as caught:
        shell.run(cell.format(file=questions))
    assert says in str(caught.value) and not engine.requests


def test_what_files_and_models_say_is_escaped(shell: Any, script: Any, outputs: Any) -> None:
    script("<script>alert(1)</script>")
    shell.user_ns["tests"] = [{"question": "<img src=x onerror=alert(1)>", "contains": "<b>"}] * 2
    shell.run_cell("%%compare --file tests --temperature 0,1\n{question}").raise_error()
    assert "<script" not in outputs.html and "<img" not in outputs.html and "<b>" not in outputs.html
