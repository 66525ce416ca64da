"""-i, --save and --use: values for fields, and prompts that are kept in files, on the lines of the magics that ask."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from kaggle_magics.display.bundle import note
from kaggle_magics.errors import OptionError, SavedPromptError, did_you_mean
from kaggle_magics.generation.library.prompt_file import Kind, check_filled, check_values
from kaggle_magics.models.request import Sampling

if TYPE_CHECKING:
    from kaggle_magics.magics.call import Call

KEPT = (
    "system",
    "template",
    "raw",
    *(option.name for option in fields(Sampling)),
    "schema",
    "choices",
    "regex",
    "constrain_only",
    "format",
)
"""The options that belong to a prompt and are saved with it, where the magic has them: not which model answers, nor
where the answer goes."""
_UNSET: tuple[Any, ...] = (None, False, [])


def inputs(options: Namespace) -> dict[str, str]:
    """What -i gives, by the names of the fields."""
    pairs = getattr(options, "input", None) or []
    given = dict(pairs)
    if len(given) != len(pairs):
        raise OptionError("-i gives a name twice.", "Give each name one value.")
    return given


def begin(call: Call) -> None:
    """Put what --use names into a call that was just parsed: its text, and its options as if they stood on the line."""
    options = call.options
    name = getattr(options, "use", None)
    if name is None:
        return
    saved, kind = call.session.prompts[name], _kind(call)
    if saved.kind != kind:
        raise OptionError(
            f"{name!r} is a {saved.kind}, not a {kind}.",
            f"Use it with %{call.settings.prefix}{saved.kind} --use {name}",
        )
    if (call.body or "").strip() or getattr(options, "text", None):
        raise OptionError(f"--use {name} has its text already.", "Leave the cell's body empty, or leave --use out.")
    call.saved = saved
    for option, value in saved.options.items():
        if not hasattr(options, option):
            raise SavedPromptError(
                f"{saved.path}: {call.magic} has no option {option!r}.", did_you_mean(option, vars(options))
            )
        if getattr(options, option) in _UNSET:
            setattr(options, option, value)
    # Before anything is filled in: a saved --raw counts for the system text too.
    if isinstance(system := saved.options.get("system"), str) and options.system is system:
        options.system = call.filled(system)
        call.words += ((system, options.system),)


def finish(call: Call) -> None:
    """Once a prompt's text is filled in: see that all fields have values and all values fields, and keep the prompt
    where --save says."""
    if call.saved is not None:
        check_values(call.saved, call.given)
        check_filled(call.saved, call.missing)
    used = {re.split(r"[.\[]", name)[0] for name in call.used}
    if unused := [name for name in call.given if name not in used]:
        raise OptionError(
            f"-i gives {unused[0]}, and no field {{{unused[0]}}} is in the prompt.",
            did_you_mean(unused[0], call.missing),
        )
    keep(call)


def keep(call: Call) -> None:
    """Keep the text, its fields open, with its options, where --save says."""
    name = getattr(call.options, "save", None)
    if name is None:
        if getattr(call.options, "overwrite", False) and getattr(call.options, "jsonl", None) is None:
            raise OptionError("--overwrite goes with --save NAME.")
        return
    library = call.session.prompts
    text = call.cell() if call.is_cell or call.saved else " ".join(written(call, word) for word in call.options.text)
    options = {option: getattr(call.options, option, None) for option in KEPT}
    options = {
        option: written(call, value) if isinstance(value, str) else value
        for option, value in options.items()
        if value not in _UNSET
    }
    was_there = name in library
    saved = library.save(name, text, kind=_kind(call), overwrite=call.options.overwrite, **options)
    open_fields = f", with the fields {', '.join(saved.fields)}" if saved.fields else ""
    call.notes += (note(f"{'Kept' if was_there else 'Saved'} in {saved.path}{open_fields}."),)


def is_only_kept(call: Call) -> bool:
    """Whether a prompt was saved with fields that nothing fills: it is kept, said to be, and not asked."""
    if getattr(call.options, "save", None) is None or not call.missing:
        return False
    for said in call.notes:
        print(said.text)
    values = " ".join(f"-i {name}=..." for name in call.missing if name.isidentifier())
    print(
        f"Not asked: nothing fills {', '.join(call.missing)}. "
        f"Use it: %{call.settings.prefix}prompt --use {call.options.save} {values}".rstrip()
    )
    return True


def written(call: Call, text: str) -> str:
    """A text of the line as it was written, before its fields were filled in."""
    for word, filled in reversed(call.words):
        if filled == text:
            return word
        # `--system=TEXT` is one word.
        if word.startswith("--") and filled.partition("=")[2] == text:
            return word.partition("=")[2]
    return text


def _kind(call: Call) -> Kind:
    return "chain" if call.command.name == "chain" else "prompt"
