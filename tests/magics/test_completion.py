"""Tab on the lines of the magics, through IPython's own completer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

pytestmark = pytest.mark.filterwarnings("ignore:.*Completer.complete.*:PendingDeprecationWarning")


def offered(shell: Any, line: str) -> list[str]:
    return list(shell.complete(None, line)[1])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%%prompt --max", ["--max-tokens"]),
        ("%prompt --max", ["--max-tokens"]),
        ("%%prompt --seed 3 --te", ["--temperature", "--template"]),
        ("%%prompt --template c", ["chatml"]),
        ("%llm_load pocket --template ll", ["llama-2"]),
        ("%%prompt -m scr", ["scripted"]),
        ("%%ask --mode l", ["lexical"]),
        ("%%ask -c ", []),
        ("%llm_use ", ["scripted"]),
        ("%llm_load --dtype fl", ["float16", "float32"]),
        ("%kaggle_magics d", ["doctor"]),
        ("%rag_ingest x --store c", ["chroma", "chroma-memory"]),
    ],
)
def test_options_and_values(shell: Any, script: Any, line: str, expected: list[str]) -> None:
    script("x")
    found = offered(shell, line)
    assert found == expected if expected else "scripted" not in found


def test_an_option_that_was_given_is_not_offered_again(shell: Any) -> None:
    assert "--seed" not in offered(shell, "%%prompt --seed 3 --s")
    assert "--stop" in offered(shell, "%%prompt --stop 3 --s")


@pytest.mark.usefixtures("no_embedder")
def test_names_of_the_session(shell: Any, session: Any, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("One.", encoding="utf-8")
    session.ingest([tmp_path / "one.txt"], collection="books")
    assert offered(shell, "%%ask --collection b") == ["books"]
    assert any(name.endswith("one.txt") for name in offered(shell, "%rag_forget -c books "))


def test_paths(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("A.", encoding="utf-8")
    assert offered(shell, "%rag_ingest do") == ["docs/"]
    assert offered(shell, "%rag_ingest docs/") == ["docs/a.md"]
    assert offered(shell, "%rag_ingest docs --path do") == ["docs/"]


def test_a_list_of_the_notebook_for_over(shell: Any) -> None:
    shell.user_ns["countries"] = []
    assert offered(shell, "%%chain --over countr") == ["countries"]


def test_the_prefix_is_known(shell: Any) -> None:
    shell.run('%config KaggleMagics.prefix = "k_"')
    assert offered(shell, "%%k_prompt --max") == ["--max-tokens"]
    assert "--max-tokens" not in offered(shell, "%%prompt --max")


def test_jedi_does_not_hide_them(shell: Any, script: Any) -> None:
    script("x")
    shell.Completer.use_jedi = True
    with provisionalcompleter(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [completion.text for completion in shell.Completer.completions("%%prompt --max", 14)]
        names = [completion.text for completion in shell.Completer.completions("%%prompt -m scr", 15)]
    assert "--max-tokens" in found and names == ["scripted"]
