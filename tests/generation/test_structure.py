"""What a person gives becomes a schema, and an answer's text becomes a value."""

from __future__ import annotations

import datetime
import enum
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, TypedDict, Union

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.structured.structure import structure_again, structure_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Person:
    name: str
    age: int
    city: str = "Lima"
    tags: list[str] = field(default_factory=list)


@dataclass
class Node:
    value: int
    children: list[Node]


class Book(TypedDict):
    title: str
    year: NotRequired[int]


class Point(NamedTuple):
    x: float
    y: float = 0.0


def value(kind: Any, text: str) -> Any:
    structure = structure_of(schema=kind)
    assert structure is not None
    return structure.value(text)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (int, "42", 42),
        (int, "42.0", 42),
        (float, "3", 3.0),
        (str, '"a\\nb"', "a\nb"),
        (bool, "true", True),
        (type(None), "null", None),
        (Any, '{"a": [1, null]}', {"a": [1, None]}),
        (list[int], "[1, 2]", [1, 2]),
        (list, '[1, "a"]', [1, "a"]),
        (set[str], '["a", "a"]', {"a"}),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (tuple[int, ...], "[1, 2, 3]", (1, 2, 3)),
        (dict[str, float], '{"a": 1}', {"a": 1.0}),
        (Mapping[str, int], '{"a": 1}', {"a": 1}),
        (Optional[int], "null", None),  # noqa: UP045
        (int | str, '"1"', "1"),
        (Union[int, str], "1", 1),  # noqa: UP007
        (Literal["yes", "no"], "yes", "yes"),
        (Literal[1, "one", None], '"one"', "one"),
        (Literal[1, True], "true", True),
        (Colour, "blue", Colour.BLUE),
        (Level, "2", Level.HIGH),
        (Person, '{"name": "Ann", "age": 3}', Person("Ann", 3)),
        (list[Person], '[{"name": "Ann", "age": 3, "tags": ["x"]}]', [Person("Ann", 3, tags=["x"])]),
        (Node, '{"value": 1, "children": [{"value": 2, "children": []}]}', Node(1, [Node(2, [])])),
        (Book, '{"title": "Moby-Dick"}', {"title": "Moby-Dick"}),
        (Point, '{"x": 1}', Point(1.0)),
        (datetime.date, '"2024-02-29"', datetime.date(2024, 2, 29)),
        (datetime.datetime, '"2024-02-29T10:00:00Z"', datetime.datetime(2024, 2, 29, 10, tzinfo=datetime.UTC)),
        (uuid.UUID, '"12345678-1234-5678-1234-567812345678"', uuid.UUID("12345678-1234-5678-1234-567812345678")),
        (Annotated[int, "years"], "3", 3),
        (dict[str, list[Colour | None]], '{"a": ["red", null]}', {"a": [Colour.RED, None]}),
    ],
)
def test_python_types(kind: Any, text: str, wanted: Any) -> None:
    found = value(kind, text)
    assert found == wanted and type(found) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (int, "1.5", "no whole number"),
        (int, "true", "no whole number"),
        (int, "a", "no JSON"),
        (float, "NaN", "NaN is no JSON"),
        (float, '"1"', "no number"),
        (list[int], '{"a": 1}', "no list"),
        (tuple[int, str], "[1]", "2 items"),
        (Literal["yes", "no"], "maybe", "none of 'yes', 'no'"),
        (Literal[1], "true", "True is none of 1"),
        (Person, '{"name": "Ann"}', "Person lacks age"),
        (Person, '{"name": "Ann", "age": 3, "x": 1}', "Person has no x"),
        (datetime.date, '"2023-02-29"', "day is out of range|day 29 must be"),
        (int | None, '"x"', "no whole number"),
        (int, "[" * 100_000, "nested too deeply|no JSON"),
    ],
)
def test_data_of_another_form_is_refused(kind: Any, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        value(kind, text)


def test_what_is_recursive_becomes_a_definition() -> None:
    structure = structure_of(schema=list[Node])
    assert structure is not None
    assert structure.schema["items"] == {"$ref": "#/$defs/Node"} and "Node" in structure.schema["$defs"]
    # References count from the root, also when a server wants an object there.
    form = structure.server_form
    assert form.wrapped and "Node" in form.schema["$defs"] and form.schema["required"] == ["answer"]
    assert structure.value('{"answer": [{"value": 1, "children": []}]}') == [Node(1, [])]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schema": complex}, "no schema for complex"),
        ({"schema": 3}, "no schema for 3"),
        ({"schema": dict[int, str]}, "keys of .* are no text"),
        ({"schema": {}}, "none of type, properties"),
        ({"schema": {"name": "text"}}, "none of type, properties"),
        ({"schema": {"type": int}}, "no JSON schema: .*not JSON serializable"),
        ({"schema": {"type": "foo"}}, "no JSON schema at type: 'foo' is not valid"),
        ({"schema": {"type": "object", "properties": {"a": {"minimum": "x"}}}}, "at properties.a.minimum"),
        ({"schema": {"$ref": "https://example.org/x"}}, "points to https://example.org/x, outside"),
        ({"schema": "Person"}, "'Person' is no schema"),
        ({"schema": "[1]"}, "is an object"),
        ({"schema": object()}, "no schema for <object"),
        ({"choices": []}, "nothing to choose"),
        ({"choices": "a,,b"}, "without white space"),
        ({"choices": ["a", " b"]}, "without white space"),
        ({"choices": ["a", "a"]}, "'a' is given twice"),
        ({"choices": [1, "1"]}, "'1' is given twice"),
        ({"choices": 3}, "several texts, not int"),
        ({"regex": ""}, "empty"),
        ({"regex": "("}, "no regular expression"),
        ({"regex": 3}, "not int"),
        ({"regex": re.compile(rb"a")}, "not bytes"),
        ({"regex": re.compile("a", re.ASCII)}, "flag"),
        ({"regex": "a", "choices": "a,b"}, "choices and regex cannot be asked for together"),
    ],
)
def test_what_is_no_structure_is_said_in_one_line(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        structure_of(**given)
    assert "\n" not in str(caught.value)


def test_nothing_is_asked_for_by_default() -> None:
    assert structure_of() is None and structure_of(schema=None, choices=None, regex=None) is None


def test_a_json_schema_is_checked_whole() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 3}, "day": {"type": "string", "format": "date"}},
        "required": ["n"],
    }
    structure = structure_of(schema=schema)
    assert structure is not None and structure.value('{"n": 3}') == {"n": 3}
    assert structure.value('```json\n{"n": 4}\n```') == {"n": 4}
    for text, why in (('{"n": 2}', "n: 2 is less"), ("{}", "'n' is a required"), ('{"n": 3, "day": "x"}', "day: ")):
        with pytest.raises(ValueError, match=why):
            structure.value(text)
    assert structure_of(schema=json.dumps(schema)).schema == structure.schema  # type: ignore[union-attr]


