"""%llm_prompts: the prompts that were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.results import Prompts
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option

if TYPE_CHECKING:
    from kaggle_magics.generation.library.prompt_file import SavedPrompt


def _options(parser: Parser) -> None:
    parser.argument("WORDS", "Only prompts with these words in name, fields or text.", nargs="*")
    parser.option("--show", help="Show one prompt as a whole.", metavar="NAME", complete="saved")
    parser.option("--forget", help="Delete one prompt's file.", metavar="NAME", complete="saved")
    output_option(parser)


@command(
    "List the prompts kept with --save: names, fields, first lines.",
    options=_options,
    examples=("%llm_prompts", "%llm_prompts country", "%llm_prompts --show capital", "%llm_prompts --forget capital"),
)
def llm_prompts(call: Call) -> Prompts | SavedPrompt | None:
    options, library = call.options, call.session.prompts
    if sum(map(bool, (options.words, options.show, options.forget))) > 1:
        raise OptionError("Words, --show and --forget do not go together.", "Give one of them.")
    if options.forget is not None:
        print(f"Deleted {library.delete(options.forget)}.")
        return None
    found = Prompts(library.list(" ".join(options.words))) if options.show is None else library[options.show]
    call.store(found)
    return found
