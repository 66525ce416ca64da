"""From a magic's line to its options: split as a POSIX shell splits, parsed strictly, wrong words get hints."""

from __future__ import annotations

import argparse
import difflib
import keyword
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from kaggle_magics.errors import OptionError, did_you_mean

_COMMA = re.compile(r"(?<!\\),")
_OPTION_SHAPE = re.compile(r"--?[A-Za-z][\w-]*(?:=.*)?$", re.S)


def split(line: str) -> list[str]:
    """The words of a line, quotes taken off. `OptionError` when a quote is not closed."""
    try:
        return shlex.split(line, comments=False, posix=True)
    except ValueError as error:
        raise OptionError(
            f"The line cannot be split into words: {str(error).lower()}.",
            'Close the quote, put "..." around text with an apostrophe, or write the text in the cell\'s body.',
        ) from None


class Parser(argparse.ArgumentParser):
    """Options of one magic. Errors are `OptionError`s; nothing is printed, nothing abbreviated, nothing given twice."""

    def __init__(self, magic: str) -> None:
        super().__init__(prog=magic, add_help=False, allow_abbrev=False, exit_on_error=False)
        self.positional: argparse.Action | None = None

        self.completes: dict[str, str] = {}
        """Name of an option or argument -> what Tab offers for its value; see `completion.SOURCES`."""

        self.lists: set[str] = set()
        """Names of the options that take several values with commas."""

    def argument(
        self, metavar: str, help: str, *, dest: str = "", nargs: str | None = None, complete: str = ""
    ) -> None:
        """The words that are not options, under one name."""
        self.positional = self.add_argument(dest or metavar.lower(), metavar=metavar, help=help, nargs=nargs)
        self.completes[self.positional.dest] = complete

    def option(
        self,
        *flags: str,
        help: str,
        type: Callable[[str], Any] = str,
        repeat: bool = False,
        metavar: str = "",
        complete: str = "",
        without: Any = None,
    ) -> None:
        """An option with a value; with `without`, the value may be left out, and that is what it is then."""
        name = metavar or flags[-1].lstrip("-").upper().replace("-", "_")
        kind: dict[str, Any] = {"action": "append" if repeat else "store"}
        if without is not None:
            kind = {"nargs": "?", "const": without}
        action = self.add_argument(*flags, help=help, type=type, metavar=name, **kind)
        self.completes[action.dest] = complete

    def describe(self, name: str, help: str, *, complete: str) -> None:
        """Other words for an option that several magics share."""
        for action in self.options:
            if action.dest == name:
                action.help = help
        self.completes[name] = complete

    def axis(self, *names: str) -> None:
        """Let options take several values with commas between them; each is then a list."""
        for action in self.options:
            if action.dest in names:
                action.type = several(action.type if callable(action.type) else str)
                action.metavar = f"{action.metavar},..."
                self.lists.add(action.dest)

    def switch(self, *flags: str, help: str) -> None:
        """An option without a value."""
        self.add_argument(*flags, help=help, action="store_true")

    @property
    def options(self) -> list[argparse.Action]:
        """All actions that have flags."""
        return [action for action in self._actions if action.option_strings]

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options of a line. Raises `OptionError`: unknown, doubled, without a value, of a wrong type."""
        try:
            found, left = self.parse_known_args(self._checked(words))
        except argparse.ArgumentError as error:
            raise OptionError(self._worded(error), self._see()) from None
        if left:
            raise OptionError(
                f"{self.prog} takes no word {left[0]!r} here.", f"Put quotes around text with spaces. {self._see()}"
            )
        return found

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{self.prog}: {message}.", self._see())

    def _checked(self, words: Sequence[str]) -> list[str]:
        """The words, after a look at each option; a value that begins with a dash is tied to its option."""
        known = {flag: action for action in self.options for flag in action.option_strings}
        seen: set[str] = set()
        checked: list[str] = []
        waiting = ""
        for at, word in enumerate(words):
            if word == "--" and not waiting:
                return [*checked, *words[at:]]
            flag = word.partition("=")[0]
            is_option = bool(_OPTION_SHAPE.match(word))
            if is_option and flag in known:
                action = known[flag]
                if action.dest in seen and not isinstance(action, argparse._AppendAction):
                    raise OptionError(f"{flag} is given twice.", "Give it once.")
                seen.add(action.dest)
                if flag != word and not flag.startswith("--"):
                    raise OptionError(f"{flag} takes its value after a space, not after '='.", self._see())
                checked.append(word)
                waiting = flag if action.nargs not in (0, "?") and flag == word else ""
                continue
            if is_option:
                raise OptionError(f"{self.prog} has no option {flag}.", _nearest(flag, known) or self._see())
            if waiting and word.startswith("-"):
                checked[-1] = f"{waiting}={word}" if waiting.startswith("--") else f"{waiting}{word}"
            else:
                checked.append(word)
            waiting = ""
        return checked

    def _worded(self, error: argparse.ArgumentError) -> str:
        flag = (error.argument_name or self.prog).split("/")[-1]
        if error.message.startswith("expected"):
            return f"{flag} needs a value."
        if error.message.startswith("ignored explicit argument"):
            return f"{flag} takes no value."
        return f"{flag} {error.message}"

    def _see(self) -> str:
        return f"See: {self.prog} --help"


def _nearest(flag: str, known: Iterable[str]) -> str | None:
    """The hint for a misspelt option: the one nearest to it, dashes aside."""
    names = {name.lstrip("-"): name for name in known}
    near = difflib.get_close_matches(flag.lstrip("-").replace("_", "-"), names, n=1, cutoff=0.6)
    return f"Did you mean {names[near[0]]}?" if near else None


# Types of values: text in, value out, or an error that reads on after the option's name.


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a whole number, not {text!r}.") from None


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"needs a number, not {text!r}.")
    return value


def share(text: str) -> float:
    """A share, 0 to 1."""
    value = number(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"needs a share from 0 to 1, not {text!r}.")
    return value


def variable(text: str) -> str:
    """A name that can be assigned to."""
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"needs the name of a variable, not {text!r}.")
    return text


def assignment(text: str) -> tuple[str, str]:
    """`name=value`."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"needs name=value, not {text!r}.")
    return name, value


