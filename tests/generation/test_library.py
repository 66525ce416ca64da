"""Saved prompts: files that go there and back unchanged, names that are safe, damage that is told in one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError, OptionError, SavedPromptError, SavedPromptNotFound
from kaggle_magics.generation.library.library import PromptLibrary
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

TEXTS = [
    "What is the capital of {country}?",
    "+++\nlooks = 'like a head'\n+++\ntext",
    "---\ntitle: no\n---",
    "trailing spaces  \n\n\nand lines\n\n",
    "\n\nlines before",
    "Ünïcödé 日本語 🦙 e\u0301 \u2028 x",
    "\ufeffmark",
    "a\r\nb\rc",
    '\t\\ " \'\'\' """ {x} {{y}} \x00 \x1b[31m',
    "+++",
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {
        "system": "line\n+++\n  two  \n\n",
        "max_tokens": 20,
        "temperature": 0.1,
        "stop": ["\n\n", 'a"b', "\\"],
        "raw": True,
    },
    {"system": '"""', "min_p": 1e-07, "template": "none", "seed": 0},
    {"system": "a\r\nb\x7f\x01"},
]


@pytest.fixture
def library(tmp_path: Path) -> PromptLibrary:
    return PromptLibrary(tmp_path / "prompts")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["prompt", "chain"])
def test_a_prompt_comes_back_unchanged(library: PromptLibrary, text: str, options: Any, kind: Any) -> None:
    library.save("one", text, kind=kind, **options)
    found = library["one"]
    assert (found.text, dict(found.options), found.kind) == (text, options, kind)
    assert (library.folder / "one.md").read_bytes().endswith(b"\n")


def test_the_file_is_one_to_read_and_to_write_by_hand(library: PromptLibrary) -> None:
    library.save("plain", "Hello {name}")
    assert (library.folder / "plain.md").read_text() == "Hello {name}\n"
    library.save("rich", "Hello", system="Be terse.\nBe kind.", max_tokens=5, stop=("x",))
    assert (library.folder / "rich.md").read_text() == (
        '+++\nsystem = """\nBe terse.\nBe kind."""\nmax_tokens = 5\nstop = ["x"]\n+++\nHello\n'
    )
    (library.folder / "hand.md").write_bytes(b"\xef\xbb\xbf+++\r\nmax_tokens = 7 # few\r\n+++\r\none\r\ntwo\r\n")
    assert (library["hand"].text, library["hand"].options) == ("one\ntwo", {"max_tokens": 7})
    (library.folder / "README.md").write_text("These are prompts.")
    (library.folder / "notes.txt").write_text("No prompt.")
    assert list(library) == ["hand", "plain", "rich"]
    assert len(library) == 3 and "rich" in library and "README" not in library and library.get("x") is None


def test_fields_are_filled_and_asked(library: PromptLibrary) -> None:
    engine, session = ScriptedEngine(["Paris"]), Session()
    session.adopt(engine, name="scripted")
    library.save("capital", "The capital of {country}, {row.n} times?", system="Be {tone}.", max_tokens=5)
    saved = library["capital"]
    assert saved.fields == ("tone", "country", "row.n")
    row = type("Row", (), {"n": 3})()
    answer = session.prompt(saved.fill({"row": row}, country="{tone}", tone="terse"))
    assert [message.content for message in engine.requests[0].messages] == [
        "Be terse.",
        "The capital of {tone}, 3 times?",
    ]
    assert (answer.text, engine.requests[0].sampling.max_tokens) == ("Paris", 5)
    with pytest.raises(OptionError, match=r"needs values for tone, row\.n"):
        saved.fill(country="x")
    with pytest.raises(OptionError, match=r"no field 'contry'\. Did you mean country\?"):
        saved.fill(contry="x")
    library.save("raw", "{a}", raw=True)
    assert library["raw"].fields == () and library["raw"].fill().text == "{a}"
    library.save("named", "Who?", schema="Person")
    with pytest.raises(OptionError, match=r"schema Person, which is a name of the notebook.*--use named"):
        library["named"].fill()
    library.save("told", "Who?", schema='{"type": "string"}')
    structure = library["told"].fill().structure
    assert structure is not None and structure.schema == {"type": "string"}
    session.close()


