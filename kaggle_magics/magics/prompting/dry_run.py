"""--dry-run: look at a prompt before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kaggle_magics.display.preview import preview_view
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.prompting.table import first_prompt

if TYPE_CHECKING:
    from kaggle_magics.generation.preview import Preview

_MANY = {"--jsonl": "jsonl", "--answers": "answers"}


def dry_run(call: Call, place: Mapping[str, Any]) -> Preview | None:
    """Show what %%prompt would send; `place` is its place in a conversation. Of a table it is the first row's."""
    for flag, name in _MANY.items():
        if getattr(call.options, name, None) is not None:
            raise OptionError(f"--dry-run shows one prompt, and {flag} is about many.", f"Leave {flag} out.")
    asked = call.prompt() if call.options.over is None else first_prompt(call)
    return show_preview(call, lambda model: call.session.preview(asked, model=model, **place))


def show_preview(call: Call, preview: Callable[[str], Preview]) -> Preview | None:
    """Show what `preview` gives for the name of the call's model."""
    model = call.session.model(call.options.model).name
    return call.show(model, lambda output: preview(model), preview_view)
