"""Attachments in words: what is said of each kind of thing, budgets that hold, and things that fight back."""

from __future__ import annotations

import collections
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import DocumentError, OptionError
from kaggle_magics.generation.attachments.attach import Attached, attach, fair_shares, named
from kaggle_magics.generation.attachments.describers import DESCRIBERS, describe, describer_of
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine


def words(text: str) -> int:
    return len(text.split())


def attached(things: dict[str, Any], tokens: int = 2000, count: Any = words) -> Attached:
    return attach(named(things), count_tokens=count, tokens=tokens, takes_images=False)


def text(value: Any, room: int = 4000) -> str:
    found = attached({"it": value}, tokens=room // 4)
    return found.text


def test_a_frame_is_told_by_its_columns_and_first_rows() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [18, 40, None], "city": ["Lima", 'a "b", c', "Cusco"], "ok": [True, False, True]})
    said = text(frame)
    assert "it is a pandas DataFrame of 3 rows and 3 columns:" in said
    assert "- age: float64, 1 missing, 18 to 40" in said and 'such as Lima, a "b", c, Cusco' in said
    assert "age,city,ok\n18,Lima,True\n" in said and '"a ""b"", c"' in said
    assert "Left out" not in said
    assert "3 values" in text(frame.age) and "2: nan" in text(frame.age)
    assert text(pandas.DataFrame()).startswith("it is a pandas DataFrame of 0 rows and 0 columns")
    assert "- a: " in text(pandas.DataFrame(columns=["a"]))
    twice = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    assert text(twice).count("- a: int64") == 2
    assert "- x / 1: " in text(pandas.DataFrame([[1]], columns=pandas.MultiIndex.from_tuples([("x", 1)])))


def test_a_frame_larger_than_the_budget_says_what_was_left_out() -> None:
    pandas = pytest.importorskip("pandas")
    wide = pandas.DataFrame(np.zeros((50, 10_000)), columns=[f"column {at}" for at in range(10_000)])
    long = pandas.DataFrame({"text": ["x" * 5_000_000] * 3, "n": range(3)})
    started = time.perf_counter()
    found = attached({"wide": wide, "long": long}, tokens=300)
    assert time.perf_counter() - started < 5
    assert found.tokens <= 300 and words(found.text) <= 300
    assert "of 10,000 columns, all rows after the first" in found.text and "column 0" in found.text
    assert len(found.descriptions[1].text) < 1000 and "Left out of long" not in found.text


def test_arrays_and_tensors_are_told_by_shape_and_range() -> None:
    assert text(np.arange(6.0).reshape(2, 3)).startswith("it is a numpy array of shape (2, 3), float64, from 0 to 5:\n")
    said = text(np.array([np.nan, 1, 2]))
    assert "from 1 to 2, 1 value not a number" in said
    for odd in (np.array([]), np.array(["a"]), np.array(5), np.array([None, {}]), np.full(3, np.nan)):
        assert "numpy array of shape" in text(odd)
    assert "all values after the first" in text(np.zeros((2000, 2000)).T, 200)
    torch = pytest.importorskip("torch")
    said = text(torch.tensor([[1.0, 2.0]], requires_grad=True))
    assert "a torch tensor of shape (1, 2), float32 on cpu, from 1 to 2:\nValues: 1, 2" in said
    assert "on meta." in text(torch.empty(3, device="meta"))


def test_containers_are_told_level_by_level() -> None:
    loop: list[Any] = [1, {"a": [1, 2]}]
    loop.append(loop)
    said = text(loop)
    assert said == "it is a list of 3 items:\n- 1\n- {'a': [1, 2]}\n- (itself again)" or "- a: [1, 2]" in said
    assert "itself again" in said
    deep: Any = []
    for _ in range(3000):
        deep = [deep]
    assert len(text(deep)) < 500
    said = text({"rows": list(range(100_000)), "name": "x" * 100_000, 3: np.zeros((2, 2))})
    assert "- rows: list of 100,000" in said and "all keys after the first 1" in said
    assert "- a: 1" in text(collections.OrderedDict(a=1)) and "of 2 items" in text({1, 2})


def test_secrets_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", "s3cr3t-value")
    monkeypatch.setenv("HOME_SWEET_HOME", "s3cr3t-value")
    config = {
        "api_key": "s3cr3t-value",
        "deep": {"password": "s3cr3t-value"},
        "list": [{"token": "s3cr3t-value"}],
        "n": 1,
    }
    holder = SimpleNamespace(n=1)
    plain = type("Client", (), {"__init__": lambda self: setattr(self, "api_key", "s3cr3t-value")})()
    for thing in (os.environ, config, plain, {"env": os.environ}):
        assert "s3cr3t-value" not in text(thing), thing
    assert "SERVICE_API_KEY" in text(os.environ, 100_000) and "n: 1" in text(config)
    assert "namespace(n=1)" in text(holder)


def test_sources_come_from_files_and_are_cut_at_lines() -> None:
    def double(x: int) -> int:
        return 2 * x

    assert "def double(x: int) -> int:\n        return 2 * x" in text(double)
    assert text(double).startswith("it is the Python function test_sources")
    said = text(collections.Counter, 400)
    assert "the Python class Counter" in said and "Left out of it" in said and "characters.)" in said
    assert "whose source is not at hand" in text(len) and "Return the number of items" in text(len)
    assert "the Python module json" in text(__import__("json"))


def test_an_error_is_told_by_its_traceback() -> None:
    try:
        {}["nothing"]
    except KeyError as error:
        said = text(error)
        assert "an exception of type KeyError" in said and said.rstrip().endswith("KeyError: 'nothing'")
        assert "'nothing'" in text(error, 150)