def test_objects_are_closed_where_that_keeps_what_fits() -> None:
    structure = structure_of(
        schema={
            "type": "object",
            "properties": {
                "closed": {"type": "object", "properties": {"a": {}}, "required": ["a"]},
                "open": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}},
                "map": {"type": "object"},
                "lacking": {"type": "object", "properties": {}, "required": ["b"]},
                "both": {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]},
                "properties": {"const": {"properties": {}}},
            },
        }
    )
    assert structure is not None
    parts = structure.schema["properties"]
    assert structure.schema["additionalProperties"] is False is parts["closed"]["additionalProperties"]
    assert parts["open"]["additionalProperties"] == {"type": "string"}
    assert "additionalProperties" not in parts["map"] and "additionalProperties" not in parts["lacking"]
    assert "additionalProperties" not in str(parts["both"]) and parts["properties"] == {"const": {"properties": {}}}


def test_choices_give_back_what_was_given() -> None:
    structure = structure_of(choices=[1, 2.5, "drei", Colour.RED])
    assert structure is not None and structure.described == {"choices": ["1", "2.5", "drei", "red"]}
    assert structure.value("1") == 1 and structure.value(" 2.5") == 2.5 and structure.value("red") is Colour.RED
    assert structure.value('"drei"') == "drei" == structure.value('{"answer": "drei"}')
    assert structure_of(choices="New York, Lima").described == {"choices": ["New York", "Lima"]}  # type: ignore[union-attr]
    assert structure_of(choices=Colour).value("blue") is Colour.BLUE  # type: ignore[union-attr]


