"""%rag_eval in a shell: tables of the notebook and files, settings side by side, and every way to get it wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError

pytestmark = pytest.mark.usefixtures("no_embedder")

QUESTIONS = [
    {"question": "When does the library open?", "quote": "opens at nine", "answer": "nine"},
    {"question": "Who approves travel?", "source": "travel.txt", "answer": "the head"},
    {"question": "Who composed the anthem of Peru?", "answerable": "no"},
]


@pytest.fixture
def ingested(shell: Any, tmp_path: Path) -> Any:
    (tmp_path / "library.md").write_text("# Library\n\nThe library opens at nine <b>sharp</b>.\n", encoding="utf-8")
    (tmp_path / "travel.txt").write_text("Travel is approved by the head of the institute.\n", encoding="utf-8")
    shell.run(f"report = %rag_ingest '{tmp_path}'")
    shell.user_ns["questions"] = QUESTIONS
    return shell


def test_settings_stand_side_by_side(ingested: Any) -> None:
    ingested.run("found = %rag_eval questions --passages 1,2 --answers --extract -o kept")
    found = ingested.user_ns["found"]
    assert found is ingested.user_ns["kept"]
    assert list(found.settings) == ["passages 1", "passages 2"]
    drawn = ingested.display_formatter.format(found)[0]
    assert "passages 1 (best)" in drawn["text/plain"] and "[" in drawn["text/plain"]
    assert "| measure |" in drawn["text/markdown"]
    ingested.run("wide = %rag_eval questions --passages 1,2,3,4")
    wide = ingested.display_formatter.format(ingested.user_ns["wide"])[0]["text/markdown"]
    assert "| setting |" in wide and "| nDCG |" in wide
    assert "Who approves travel?" in drawn["text/html"] and "<b>" not in drawn["text/html"]
    recall = found.figure("passages 1", "recall")
    assert recall is not None and recall.mean == 1.0 and recall.count == 2


def test_a_file_of_questions_and_its_table(ingested: Any, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    path = tmp_path / "my questions.csv"
    pandas.DataFrame(QUESTIONS).to_csv(path, index=False)
    ingested.run(f"found = %rag_eval '{path}' --mode lexical")
    frame = ingested.user_ns["found"].to_pandas()
    assert list(frame["recall"].dropna()) == [1.0, 1.0] and len(frame) == 3


def test_without_questions_they_are_made(ingested: Any, script: Any) -> None:
    ingested.run("found = %rag_eval --make 1")
    assert "flatters" in " ".join(ingested.user_ns["found"].notes)
    engine = script(*["Who approves travel?"] * 4)
    ingested.run("found = %rag_eval --make 2")
    found = ingested.user_ns["found"]
    assert {judged.question.text for judged in found} == {"Who approves travel?"}
    assert "this sentence answers" in engine.requests[0].messages[-1].content


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%rag_eval nowhere.csv", "no file nowhere.csv"),
        ("%rag_eval nothing", "no file nothing"),
        ("%rag_eval questions --extract", "--answers"),
        ("%rag_eval questions --mode semantic", "hybrid"),
        ("%rag_eval questions --passages 0", "at least 1"),
        ("%rag_eval questions --passages 2,2", "twice"),
        ("%rag_eval questions -c missing", "no collection named"),
        ("%rag_eval shell_number", "not a table"),
        ("%rag_eval .", "is a folder"),
        ("%rag_eval --make 0", "at least 1"),
        ("%rag_eval questions --make 5", "no questions are given"),
        ("%rag_eval questions --temperature 0.5", "--temperature is about answers"),
    ],
)
def test_what_is_wrong_is_one_line(ingested: Any, line: str, words: str) -> None:
    ingested.user_ns["shell_number"] = 7
    with pytest.raises(KaggleMagicsError, match=words):
        ingested.run(f"x = {line}")


def test_the_result_is_drawn_with_what_failed_and_what_was_left_out(ingested: Any) -> None:
    ingested.user_ns["some"] = [*QUESTIONS[:1], {"question": "Which sea?", "quote": "the North Sea"}]
    ingested.run("found = %rag_eval some")
    text = ingested.display_formatter.format(ingested.user_ns["found"])[0]["text/plain"]
    assert "Left out: row 2" in text and "1 question about default" in text
