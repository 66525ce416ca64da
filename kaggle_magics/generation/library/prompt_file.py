"""A saved prompt as a text file that lives well in git: its options in TOML between two lines `+++`, then its text.

    +++
    system = "Answer in one word."
    max_tokens = 20
    +++
    What is the capital of {country}?

A file without such a head is all text. Both go there and back unchanged: the text is what stands below the head, less
one line end at the end of the file; that one is there for git's and editors' sake.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from kaggle_magics.errors import OptionError, SavedPromptError, did_you_mean
from kaggle_magics.generation.prompt import Prompt, not_empty
from kaggle_magics.interpolation import interpolate
from kaggle_magics.models.request import Sampling

Kind = Literal["prompt", "chain"]
Plain = str | int | float | bool | list[str]
"""What an option's value can be in a file."""

MOST_BYTES = 1_000_000
"""A larger file is no prompt."""
FENCE = "+++"
_TYPES: dict[str, tuple[type, ...]] = {
    **{option.name: (int,) for option in fields(Sampling)},
    **dict.fromkeys(("temperature", "top_p", "min_p", "repeat_penalty"), (int, float)),
    "stop": (list,),
    "system": (str,),
    "template": (str,),
    "raw": (bool,),
    "kind": (str,),
}
"""The options whose type is known here; a magic checks its others when they are used."""
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_AT_LINE = re.compile(r"^(?P<what>.*?)\.? \(at line (?P<line>\d+), column \d+\)$", re.S)


