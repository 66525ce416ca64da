"""%rag_* and %%ask on real collections, searched by words so that no embedder is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CollectionError, DocumentError, KaggleMagicsError, ModelNotLoaded, OptionError

ASK = "%%ask --mode lexical"


pytestmark = pytest.mark.usefixtures("no_embedder")


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "hand book"
    folder.mkdir()
    (folder / "library.md").write_text("# Library\n\nThe library opens at nine <b>o'clock</b>.\n", encoding="utf-8")
    (folder / "travel.txt").write_text("Travel is approved by the head of the institute.\n", encoding="utf-8")
    (folder / "empty.txt").write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def ingested(shell: Any, handbook: Path) -> Any:
    shell.run(f"report = %rag_ingest '{handbook}'")
    return shell


def test_ingest_reports_each_file_and_costs_nothing_twice(shell: Any, handbook: Path, outputs: Any) -> None:
    shell.run(f"report = %rag_ingest '{handbook}' -o kept")
    report = shell.user_ns["report"]
    assert {Path(row.source).name: row.status for row in report.rows} == {
        "empty.txt": "skipped",
        "library.md": "added",
        "travel.txt": "added",
    }
    assert shell.user_ns["kept"] is report and len(outputs) == 1
    drawn = shell.display_formatter.format(report)[0]
    reason = next(row.reason for row in report.rows if row.status == "skipped")
    assert reason and reason in drawn["text/plain"] and "library.md" in drawn["text/html"]
    shell.run(f"again = %rag_ingest '{handbook}'")
    assert shell.user_ns["again"].count("unchanged") == 2


def test_an_answer_shows_its_sources(ingested: Any, script: Any, outputs: Any) -> None:
    engine = script("It opens at nine [1]. Also [7].")
    ingested.run_cell(f"{ASK} -o answer --passages 1\nWhen does the library open?").raise_error()
    answer = ingested.user_ns["answer"]
    assert [citation.number for citation in answer.citations] == [1]
    assert "The library opens at nine" in engine.requests[0].messages[-1].content
    html = outputs.html
    anchor = html.split('class="km-chip" href="#', 1)[1].split('"', 1)[0]
    assert f'<details id="{anchor}" open>' in html
    assert "library.md" in html and "&lt;b&gt;" in html and "<b>" not in html
    assert "[7] in this answer points at no passage" in html


def test_a_refusal_is_shown_plainly(ingested: Any, script: Any, outputs: Any) -> None:
    script("The documents do not say.")
    ingested.run_cell(f"{ASK} -o answer\nWho opens the library?").raise_error()
    assert ingested.user_ns["answer"].refused
    assert "The documents do not say." in outputs.html and "cites no source" not in outputs.html


def test_without_a_model_the_sentences_themselves_answer(ingested: Any, outputs: Any) -> None:
    ingested.run_cell(f"{ASK} -o answer\nWho approves travel?").raise_error()
    assert ingested.user_ns["answer"].extractive
    assert "approved by the head" in outputs.html and "Extract:" in outputs.html


def test_search_and_line_forms(ingested: Any, script: Any) -> None:
    ingested.run("hits = %rag_search 'library opens' --mode lexical --passages 1")
    hits = ingested.user_ns["hits"]
    assert [hit.rank for hit in hits] == [1] and hits.to_pandas()["source"][0].endswith("library.md")
    assert "lexical" in ingested.run("%%rag_search --mode lexical\nlibrary")
    script("Nine [1].")
    ingested.run("answer = %ask 'When does the library open?' --mode lexical")
    assert ingested.user_ns["answer"].text == "Nine [1]."


def test_fields_are_filled_into_a_question(ingested: Any, script: Any) -> None:
    engine = script("Nine [1].")
    ingested.user_ns["place"] = "library"
    ingested.run(f"{ASK}\nWhen does the {{place}} open?")
    assert "When does the library open?" in engine.requests[0].messages[-1].content


def test_a_collection_that_was_kept_is_opened_again(shell: Any, handbook: Path, tmp_path: Path, script: Any) -> None:
    kept = tmp_path / "kept"
    shell.run(f"r = %rag_ingest '{handbook}' -c books --path {kept}")
    assert "books" in shell.run("%rag_status")
    assert "library.md" in shell.run("%rag_status -c books")
    assert "Closed collection books" in shell.run("%rag_forget --all -c books")
    assert "No collection is open" in shell.run("%rag_status")
    assert "library.md" in shell.run(f"%rag_open {kept} -c books")
    script("Nine [1].")
    assert "Nine [1]." in shell.run(f"{ASK} -c books\nlibrary opens")
    with pytest.raises(CollectionError, match="holds no collection"):
        shell.run(f"%rag_open {tmp_path / 'nowhere'}")
    assert not (tmp_path / "nowhere").exists()


def test_a_document_is_forgotten(ingested: Any) -> None:
    assert "1 passage removed from default" in ingested.run("%rag_forget travel.txt")
    assert "travel.txt" not in ingested.run("%rag_status -c default")
    with pytest.raises(KaggleMagicsError):
        ingested.run("%rag_forget travel.txt")


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%rag_ingest", OptionError, "PATH"),
        ("%rag_ingest /no/such/place.pdf", DocumentError, "no file or folder /no/such/place.pdf"),
        ("%rag_ingest . --chunk-size big", OptionError, "--chunk-size needs a whole number"),
        ("%rag_ingest . --stor x", OptionError, "Did you mean --store?"),
        ("%%ask\nWhen?", CollectionError, "no collection named 'default'. Make it with: %rag_ingest PATH"),
        ("%%ask -c books\nWhen?", CollectionError, "no collection named 'books'"),
        ("%%ask -m other\nWhen?", ModelNotLoaded, "'other'"),
        ("%%ask\n  \n", OptionError, "has no question"),
        ("%%rag_search\nWhen?", CollectionError, "no collection named 'default'"),
        ("%rag_status -c books", CollectionError, "no collection named 'books'"),
        ("%rag_forget", OptionError, "needs either a document or --all"),
        ("%rag_open", OptionError, "DIR"),
    ],
)
def test_bad_input_is_one_line(shell: Any, cell: str, kind: type, says: str) -> None:
    with pytest.raises(kind) as caught:
        shell.run(cell)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("options", ["--passages 0", "--mode best"])
def test_bad_search_options_are_one_line(ingested: Any, options: str) -> None:
    with pytest.raises(OptionError):
        ingested.run(f"%%rag_search {options}\nWhen?")


def test_ingesting_elsewhere_is_refused(ingested: Any, handbook: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="lies in"):
        ingested.run(f"%rag_ingest '{handbook}' --path {tmp_path / 'other'}")


def test_prune_removes_what_is_gone(ingested: Any, handbook: Path) -> None:
    (handbook / "travel.txt").unlink()
    ingested.run(f"report = %rag_ingest '{handbook}' --prune")
    report = ingested.user_ns["report"]
    assert [Path(row.source).name for row in report.rows if row.status == "removed"] == ["travel.txt"]
    assert "travel.txt" not in ingested.run("%rag_status -c default")


def test_a_collection_in_use_is_opened_as_a_copy_for_reading(shell: Any, handbook: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shell.run(f"r = %rag_ingest '{handbook}' -c books --path {kept}")
    drawn = shell.run(f"%rag_open {kept} -c copy --read-only")
    assert "library.md" in drawn and "changes to it do not last" in drawn
    status = shell.run("%rag_status")
    assert "books" in status and "copy" in status and "characters" in status


def test_an_interrupt_keeps_what_is_done_and_says_so(
    shell: Any, handbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaggle_magics.rag.storing.records import Records

    store, calls = Records.store, iter([True])

    def stop_later(self: Records, documents: Any) -> Any:
        if next(calls, False):
            return store(self, documents)
        raise KeyboardInterrupt

    monkeypatch.setattr(Records, "store", stop_later)
    monkeypatch.setattr("kaggle_magics.rag.ingesting.run.FIRST", 1)
    drawn = shell.run(f"%rag_ingest '{handbook}'")
    assert "Interrupted: 1 document is left" in drawn and "library.md" in drawn
    monkeypatch.undo()
    shell.run(f"report = %rag_ingest '{handbook}'")
    assert shell.user_ns["report"].count("unchanged") == 1 and shell.user_ns["report"].count("added") == 1
