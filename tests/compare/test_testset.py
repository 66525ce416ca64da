"""Test sets: which columns are asked, which are checked, and what is said of those that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from kaggle_magics.compare.expectations import parse
from kaggle_magics.compare.testset import TestSet
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.tables.rows import rows_of


def read(rows: Any, **options: Any) -> TestSet:
    return TestSet.of("cases", rows_of(rows), **options)


def texts(tests: TestSet) -> list[list[str]]:
    return [[f"{'not ' if each.negated else ''}{each.text}" for each in row] for row in tests.expected]


def test_columns_are_assertions_and_empty_cells_expect_nothing() -> None:
    tests = read(
        [
            {"question": "a", "Expected": "Lima", "not contains": "Cusco", "max_tokens": 5.0, "json": ""},
            {"question": "b", "Expected": None, "not contains": float("nan"), "max_tokens": None, "json": "yes"},
            {"question": "c", "Expected": "", "json": "no"},
        ]
    )
    assert texts(tests) == [["expected Lima", "not contains Cusco", "max_tokens 5"], ["json"], []]
    assert tests.text == "{question}" and tests.expected[0][1].column == "not contains"


def test_a_list_expects_each_of_its_items_and_similar_has_a_least() -> None:
    tests = read(
        [{"question": "a", "contains": ["x", "y"], "similar": "two words"}, {"question": "b", "similar": "0.5 x"}]
    )
    assert texts(tests) == [["contains x", "contains y", "similar 0.8 two words"], ["similar 0.5 x"]]


def test_the_prompt_can_name_other_columns_and_all_rows_can_expect_the_same() -> None:
    tests = read([{"city": "Lima"}], text="Where is {city}?", all_rows=parse("stops"))
    assert texts(tests) == [["stops"]] and tests.text == "Where is {city}?"


def test_a_column_that_nearly_is_an_assertion_is_named_and_code_is_not_run() -> None:
    tests = read([{"question": "a", "contains": "x", "regx": "y", "python": "1/0", "topic": "z"}])
    assert texts(tests) == [["contains x"]]
    assert tests.notes == (
        "The column regx is not checked. Did you mean regex?",
        "The column python is not run: write python: lines in the body of %%expect.",
    )


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"frage": "a", "contains": "x"}], "cases has no column question. Name it so"),
        ([{"questions": "a", "contains": "x"}], "Did you mean questions?"),
        ([{"question": "a", "topic": "x"}], "cases has no column that answers are checked by. Such as expected"),
        ([{"question": "a", "expcted": "x"}], "Did you mean expected?"),
        ([{"question": "a", "regex": "x"}, {"question": "a", "regex": "("}], "cases, row 2: '(' is no regular"),
        ([{"question": "a", "max_tokens": "few"}], "cases, row 1: max_tokens needs a whole number, not 'few'"),
        ([{"question": "a", "contains": ""}], "cases expects nothing: contains is empty in every row"),
    ],
)
def test_what_is_no_test_set(rows: Any, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        read(rows)
    assert says in str(caught.value)
