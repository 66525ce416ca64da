"""%llm_verify: ask again, and say which answers changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import note
from kaggle_magics.display.stream import open_show
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option

if TYPE_CHECKING:
    from kaggle_magics.compare.verification import Check, Verified


def _options(parser: Parser) -> None:
    parser.argument(
        "NOTEBOOK", "An .ipynb file whose answers were saved; by default this session's.", nargs="?", complete="path"
    )
    output_option(parser)


@command(
    "Ask again what was asked, on the same models, and say which answers changed.",
    options=_options,
    examples=("%llm_verify", "%llm_verify report.ipynb -o checks"),
)
def llm_verify(call: Call) -> Verified:
    with open_show(call.shell) as output:
        output.begin("Asking again")
        done = {"same": 0, "changed": 0, "not asked": 0}

        def count(check: Check) -> None:
            done[check.outcome] += 1
            output.progress("Asked again: " + ", ".join(f"{number} {outcome}" for outcome, number in done.items()))

        found = call.session.verify(call.options.notebook, on_check=count, on_progress=output.progress)
        output.finish(note(f"{len(found)} of {found.of} answers were looked at again."))
    call.store(found)
    return found
