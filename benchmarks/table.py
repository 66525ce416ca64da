"""A table of prompts that begin alike: ours in true batches against each library's own ways.

    python benchmarks/table.py [--small] [--rows 200]

32 prompts (`--rows`) of 384 common and 24 own tokens, 16 tokens out; then with answers of 4 to 96. The baselines are
transformers' pipeline in a loop, the pipeline given a list (which computes one prompt after the other), LangChain's
`HuggingFacePipeline.batch` where langchain-huggingface is installed, and llama-cpp-python's `Llama` in a loop, which
reuses what is common by itself.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from engines import agreement, answers, llama, llama_text, ours, pipeline, pipeline_text
from models import prompt
from timing import Result, show, take_turns


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a small model, few prompts, one run")
    parser.add_argument("--rows", type=int, help="prompts in the table")
    parser.add_argument("--runs", type=int, help="how often each way runs; medians are compared")
    parser.add_argument("--transformers-only", action="store_true", help="only transformers, only answers of 16 tokens")
    options = parser.parse_args()
    name, rows, shared, runs = ("llama-2m", 6, 128, 1) if options.small else ("llama-27m", 32, 384, 3)
    rows, runs = options.rows or rows, options.runs or runs
    engine = ours(name)
    common = prompt(engine.count_tokens, shared, seed=700)
    prompts = [f"{common} {prompt(engine.count_tokens, 24, seed=number)}" for number in range(rows)]
    engine.close()
    results, notes = with_transformers(name, prompts, runs, varied_too=not options.transformers_only)
    more, more_notes = ([], []) if options.transformers_only else with_llama_cpp(name, prompts, runs)
    show(f"{rows} prompts, {shared} tokens in common ({name})", results + more, notes=(*notes, *more_notes))


class Ways:
    """Ways to answer the same prompts; keeps what each said last."""

    def __init__(self) -> None:
        self.said: dict[str, list[str]] = {}

    def __call__(self, name: str, ask: Callable[[], Sequence[str]]) -> Callable[[], None]:
        def run() -> None:
            self.said[name] = list(ask())

        return run


def with_transformers(
    name: str, prompts: list[str], runs: int, *, varied_too: bool = True
) -> tuple[list[Result], list[str]]:
    """Against the pipeline, and LangChain on the pipeline."""
    engine, pipe = ours(name), pipeline(name)
    varied = [4 + 92 * place // (len(prompts) - 1) for place in range(len(prompts))]

    def fresh(tokens: int | Sequence[int]) -> list[str]:
        engine.forget()
        return answers(engine, prompts, tokens)

    ways = Ways()
    all_ways = {
        "ours": ways("ours", lambda: fresh(16)),
        "loop": ways("loop", lambda: [pipeline_text(pipe, each, 16) for each in prompts]),
        "list": ways("list", lambda: [row[0]["generated_text"] for row in listed(pipe, prompts)]),
    }
    if varied_too:
        all_ways["varied"] = ways("varied", lambda: fresh(varied))
        all_ways["varied loop"] = ways(
            "varied loop",
            lambda: [pipeline_text(pipe, each, count) for each, count in zip(prompts, varied, strict=True)],
        )
    notes = []
    if importlib.util.find_spec("langchain_huggingface"):
        from langchain_huggingface import HuggingFacePipeline

        chain = HuggingFacePipeline(pipeline=pipe)
        # It hears of the pipeline's options only in the call.
        call = {"max_new_tokens": 16, "do_sample": False, "return_full_text": False}
        all_ways["langchain"] = ways("langchain", lambda: chain.batch(prompts, pipeline_kwargs=call))
    else:
        notes.append("LangChain's HuggingFacePipeline.batch was not measured: langchain-huggingface is not installed.")
    taken = take_turns(all_ways, runs, warm=0)
    results = [
        Result("transformers; pipeline in a loop", taken["loop"], taken["ours"], 5, "s"),
        Result("transformers; pipeline given the list", taken["list"], taken["ours"], 5, "s"),
    ]
    if varied_too:
        what = "transformers, 4 to 96 tokens out; pipeline in a loop"
        results.append(Result(what, taken["varied loop"], taken["varied"], 3, "s"))
    if "langchain" in taken:
        results.append(Result("LangChain's HuggingFacePipeline.batch", taken["langchain"], taken["ours"], 5, "s"))
        notes.append(f"LangChain: {agreement(ways.said['ours'], ways.said['langchain'])}")
    notes.append(f"transformers: {agreement(ways.said['ours'], ways.said['loop'])}")
    if varied_too:
        notes.append(f"transformers, varied: {agreement(ways.said['varied'], ways.said['varied loop'])}")
    engine.close()
    return results, notes


def listed(pipe: Any, prompts: list[str]) -> Any:
    """The pipeline given all prompts at once."""
    return pipe(prompts, max_new_tokens=16, do_sample=False, return_full_text=False)


def with_llama_cpp(name: str, prompts: list[str], runs: int) -> tuple[list[Result], list[str]]:
    """Against `Llama` in a loop."""
    results, notes = [], []
    for kind in ("f16", "q8_0"):
        engine, library = ours(name, kind, context=4096), llama(name, kind, context=1024)

        def fresh(engine: Any = engine) -> list[str]:
            engine.forget()
            return answers(engine, prompts, 16)

        def loop(library: Any = library) -> list[str]:
            library.reset()
            return [llama_text(library, each, 16) for each in prompts]

        ways = Ways()
        taken = take_turns({"ours": ways("ours", fresh), "loop": ways("loop", loop)}, runs)
        results.append(Result(f"llama.cpp {kind}; `Llama` in a loop", taken["loop"], taken["ours"], None, "s"))
        # Keys and values are float16 there, and several rows at once are summed in another order than one.
        notes.append(f"llama.cpp {kind}: {agreement(ways.said['ours'], ways.said['loop'], least=0.5)}")
        engine.close()
    return results, notes


if __name__ == "__main__":
    main()
