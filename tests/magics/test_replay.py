"""A notebook that was recorded runs again without its models; settings, --no-cache and %llm_verify as typed."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import kaggle_magics
from kaggle_magics.errors import ReplayMiss
from kaggle_magics.models.engines.recorded import RecordedEngine
from kaggle_magics.models.identity import Identity
from kaggle_magics.session import Session

ROOT = Path(__file__).resolve().parents[2]
CELLS = (
    "%load_ext kaggle_magics",
    "%llm_load pocket",
    "%%prompt --max-tokens 16\nWhat is the capital of Peru?",
    "%%prompt --max-tokens 8 --temperature 1.0 -o one\nWrite a line.",
    "%%prompt --max-tokens 8 --temperature 1.0 -o two\nWrite a line.",
    "%%prompt --thread talk --max-tokens 8\nHello.",
    "%%prompt --thread talk --max-tokens 8\nAnd again.",
    "%%prompt --choices yes,no\nIs water wet?",
    "%%chain -i country=Peru --max-tokens 8\ndish: A dish of {country}?\nmore: What is in {dish}?",
    "kaggle_magics = __import__('kaggle_magics')\n"
    "kaggle_magics.rag = __import__('kaggle_magics.rag.embedding.models').rag\n"
    "kaggle_magics.rag.embedding.models.installed = lambda module: False  # search by words: embedders are apart\n"
    "kaggle_magics.get_session().ingest({'a.txt': 'The library opens at nine and closes at six.'})\n"
    "print(len(kaggle_magics.get_session().collection().search('library')))",
    "%%ask --max-tokens 16 -o cited\nWhen does the library open?",
    "print(cited.text, [(each.number, each.passage.source, each.spans) for each in cited.citations], cited.claims)",
    "%%ask --thread asked --max-tokens 16\nWhen does the library open?",
    "%%ask --thread asked --max-tokens 16\nAnd when does it close?",
)


def run(cells: tuple[str, ...], **environment: str) -> list[Any]:
    """The notebook's cells after a run in a kernel of its own, which stops for no error."""
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=240, kernel_name="python3", allow_errors=True)
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
    return list(notebook.cells)


def texts(cells: list[Any]) -> list[str]:
    """What each cell shows, without its figures and the mark of the cache."""
    shown = []
    for cell in cells:
        parts = [
            output.get("text") or output.get("evalue") or output["data"].get("text/plain", "")
            for output in cell.outputs
        ]
        shown.append(re.sub(r"\[[^\[\]]*tokens[^\[\]]*\]", "[]", "\n".join(parts)))
    return shown


@pytest.mark.slow
def test_a_recorded_notebook_runs_again_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("llguidance", reason="llguidance is not installed")
    answers = {"KAGGLE_MAGICS_ANSWERS": str(tmp_path / "answers")}
    first = run(CELLS, **answers)
    assert not [output for cell in first for output in cell.outputs if output.output_type == "error"]
    os.chmod(tmp_path / "answers", 0o555)
    # No engine can be loaded: what has to load one fails.
    blocked = tmp_path / "blocked"
    for library in ("transformers", "torch", "llama_cpp"):
        (blocked / library).mkdir(parents=True)
        (blocked / library / "__init__.py").write_text("raise ImportError('blocked for this test')")
    changed = (*CELLS, "%%prompt --max-tokens 17\nWhat is the capital of Peru?", "%llm_load elsewhere")
    elsewhere = str(tmp_path / "cache of another machine")
    again = run(
        changed,
        **answers,
        KAGGLE_MAGICS_CACHE=elsewhere,
        PYTHONPATH=f"{blocked}{os.pathsep}{ROOT}",
        KAGGLE_MAGICS_REPLAY="1",
    )
    assert texts(again)[2 : len(CELLS)] == texts(first)[2:]
    assert "Claim(" in texts(again)[len(CELLS) - 3]
    assert "This is a replay: nothing was loaded" in texts(again)[1]
    *_, miss, load = texts(again)
    assert "no answer of pocket was recorded" in miss and "max_tokens (17, recorded 16)" in miss
    assert "'%llm_load elsewhere' was not recorded" in load and "%llm_load pocket" in load


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAGGLE_MAGICS_ANSWERS", str(tmp_path / "answers"))
    return tmp_path / "answers"


@pytest.fixture
def known(session: Session, script: Any) -> Any:
    """A scripted model that has, as a loaded one, files with a content hash."""

    def make(*said: str) -> Any:
        engine = script(*said)
        session.model().identity = Identity("/models/scripted", content="km1:one")
        return engine

    return make


