"""%%prompt: ask a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.answers import answer_view, footer
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import raw_option, sampling_options, system_option, template_option, text_argument

if TYPE_CHECKING:
    from kaggle_magics.generation.answer import Answer


def _options(parser: Parser) -> None:
    text_argument(parser)
    sampling_options(parser)
    system_option(parser)
    template_option(parser)
    raw_option(parser)


@command(
    "Ask the current model and stream its answer; {name} in the text is filled in from the notebook.",
    body="prompt",
    options=_options,
    examples=(
        "%%prompt --max-tokens 60\nWhat is the capital of {country}?",
        '%%prompt -s "Answer in one word." --temperature 0.7 --seed 1 -o answer\nWhich colour is the sky?',
        'answer = %prompt "What is the capital of Peru?"',
    ),
)
def prompt(call: Call) -> Answer | None:
    text = call.text()
    session = call.session
    model = session.model(call.options.model)
    return call.show(
        model.name,
        lambda output: session.prompt(
            text,
            model=model.name,
            system=call.setting("system") or None,
            template=call.setting("template"),
            on_text=output.text,
            **call.sampling(),
        ),
        answer_view,
        footer,
    )