@dataclass(frozen=True, slots=True)
class SavedPrompt:
    """A prompt that was kept: its text with the fields open, and how it is to be answered."""

    name: str
    text: str
    options: Mapping[str, Plain] = field(default_factory=dict)
    """Options by the names they have on a magic's line and in Python: "system", "max_tokens", "stop"."""
    kind: Kind = "prompt"
    path: Path | None = field(default=None, compare=False)
    """The file it was read from."""

    @property
    def fields(self) -> tuple[str, ...]:
        """What has to be filled in, as it stands in the braces: "country", "row.city". Those of the system text too.

        A step's answer is no field of a chain: it is filled by the chain itself.
        """
        if self.options.get("raw"):
            return ()
        texts = (str(self.options.get("system", "")), self.text)
        found = dict.fromkeys(name for text in texts for name in interpolate(text, {}).missing)
        if self.kind == "chain":
            steps = {line.partition(":")[0].strip() for line in self.text.splitlines() if line[:1].strip()}
            return tuple(name for name in found if name not in steps)
        return tuple(found)

    def fill(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Prompt:
        """The prompt with its fields filled in, ready for `session.prompt`. Raises `OptionError` for a field without a
        value, for a value without a field, and for a schema that is a name of a notebook, which only a magic can look
        up."""
        if self.kind == "chain":
            raise OptionError(f"{self.name!r} is a chain.", "Run it: session.chain(saved.text, inputs={...})")
        given = {**(values or {}), **more}
        check_values(self, given)
        options: dict[str, Any] = dict(self.options)
        schema = options.get("schema")
        if isinstance(schema, str) and not schema.lstrip().startswith("{"):
            raise OptionError(
                f"The prompt {self.name!r} has the schema {schema}, which is a name of the notebook it was saved in.",
                f"Run it there: %prompt --use {self.name}; or give the type: session.prompt(saved.text, schema=...).",
            )
        if options.pop("raw", False):
            return Prompt.of(self.text, **options)
        filled = interpolate(self.text, given)
        system = interpolate(str(options.pop("system", "")), given)
        check_filled(self, (*system.missing, *filled.missing))
        return Prompt.of(filled.text, system=system.text or None, **options)


def check_values(saved: SavedPrompt, given: Mapping[str, Any]) -> None:
    """Raise `OptionError` for a value that fills no field of a saved prompt."""
    roots = list(dict.fromkeys(re.split(r"[.\[]", name)[0] for name in saved.fields))
    for name in given:
        if name not in roots:
            there = f"Its fields: {', '.join(roots)}." if roots else "It has no fields."
            raise OptionError(f"The prompt {saved.name!r} has no field {name!r}.", did_you_mean(name, roots) or there)


def check_filled(saved: SavedPrompt, missing: tuple[str, ...]) -> None:
    """Raise `OptionError` where fields of a saved prompt are left without a value."""
    if names := list(dict.fromkeys(missing)):
        values = " ".join(f"-i {name}=..." for name in names if name.isidentifier())
        raise OptionError(
            f"The prompt {saved.name!r} needs {'a value' if len(names) == 1 else 'values'} for {', '.join(names)}.",
            f"Give {'it' if len(names) == 1 else 'them'} with {values}, or define {'it' if len(names) == 1 else 'them'}"
            " in the notebook."
            if values
            else "Define the names in the notebook.",
        )


def checked(name: str, text: str, options: Mapping[str, Any], kind: str = "prompt") -> SavedPrompt:
    """A prompt that can be kept. Raises `OptionError` for options and text that no file could hold or nobody use."""
    for option, value in options.items():
        if (wrong := _wrong(option, value)) is not None:
            raise OptionError(wrong)
    if kind not in get_args(Kind):
        raise OptionError(f"A saved prompt is of the kind prompt or chain, not {kind!r}.")
    for part in (not_empty(text, kind), *(value for value in options.values() if isinstance(value, str))):
        try:
            part.encode()
        except UnicodeEncodeError:
            raise OptionError("The text holds half a character (a lone surrogate), which no file can.") from None
    plain = {option: list(value) if isinstance(value, tuple) else value for option, value in options.items()}
    Sampling.of({option: value for option, value in plain.items() if option in Sampling.__dataclass_fields__})
    return SavedPrompt(name, text, plain, "chain" if kind == "chain" else "prompt")


def written(saved: SavedPrompt) -> bytes:
    """The file of a saved prompt."""
    options = {**({"kind": saved.kind} if saved.kind != "prompt" else {}), **saved.options}
    head = "".join(f"{option} = {_toml(value)}\n" for option, value in options.items())
    # A text that a reader could take for something else gets a head of its own, though an empty one.
    if head or "\r" in saved.text or saved.text.startswith((FENCE, "\ufeff")):
        head = f"{FENCE}\n{head}{FENCE}\n"
    return f"{head}{saved.text}\n".encode()


def read(path: Path, name: str) -> SavedPrompt:
    """The prompt in a file. Raises `SavedPromptError` that names the file, and the line where there is one."""
    try:
        if not path.is_file():
            raise SavedPromptError(f"{path} is no file.")
        if path.stat().st_size > MOST_BYTES:
            raise SavedPromptError(f"{path} is too large for a prompt: {path.stat().st_size:,} bytes.")
        source = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise SavedPromptError(f"{path}, line {line}: this is no UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as error:
        raise SavedPromptError(f"{path} cannot be read: {error.strerror or error}.") from None
    head, text = _parts(path, source)
    options = _options(path, head)
    kind = str(options.pop("kind", "prompt"))
    try:
        saved = checked(name, text, options, kind)
    except OptionError as error:
        raise SavedPromptError(f"{path}: {error.message}") from None
    return SavedPrompt(saved.name, saved.text, saved.options, saved.kind, path)


def _parts(path: Path, source: str) -> tuple[str, str]:
    """The head's TOML and the text."""
    if not source.startswith((f"{FENCE}\n", f"{FENCE}\r\n")):
        return "", source.replace("\r\n", "\n").removesuffix("\n")
    if source.startswith(f"{FENCE}\r\n"):
        # The whole file was turned to another system's line ends, by git for one.
        source = source.replace("\r\n", "\n")
    if source.startswith(f"{FENCE}\n{FENCE}\n"):
        return "", source[2 * len(FENCE) + 2 :].removesuffix("\n")
    head, fence, text = source.partition(f"\n{FENCE}\n")
    if not fence:
        raise SavedPromptError(f"{path}, line 1: the head is not closed.", f"Write a line {FENCE} below the options.")
    return head[len(FENCE) + 1 :], text.removesuffix("\n")


def _options(path: Path, head: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(head)
    except tomllib.TOMLDecodeError as error:
        place = _AT_LINE.match(str(error))
        what, line = (place["what"], int(place["line"]) + 1) if place else (str(error), head.count("\n") + 2)
        raise SavedPromptError(f"{path}, line {line}: {what}.", "Options are lines like max_tokens = 20.") from None
    for option, value in found.items():
        if (wrong := _wrong(option, value)) is not None:
            lines = head.splitlines()
            starts = [
                at for at, line in enumerate(lines, start=2) if re.match(rf"\s*[\['\"]*{re.escape(option)}\b", line)
            ]
            raise SavedPromptError(f"{path}, line {starts[0] if starts else 2}: {wrong}")
    return found


def _wrong(option: str, value: Any) -> str | None:
    """What is wrong with an option, in a sentence; None where nothing is."""
    if not isinstance(option, str) or not _KEY.fullmatch(option):
        return f"{option!r} is no name of an option."
    is_list = isinstance(value, list | tuple)
    items = value if is_list else [value]
    if not all(isinstance(item, str if is_list else str | int | float | bool) for item in items):
        return f"{option} must be a text, a number, true or false, or a list of texts."
    wanted = _TYPES.get(option)
    kind = list if is_list else type(value)
    if wanted is not None and kind not in wanted:
        named = {str: "a text", bool: "true or false", list: "a list of texts"}.get(wanted[0], "a number")
        return f"{option} must be {named}, not {value!r}."
    return None


def _toml(value: Plain) -> str:
    """A value as TOML writes it (toml.io, v1.0.0). A text of several lines keeps them, so that a change shows as one.

    Not by a library: Python reads TOML and does not write it, and these are all the types there are.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(_quoted(item) for item in value)}]"
    if "\n" not in value:
        return _quoted(value)
    lines = [_escaped(line) for line in value.split("\n")]
    # A line of the text that looks like the head's end must not be one.
    return '"""\n' + "\n".join(line.replace("+", "\\u002B", 1) if line == FENCE else line for line in lines) + '"""'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return re.sub(r'[\\"\x00-\x08\x0a-\x1f\x7f]', lambda mark: _ESCAPES.get(mark[0], f"\\u{ord(mark[0]):04X}"), text)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\x08": "\\b", "\x0c": "\\f"}
