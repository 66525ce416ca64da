"""Assertions about an answer: one a line, read once, checked against any number of answers.

    contains Paris
    not contains London
    equals Lima
    expected lima
    regex \\d{4}
    json
    json schema Person
    similar 0.8 The capital of Peru is Lima.
    python: len(text) < 80 and answer.usage.generated_tokens < 20
    max_tokens 50
    stops

Any of them can begin with `not`. A text can stand in double quotes, as a JSON string, to hold spaces at its ends or
line ends (`\\n`). Letters' case counts, except in `expected`, which compares words alone. Empty lines and lines that
begin with `#` say nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from kaggle_magics.compare.agreement import similarity, words
from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.structured.structure import structure_of

Check = Callable[[Answer, "Checking"], str | None]
"""None where the answer is as expected, else why it is not."""
SchemaOf = Callable[[str], Any]
"""The schema that a text names; raises `OptionError`."""
_SHOWN = 80
"""Characters of an answer that a reason shows."""


@dataclass(frozen=True)
class Checking:
    """What checks may use beside the answer."""

    names: Mapping[str, Any] = field(default_factory=dict)
    """The person's variables: for `python:`."""
    similarity: Callable[[str, str], float] = similarity
    """Two texts to a number, 1 for the same."""
    similarity_name: str = "ROUGE-L F1 of the words"


@dataclass(frozen=True)
class Outcome:
    """Whether an answer is as expected, and if not, why."""

    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class Expectation:
    """One assertion, ready to be checked."""

    text: str
    """As it was written, on one line."""
    kind: str
    check: Check = field(repr=False, compare=False)
    negated: bool = False
    column: str = ""
    """The column of a test set that it was read from."""

    def of(self, answer: Answer, checking: Checking) -> Outcome:
        """Check a finished answer; one that ended in an error is never as expected."""
        if answer.stop_reason == "error":
            return Outcome(False, answer.error or answer.text)
        trouble = self.check(answer, checking)
        if not self.negated:
            return Outcome(trouble is None, trouble or "")
        return Outcome(trouble is not None, "" if trouble is not None else f"it does: {shown(answer.text)}")


def as_written(text: str) -> Any:
    """A schema that is given as JSON text."""
    return text


