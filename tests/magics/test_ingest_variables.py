"""%rag_ingest reads variables of the notebook where no such path is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError, OptionError

pytestmark = pytest.mark.usefixtures("no_embedder")


def ingest(shell: Any, line: str) -> list[tuple[str, str]]:
    shell.run(f"report = %rag_ingest {line}")
    return [(row.source, row.status) for row in shell.user_ns["report"].rows]


@pytest.mark.parametrize("word", ["notes", "{notes}", "$notes"])
def test_a_list_of_texts_by_its_name(shell: Any, word: str) -> None:
    shell.run("notes = ['The library opens at nine.', 'Soup on Friday.']")
    assert ingest(shell, word) == [("notes[0]", "added"), ("notes[1]", "added")]
    assert ingest(shell, "notes") == [("notes[0]", "unchanged"), ("notes[1]", "unchanged")]


def test_a_part_of_a_variable_and_texts_by_name(shell: Any) -> None:
    shell.run("data = {'train': {'a.md': '# Head\\n\\nWords.', 'b': 'More.'}}")
    assert ingest(shell, "data['train']") == [("a.md", "added"), ("b", "added")]


def test_a_frame_as_a_table_and_row_by_row(shell: Any) -> None:
    pytest.importorskip("pandas")
    shell.run("import pandas; df = pandas.DataFrame({'key': ['x', 'y'], 'body': ['Soup is hot.', 'Tea is cold.']})")
    assert ingest(shell, "df") == [("df", "added")]
    assert ingest(shell, "df --text body --id key -c rows") == [("df[x]", "added"), ("df[y]", "added")]
    with pytest.raises(OptionError, match="no column 'bod'"):
        ingest(shell, "df --text bod")


def test_paths_go_first_and_variables_that_hold_paths_are_paths(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("In a file.")
    shell.run("from pathlib import Path; notes = ['A text of some words.']; where = 'notes'; there = Path('notes')")
    for word in ("notes", "where", "{where}", "there"):
        assert [source for source, _ in ingest(shell, word)] == ["notes/a.txt"], word


def test_what_is_neither_is_told_as_a_path(shell: Any) -> None:
    shell.run("number = 5; gone = 'no/such/folder'")
    for word in ("number", "gone", "nothing"):
        with pytest.raises(DocumentError, match="no file or folder"):
            ingest(shell, word)
