"""%%codegen: have code written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.answers import code_view
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import dry_run_option, raw_option, sampling_options, template_option, text_argument
from kaggle_magics.magics.prompting.dry_run import show_preview

if TYPE_CHECKING:
    from kaggle_magics.code.check import CodeAnswer
    from kaggle_magics.display.stream import Show
    from kaggle_magics.generation.preview import Preview


def _options(parser: Parser) -> None:
    text_argument(parser)
    sampling_options(parser)
    template_option(parser)
    raw_option(parser)
    dry_run_option(parser)
    parser.option("--language", help="Language of the code (default: Python).")
    parser.switch("--insert", help="Also put the code into the next cell, where the front end can do that.")


@command(
    "Have code written: only the code, parsed and checked, never run.",
    body="task",
    options=_options,
    examples=(
        "%%codegen --insert\nA function that returns the area of a circle of radius r.",
        "%%codegen --language SQL -o query\nThe ten largest orders of table orders, by column total.",
    ),
)
def codegen(call: Call) -> CodeAnswer | Preview | None:
    text = call.text()
    session = call.session
    asked = {"language": call.options.language or "Python", "template": call.setting("template"), **call.sampling()}
    if call.options.dry_run:
        return show_preview(call, lambda model: session.preview_codegen(text, model=model, spans=call.spans, **asked))
    model = session.model(call.options.model)

    def write(output: Show) -> CodeAnswer:
        answer = session.codegen(
            text,
            model=model.name,
            on_text=output.text,
            on_reasoning=output.reasoning,
            **call.about(),
            **asked,
        )
        if call.options.insert and answer.code.strip():
            # A saved run and some front ends drop this; the code is shown in any case.
            call.shell.set_next_input(answer.code, replace=False)
        return answer

    return call.show(model.name, write, code_view, code_view)
