"""Between our magics and IPython: register them, take them back, and let errors show as one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import kaggle_magics
from kaggle_magics.display import escape, formatters
from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.magics import completion, empty_body
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import COMMANDS, Command
from kaggle_magics.magics.registry import commands
from kaggle_magics.magics.settings import ABOUT_ANSWERS, KaggleMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load(shell: InteractiveShell) -> None:
    """Register everything. Loading twice is the same as loading once."""
    if _settings_of(shell) is not None:
        _take_back(shell)
    settings = _settings(shell)
    _configurables(shell).append(settings)
    formatters.register(shell)
    _register(shell, settings)
    empty_body.register(shell, lambda: {name for kind, name, _ in _ours(shell) if kind == "cell"})
    if settings.aliases:
        _tell_aliases({}, settings.aliases)
    if (settings.cache, settings.answers, settings.replay) != (True, "", None):
        _tell_about_answers(settings)
    if settings.prompts != KaggleMagics.prompts.default_value:
        _tell_folder(settings.prompts)
    if not settings.history:
        kaggle_magics.get_session().recording = False
    settings.observe(
        lambda change: _renew(shell, settings, change), names=list(KaggleMagics.class_trait_names(config=True))
    )


def unload(shell: InteractiveShell) -> None:
    """Take everything back, and free models and collections if any were ever made."""
    _take_back(shell)
    session_module = sys.modules.get("kaggle_magics.session")
    if session_module is not None:
        session_module.get_session().close()


def _settings(shell: InteractiveShell) -> KaggleMagics:
    """The settings that the configuration asks for; those that cannot be are dropped, and said to be.

    `%config` writes also a value that it refuses into the shell's configuration, where the next loading meets it.
    """
    from traitlets import TraitError
    from traitlets.config import Config

    wanted = shell.config.get(KaggleMagics.__name__, {})
    for name, value in list(wanted.items()):
        try:
            KaggleMagics(config=Config({KaggleMagics.__name__: {name: value}}))
        except TraitError as error:
            del wanted[name]
            print(f"kaggle_magics: the setting {name} stays as it was. {error}", file=sys.stderr)
    return KaggleMagics(parent=shell)


def _settings_of(shell: InteractiveShell) -> KaggleMagics | None:
    return next((found for found in _configurables(shell) if type(found).__name__ == KaggleMagics.__name__), None)


def _configurables(shell: InteractiveShell) -> list[Any]:
    """What `%config` lists and sets."""
    configurables: list[Any] = shell.configurables
    return configurables


def _take_back(shell: InteractiveShell) -> None:
    settings = _settings_of(shell)
    if settings is not None:
        settings.unobserve_all()
        _configurables(shell).remove(settings)
    formatters.unregister(shell)
    empty_body.unregister(shell)
    _unregister(shell)


def _renew(shell: InteractiveShell, settings: KaggleMagics, change: Mapping[str, Any]) -> None:
    """After a setting changed: it outlives a reload, names follow the prefix, and help shows the new defaults."""
    shell.config.KaggleMagics[change["name"]] = change["new"]
    if change["name"] == "prefix":
        _unregister(shell)
        _register(shell, settings)
    if change["name"] == "aliases":
        _tell_aliases(change["old"], change["new"])
    if change["name"] in ABOUT_ANSWERS:
        _tell_about_answers(settings)
    if change["name"] == "prompts":
        _tell_folder(change["new"])
    if change["name"] == "history":
        kaggle_magics.get_session().recording = change["new"]
    defaults = settings.defaults()
    for _, _, function in _ours(shell):
        function.__doc__ = COMMANDS[function.__name__].help(settings.prefix, defaults)


def _tell_aliases(old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """The session knows the aliases; those that were set in Python stay."""
    aliases = kaggle_magics.get_session().aliases
    for name in old:
        aliases.pop(name, None)
    aliases.update(new)


def _tell_folder(folder: str) -> None:
    """The session keeps prompts there."""
    kaggle_magics.get_session().prompts.folder = Path(folder).expanduser()


def _tell_about_answers(settings: KaggleMagics) -> None:
    answers = kaggle_magics.get_session().answers
    answers.enabled, answers.place, answers.replay = settings.cache, settings.answers or None, settings.replay


def _register(shell: InteractiveShell, settings: KaggleMagics) -> None:
    taken: list[str] = []
    for command in commands().values():
        name = f"{settings.prefix}{command.name}"
        kinds = ("line", "cell") if command.body else ("line",)
        if any(name in _names(shell, kind) for kind in kinds):
            taken.append(command.typed(settings.prefix))
            continue
        function = _function(command, shell, settings)
        register: Any = shell.register_magic_function
        for kind in kinds:
            register(function, magic_kind=kind, magic_name=name)
        completion.register(shell, settings, command)
    if taken:
        print(
            f"kaggle_magics: {', '.join(taken)} {'is' if len(taken) == 1 else 'are'} defined already and left alone."
            ' Run: %config KaggleMagics.prefix = "k_"',
            file=sys.stderr,
        )


def _unregister(shell: InteractiveShell) -> None:
    for kind, name, _ in list(_ours(shell)):
        del shell.magics_manager.magics[kind][name]
    completion.unregister(shell)


def _ours(shell: InteractiveShell) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Kind, name and function of the magics that are ours; others may have replaced some."""
    for kind, magics in shell.magics_manager.magics.items():
        for name, function in magics.items():
            # Only plain functions are asked: IPython's own may be placeholders that load when they are looked at.
            if type(function) is FunctionType and hasattr(function, completion.MARK):
                yield kind, name, function


def _names(shell: InteractiveShell, kind: str) -> set[str]:
    """Magics that are there, and those IPython would load when they are called."""
    return {*shell.magics_manager.magics[kind], *getattr(shell.magics_manager, "lazy_magics", {})}


def _function(command: Command, shell: InteractiveShell, settings: KaggleMagics) -> Callable[..., Any]:
    """The function that IPython calls. It raises our errors so that they show as one line."""

    def magic(line: str = "", cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        trouble: BaseException
        call: Call | None = None
        try:
            call = Call.read(command, shell, settings, line, cell, local_ns)
            if call is None:
                print(command.help(settings.prefix, settings.defaults()))
                return None
            return command.run(call)
        except (KaggleMagicsError, KeyboardInterrupt) as error:
            # What was done before it failed is told all the same.
            for note in call.notes if call else ():
                print(note.text)
            trouble = _one_line(error)
        try:
            # Raised anew, outside the handler: what failed is not kept alive by the error's frames and causes.
            raise trouble
        finally:
            del trouble

    magic.__name__ = magic.__qualname__ = command.name
    magic.__doc__ = command.help(settings.prefix, settings.defaults())
    for attribute in (completion.MARK, "_ipython_magic_no_var_expand", "needs_local_scope"):
        setattr(magic, attribute, True)
    return magic


def _one_line(error: BaseException) -> BaseException:
    """The same error, without its history, and with a traceback of one line in this shell."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    message = "the cell was interrupted." if isinstance(error, KeyboardInterrupt) else str(error)
    line = f"{type(error).__name__}: {' '.join(escape.plain(message).split())}"
    error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
    return error