def test_a_kept_answer_is_shown_as_one_and_no_cache_asks_anew(
    shell: Any, known: Any, answers: Path, outputs: Any
) -> None:
    engine = known("Lima.", "Quito.")
    shell.run("%%prompt\nPeru?")
    assert "from the cache" not in outputs[-1]["text/plain"]
    shell.run("%%prompt\nPeru?")
    assert "Lima." in outputs[-1]["text/plain"] and len(engine.requests) == 1
    assert re.search(r"from the cache, answered on \d{4}-\d\d-\d\d", outputs[-1]["text/plain"])
    shell.run("%%prompt --no-cache\nPeru?")
    assert "Quito." in outputs[-1]["text/plain"] and len(engine.requests) == 2
    shell.run("%config KaggleMagics.cache = False")
    shell.run("%%prompt\nPeru?")
    assert len(engine.requests) == 3
    shell.run("%config KaggleMagics.cache = True")


@pytest.mark.parametrize("magic", ["%%chain\nstep: Peru?", "%%codegen\nPeru?"])
def test_other_magics_take_no_cache_too(shell: Any, known: Any, answers: Path, magic: str) -> None:
    engine = known("one", "two")
    for cell in (magic, magic, magic.replace("\n", " --no-cache\n", 1)):
        shell.run(cell)
    assert len(engine.requests) == 2


def test_settings_say_where_answers_are_and_whether_they_are_replayed(
    shell: Any, known: Any, tmp_path: Path, session: Session
) -> None:
    place = tmp_path / "travels"
    shell.run(f"%config KaggleMagics.answers = {str(place)!r}")
    known("Lima.")
    shell.run("%%prompt\nPeru?")
    assert len(list(place.glob("answer-*.json"))) == 1
    shell.run("%config KaggleMagics.replay = True")
    with pytest.raises(ReplayMiss, match=r"'%llm_load pocket --context 99' was not recorded.*No load at all"):
        shell.run("%llm_load pocket --context 99")
    shell.run("%config KaggleMagics.replay = None")
    assert not session.answers.replay


def test_a_stand_in_gives_what_was_recorded_and_says_what_it_cannot(
    session: Session, answers: Path, make_folder: Any, tmp_path: Path
) -> None:
    """Without any model: the record of a load is written as `keep_load` writes it."""
    from kaggle_magics.generation.cache.kept import as_asked

    engine = __import__("kaggle_magics.testing", fromlist=["x"]).ScriptedEngine(["Lima."])
    model = session.adopt(engine, name="scripted")
    model.identity = Identity("/models/scripted", content="km1:one")
    session.answers.keep_load(as_asked("my-model", quant="nf4"), model)
    counted = model.count_tokens("three words here")
    session.prompt("Peru?", temperature=1.0)
    replayed = Session()
    replayed.answers.replay = True
    stand_in = replayed.load("my-model", quant="nf4")
    assert isinstance(stand_in.engine, RecordedEngine) and stand_in.facts == engine.facts
    assert stand_in.name == "scripted" and stand_in.source == "/models/scripted"
    assert replayed.prompt("Peru?", temperature=1.0).text == "Lima."
    assert stand_in.count_tokens("three words here") == counted == 3
    with pytest.raises(ReplayMiss, match="Counting the tokens of a text that was not counted"):
        stand_in.count_tokens("others")
    with pytest.raises(ReplayMiss, match=r'recorded for "Chile\?".*nearest recorded one differs in .*the user text'):
        replayed.prompt("Chile?", temperature=1.0)
    assert replayed.generate_many([]) == []
    assert replayed.load("my-model", quant="nf4", name="other").name == "other"


def test_verify_shows_a_table_and_reads_a_notebook(
    shell: Any, known: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from kaggle_magics.generation.record import output_record

    known("Lima.", "Lima!")
    shell.run("%%prompt\nPeru <script>?")
    found = shell.run_line_magic("llm_verify", "")
    data = shell.display_formatter.format(found)[0]
    assert "CHANGED" in data["text/plain"] and "<script>" not in data["text/html"]
    records = [output_record(answer) for answer in kaggle_magics.get_session().said]
    cell = {"cell_type": "code", "outputs": [{"metadata": {"kaggle_magics": {"answers": records}}}]}
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    shell.run(f"%llm_verify {tmp_path / 'a.ipynb'} -o checks")
    assert [check.outcome for check in shell.user_ns["checks"]] == ["same"]
