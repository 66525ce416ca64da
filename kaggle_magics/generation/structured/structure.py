"""The structure an answer is asked to have: a schema, one of some choices, or a regular expression.

What a person gives becomes a `Structure`: the constraint that engines decode under, the words that tell the model of
it, and the way from the answer's text back to a value. Local engines cannot leave it; what servers send is checked
when it arrives.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kaggle_magics import wording
from kaggle_magics.errors import KaggleMagicsError, OptionError, StructureError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.structured.json_schema import FIELD, as_object, checked, is_strict, tightened, told
from kaggle_magics.generation.structured.python_types import form_of
from kaggle_magics.models.constraint import ServerForm, Vocabulary
from kaggle_magics.models.request import Request

if TYPE_CHECKING:
    from kaggle_magics.models.grammar.grammar import Grammar, GrammarMatcher

LONGEST_SHOWN = 400
"""Characters of an unfinished answer that its error shows."""


@dataclass(frozen=True, eq=False)
class Structure:
    """What answers must look like; a `models.constraint.Constraint`."""

    described: Mapping[str, Any]
    """As plain JSON data: {"schema": ...}, {"choices": [...]} or {"regex": ...}."""
    schema: Mapping[str, Any]
    """The same as a JSON schema."""
    instruction: str
    """What the model is told of it at the end of the prompt."""
    parse_text: Callable[[str], Any] = field(repr=False)
    """An answer's text to its value; raises `ValueError` or `TypeError`."""
    read: Callable[[Any], Any] = field(repr=False)
    """JSON data that fits the schema to a value; raises the same."""
    keeps_space: bool = False

    @cached_property
    def server_form(self) -> ServerForm:
        schema, wrapped = as_object(self.schema)
        return ServerForm(schema, is_strict(schema), wrapped)

    @cached_property
    def _grammar(self) -> Grammar:
        from kaggle_magics.models.grammar.grammar import grammar_of

        return grammar_of(self.described)

    @property
    def key(self) -> str:
        """`described` as JSON; for the run card. The order of an object's properties is part of it."""
        return json.dumps(self.described, ensure_ascii=False)

    @property
    def kind(self) -> str:
        """What was given: "schema", "choices" or "regex"."""
        return next(iter(self.described))

    def begin(self, vocabulary: Vocabulary) -> GrammarMatcher:
        return self._grammar.begin(vocabulary)

    def value(self, text: str) -> Any:
        """The value of a finished answer. Raises `ValueError` with the reason when it has another structure."""
        try:
            return self.parse_text(text)
        except (ValueError, TypeError, RecursionError) as error:
            problem = error
        try:
            data = _json(text)
        except ValueError:
            raise ValueError(_reason(problem)) from None
        # A server was asked for an object.
        inner = data[FIELD] if isinstance(data, dict) and data.keys() == {FIELD} else data
        try:
            return self.read(inner)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(_reason(error)) from None

    def finish(self, answer: Answer) -> Answer:
        """The answer with its value. An interrupted one keeps its text and has none.

        Raises `StructureError`, which has the answer, when it was cut off or has another structure.
        """
        if answer.stop_reason in ("interrupted", "error"):
            return answer
        if answer.stop_reason == "length":
            raise _cut_off(answer)
        try:
            return replace(answer, value=self.value(answer.text))
        except ValueError as error:
            raise StructureError(
                f"{answer.card.model} did not keep to what was asked for: {error}.",
                f"Say in the prompt what you want, or ask again. It said: {_shown(answer.text)}",
                answer=answer,
            ) from None


def structure_of(*, schema: Any = None, choices: Any = None, regex: Any = None) -> Structure | None:
    """The structure that was asked for, if any. Raises `OptionError` for what is none, or for several at once."""
    given = [name for name, value in (("schema", schema), ("choices", choices), ("regex", regex)) if value is not None]
    if len(given) > 1:
        raise OptionError(f"{' and '.join(given)} cannot be asked for together.", "Give one of them.")
    if schema is not None:
        return _of_schema(schema)
    if choices is not None:
        return _of_choices(choices)
    return None if regex is None else _of_regex(regex)


