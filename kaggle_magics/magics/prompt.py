"""%%prompt: ask a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.answers import answer_view, below
from kaggle_magics.display.bundle import View, join, note
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import dry_run_option, prompting_options, thread_options
from kaggle_magics.magics.prompting import saved
from kaggle_magics.magics.prompting.batch import batch_options, prompt_batch
from kaggle_magics.magics.prompting.dry_run import dry_run
from kaggle_magics.magics.prompting.resume import resume
from kaggle_magics.magics.prompting.table import check_alone, prompt_many, prompt_over, table_options
from kaggle_magics.magics.prompting.thread import thread_place

if TYPE_CHECKING:
    from kaggle_magics.generation.answer import Answer
    from kaggle_magics.generation.preview import Preview
    from kaggle_magics.generation.several import Answers
    from kaggle_magics.generation.tables.batch_file import BatchFile
    from kaggle_magics.generation.tables.table import AnswerTable


def _options(parser: Parser) -> None:
    prompting_options(parser)
    thread_options(parser)
    table_options(parser)
    batch_options(parser)
    dry_run_option(parser)


@command(
    "Ask the current model and stream its answer; {name} in the text is filled in from the notebook.",
    body="prompt",
    options=_options,
    examples=(
        "%%prompt --max-tokens 60\nWhat is the capital of {country}?",
        '%%prompt -s "Answer in one word." --temperature 0.7 --seed 1 -o answer\nWhich colour is the sky?',
        "%%prompt --dry-run\nWhat is the capital of {country}?",
        "%%prompt --logprobs --max-tokens 20\nWhat is the capital of Peru?",
        "%%prompt --thread recipes\nAnd which wine goes with it?",
        "%prompt --resume",
        "%%prompt --over reviews -o out --max-tokens 5\nIs this review good or bad? {text}",
        "%%prompt --schema list[str] -o colours\nName three colours.",
        "%%prompt -n 3 --temperature 0.8 -o answers\nInvent a name for a bakery.",
        "%%prompt --over reviews --jsonl requests.jsonl -m Qwen/Qwen2.5-7B-Instruct\nGood or bad? {text}",
        'answer = %prompt "What is the capital of Peru?"',
        "%%prompt --save capital --max-tokens 20\nWhat is the capital of {country}?",
        "%prompt --use capital -i country=France",
    ),
)
def prompt(call: Call) -> Answer | Answers | AnswerTable | BatchFile | Preview | None:
    if call.options.resume:
        return resume(call)
    check_alone(call)
    if call.options.dry_run:
        return dry_run(call, thread_place(call))
    if call.options.jsonl is not None or call.options.answers is not None:
        return prompt_batch(call)
    if call.options.over is not None:
        return prompt_over(call)
    if call.options.n is not None:
        return prompt_many(call)
    asked = call.prompt()
    if saved.is_only_kept(call):
        return None
    session = call.session
    model = session.model(call.options.model)
    place = thread_place(call)
    return call.show(
        model.name,
        lambda output: session.prompt(
            asked, model=model.name, on_text=output.text, on_reasoning=output.reasoning, **place
        ),
        lambda answer: join("prompt", [answer_view(answer), _untold(asked, answer)]),
        lambda answer: join("rest", [below(answer), _untold(asked, answer)]),
    )


def _untold(asked: Prompt, answer: Answer) -> View | None:
    """What is said where probabilities were asked for and the engine told none."""
    if asked.logprobs is None or answer.tokens or answer.usage.generated_tokens == 0:
        return None
    return note("No probabilities: this model's server does not tell them.", warn=True)
