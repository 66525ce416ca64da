"""%%chain: named prompts, each fed by the ones before."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kaggle_magics.chains.parse import parse
from kaggle_magics.display.chains import chain_view, chains_view, row_title, step_view, unfinished
from kaggle_magics.display.results import Chains
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.tables.rows import VALUE
from kaggle_magics.interpolation import interpolate
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import library_options, sampling_options, system_option, template_option
from kaggle_magics.magics.prompting import saved
from kaggle_magics.magics.prompting.over import over_option, read_over

if TYPE_CHECKING:
    from kaggle_magics.chains.run import ChainResult, StepResult
    from kaggle_magics.display.bundle import View
    from kaggle_magics.display.stream import Show


def _options(parser: Parser) -> None:
    sampling_options(parser)
    system_option(parser)
    template_option(parser)
    library_options(parser)
    over_option(parser, "Run once for each")


@command(
    "Run named prompts one after the other; {step} is an earlier step's answer.",
    body="chain",
    options=_options,
    examples=(
        "%%chain -i country=Peru\n"
        "dish: What is the most popular dish in {country}?\n"
        "ingredients: List the ingredients of {dish}\n"
        "  as bullet points.",
        "%%chain --save menu\ndish: What is the most popular dish in {country}?",
        "%chain --use menu -i country=Peru",
        "%%chain --over France,Japan -o runs\ndish: What is the most popular dish in {country}?",
    ),
)
def chain(call: Call) -> ChainResult | Chains | None:
    text = call.cell()
    session = call.session
    given = call.given
    first = parse(text)[0].name
    saved.keep(call)
    rows = _rows(call, text, given) if call.options.over is not None else None
    session.model(call.options.model)
    shared: dict[str, Any] = {
        "inputs": given,
        "namespace": call.names,
        "model": call.options.model,
        "system": call.setting("system") or None,
        "template": call.setting("template"),
        "cache": call.about()["cache"],
        **call.sampling(),
    }

    def run(output: Show) -> ChainResult | Chains:
        begun = itertools.count(1)

        def on_step(step: StepResult) -> None:
            if step.answer is not None or step.error is not None:
                output.part_done(step_view(step))
                return
            if rows is not None and step.name == first:
                number = next(begun)
                output.part_done(row_title(number, len(rows), rows[number - 1]))
            output.part(step.name)

        if rows is None:
            return session.chain(text, on_step=on_step, on_text=output.text, on_reasoning=output.reasoning, **shared)
        return Chains(
            session.chain_over(
                text, rows, on_step=on_step, on_text=output.text, on_reasoning=output.reasoning, **shared
            )
        )

    return call.show("chain", run, _view, _end)


def _end(result: ChainResult | Chains) -> View | None:
    """What a terminal has not seen of a chain when its last step has ended."""
    last = result[-1] if isinstance(result, Chains) else result
    return unfinished(last)


def _view(result: ChainResult | Chains) -> View:
    return chains_view(result) if isinstance(result, Chains) else chain_view(result)


def _rows(call: Call, text: str, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One mapping of inputs for each row of --over."""
    found = read_over(call.options.over, call.names, field=lambda: _open_field(call, text, given))
    return [{str(name): value for name, value in row.items()} for row in found.rows]


def _open_field(call: Call, text: str, given: Mapping[str, Any]) -> str:
    """The one field that nothing else fills: what --over is for when it names none."""
    steps = parse(text)
    known = {**dict.fromkeys((step.name for step in steps), ""), **given}
    names = list(dict.fromkeys(name for step in steps for name in interpolate(step.prompt, known).missing))
    if VALUE in names:
        return VALUE
    # A name of the notebook fills its field too, unless it is all there is to run over.
    open_names = [name for name in names if name.isidentifier() and name not in call.names] or names
    if len(open_names) == 1 and open_names[0].isidentifier():
        return open_names[0]
    which = f"the fields {', '.join(open_names)}" if open_names else "no open field"
    raise OptionError(f"--over does not tell which field it fills: the chain has {which}.", "Write --over NAME=LIST.")