def parse(
    lines: str | Iterable[str], *, schema_of: SchemaOf = as_written, fill: Callable[[str], str] = str
) -> list[Expectation]:
    """The assertions of a text, or of lines. `fill` completes texts; the braces of code and patterns are their own.

    Raises `OptionError` that names the line: a word that is no assertion, a text, number or schema that cannot be used.
    """
    found = []
    for number, line in enumerate(lines.splitlines() if isinstance(lines, str) else lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            found.append(expectation(line.strip(), schema_of=schema_of, fill=fill))
        except OptionError as error:
            raise OptionError(f"Line {number}: {error.message}", error.hint) from None
    if not found:
        raise OptionError("Nothing is expected: there is no assertion.", "Write one a line, such as: contains Paris")
    return found


def expectation(line: str, *, schema_of: SchemaOf = as_written, fill: Callable[[str], str] = str) -> Expectation:
    """One assertion. Raises `OptionError`."""
    negated, rest = False, line
    if (after := re.match(r"not\s+(?=\S)", rest)) is not None:
        negated, rest = True, rest[after.end() :]
    kind, given = _split(rest)
    if kind not in MAKERS:
        raise OptionError(
            f"{kind!r} is no assertion.", did_you_mean(kind, MAKERS) or f"There are: {', '.join(MAKERS)}."
        )
    text = " ".join((fill(line) if kind not in _OWN_BRACES else line).split())
    given = given if kind in _OWN_BRACES else fill(given)
    return Expectation(text, kind, MAKERS[kind](kind, given.strip(), schema_of), negated)


def make(kind: str, given: str) -> Expectation:
    """An assertion of a kind about a text that is taken as it is; for the cells of a table."""
    return Expectation(
        f"{kind} {' '.join(given.split())}".rstrip(), kind, MAKERS[kind](kind, _literal(given), as_written)
    )


def shown(text: str) -> str:
    """The beginning of an answer, on one line."""
    line = " ".join(text.split())
    return f"{line[:_SHOWN]}..." if len(line) > _SHOWN else line or "(empty)"


def _split(line: str) -> tuple[str, str]:
    """The kind of an assertion and what follows it; a colon between them is allowed."""
    found = re.match(r"(json\s+schema|\w+)(?:\s*:|(?=\s)|$)\s*", line)
    if found is None:
        return line.split(maxsplit=1)[0], ""
    return " ".join(found[1].split()), line[found.end() :]


def _text(kind: str, given: str) -> str:
    """A text, out of its quotes."""
    if len(given) > 1 and given[0] == given[-1] == '"':
        try:
            given = str(json.loads(given))
        except ValueError:
            given = given[1:-1]
    if not given:
        raise OptionError(f"{kind} needs a text.", f"Such as: {kind} Paris")
    return given


def _literal(given: str) -> str:
    """A text in quotes that `_text` takes off again."""
    return json.dumps(given) if given[:1] == '"' else given


def _contains(kind: str, given: str, schema_of: SchemaOf) -> Check:
    wanted = _text(kind, given)
    return lambda answer, checking: None if wanted in answer.text else f"it says: {shown(answer.text)}"


def _equals(kind: str, given: str, schema_of: SchemaOf) -> Check:
    wanted = _text(kind, given).strip()
    return lambda answer, checking: None if answer.text.strip() == wanted else f"it says: {shown(answer.text)}"


def _expected(kind: str, given: str, schema_of: SchemaOf) -> Check:
    """As question answering is scored: the same words, whatever their case and punctuation."""
    wanted = _bare(_text(kind, given))
    return lambda answer, checking: None if _bare(answer.text) == wanted else f"it says: {shown(answer.text)}"


def _bare(text: str) -> list[str]:
    return [word for word in words(text) if word[0].isalnum()]


def _regex(kind: str, given: str, schema_of: SchemaOf) -> Check:
    try:
        pattern = re.compile(_text(kind, given))
    except re.error as error:
        raise OptionError(f"{given!r} is no regular expression: {error}.") from None
    return lambda answer, checking: None if pattern.search(answer.text) else f"it says: {shown(answer.text)}"


def _json(kind: str, given: str, schema_of: SchemaOf) -> Check:
    if given:
        raise OptionError(f"json takes no text {given!r}.", "Write json, or: json schema NAME")

    def check(answer: Answer, checking: Checking) -> str | None:
        try:
            json.loads(answer.text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return f"no JSON, {error}: {shown(answer.text)}"
        return None

    return check


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _schema(kind: str, given: str, schema_of: SchemaOf) -> Check:
    if not given:
        raise OptionError("json schema needs the name of a schema.", "Such as: json schema Person")
    structure = structure_of(schema=schema_of(given))
    assert structure is not None

    def check(answer: Answer, checking: Checking) -> str | None:
        try:
            structure.value(answer.text)
        except ValueError as error:
            return f"{error}: {shown(answer.text)}"
        return None

    return check


def _similar(kind: str, given: str, schema_of: SchemaOf) -> Check:
    number, _, text = given.partition(" ")
    try:
        least = float(number)
    except ValueError:
        least = -1.0
    if not 0.0 <= least <= 1.0:
        raise OptionError(f"similar needs a number from 0 to 1, not {number!r}.", "Such as: similar 0.8 Lima")
    wanted = _text("similar 0.8", text.strip())

    def check(answer: Answer, checking: Checking) -> str | None:
        alike = checking.similarity(wanted, answer.text)
        return None if alike >= least else f"{checking.similarity_name} is {alike:.2f}: {shown(answer.text)}"

    return check


def _python(kind: str, given: str, schema_of: SchemaOf) -> Check:
    try:
        code: CodeType = compile(given, "<expectation>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise OptionError(f"{given!r} is no Python expression: {reason}.", "Such as: python: len(text) < 80") from None

    def check(answer: Answer, checking: Checking) -> str | None:
        # The person's own code, in the cell it was written in; what a model says is only a value in it.
        scope = {**checking.names, "answer": answer, "text": answer.text}
        try:
            return None if eval(code, scope) else f"it is not so: {shown(answer.text)}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return check


def _max_tokens(kind: str, given: str, schema_of: SchemaOf) -> Check:
    try:
        most = int(given)
    except ValueError:
        raise OptionError(f"max_tokens needs a whole number, not {given!r}.") from None

    def check(answer: Answer, checking: Checking) -> str | None:
        made = answer.usage.generated_tokens
        return None if made <= most else f"it has {made} tokens"

    return check


def _stops(kind: str, given: str, schema_of: SchemaOf) -> Check:
    if given:
        raise OptionError(f"stops takes no text {given!r}.")
    good = ("end", "stop_sequence")
    return lambda answer, checking: None if answer.stop_reason in good else f"it ended by {answer.stop_reason}"


MAKERS: dict[str, Callable[[str, str, SchemaOf], Check]] = {
    "contains": _contains,
    "equals": _equals,
    "expected": _expected,
    "regex": _regex,
    "json": _json,
    "json schema": _schema,
    "similar": _similar,
    "python": _python,
    "max_tokens": _max_tokens,
    "stops": _stops,
}
"""Kind of assertion -> what reads its text."""
_OWN_BRACES = {"python", "regex", "json schema"}
"""Kinds whose braces are their own."""
