"""The history's file: search, several writers, damage, no room, and what forgetting leaves."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import HistoryError
from kaggle_magics.generation.answer import Answer, InThread, RunCard
from kaggle_magics.generation.conversation import TurnKey
from kaggle_magics.generation.history import schema, stored
from kaggle_magics.generation.history.history import History
from kaggle_magics.generation.history.rows import Asked
from kaggle_magics.models.request import Message, Sampling, TokenProbability, Usage


def answer(question: str = "The capital of Peru?", text: str = "Lima.", model: str = "m", **fields: Any) -> Answer:
    card = RunCard(
        model=model,
        source="/models/m",
        engine="scripted",
        library="x",
        device="cpu",
        dtype="float32",
        messages=(Message("system", "Be brief."), Message("user", question)),
        template="auto",
        sampling=Sampling(seed=1, stop=("\n",)),
        version="0",
        created="2026-01-02T03:04:05+00:00",
        thread=InThread("t", 1),
    )
    return Answer(text=text, stop_reason="end", usage=Usage(9, 3, 2, 0.1, 0.2), card=card, **fields)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.sqlite")
    history.warn = lambda text: pytest.fail(text)
    yield history
    history.close()


def add(history: History, *questions: str, asked: Asked | None = None, **fields: Any) -> list[int]:
    ids = [history.add([answer(question, **fields)], asked or Asked(), "nb") for question in questions]
    return [entry for found in ids for entry in found or ()]


def asked(history: History, words: str = "", **options: Any) -> list[str]:
    return [entry.question for entry in history.search(words, **options)]


def test_an_answer_comes_back_as_it_was(history: History) -> None:
    token = TokenProbability(5, "Li", -0.5, ((5, "Li", -0.5),))
    given = answer("Where? \ud800 é", "Lima \ud800 😀", tokens=(token,), reasoning="Hm.")
    [entry] = history.add([given], Asked(), "nb") or []
    assert history.answer(entry) == given == history.latest("nb")
    assert history.answer(entry + 1) is None and history.latest("other") is None
    assert history.latest("nb", 2) is None


def test_richer_kinds_of_answers_come_back_as_they_were() -> None:
    from kaggle_magics.code.check import Check, CodeAnswer
    from kaggle_magics.rag.answering.answer import Citation, GroundedAnswer
    from kaggle_magics.rag.passages import Hit, Passage, Place

    passage = Passage("p", "d", "a.pdf", 0, 4, "Lima", place=Place(page=2))
    grounded = GroundedAnswer(
        **answer().fields(), citations=(Citation(1, passage),), hits=(Hit(passage, 1, {"lexical": 2.5}),)
    )
    code = CodeAnswer(**answer().fields(), code="x", language="Python", checks=(Check("parses", True, "yes"),))
    for given in (grounded, code):
        assert stored.load(stored.dump(given)) == given


def test_a_file_makes_only_data_of_this_package() -> None:
    for text in (
        '{"is": "Popen", "with": {"args": "true"}}',
        '{"is": "subprocess:Popen", "with": {"args": "true"}}',
        '{"is": "Usage", "with": {"wrong": 1}}',
        '{"is": 3}',
        "{",
    ):
        with pytest.raises(ValueError):
            stored.load(text)


def test_what_a_release_dropped_or_added_does_not_hurt(history: History) -> None:
    text = stored.dump(answer()).replace('"device":"cpu"', '"device":"cpu","gone":1')
    assert stored.load(text) == answer()
    assert stored.load(text.replace(',"tokens":{"tuple":[]}', "")) == answer()
    # What cannot be read at all is at least the text.
    [entry] = add(history, "Where?")
    with sqlite3.connect(history.path) as connection:
        connection.execute("UPDATE entries SET data = x'00'")
    found = history.answer(entry)
    assert found is not None and found.text == "Lima." and found.card.messages == (Message("user", "Where?"),)


def test_values_that_are_no_data_are_left_out() -> None:
    @dataclass
    class Own:
        x: int = 1

    assert stored.load(stored.dump(answer(value=Own()))).value is None
    assert stored.load(stored.dump(answer(value={"a": [1, (2, None)]}))).value == {"a": [1, (2, None)]}


def test_words_find_questions_and_answers_the_latest_first(history: History) -> None:
    add(history, "The capital of Peru?", "The café's name?", "Peru or Chile?")
    assert asked(history) == ["Peru or Chile?", "The café's name?", "The capital of Peru?"]
    assert asked(history, "peru") == ["Peru or Chile?", "The capital of Peru?"]
    assert asked(history, "cap peru") == ["The capital of Peru?"]
    assert asked(history, "cafe") == ["The café's name?"]
    assert len(asked(history, "lima")) == 3 and asked(history, "absent") == []
    assert asked(history, "peru", limit=1) == ["Peru or Chile?"]
    add(history, "Long?", text="word " * 50 + "needle " + "word " * 50)
    assert "needle" in history.search("needle")[0].excerpt
    assert history.search("peru", limit=1)[0].excerpt == "Lima."


@pytest.mark.parametrize("words", ['"', "'", "peru OR 1", "AND", "NEAR(a b)", "question:peru", "-", "*", "%"])
def test_words_are_never_a_query_language(history: History, words: str) -> None:
    add(history, "The capital of Peru?")
    assert asked(history, words) == []


def test_marks_are_found_too(history: History) -> None:
    add(history, "a -> b?", "c")
    assert asked(history, "->") == ["a -> b?"]


def test_languages_without_spaces_are_searched(history: History) -> None:
    add(history, "日本の首都はどこですか", "เมืองหลวงของประเทศไทย", "capital")
    assert asked(history, "首都") == ["日本の首都はどこですか"]
    assert asked(history, "ประเทศ") == ["เมืองหลวงของประเทศไทย"]


def test_model_and_thread_choose(history: History) -> None:
    add(history, "One", model="a")
    add(history, "Two", model="b", asked=Asked(thread="t"))
    assert asked(history, model="a") == ["One"] and asked(history, thread="t") == ["Two"]
    assert asked(history, "two", model="a") == []


def test_a_table_is_listed_once_and_searched_by_row(history: History) -> None:
    history.add([answer(f"Row {at}") for at in range(30)], Asked("table"), "nb", table=True)
    add(history, "Single")
    listed = history.search()
    assert [(entry.question, entry.row, entry.rows) for entry in listed] == [("Single", None, None), ("Row 0", 1, 30)]
    assert asked(history, "17") == ["Row 17"]
    found = history.latest("nb", 1)
    assert found is not None and found.card.messages[-1].content == "Single" and history.latest("nb", 2) is None


def test_what_an_answer_became_is_searched_too(history: History) -> None:
    [entry] = add(history, "the passages and the question")
    history.change(entry, replace(answer(), text="Quito"), Asked("ask", "Only the question"))
    [found] = history.search("quito")
    assert (found.kind, found.question) == ("ask", "Only the question")
    assert asked(history, "passages") == [] and asked(history, "lima") == []


def test_a_thread_is_the_chain_of_its_turns(history: History) -> None:
    def turn(question: str, previous: int | None) -> int:
        [entry] = add(history, question, asked=Asked(thread="t", key=TurnKey("c", question), previous=previous))
        return entry

    first = turn("1", None)
    second = turn("2", first)
    turn("3", second)
    again = turn("2 again", first)
    assert [found.question.content for found in history.turns("t", "nb")] == ["1", "2 again"]
    assert [found.entry for found in history.turns("t", "nb")] == [first, again]
    assert history.turns("t", "nb")[0].key == TurnKey("c", "1")
    assert history.turns("t", "other") == [] and history.turns("u", "nb") == []
    assert len(history.search(thread="t")) == 4
    assert history.forget("2 again") == 1
    # The one before it becomes the latest again.
    assert [found.question.content for found in history.turns("t", "nb")] == ["1", "2", "3"]
    assert history.forget("2") == 1
    assert [found.question.content for found in history.turns("t", "nb")] == ["1", "3"]
    history.end("t", "nb")
    assert history.turns("t", "nb") == [] and len(history.search(thread="t")) == 2
    afresh = turn("afresh", None)
    assert [found.entry for found in history.turns("t", "nb")] == [afresh]


def test_what_is_forgotten_is_not_in_the_files(history: History) -> None:
    add(history, "An ordinary question", "The zanzibarcode is quux")
    assert history.forget("zanzibarcode") == 1 and history.forget("zanzibarcode") == 0
    assert asked(history) == ["An ordinary question"]
    history.close()
    for file in history.path.parent.iterdir():
        assert b"zanzibarcode" not in file.read_bytes(), file


def test_a_damaged_file_is_set_aside_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"this is no database" * 1000)
    said: list[str] = []
    history = History(path)
    history.warn = said.append
    add(history, "One", "Two")
    assert asked(history) == ["Two", "One"]
    [aside] = [file for file in tmp_path.iterdir() if "damaged" in file.name]
    assert aside.read_bytes().startswith(b"this is no database") and len(said) == 1 and str(aside) in said[0]
    history.close()


def test_damage_while_it_is_open_costs_no_answer(history: History) -> None:
    said: list[str] = []
    history.warn = said.append
    add(history, *(f"Question {at} {'x' * 500}" for at in range(50)))
    history._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = history.path.stat().st_size
    with history.path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    history.close()
    add(history, "After")
    assert asked(history) == ["After"] and len(said) == 1


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    said: list[str] = []
    history = History(path)
    history.warn = said.append
    assert add(history, "One", "Two") == [] and len(said) == 1 and "newer release" in said[0]
    with pytest.raises(HistoryError, match="pip install --upgrade"):
        history.search()
    assert [file.name for file in tmp_path.iterdir()] == ["history.sqlite"]


def test_an_older_file_is_migrated(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    add(history, "One")
    history.close()
    monkeypatch.setattr(schema, "VERSION", 2)
    column = "ALTER TABLE entries ADD COLUMN note TEXT NOT NULL DEFAULT 'new'"
    monkeypatch.setitem(schema.MIGRATIONS, 1, lambda connection: connection.execute(column))
    assert asked(history) == ["One"]
    assert history._open().execute("SELECT note FROM entries").fetchone() == ("new",)


@pytest.mark.parametrize("trouble", ["read-only", "folder", "full"])
def test_what_cannot_be_written_is_said_once(tmp_path: Path, trouble: str) -> None:
    path = tmp_path / "history.sqlite"
    said: list[str] = []
    history = History(path)
    history.warn = said.append
    if trouble == "folder":
        path.mkdir()
    else:
        add(history, "Before")
        pragma = "query_only = ON" if trouble == "read-only" else "max_page_count = 1"
        history._open().execute(f"PRAGMA {pragma}")
        if trouble == "full":
            for at in range(40):
                add(history, f"{at} {os.urandom(2000).hex()}")
    assert [add(history, "One" + os.urandom(9000).hex()) for _ in range(2)] == [[], []]
    assert len(said) == 1 and said[0].startswith("The history is not kept: ")
    if trouble == "folder":
        with pytest.raises(HistoryError, match="cannot be used"):
            history.search()
    else:
        assert "Before" in asked(history, limit=None)
    history.close()


PROGRAM = """
import sys
from pathlib import Path
from kaggle_magics.generation.history.history import History
from kaggle_magics.generation.history.rows import Asked
sys.path.insert(0, sys.argv[2])
from test_history import answer
history = History(Path(sys.argv[1]))
for at in range(40):
    assert history.add([answer(f"{sys.argv[3]} number{at}")], Asked(), "nb")
"""


def test_several_kernels_write_at_once(tmp_path: Path, history: History, root: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    here = str(Path(__file__).parent)
    kernels = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(history.path), here, name], env=environment)
        for name in ("one", "two", "three")
    ]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0, 0]
    assert len(asked(history, limit=None)) == 120
    assert {len(asked(history, name, limit=None)) for name in ("one", "two", "three")} == {40}
