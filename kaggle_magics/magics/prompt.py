"""%%prompt: ask a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.answers import answer_view, footer
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import prompting_options

if TYPE_CHECKING:
    from kaggle_magics.generation.answer import Answer


@command(
    "Ask the current model and stream its answer; {name} in the text is filled in from the notebook.",
    body="prompt",
    options=prompting_options,
    examples=(
        "%%prompt --max-tokens 60\nWhat is the capital of {country}?",
        '%%prompt -s "Answer in one word." --temperature 0.7 --seed 1 -o answer\nWhich colour is the sky?',
        'answer = %prompt "What is the capital of Peru?"',
    ),
)
def prompt(call: Call) -> Answer | None:
    asked = call.prompt()
    session = call.session
    model = session.model(call.options.model)
    return call.show(
        model.name,
        lambda output: session.prompt(asked, model=model.name, on_text=output.text),
        answer_view,
        footer,
    )
