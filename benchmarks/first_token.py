"""Time to the first token when the same long context is asked about again, and when two contexts take turns.

    python benchmarks/first_token.py [--small]

Each question is new, the context is not. transformers' pipeline reads everything each time. llama-cpp-python's `Llama`
keeps the one sequence it read last: it is compared cold (its memory reset, as after any other prompt), where two
contexts take turns, and, for honesty, on one context that nothing comes between.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from engines import agreement, answer, llama, llama_text, ours, pipeline, pipeline_text
from models import prompt
from timing import Result, show, take_turns


def questions(count: Callable[[str], int], context: str, tokens: int, seed: int) -> Iterator[str]:
    """Prompts that begin with the same context and end with a new question of about `tokens` tokens."""
    for number in itertools.count(seed):
        yield f"{context} {prompt(count, tokens, seed=number)}"


class Way:
    """One way to answer, which remembers what it said."""

    def __init__(self, ask: Callable[[str], str], prompts: Iterator[str]) -> None:
        self.ask, self.prompts, self.said = ask, prompts, list[str]()

    def __call__(self) -> None:
        self.said.append(self.ask(next(self.prompts)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a small model, a short context, few runs")
    options = parser.parse_args()
    name, tokens, runs = ("llama-2m", 256, 3) if options.small else ("llama-27m", 1024, 9)
    hf_results, hf_notes = with_transformers(name, tokens, runs)
    gguf_results, gguf_notes = with_llama_cpp(name, tokens, runs)
    show(
        f"First token after {tokens} tokens of known context and a question of 24 ({name})",
        hf_results + gguf_results,
        notes=(*hf_notes, *gguf_notes),
    )


def with_transformers(name: str, tokens: int, runs: int) -> tuple[list[Result], list[str]]:
    """Against the pipeline."""
    engine, pipe = ours(name), pipeline(name)
    count = engine.count_tokens
    context = prompt(count, tokens, seed=900)
    theirs = Way(lambda text: pipeline_text(pipe, text, 1), questions(count, context, 24, 0))
    mine = Way(lambda text: answer(engine, text, 1)[0], questions(count, context, 24, 0))
    taken = take_turns({"theirs": theirs, "ours": mine}, runs)
    engine.close()
    result = Result("transformers, one context", 1000 * taken["theirs"], 1000 * taken["ours"], 15)
    return [result], [f"transformers: {agreement(mine.said, theirs.said)}"]


def with_llama_cpp(name: str, tokens: int, runs: int) -> tuple[list[Result], list[str]]:
    """Against `Llama`."""
    engine, library = ours(name, "f16", context=4 * tokens), llama(name, "f16", context=4 * tokens)
    count = engine.count_tokens
    contexts = [prompt(count, tokens, seed=seed) for seed in (901, 902)]

    def cold(text: str) -> str:
        library.reset()
        return llama_text(library, text, 1)

    def warm(text: str) -> str:
        return llama_text(library, text, 1)

    def mine(text: str) -> str:
        return answer(engine, text, 1)[0]

    def turns() -> Iterator[str]:
        pairs = zip(*(questions(count, context, 24, 0) for context in contexts), strict=True)
        return itertools.chain.from_iterable(pairs)

    results, notes = [], []
    cases: list[tuple[str, Any, Callable[[], Iterator[str]], float | None]] = [
        ("llama.cpp, one context; `Llama` cold", cold, lambda: questions(count, contexts[0], 24, 0), 25),
        ("llama.cpp, two contexts in turn", warm, turns, 10),
        ("llama.cpp, one context; `Llama` undisturbed", warm, lambda: questions(count, contexts[0], 24, 0), None),
    ]
    for what, baseline, prompts, target in cases:
        ways = {"theirs": Way(baseline, prompts()), "ours": Way(mine, prompts())}
        if target is None:
            ways["theirs"]()
        taken = take_turns(ways, runs, warm=2)
        said = [ways[key].said[-runs:] for key in ("ours", "theirs")]
        results.append(Result(what, 1000 * taken["theirs"], 1000 * taken["ours"], target))
        # Keys and values are float16, and how many tokens are computed together decides their last bits.
        if target is not None:
            notes.append(f"{what}: {agreement(*said, least=0.8)}")
    engine.close()
    return results, notes


if __name__ == "__main__":
    main()