def test_another_prompt_is_not_replaced_unasked(library: PromptLibrary) -> None:
    library.save("one", "first")
    before = (library.folder / "one.md").stat().st_mtime_ns
    library.save("one", "first")
    assert (library.folder / "one.md").stat().st_mtime_ns == before
    with pytest.raises(OptionError, match=r"another prompt 'one'.*--overwrite"):
        library.save("one", "second")
    assert library["one"].text == "first"
    library.save("one", "second", overwrite=True)
    assert library["one"].text == "second" and list(library.folder.iterdir()) == [library.folder / "one.md"]
    with pytest.raises(OptionError, match="differ in case only"):
        library.save("ONE", "third")
    library.delete("one")
    assert not library
    with pytest.raises(SavedPromptNotFound):
        library.delete("one")


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", "../x", "a/b", "a\\b", "/etc/x", "a:b", ".hidden", "-x", "x.", "a b", "con", "NUL.x", "README",
     "x" * 300, "é" * 150, "a\0b", "a\nb", "日本/語", "~"],
)  # fmt: skip
def test_names_that_are_no_file_names_are_refused(library: PromptLibrary, name: str) -> None:
    with pytest.raises(OptionError):
        library.save(name, "text")
    assert not library.folder.exists()
    assert name not in library


def test_names_of_every_script_are_one_however_they_are_composed(library: PromptLibrary) -> None:
    library.save("cafe\u0301-日本語", "text")
    assert list(library) == ["caf\u00e9-日本語"]
    assert library["cafe\u0301-日本語"].text == library["caf\u00e9-日本語"].text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"+++\nmax_tokens = \n+++\nx", "line 2: Invalid value"),
        (b"+++\na = 1\nmax_tokens = 'many'\n+++\nx", "line 3: max_tokens must be a number, not 'many'"),
        (b"+++\nmax_tokens = true\n+++\nx", "line 2: max_tokens must be a number"),
        (b"+++\nmax_tokens = 0\n+++\nx", "max_tokens must be at least 1"),
        (b"+++\nstop = 'x'\n+++\nx", "line 2: stop must be a list"),
        (b"+++\nwhen = 2020-01-01\n+++\nx", "line 2: when must be a text"),
        (b"+++\n[deep]\na = 1\n+++\nx", "line 2: deep must be"),
        (b"+++\nkind = 'poem'\n+++\nx", "not 'poem'"),
        (b"+++\na = 1\nx", "line 1: the head is not closed"),
        (b"+++\na = 1\na = 2\n+++\nx", "line 3"),
        (b"ab\ncd\xff\xfe", "line 2: this is no UTF-8 text"),
        (b"", "empty"),
        (b"+++\nmax_tokens = 3\n+++\n\n", "empty"),
    ],
)
def test_a_damaged_file_is_told_with_its_line(library: PromptLibrary, content: bytes, told: str) -> None:
    library.save("good", "fine")
    (library.folder / "bad.md").write_bytes(content)
    with pytest.raises(SavedPromptError) as error:
        library["bad"]
    assert str(error.value).startswith(str(library.folder / "bad.md")) and told in str(error.value)
    assert "\n" not in str(error.value)
    assert [(one.name, bool(one.problem)) for one in library.list()] == [("bad", True), ("good", False)]


def test_no_file_is_read_that_is_no_prompt(library: PromptLibrary) -> None:
    library.folder.mkdir()
    with (library.folder / "huge.md").open("wb") as file:
        file.truncate(5 * 2**30)
    (library.folder / "folder.md").mkdir()
    os.mkfifo(library.folder / "pipe.md")
    for name in library:
        with pytest.raises(SavedPromptError):
            library[name]
    assert len(library.list()) == 3
    with pytest.raises(SavedPromptError):
        library.save("folder", "text")


def test_what_cannot_be_kept_is_refused_and_nothing_is_written(library: PromptLibrary) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        (" ", {}), ("\ud800", {}), ("x", {"max_tokens": "3"}), ("x", {"stop": [1]}), ("x", {"schema": object()}),
        ("x", {"system": "\udfff"}), ("x", {"temperature": -1.0}), ("x", {"kind": "poem"}),
    ]  # fmt: skip
    for text, options in wrong:
        with pytest.raises(KaggleMagicsError):
            library.save("one", text, **options)
    assert not library.folder.exists()


def test_attached_prompts_are_used_and_not_touched(library: PromptLibrary) -> None:
    attached = Path(os.environ["KAGGLE_MAGICS_INPUT"]) / "datasets" / "me" / "set" / "prompts"
    attached.mkdir(parents=True)
    (attached / "theirs.md").write_text("from the dataset")
    (attached / "both.md").write_text("from the dataset")
    library.save("both", "my own")
    assert [library[name].text for name in library] == ["my own", "from the dataset"]
    with pytest.raises(SavedPromptError, match="attached"):
        library.delete("theirs")


def test_words_find_prompts(library: PromptLibrary) -> None:
    library.save("capital", "What is the capital of {country}?")
    library.save("menu", "dish: Name a dish of {country}\nprice: What does {dish} cost?", kind="chain")
    assert [one.name for one in library.list("COUNTRY")] == ["capital", "menu"]
    assert [(one.name, one.fields) for one in library.list("dish")] == [("menu", ("country",))]
    assert library.list("nothing") == []
