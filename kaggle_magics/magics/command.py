"""A magic, described once: its name, its options, its help and what it runs. The shell knows only these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaggle_magics.magics.arguments import Parser, options_help

if TYPE_CHECKING:
    from kaggle_magics.magics.call import Call


@dataclass(frozen=True, slots=True)
class Command:
    """One magic. `body` says what a cell's body is ("prompt"); "" for magics that are a line only."""

    name: str
    summary: str
    run: Callable[[Call], Any]
    options: Callable[[Parser], None]
    examples: tuple[str, ...]
    body: str = ""

    def typed(self, prefix: str = "") -> str:
        """As a person types it: `%%prompt`, `%llm_load`."""
        return f"{'%%' if self.body else '%'}{prefix}{self.name}"

    def parser(self, prefix: str = "") -> Parser:
        """The parser of its line."""
        parser = Parser(self.typed(prefix))
        self.options(parser)
        parser.switch("--help", "-h", help="Show this text.")
        return parser

    def help(self, prefix: str, defaults: Mapping[str, Any]) -> str:
        """The text of `--help` and `?`: usage, options with their defaults, examples that work."""
        parser = self.parser(prefix)
        word = parser.positional
        usage = f"{self.typed(prefix)} [options]"
        if word is not None:
            many = "..." if word.nargs in ("*", "+") else ""
            usage += f" {word.metavar}{many}" if word.nargs in (None, "+") else f" [{word.metavar}{many}]"
        if self.body:
            usage += f"\n<the {self.body}, in the cell's body>"
        examples = "\n\n".join(f"    {example}".replace("\n", "\n    ") for example in self.examples)
        if prefix:
            for mark in ("%%", "%"):
                examples = examples.replace(f"{mark}{self.name}", f"{mark}{prefix}{self.name}")
        return "\n".join([self.summary, "", usage, "", *options_help(parser, defaults), "", "Examples", "", examples])


COMMANDS: dict[str, Command] = {}
"""All magics by name, in the order the overview shows them; filled by `command`."""


def command(
    summary: str, *, examples: tuple[str, ...], options: Callable[[Parser], None] = lambda parser: None, body: str = ""
) -> Callable[[Callable[[Call], Any]], Command]:
    """Make a function of a `Call` a magic of the same name."""

    def register(run: Callable[[Call], Any]) -> Command:
        made = Command(run.__name__, summary, run, options, examples, body)
        COMMANDS[made.name] = made
        return made

    return register