def test_expressions_match_the_whole_answer() -> None:
    structure = structure_of(regex=r"^\d{4}$")
    assert structure is not None and structure.value("2024") == "2024" == structure.value('{"answer": "2024"}')
    assert structure.described == {"regex": r"\d{4}"} and structure.schema["pattern"] == r"^\d{4}$"
    assert structure_of(regex="a|b").schema["pattern"] == "^(?:a|b)$"  # type: ignore[union-attr]
    for text in ("20245", " 2024", "2024\n"):
        with pytest.raises(ValueError, match="does not match"):
            structure.value(text)
    assert structure_of(regex=re.compile("yes", re.I)).value("YES") == "YES"  # type: ignore[union-attr]
    assert structure_of(regex=r"5\$").value("5$") == "5$"  # type: ignore[union-attr]


def test_the_model_is_told_in_words_where_words_do() -> None:
    def told(**given: Any) -> str:
        structure = structure_of(**given)
        assert structure is not None
        return structure.instruction

    assert told(schema=int) == "Answer with a whole number only."
    assert told(schema=list[str]) == "Answer with a JSON list."
    assert told(schema=Point) == "Answer with a JSON object with the keys x and y."
    assert told(schema=Person).startswith("Answer with JSON only, for this schema: {")
    assert told(choices="a,b") == told(schema=Literal["a", "b"]) == "Answer with one of these only: a, b"
    assert r"\d+" in told(regex=r"\d+")


@pytest.mark.parametrize(
    "given",
    [
        {"schema": Person},
        {"schema": list[Node]},
        {"schema": Literal["a", "b"]},
        {"choices": [1, 2]},
        {"regex": re.compile("yes|no", re.I)},
    ],
)
def test_a_card_makes_the_same_structure_again(given: dict[str, Any]) -> None:
    key = structure_of(**given).key  # type: ignore[union-attr]
    assert structure_again(key).key == key


def test_a_structure_from_a_card_still_reads_values_and_refuses_others() -> None:
    again = structure_again(structure_of(schema=Person).key)  # type: ignore[union-attr]
    assert again.value('{"name": "Anna", "age": 31}') == {"name": "Anna", "age": 31}
    with pytest.raises(ValueError, match="age"):
        again.value('{"name": "Anna", "age": "old"}')
    for damaged in ("", "[]", "{}", '{"schema": 5}', '{"form": {}}', '{"choices": [], "regex": "a"}'):
        with pytest.raises(OptionError, match="cannot be made again"):
            structure_again(damaged)


# -- pydantic --------------------------------------------------------------------------------------------------


def test_pydantic_models_read_their_own_data() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Address(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        city: str

    class Resident(pydantic.BaseModel):  # type: ignore[misc,name-defined]
        model_config = pydantic.ConfigDict(strict=True)
        name: str = pydantic.Field(min_length=1)
        born: datetime.date
        home: Address | None = None

        @pydantic.field_validator("name")
        @classmethod
        def no_digits(cls, name: str) -> str:
            assert not any(map(str.isdigit, name)), "digits in a name"
            return name

    text = '{"name": "Ann", "born": "2001-02-03", "home": {"city": "Lima"}}'
    found = value(Resident, text)
    assert found == Resident(name="Ann", born=datetime.date(2001, 2, 3), home=Address(city="Lima"))
    assert value(list[Resident], f"[{text}]") == [found]
    assert value(dict[str, Address | int], '{"a": {"city": "x"}, "b": 1}') == {"a": Address(city="x"), "b": 1}
    assert value(pydantic.TypeAdapter(list[Address]), '[{"city": "x"}]') == [Address(city="x")]
    with pytest.raises(ValueError, match=r"name: .*digits in a name"):
        value(Resident, text.replace("Ann", "4nn"))
    ages = Annotated[int, pydantic.Field(ge=18)]
    assert structure_of(schema=ages).schema["minimum"] == 18  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="greater than or equal to 18"):
        value(ages, "3")
