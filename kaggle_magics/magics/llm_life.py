"""The loaded models' life: status, use, unload, stop, and the last answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics import memory
from kaggle_magics.display.bundle import size
from kaggle_magics.errors import KaggleMagicsError
from kaggle_magics.magics import held
from kaggle_magics.magics.arguments import Parser, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import output_option

if TYPE_CHECKING:
    from kaggle_magics.generation.answer import Answer
    from kaggle_magics.session import SessionStatus


@command(
    "Show the loaded models, the open collections and the memory they take.",
    options=output_option,
    examples=("%llm_status", "%llm_status -o status"),
)
def llm_status(call: Call) -> SessionStatus:
    status = call.session.status()
    call.store(status)
    return status


def _use_options(parser: Parser) -> None:
    parser.argument("NAME", "Name of a loaded model.", complete="loaded")


@command("Make a loaded model the current one.", options=_use_options, examples=("%llm_use pocket", "%llm_use qwen"))
def llm_use(call: Call) -> None:
    model = call.session.use(call.options.name)
    print(f"{model.name} is the current model.")


def _unload_options(parser: Parser) -> None:
    parser.argument("NAME", "Name of a loaded model; the current one by default.", nargs="?", complete="loaded")
    parser.switch("--all", help="Free all models.")


@command(
    "Free a model's memory; the answers stay.",
    options=_unload_options,
    examples=("%llm_unload pocket", "%llm_unload --all"),
)
def llm_unload(call: Call) -> None:
    session = call.session
    if call.options.all and call.options.name:
        raise KaggleMagicsError("--all and a name do not go together.", "Give one of them.")
    names = list(session.loaded) if call.options.all else [session.model(call.options.name).name]
    held.let_go(call.shell)
    for name in names:
        adopted = session.model(name).adopted
        freed = session.unload(name)
        if adopted:
            print(f"Let go of {name}. It is {adopted}, and stays in memory as long as a variable holds it.")
        else:
            print(f"Unloaded {name}, {size(freed)} given back; this process now holds {size(memory.process_bytes())}.")
    if not names:
        print("No model is loaded.")
    elif session.current:
        print(f"{session.current.name} is the current model.")


@command(
    "Stop every answer on its way; for answers that run in the background. A cell's own is stopped by the stop button.",
    examples=("%llm_stop",),
)
def llm_stop(call: Call) -> None:
    stopped = call.session.stop()
    print(f"Stopped {stopped} answer{'s' * (stopped != 1)}." if stopped else "No answer is on its way.")


def _last_options(parser: Parser) -> None:
    parser.option("-n", help="1 is the last answer, 2 the one before it, and so on.", type=whole, metavar="N")
    output_option(parser)


@command(
    "Give the last answer as an object, also after a restart of the kernel: .text, .usage, .card, more by its kind.",
    options=_last_options,
    examples=("%llm_last", "answer = %llm_last", "%llm_last -n 2"),
)
def llm_last(call: Call) -> Answer:
    number = 1 if call.options.n is None else call.options.n
    session = call.session
    if session.answering:
        print("An answer is still on its way; this is one from before.")
    last = session.last_answer(number)
    call.store(last)
    return last
