"""Tab: options, models, collections, paths, variables, on the line of our magics."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, get_args

import kaggle_magics
from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.generation.answer import FORMATS
from kaggle_magics.magics.command import Command
from kaggle_magics.magics.prompting.typed_names import TYPES
from kaggle_magics.models.fit.quants import WORDS
from kaggle_magics.models.kinds import Kind
from kaggle_magics.models.templates import NAMED

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kaggle_magics.magics.settings import KaggleMagics
    from kaggle_magics.session import Session

MARK = "_of_kaggle_magics"
"""Attribute of every function that we give to IPython, by which we find them again."""


def register(shell: InteractiveShell, settings: KaggleMagics, command: Command) -> None:
    """Complete the line of one magic, in its line and its cell form."""
    completer = _completer(shell, settings, command)
    set_hook: Any = shell.set_hook
    for mark in ("%", "%%") if command.body else ("%",):
        set_hook("complete_command", completer, str_key=f"{mark}{settings.prefix}{command.name}")


def unregister(shell: InteractiveShell) -> None:
    """Take back all completers of ours."""
    hooks: Any = shell.strdispatchers.get("complete_command")
    for name, chain in list(hooks.strs.items()) if hooks is not None else []:
        chain.chain[:] = [entry for entry in chain.chain if not getattr(entry[1], MARK, False)]
        if not chain.chain:
            del hooks.strs[name]


def _completer(shell: InteractiveShell, settings: KaggleMagics, command: Command) -> Callable[..., list[str]]:
    def complete(_shell: Any, event: Any) -> list[str]:
        return candidates(shell, settings, command, event.text_until_cursor, event.symbol)

    setattr(complete, MARK, True)
    return complete


def candidates(
    shell: InteractiveShell, settings: KaggleMagics, command: Command, before: str, symbol: str
) -> list[str]:
    """What can stand where the cursor is; `before` is the line up to it, `symbol` the word that is being typed."""
    parser = command.parser(settings.prefix)
    words = before[: len(before) - len(symbol)].split()[1:] if symbol else before.split()[1:]
    flags = {flag: action for action in parser.options for flag in action.option_strings}
    if len(words) > 1 and words[-1].endswith(","):
        # A list that goes on: to IPython the word that is being typed begins after its last comma.
        words = words[:-1]
    waiting = flags.get(words[-1]) if words else None
    if waiting is not None and waiting.nargs not in (0, "?"):
        begun, comma, last = symbol.rpartition(",") if waiting.dest in parser.lists else ("", "", symbol)
        found = _values(parser.completes.get(waiting.dest, ""), shell, words, last)
        return [f"{begun}{comma}{value}" for value in found]
    if symbol.startswith("-"):
        given = {flags[word].dest for word in words if word in flags and word not in ("-i", "--input", "--stop")}
        return sorted(flag for flag, action in flags.items() if flag.startswith(symbol) and action.dest not in given)
    if parser.positional is not None:
        found = _values(parser.completes.get(parser.positional.dest, ""), shell, words, symbol)
        return found or ([] if symbol else sorted(flag for flag in flags if flag.startswith("--")))
    return [] if symbol else sorted(flag for flag in flags if flag.startswith("--"))


def _values(source: str, shell: InteractiveShell, words: list[str], symbol: str) -> list[str]:
    if source in _WORDS:
        return [word for word in _WORDS[source] if word.startswith(symbol)]
    if source == "path":
        return _paths(symbol)
    if source == "attachment":
        # The last of the names with commas between.
        before, comma, last = symbol.rpartition(",")
        return [f"{before}{comma}{name}" for name in (*_values("variable", shell, words, last), *_paths(last))]
    if source == "variable":
        return sorted(name for name in shell.user_ns if name.startswith(symbol) and not name.startswith("_"))
    if source == "schema":
        # Out is IPython's own.
        kinds = (name for name, value in shell.user_ns.items() if isinstance(value, type | dict) and name != "Out")
        return sorted(name for name in (*kinds, *TYPES) if name.startswith(symbol) and not name.startswith("_"))
    if source not in _SOURCES:
        return []
    low = symbol.casefold()
    return sorted(
        {word for word in _SOURCES[source](kaggle_magics.get_session(), words) if word.casefold().startswith(low)}
    )


_WORDS = {
    "template": ("auto", "none", *NAMED),
    "format": FORMATS,
    "mode": ("hybrid", "lexical", "dense"),
    "fusion": ("min-max", "rrf"),
    "dtype": ("bfloat16", "float16", "float32"),
    "device": ("cpu", "cuda"),
    "quant": WORDS,
    "store": ("chroma", "chroma-memory", "faiss", "numpy"),
    "action": ("doctor",),
    "gguf_type": ("bf16", "f16", "q2_k", "q3_k_m", "q4_0", "q4_k_m", "q5_k_m", "q6_k", "q8_0"),
    "kind": get_args(Kind),
}


def _references(session: Session, words: list[str]) -> Iterable[str]:
    """Aliases, and names and references by the paths alone: no header is read while somebody types."""
    from kaggle_magics.models.find import catalog
    from kaggle_magics.models.find.naming import cased

    found = catalog.newest([*catalog.locations(), *catalog.quantized()])
    names = {name for location in found for name in (location.name, cased(location))}
    return [*session.aliases, *(name for name in names if not any(mark.isspace() for mark in name))]


def _sources(session: Session, words: list[str]) -> Iterable[str]:
    """Documents of the collection that the line names."""
    name = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-c", "--collection")), "default")
    collection = session.collections.get(name)
    return [facts.source for facts in collection.facts().sources] if collection else []


def _conditions(session: Session, words: list[str]) -> Iterable[str]:
    """Filters on the documents of the collection that the line names."""
    name = next((words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-c", "--collection")), "default")
    collection = session.collections.get(name)
    if collection is None:
        return ["source=", "page="]
    fields = (f"{field}=" for field in ("page", *collection.fields()) if not any(map(str.isspace, field)))
    return [*fields, *(f"source={source}" for source in _sources(session, words) if not any(map(str.isspace, source)))]


def _fields(session: Session, words: list[str]) -> Iterable[str]:
    """Fields of the saved prompt that the line uses."""
    name = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "--use"), None)
    try:
        return [f"{field}=" for field in session.prompts[name].fields if field.isidentifier()] if name else []
    except KaggleMagicsError:
        return []


_SOURCES: dict[str, Callable[[Session, list[str]], Iterable[str]]] = {
    "reference": _references,
    "loaded": lambda session, words: list(session.loaded),
    "loaded_or_reference": lambda session, words: [*session.loaded, *_references(session, words)],
    "collection": lambda session, words: list(session.collections),
    "source": _sources,
    "where": _conditions,
    "thread": lambda session, words: list(session.threads),
    "saved": lambda session, words: list(session.prompts),
    "field": _fields,
}


def _paths(symbol: str) -> list[str]:
    """Files and folders that begin like `symbol`; folders end with a slash."""
    home = os.path.expanduser("~") if symbol.startswith("~/") else ""
    found = sorted(glob.glob(f"{glob.escape(home + symbol.removeprefix('~') if home else symbol)}*"))
    return [f"{'~' + path.removeprefix(home) if home else path}{os.sep * os.path.isdir(path)}" for path in found]