def condition(text: str) -> tuple[str, str]:
    """`field=value` of a filter."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"needs field=value, such as page=3-5, not {text!r}.")
    return name, value


def several(one: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Values with commas between them, each of one type; `\\,` in quotes is a comma that belongs to a value."""

    def read(text: str) -> list[Any]:
        values = [value.strip().replace("\\,", ",") for value in _COMMA.split(text)]
        if not all(values):
            raise argparse.ArgumentTypeError(f"needs values with commas between them, not {text!r}.")
        return [one(value) for value in values]

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """One of a few words."""

    def choose(text: str) -> str:
        if text in choices:
            return text
        hint = did_you_mean(text, choices)
        raise argparse.ArgumentTypeError(f"is one of {', '.join(choices)}, not {text!r}.{f' {hint}' if hint else ''}")

    return choose


def options_help(parser: Parser, defaults: Mapping[str, Any]) -> list[str]:
    """One line for each argument and option, with its default."""
    lines: list[tuple[str, str]] = []
    if parser.positional is not None:
        lines.append((str(parser.positional.metavar), parser.positional.help or ""))
    for action in parser.options:
        flags = ", ".join(action.option_strings)
        default = defaults.get(action.dest)
        text = action.help or ""
        if default not in (None, "", (), []):
            text = f"{text} (default: {default})"
        value = f"[{action.metavar}]" if action.nargs == "?" else action.metavar
        lines.append((f"{flags} {value}" if action.nargs != 0 else flags, text))
    width = max((len(left) for left, _ in lines), default=0)
    return [f"  {left.ljust(width)}  {text}" for left, text in lines]
