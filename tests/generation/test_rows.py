"""Rows: every kind of table and list, read the same way, and given back as it was."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.tables.rows import is_missing, rows_of

pd = pytest.importorskip("pandas")


class Polars:
    """Stands for a table of another library."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def to_pandas(self) -> Any:
        if self._frame is None:
            raise ModuleNotFoundError("pyarrow is required")
        return self._frame

    def to_dicts(self) -> list[dict[str, Any]]:
        return [{"a": 1}]


@pytest.mark.parametrize(
    ("source", "columns", "rows"),
    [
        (pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}), ("a", "b"), [{"a": 1, "b": 0.5}, {"a": 2, "b": 1.5}]),
        (pd.DataFrame([[1, 2]]), (0, 1), [{0: 1, 1: 2}]),
        (pd.Series(["x"], name="a"), ("a",), [{"a": "x"}]),
        (pd.Series(["x"]), ("value",), [{"value": "x"}]),
        (pd.Index(["x", "y"]), ("value",), [{"value": "x"}, {"value": "y"}]),
        (pd.DataFrame({("a", "x"): [1], ("b", ""): [2]}), ("a_x", "b"), [{"a_x": 1, "b": 2}]),
        (Polars(pd.DataFrame({"a": [3]})), ("a",), [{"a": 3}]),
        (Polars(None), ("a",), [{"a": 1}]),
        ([{"a": 1}, {"b": 2}], ("a", "b"), [{"a": 1, "b": None}, {"a": None, "b": 2}]),
        ({"a": [1, 2], "b": "xy".__iter__()}, ("a", "b"), [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        (["x", 1], ("value",), [{"value": "x"}, {"value": 1}]),
        ((each for each in "xy"), ("value",), [{"value": "x"}, {"value": "y"}]),
        (pd.Series([1, 2]).to_numpy(), ("value",), [{"value": 1}, {"value": 2}]),
    ],
)
def test_everything_that_is_a_table_or_a_list(source: Any, columns: tuple[Any, ...], rows: list[Any]) -> None:
    found = rows_of(source)
    assert (found.columns, list(found), len(found)) == (columns, rows, len(rows))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (5, "df is an int, not a table"),
        (b"abc", "df is a bytes, not a table"),
        (None, "df is a NoneType, not a table"),
        ([], "df has no rows."),
        (iter([]), "An iterator can be read once"),
        (pd.DataFrame({"a": []}), "df has no rows."),
        ({}, "df has no rows."),
        ([{"a": 1}, "b"], "df holds dicts, but df[1] is a str."),
        ({"a": 1}, "df is a dict, and df['a'] is an int."),
        ({"a": "text"}, "df is a dict, and df['a'] is a str."),
        ({"a": [1], "b": [1, 2]}, "not equally long: a 1, b 2."),
        ("nowhere.csv", "There is no file nowhere.csv."),
    ],
)
def test_what_is_none_is_one_line(source: Any, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        rows_of(source, name="df")
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_csv_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,land,text\n007,NA,"two\nlines"\n1,,ü\n', encoding="utf-8-sig")
    first, second = rows_of(path)
    assert first == {"id": "007", "land": "NA", "text": "two\nlines"}
    assert second["text"] == "ü" and is_missing(second["land"])
    (tmp_path / "t.tsv").write_text("a\tb\n1,5\t2\n")
    assert list(rows_of(str(tmp_path / "t.tsv"))) == [{"a": "1,5", "b": "2"}]
    pd.DataFrame({"a": ["1"]}).to_csv(tmp_path / "t.csv.gz", index=False)
    assert list(rows_of(tmp_path / "t.csv.gz")) == [{"a": "1"}]


def test_a_jsonl_keeps_what_its_values_are(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 12345678901234567890, "b": "2024-01-01"}\n\n{"a": null}\n')
    assert list(rows_of(path)) == [{"a": 12345678901234567890, "b": "2024-01-01"}, {"a": None, "b": None}]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.jsonl", '{"a": 1}\n{"a"', "line 2"),
        ("t.jsonl", "[1]\n", "line 1 is no object"),
        ("t.csv", "", "No columns"),
        ("t.xlsx", "x", "no table that can be read. These can: .csv"),
    ],
)
def test_a_damaged_file_says_where(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(OptionError, match=says):
        rows_of(tmp_path / name)


def test_values_are_those_of_their_columns() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, 2**60],
            "part": [0.5, None],
            "when": pd.to_datetime(["2024-01-02", None]),
            "kind": pd.Categorical(["a", None]),
            "maybe": pd.array([1, None], dtype="Int64"),
        }
    )
    first, second = rows_of(frame)
    assert first == {"whole": 1, "part": 0.5, "when": datetime.datetime(2024, 1, 2), "kind": "a", "maybe": 1}
    assert type(first["whole"]) is int and second["whole"] == 2**60
    assert all(is_missing(value) for name, value in second.items() if name != "whole")


def test_cells_that_are_no_numbers_are_not_missing() -> None:
    class Refuses:
        def __ne__(self, other: object) -> bool:
            raise RuntimeError("no")

    assert [is_missing(value) for value in (None, float("nan"), pd.NA, pd.NaT)] == [True] * 4
    assert not any(is_missing(value) for value in ("", 0, False, [], pd.Series([1, None]).to_numpy(), Refuses()))


def test_the_frame_comes_back_as_it_was_when_it_was_given() -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=["x", "x"])
    rows = rows_of(frame)
    frame.loc[:, "a"] = 0
    assert rows.to_pandas()["a"].tolist() == [1, 2] and rows.to_pandas().index.tolist() == ["x", "x"]
    assert rows.labels(5) == ["x", "x"]
    assert list(rows.first(1)) == [{"a": 1}]


def test_columns_that_share_a_name_are_told() -> None:
    rows = rows_of(pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]))
    assert rows.doubled == {"a"} and list(rows) == [{"b": 2}]


def test_a_frame_without_columns_still_has_its_rows() -> None:
    assert list(rows_of(pd.DataFrame(index=[1, 2]))) == [{}, {}]
