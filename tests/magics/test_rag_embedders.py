"""--embedder and --reembed: names, variables, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_embedders as tiny

from kaggle_magics.errors import CheckpointError, CollectionError, ModelNotFound


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    path = tmp_path / "paper.txt"
    path.write_text("The library opens at nine.", encoding="utf-8")
    return path


def letters(texts: list[str]) -> Any:
    return [[text.count(letter) + 0.1 for letter in "abcdefg"] for text in texts]


def test_a_variable_that_holds_an_embedder_and_a_folder(shell: Any, paper: Path, tmp_path: Path) -> None:
    folder = tiny.static(tmp_path / "static")
    shell.user_ns["letters"] = letters
    shell.run(f"report = %rag_ingest {paper} --embedder letters --store numpy")
    assert shell.user_ns["report"].embedder == "letters"
    with pytest.raises(CollectionError, match="--reembed"):
        shell.run(f"%rag_ingest {paper} --embedder {folder}")
    shell.run(f"report = %rag_ingest {paper} --embedder {folder} --reembed")
    assert (shell.user_ns["report"].embedder, shell.user_ns["report"].embedded) == ("static", 1)


def test_a_kept_collection_is_opened_with_its_embedder(shell: Any, paper: Path, tmp_path: Path) -> None:
    shell.user_ns["letters"] = letters
    shell.run(f"%rag_ingest {paper} --embedder letters --store numpy --path {tmp_path / 'kept'}")
    shell.run("%rag_forget --all")
    shell.run(f"opened = %rag_open {tmp_path / 'kept'} --embedder letters")
    assert shell.user_ns["opened"]["default"].embedder == "letters"


@pytest.mark.parametrize(
    ("reference", "error", "says"),
    [("pocket", CheckpointError, "answers prompts"), ("no-such-model", ModelNotFound, "No embedding model")],
)
def test_what_is_no_embedder_is_one_line(shell: Any, paper: Path, reference: str, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        shell.run(f"%rag_ingest {paper} --embedder {reference}")