def structure_again(key: str) -> Structure:
    """The structure whose `key` a run card holds. Its values are JSON data: a card knows no Python types.

    Raises `OptionError` where the key does not tell enough to make the same again.
    """
    made: Structure | None = None
    with suppress(KaggleMagicsError, TypeError, ValueError):
        described = json.loads(key)
        schema = described.get("schema") if isinstance(described, dict) and len(described) == 1 else None
        # It was checked when it was given, so what reads data by it is made only where data has to be read: importing
        # jsonschema takes seconds where Jupyter has installed all its formats.
        made = _json_structure(schema, _reading(schema)) if isinstance(schema, dict) else structure_of(**described)
    if made is None or made.key != key:
        raise OptionError("Its structure cannot be made again from the card.")
    return made


def structured(request: Request, answer: Answer) -> Answer:
    """The answer with its value, where the request asked for a structure. Raises `StructureError`."""
    return request.constraint.finish(answer) if isinstance(request.constraint, Structure) else answer


def structured_row(request: Request, answer: Answer) -> Answer:
    """A row's answer with its value: one that is not what was asked for failed, one that was cut off has no value."""
    try:
        return structured(request, answer)
    except StructureError as error:
        if answer.stop_reason == "length":
            return answer
        return replace(answer, stop_reason="error", text=str(error), error=str(error))


def _of_schema(schema: Any) -> Structure:
    if isinstance(schema, str):
        schema = _schema_text(schema)
    if isinstance(schema, Mapping):
        check = checked(schema)

        def read(data: Any) -> Any:
            check(data)
            return data

        return _json_structure(tightened(schema), read)
    form = form_of(schema)
    values = form.schema.get("enum")
    if values and all(isinstance(value, str) and value.strip() == value != "" for value in values):
        # Texts need no quotation marks around them when there is nothing else.
        return _choices(values, form.read)
    return _json_structure(tightened(form.schema), form.read)


def _reading(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    def read(data: Any) -> Any:
        checked(schema)(data)
        return data

    return read


def _json_structure(schema: Mapping[str, Any], read: Callable[[Any], Any]) -> Structure:
    return Structure(
        described={"schema": schema},
        schema=schema,
        instruction=_json_instruction(schema),
        parse_text=lambda text: read(_json(text)),
        read=read,
    )


def _of_choices(choices: Any) -> Structure:
    if isinstance(choices, str):
        choices = [choice.strip() for choice in choices.split(",")]
    elif isinstance(choices, type) and issubclass(choices, enum.Enum):
        choices = list(choices)
    elif not isinstance(choices, Iterable):
        raise OptionError(f"choices must be several texts, not {type(choices).__name__}.", "For example: a,b,c")
    values = list(choices)
    texts = [str(value.value if isinstance(value, enum.Enum) else value) for value in values]
    for text in texts:
        if not text or text != text.strip():
            raise OptionError(f"A choice must be text without white space around it, not {text!r}.")
    if len(set(texts)) != len(texts):
        doubled = next(text for text in texts if texts.count(text) > 1)
        raise OptionError(f"The choice {doubled!r} is given twice.")
    if not texts:
        raise OptionError("There is nothing to choose from.", "For example: --choices a,b,c")
    known = dict(zip(texts, values, strict=True))

    def read(data: Any) -> Any:
        if not isinstance(data, str) or data not in known:
            raise ValueError(f"{data!r} is none of the choices")
        return known[data]

    return _choices(texts, read)


def _choices(texts: list[str], read: Callable[[Any], Any]) -> Structure:
    return Structure(
        described={"choices": list(texts)},
        schema={"type": "string", "enum": list(texts)},
        instruction=wording.choices_instruction(texts),
        parse_text=lambda text: read(text.strip()),
        read=read,
    )


_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}