def test_objects_that_fight_back_are_told_all_the_same() -> None:
    class Raises:
        def __repr__(self) -> str:
            raise ValueError("no")

    class Lies:
        @property
        def __class__(self) -> Any:
            raise RuntimeError

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    class Shape(list[int]):
        def __len__(self) -> int:
            raise RuntimeError

    class Plain:
        def __init__(self) -> None:
            self.colour, self._hidden = "red", 1

    for thing in (Raises(), Lies(), Shape(), [Raises()], {"a": Raises()}, {Raises(): 1}, [Shape()]):
        assert text(thing).startswith("it is ")
    assert "ValueError" in text(Raises()) and text([Raises()]) == "it is a list of 1 item:\n- <Raises instance>"
    assert "colour: 'red'" in text(Plain()) and "hidden" not in text(Plain())
    for thing in (None, 5, 2.5, "some text", b"\0\1", object(), lambda: 1, Ellipsis):
        assert text(thing).startswith("it is ")
    assert "\ud800" in text("\ud800")


def test_files_are_read_no_further_than_they_are_shown(tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_bytes("\ufeffGrüße\r\n日本\n".encode())
    assert text(notes) == "it is a file of 19 bytes:\nGrüße\n日本"
    long = tmp_path / "long.csv"
    long.write_text("a,b\n" * 500_000)
    said = text(long, 400)
    assert said.startswith("it is a file of 2,000,000 bytes:\na,b\n") and "all after the first" in said
    (tmp_path / "wide.txt").write_text("é" * 5000)
    assert "\ufffd" not in text(tmp_path / "wide.txt", 1000)
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as file:
        file.write(b"x\n" * 100)
        file.truncate(5 * 2**30)
    with pytest.raises(DocumentError, match="binary"):
        text(huge)
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7\0")
    with pytest.raises(DocumentError, match=r"binary.*%rag_ingest"):
        text(tmp_path / "paper.pdf")
    (tmp_path / "empty.txt").touch()
    assert text(tmp_path / "empty.txt") == "it is a file of 0 bytes."
    (tmp_path / "utf16.txt").write_text("Lima", encoding="utf-16")
    assert "Lima" in text(tmp_path / "utf16.txt")


def test_a_budget_is_split_fairly_and_holds() -> None:
    assert fair_shares({"a": 10, "b": 1000, "c": 1000}, 300) == {"a": 10, "b": 145, "c": 145}
    assert fair_shares({"a": 1, "b": 2}, 300) == {"a": 1, "b": 2}
    assert fair_shares({}, 5) == {}
    things = {"small": [1], "one": "word " * 5000, "two": "other " * 5000}
    for count in (words, len, lambda said: len(said) // 7):
        found = attached(things, tokens=400, count=count)
        assert count(found.text) <= 410
        one, two = found.descriptions[1:]
        assert 0.5 < (one.tokens / two.tokens) < 2 and one.tokens > 0.6 * (400 - found.descriptions[0].tokens) / 2
        assert (
            "Left out of one" in found.text
            and "Left out of two" in found.text
            and "Left out of small" not in found.text
        )
    tiny = attached(things, tokens=1)
    assert "one is a text of 25,000 characters." in tiny.text
    with pytest.raises(OptionError):
        attached(things, tokens=0)


def test_every_describer_is_there_and_found_by_class() -> None:
    for path in DESCRIBERS.values():
        module, _, name = path.rpartition(".")
        assert callable(getattr(__import__(f"kaggle_magics.generation.attachments.{module}", fromlist=[name]), name))
    assert describer_of(True).__name__ == "describe_number"
    assert describer_of(Path("x")).__name__ == "describe_file"
    assert describer_of(collections.Counter()).__name__ == "describe_container"
    assert describe(3, 0).what.startswith("3")


def test_figures_are_told_in_words() -> None:
    pyplot = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    figure = pyplot.Figure()
    left, right = figure.subplots(1, 2)
    left.plot([1, 2, 3], [2, 4, 9], label="growth")
    left.set(title="Growth", xlabel="year")
    left.legend()
    right.bar(["a", "b"], [1, 2])
    right.scatter([1], [2], label="dot")
    figure.suptitle("Both")
    said = text(figure)
    assert "a matplotlib figure titled 'Both' with 2 plots" in said and "- title: Growth" in said
    assert "line 'growth' of 3 points, y from 2 to 9" in said and "2 bars of heights 1, 2" in said and "year" in said
    assert "- legend: growth" in text(left)


def test_a_session_describes_and_asks_in_python(tmp_path: Path) -> None:
    engine, session = ScriptedEngine(["ok"]), Session()
    session.adopt(engine, name="scripted")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in "ab":
        (tmp_path / folder / "data.csv").write_text(f"from,{folder}\n")
    paths = [tmp_path / "a" / "data.csv", str(tmp_path / "b" / "data.csv")]
    session.prompt("Which?", attach=paths, system="Be terse.")
    said = engine.requests[0].messages[1].content
    assert "from,a" in said and "from,b" in said and said.endswith("\n\nWhich?")
    assert f"{paths[1]} is a file" in said
    session.prompt("Which?", attach=[[1], [2]])
    assert "list is a list of 1 item:\n- 1\n\nlist 2 is a list" in engine.requests[1].messages[0].content
    found = session.describe({"n": [1, 2]})
    assert found.text == "n is a list of 2 items:\n- 1\n- 2" and found.tokens == words(found.text)
    for wrong, told in (
        ([], "nothing to attach"),
        ("missing.csv", "no file missing.csv"),
        (tmp_path, "is a folder"),
        ("https://example.com/x.csv", "Download it first"),
    ):
        with pytest.raises(OptionError, match=told):
            session.prompt("Which?", attach=wrong)
    assert len(engine.requests) == 2
    session.close()
