"""%%prompt --resume: go on with an answer where it was stopped or cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.answers import answer_view, below
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.call import Call

if TYPE_CHECKING:
    from kaggle_magics.generation.answer import Answer

_TAKES = {"resume", "thread", "model", "max_tokens", "output", "text", "raw"}
"""Options that have a meaning here: all others are as they were when the answer was begun."""


def resume(call: Call) -> Answer | None:
    """Go on with the last answer, or the last one of --thread."""
    if " ".join(call.options.text).strip() or (call.body or "").strip() or call.saved is not None:
        raise OptionError("--resume goes on with an answer and takes no text.", "To ask something new, leave it out.")
    for action in call.command.parser(call.settings.prefix).options:
        given = getattr(call.options, action.dest, None)
        if action.dest not in _TAKES and given not in (None, False, []):
            raise OptionError(
                f"{action.option_strings[-1]} has no place with --resume: the answer goes on as it was begun.",
                "It takes --thread, --model, --max-tokens and --output.",
            )
    session, options = call.session, call.options
    label = session.model(options.model).name
    return call.show(
        label,
        lambda output: session.resume(
            thread=options.thread,
            model=options.model,
            max_tokens=options.max_tokens,
            on_text=output.text,
            on_reasoning=output.reasoning,
        ),
        answer_view,
        below,
    )