def _of_regex(regex: Any) -> Structure:
    flags = 0
    if isinstance(regex, re.Pattern):
        regex, flags = regex.pattern, regex.flags & ~re.UNICODE
    if not isinstance(regex, str):
        raise OptionError(f"regex must be text or a compiled pattern of text, not {type(regex).__name__}.")
    if not regex:
        raise OptionError("The regular expression is empty.", r"For example: --regex '\d{4}'")
    letters = "".join(letter for flag, letter in _FLAGS.items() if flags & flag)
    if flags & ~sum(_FLAGS):
        raise OptionError("The pattern has a flag that cannot be used.", "Only I, M, S and X can.")
    # The whole answer matches: marks of beginning and end say nothing more.
    inner = re.sub(r"(?<!\\)((?:\\\\)*)\$$", r"\1", regex.removeprefix("^"))
    source = f"(?{letters}){inner}" if letters else inner
    try:
        pattern = re.compile(source)
    except re.error as error:
        raise OptionError(f"This is no regular expression: {error}.") from None

    def read(data: Any) -> str:
        if not isinstance(data, str) or not pattern.fullmatch(data):
            raise ValueError(f"{regex} does not match it")
        return data

    return Structure(
        described={"regex": source},
        schema={"type": "string", "pattern": f"^(?:{source})$" if "|" in source else f"^{source}$"},
        instruction=wording.regex_instruction(regex),
        parse_text=read,
        read=read,
        keeps_space=True,
    )


def _schema_text(text: str) -> Any:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        raise OptionError(
            f"{text[:60]!r} is no schema.", "Give a pydantic model, a JSON schema as a dict or JSON text, or a type."
        ) from None
    if not isinstance(schema, dict):
        raise OptionError(f"A JSON schema is an object, not {text[:60]!r}.")
    return schema


def _json_instruction(schema: Mapping[str, Any]) -> str:
    """In words where the form of the answer can be said in words, which small models understand best."""
    if kind := _plain(schema):
        return wording.kind_instruction(kind)
    if schema.keys() == {"type", "items"} and schema["type"] == "array" and _plain(schema["items"]):
        return wording.list_instruction()
    fields = schema.get("properties")
    if schema.get("type") == "object" and fields and schema.keys() <= _OBJECT and all(map(_plain, fields.values())):
        return wording.keys_instruction(list(fields))
    return wording.schema_instruction(told(schema))


_OBJECT = frozenset({"type", "properties", "required", "additionalProperties", "title"})


def _plain(schema: Any) -> str:
    """The type of a schema that says no more than that, else nothing."""
    if not isinstance(schema, Mapping) or not schema.keys() <= {"type", "title"}:
        return ""
    kind = schema.get("type")
    return kind if kind in ("integer", "number", "boolean", "string", "null") else ""


def _json(text: str) -> Any:
    """JSON, also in the fence of a code block, which servers like to put around it. Raises `ValueError`."""
    inner = text.strip()
    if inner.startswith("```"):
        inner = inner.partition("\n")[2].rpartition("```")[0]
    try:
        return json.loads(inner, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg} at character {error.pos})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _cut_off(answer: Answer) -> StructureError:
    most, made = answer.card.sampling.max_tokens, answer.usage.generated_tokens
    if made >= most or answer.usage.estimated:
        reason, hint = f"after {made} tokens (max_tokens {most})", "Raise --max-tokens."
    else:
        reason, hint = f"after {made} tokens by the end of the model's context", "Shorten the prompt."
    return StructureError(
        f"The answer was cut off {reason}, before it was complete.",
        f"{hint} The text so far: {_shown(answer.text)}",
        answer=answer,
    )


def _shown(text: str) -> str:
    line = " ".join(text.split()) or "(nothing)"
    return line if len(line) <= LONGEST_SHOWN else f"{line[: LONGEST_SHOWN // 2]} ... {line[-LONGEST_SHOWN // 2 :]}"


def _reason(error: BaseException) -> str:
    line = " ".join(str(error).split()).rstrip(".")
    return (line or type(error).__name__) if len(line) <= 200 else line[:200] + "..."
