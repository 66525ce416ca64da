"""One call of a magic: its options, its text and where its result goes."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

import kaggle_magics
from kaggle_magics.display.answers import fields_note
from kaggle_magics.display.bundle import View, join
from kaggle_magics.display.stream import Show, open_show
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.generation.waiting import Tell, telling
from kaggle_magics.interpolation import Template, interpolate
from kaggle_magics.magics.arguments import split
from kaggle_magics.magics.cell import notebook
from kaggle_magics.magics.command import Command
from kaggle_magics.magics.prompting import attaching, saved
from kaggle_magics.magics.prompting.typed_names import typed_choices, typed_schema
from kaggle_magics.models.request import Sampling

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kaggle_magics.generation.library.prompt_file import SavedPrompt
    from kaggle_magics.magics.settings import KaggleMagics
    from kaggle_magics.session import Session

Result = TypeVar("Result")

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)$")


def _print_once() -> Tell:
    """Waiting in line told as a line of text: once."""
    said: list[str] = []

    def tell(waits: str | None) -> None:
        if waits is not None and not said:
            said.append(waits)
            print(waits.rpartition(" (")[0])

    return tell


def _warn(text: str) -> None:
    print(f"kaggle_magics: {text}", file=sys.stderr)


@dataclass(slots=True)
class Call:
    """What one magic was given. `body` is None for a line magic."""

    command: Command
    shell: InteractiveShell
    settings: KaggleMagics
    options: Namespace
    body: str | None
    names: Mapping[str, Any]
    """What fields in braces are filled from: the notebook's variables, and a function's own where it runs in one."""
    used: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    """Values that -i gives."""
    saved: SavedPrompt | None = None
    """What --use names."""
    words: tuple[tuple[str, str], ...] = ()
    """Words of the line as they were written, and with their fields filled in, where that differs."""
    spans: tuple[tuple[int, int, str], ...] = ()
    """Where in the text that was filled last its values stand: (start, end, field)."""
    before: tuple[View, ...] = ()
    """What is to be shown above the result, and before there is one."""
    notes: tuple[View, ...] = ()
    """What is to be said below the result."""
    values: dict[str, str] = field(default_factory=dict)
    """The fields that were filled in, each with its text."""
    open: bool = False
    """Whether the fields of the text and the system text stay: a table's rows fill them."""

    @classmethod
    def read(
        cls,
        command: Command,
        shell: InteractiveShell,
        settings: KaggleMagics,
        line: str,
        body: str | None,
        local_names: Mapping[str, Any] | None,
    ) -> Call | None:
        """Parse a line; None when it asks for help. `{name}` and `$name` in the line's words are filled in."""
        names = ChainMap(*(dict(part) for part in (local_names or {}, shell.user_ns)))
        words = split(line)
        if "--help" in words or "-h" in words:
            return None
        call = cls(command, shell, settings, Namespace(), body, names)
        call._parse(words)
        if given := saved.inputs(call.options):
            # Values that the line gives go before the notebook's, also for other words of the line.
            call.given, call.names = given, ChainMap(given, *names.maps)
            call._parse(words)
        saved.begin(call)
        return call

    @property
    def session(self) -> Session:
        session = kaggle_magics.get_session()
        session.at_home(notebook(self.shell), _warn)
        return session

    @property
    def is_cell(self) -> bool:
        return self.body is not None

    @property
    def magic(self) -> str:
        return self.command.typed(self.settings.prefix)

    def setting(self, name: str) -> Any:
        """An option's value: as given, else as set on `KaggleMagics`."""
        given = getattr(self.options, name, None)
        return getattr(self.settings, name) if given is None else given

    def sampling(self) -> dict[str, Any]:
        """The sampling options as keyword arguments of the session's calls."""
        chosen = {option.name: self.setting(option.name) for option in fields(Sampling)}
        return {**chosen, "stop": tuple(chosen["stop"] or ())}

    def embedder(self) -> Any:
        """What `--embedder` names: a variable that holds an embedder, else the reference as it is."""
        word: str | None = self.options.embedder
        held = self.names.get(word) if word and word.isidentifier() else None
        return word if held is None or isinstance(held, str) else held

    def finding(self) -> dict[str, Any]:
        """The collection and the search options as keyword arguments of the session's calls."""
        chosen = {name: self.setting(name) for name in ("collection", "passages", "mode")}
        conditions: dict[str, list[str]] = {}
        for name, value in getattr(self.options, "where", None) or ():
            conditions.setdefault(name, []).append(value)
        others = ("weight", "fusion", "diversity", "neighbours", "reranker")
        given = {name: getattr(self.options, name, None) for name in others} | {"where": conditions or None}
        return chosen | {name: value for name, value in given.items() if value is not None}

    def prompt(self) -> Prompt:
        """The text with all that the line says about how to answer it (`options.prompting_options`)."""
        text, system = self.text(), self.setting("system") or None
        saved.finish(self)
        sampling, structure = self.sampling(), self.structure()
        if structure and not self.options.stop:
            # The setting is a default for texts; only a stop text that is asked for here would contradict.
            sampling["stop"] = ()
        return Prompt.of(
            text,
            system=system,
            template=self.setting("template"),
            format=self.setting("format"),
            logprobs=getattr(self.options, "logprobs", None),
            attached=attaching.attached(self),
            **self.about(),
            spans=self.spans if self.body is not None or self.saved is not None else (),
            **structure,
            **sampling,
        )

    def structure(self) -> dict[str, Any]:
        """What the line says the answer has to be, as keyword arguments of `Prompt.of`."""
        given = {name: getattr(self.options, name) for name in ("schema", "choices", "regex")}
        asked = {name: value for name, value in given.items() if value is not None}
        if "schema" in asked:
            asked["schema"] = typed_schema(asked["schema"], self.names)
        if "choices" in asked:
            asked["choices"] = typed_choices(asked["choices"], self.names)
        return asked | ({"constrain_only": True} if self.options.constrain_only else {})

    def about(self) -> dict[str, Any]:
        """What every call that asks takes beside the sampling: the fields that were filled in, and the cache."""
        cache = False if getattr(self.options, "no_cache", False) else None
        return {"filled": tuple(self.values.items()), "cache": cache}

    def text(self) -> str:
        """The text the magic is about, its fields filled in: the cell's body, or on a line its words."""
        words = " ".join(self.options.text)
        if self.body is None and self.saved is None:
            if not words.strip():
                raise OptionError(
                    f"{self.magic} needs a {self.command.body}.",
                    f'Write it in the body of a {self.magic} cell, or in quotes: {self.magic[1:]} "..."',
                )
            return words
        return self.filled(self.cell())

    def cell(self) -> str:
        """The cell's body, or the saved prompt, as it was written, without blank lines around it."""
        if self.saved is not None:
            return self.saved.text
        if getattr(self.options, "text", None):
            raise OptionError(
                f"{self.options.text[0]!r} stands on the line of {self.magic}.",
                f"The {self.command.body} goes in the cell's body; only options go on the line.",
            )
        if self.body is None or not self.body.strip():
            raise OptionError(f"{self.magic} has no {self.command.body}.", "Write it in the cell's body.")
        return self.body.strip("\n")

    def filled(self, text: str) -> str:
        """`text` with its fields filled in, unless --raw is given."""
        self.spans = ()
        if getattr(self.options, "raw", False):
            return text
        if self.open:
            self.used += Template.of(text).fields
            return text
        found = interpolate(text, self.names)
        self.used += tuple(name for name in found.used if name not in self.used)
        self.missing += tuple(name for name in found.missing if name not in self.missing)
        self.values.update(found.filled)
        self.spans = found.spans
        return found.text

    def leave_open(self) -> None:
        """Take the text and the system text as they were written, their fields not filled in."""
        self.open, self.used, self.missing, self.values = True, (), (), {}
        if self.options.system is not None:
            self.options.system = self._written(self.options.system)
            self.used += Template.of(self.options.system).fields
        self.options.text = [self._written(word) for word in self.options.text]

    def store(self, result: Any) -> None:
        """Put the result where -o says."""
        if getattr(self.options, "output", None):
            self.shell.user_ns[self.options.output] = result

    def show(
        self,
        label: str,
        work: Callable[[Show], Result],
        draw: Callable[[Result], View],
        rest: Callable[[Result], View | None] = lambda result: None,
    ) -> Result | None:
        """Run `work` and show its result: a cell streams it and returns nothing, a line returns it to be shown.

        `draw` is the finished output; `rest` what of it follows below text that a terminal has already written.
        """
        if not self.is_cell:
            with telling(_print_once()):
                result = work(Show())
            self.store(result)
            for hint in (fields_note((), self.missing), *self.notes):
                if hint:
                    print(hint.text)
            return result
        with open_show(self.shell) as output:
            if self.before:
                output.part_done(join("before", self.before))
            output.begin(label)
            with telling(lambda waits: output.progress(label if waits is None else waits)):
                result = work(output)
            self.store(result)
            hint = join("hints", [fields_note(self._from_notebook(), self.missing), *self.notes])
            output.finish(join("result", [*self.before, draw(result), hint]), rest=join("rest", [rest(result), hint]))
        return None

    def _from_notebook(self) -> list[str]:
        return [name for name in self.used if re.split(r"[.\[]", name)[0] not in self.given]

    def _parse(self, words: list[str]) -> None:
        self.used, self.missing, self.values = (), (), {}
        filled = words if "--raw" in words else [self._filled(word) for word in words]
        self.words = tuple(pair for pair in zip(words, filled, strict=True) if pair[0] != pair[1])
        self.options = self.command.parser(self.settings.prefix).parse(filled)

    def _written(self, text: str) -> str:
        """A text of the line with its fields still open; a `$name` was all of it, and stays filled in."""
        word = saved.written(self, text)
        return text if _VARIABLE.match(word) else word

    def _filled(self, word: str) -> str:
        variable = _VARIABLE.match(word)
        return str(self.names[variable[1]]) if variable and variable[1] in self.names else self.filled(word)
