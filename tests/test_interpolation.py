"""Only what is meant is replaced; every other brace survives untouched."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import pytest

from kaggle_magics.interpolation import interpolate

NAMES = {
    "city": "Lima",
    "n": 3,
    "x": 1,
    "i": 2,
    "k": "key",
    "v": "value",
    "rows": ["a", "b"],
    "row": {"city": "Oslo", "a b": "spaced"},
    "who": SimpleNamespace(name="Ada", tags=["one"]),
    "braces": "{city}",
    "empty": "",
    "größe": 7,
    "été": "summer",
}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("In {city}.", "In Lima."),
        ("{city}{city}", "LimaLima"),
        ("{who.name} has {who.tags[0]}", "Ada has one"),
        ("{rows[0]} {rows[-1]}", "a b"),
        ("""{row["city"]} {row['a b']}""", "Oslo spaced"),
        ("{n} apples", "3 apples"),
        ("{größe} {été}", "7 summer"),
        ("[{empty}]", "[]"),
        ("{{city}} is {city}", "{city} is Lima"),
        ("{braces}", "{city}"),
        ('{"a": {n}}', '{"a": 3}'),
    ],
)
def test_what_is_replaced(text: str, becomes: str) -> None:
    assert interpolate(text, NAMES).text == becomes


@pytest.mark.parametrize(
    "text",
    [
        '{"city": "x", "n": [1, 2]}',
        r"\frac{1}{2} \frac{x}{n} \mathbf{x} x_{i} e^{x} \sqrt[3]{n}",
        "{k: v for k, v in d.items()}",
        "{k for k in rows}",
        "return {}",
        "{x:.2f} {x!r} {x + 1} { x }",
        'print(f"{city} has {n}")',
        "f'''{city}\n{n}'''",
        "{city.upper()}",
        "{rows[i]} {rows[0:1]}",
        "{0} {1a} {a-b}",
        "{",
        "}{",
        "{{ city }}",
        "{{{",
    ],
)
def test_what_stays_as_it_is(text: str) -> None:
    found = interpolate(text, NAMES)
    assert (found.text, found.used) == (text, ())


def test_names_that_look_meant_are_told() -> None:
    found = interpolate("{cuntry} {who.age} {rows[9]} {city} {1} {cuntry}", NAMES)
    assert found.text == "{cuntry} {who.age} {rows[9]} Lima {1} {cuntry}"
    assert found.missing == ("cuntry", "who.age", "rows[9]")
    assert found.used == ("city",)


def test_a_property_that_raises_leaves_the_field() -> None:
    class Bad:
        @property
        def value(self) -> str:
            raise RuntimeError("no")

    assert interpolate("{bad.value}", {"bad": Bad()}).text == "{bad.value}"


def test_a_megabyte_of_braces_is_no_trouble() -> None:
    text = "{" * 200_000 + "{city}" + "}" * 200_000 + " {city}" * 1000
    assert interpolate(text, NAMES).text.count("Lima") == 1000  # the one inside all the braces is escaped


def test_looking_changes_nothing() -> None:
    counts: defaultdict[str, int] = defaultdict(int)
    assert interpolate('{counts["a"]}', {"counts": counts}).missing == ('counts["a"]',)
    assert not counts
