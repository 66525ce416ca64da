"""%llm_history: everything that was asked."""

from __future__ import annotations

from kaggle_magics.display.results import HistoryEntries
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option


def _options(parser: Parser) -> None:
    parser.argument("WORDS", "Only what holds all these words, or words that begin like them.", nargs="*")
    parser.option("-n", "--limit", help="How many are listed (default: 20).", type=whole, metavar="N")
    parser.option(
        "--thread",
        help="The turns of a conversation; with words, all that was asked in it.",
        metavar="NAME",
        complete="thread",
    )
    parser.option("-m", "--model", help="Only what this model answered.", metavar="NAME", complete="loaded")
    parser.switch("--forget", help="Delete what the words and options choose, whatever --limit says.")
    parser.switch("--all", help="With --forget and nothing else: delete everything.")
    output_option(parser)


@command(
    "List and search everything that was asked, in this notebook and others, before this kernel too.",
    options=_options,
    examples=(
        "%llm_history",
        "%llm_history capital peru -n 5",
        "%llm_history --thread recipes",
        "%llm_history capital --forget",
    ),
)
def llm_history(call: Call) -> HistoryEntries | None:
    options, session = call.options, call.session
    words = " ".join(options.words)
    chosen = {"thread": options.thread, "model": options.model}
    if options.forget:
        if options.output or options.limit is not None:
            raise OptionError("--forget takes no --output and no --limit.", "Without --forget the line lists them.")
        if bool(words or options.thread or options.model) == options.all:
            raise OptionError(
                "--forget needs to know what.", "Give words, --thread or --model, or --all alone for everything."
            )
        count = session.forget(words, **chosen)
        print(f"{count} {'entry is' if count == 1 else 'entries are'} forgotten.")
        return None
    if options.all:
        raise OptionError("--all goes with --forget.", "To list more, give --limit.")
    if options.thread is not None and not words and options.model is None and options.limit is None:
        thread = session.thread(options.thread)
        found = HistoryEntries(session.thread_entries(thread), thread=thread)
    else:
        limit = 20 if options.limit is None else options.limit
        found = HistoryEntries(session.history(words, limit=limit, **chosen), words=words)
    call.store(found)
    return found
