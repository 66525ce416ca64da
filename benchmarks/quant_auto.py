"""`%llm_load REF --quant auto` on a CPU against `pipeline()` and against NF4: decode speed, memory, answers.

    python benchmarks/quant_auto.py                        # a Llama of 116M parameters
    python benchmarks/quant_auto.py --shape llama-27m --tokens 32 --turns 3

Each way has a process of its own, so that memory can be told apart; the processes answer in turns. Memory is what is
resident in the process: anonymous pages and mapped ones, libraries included, as a person sees it. Every way gets the
same prompts, greedily; how far the answers agree with `pipeline()`'s is printed, not hidden: four bits change some.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from timing import machine

PROMPTS = 4
WAYS = ("pipeline() on float32 weights", "pipeline() on bfloat16 weights", "--quant nf4", "--quant auto")
TARGETS = (
    # what, baseline, at least; memory: at most
    ("decode speed against float32", 0, 4.0),
    ("decode speed against NF4", 2, 12.0),
    ("resident memory against float32", 0, 0.35),
)


def main() -> None:
    options = _arguments()
    import models
    from memory import Case, model_of

    folders = [str(models.hf_folder(options.shape)), str(model_of(Case(options.shape, "bfloat16", 1)))]
    prompts = [models.text(12, seed) for seed in range(PROMPTS)]
    paths = [folders[0], folders[1], folders[0], folders[0]]
    with tempfile.TemporaryDirectory(prefix="kaggle-magics-auto-") as cache:
        children = [_Child(at, path, options.tokens, cache) for at, path in enumerate(paths)]
        try:
            _compare(children, prompts, options.turns, options.shape)
        finally:
            for each in children:
                each.close()


def _compare(children: list[_Child], prompts: list[str], turns: int, shape: str) -> None:
    speeds: list[list[float]] = [[] for _ in children]
    answers: list[list[str]] = [[] for _ in children]
    for turn in range(-1, turns):
        for at, each in enumerate(children):
            reply = each.ask(prompts[turn % PROMPTS])
            if turn >= 0:
                speeds[at].append(reply["tokens"] / reply["seconds"])
    for at, each in enumerate(children):
        answers[at] = [each.ask(prompt)["text"] for prompt in prompts]
    medians = [statistics.median(each) for each in speeds]
    resident = [each.ask("")["resident"] for each in children]
    print(f"\n### --quant auto, {shape}\n\n{machine()}\n")
    print(
        "| way | runs as | tokens/s | resident | as float32 from the beginning, characters |\n|---|---|---:|---:|---:|"
    )
    for at, each in enumerate(children):
        pairs = list(zip(answers[0], answers[at], strict=True))
        same = [f"{_common(one, other)} of {len(one.strip())}" for one, other in pairs]
        print(f"| {WAYS[at]} | {each.runs_as} | {medians[at]:.1f} | {resident[at] / 1e6:.0f} MB | {', '.join(same)} |")
    print("\n| what | ratio | target | |\n|---|---:|---:|---|")
    for what, base, target in TARGETS:
        if "memory" in what:
            ratio, met = resident[3] / resident[base], resident[3] <= target * resident[base]
            print(f"| {what} | {ratio:.2f}x | at most {target:g}x | {'met' if met else 'not met'} |")
        else:
            ratio = medians[3] / medians[base]
            print(f"| {what} | {ratio:.1f}x | at least {target:g}x | {'met' if ratio >= target else 'not met'} |")
    print(f"\nLoading with --quant auto took {children[3].seconds:.1f} s, conversion included.")


def _common(one: str, other: str) -> int:
    one, other = one.strip(), other.strip()
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


class _Child:
    """A process that has loaded a model in one way and answers a line at a time."""

    def __init__(self, way: int, path: str, tokens: int, cache: str) -> None:
        command = [sys.executable, __file__, "--child", str(way), path, str(tokens)]
        environment = {**os.environ, "KAGGLE_MAGICS_CACHE": cache, "TRANSFORMERS_VERBOSITY": "error"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True, env=environment)  # fmt: skip
        ready = self._read()
        self.runs_as, self.seconds = ready["runs_as"], ready["seconds"]

    def ask(self, prompt: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(prompt) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                reply: dict[str, Any] = json.loads(line)
                return reply
        raise SystemExit(f"the process of this way ended ({self._process.wait()})")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def _child(way: int, path: str, tokens: int) -> None:
    answer, runs_as, seconds = (_pipeline if way < 2 else _ours)(path, tokens, ("", "", "nf4", "auto")[way])
    print(json.dumps({"runs_as": runs_as, "seconds": seconds}), flush=True)
    for line in sys.stdin:
        prompt = json.loads(line)
        reply: dict[str, Any] = {"resident": _resident()}
        if prompt:
            started = time.perf_counter()
            text, made = answer(prompt)
            reply |= {"seconds": time.perf_counter() - started, "tokens": made, "text": text}
        print(json.dumps(reply), flush=True)


def _pipeline(path: str, tokens: int, _: str) -> tuple[Any, str, float]:
    from transformers import pipeline

    started = time.perf_counter()
    pipe = pipeline("text-generation", model=path)
    seconds = time.perf_counter() - started

    def answer(prompt: str) -> tuple[str, int]:
        # These models never end by themselves.
        (made,) = pipe(prompt, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, return_full_text=False)
        return str(made["generated_text"]), tokens

    return answer, f"transformers, {str(pipe.model.dtype).removeprefix('torch.')}", seconds


def _ours(path: str, tokens: int, quant: str) -> tuple[Any, str, float]:
    import kaggle_magics

    session = kaggle_magics.get_session()
    started = time.perf_counter()
    plan = session.plan(path, quant=quant)
    if plan.convert_to:
        # Random weights lose more by rounding than trained ones, and the result's check refuses them: left out here.
        model = session.load(session.quantize(path, to=plan.convert_to, check=False))
    else:
        model = session.load(path, quant=quant)
    seconds = time.perf_counter() - started

    def answer(prompt: str) -> tuple[str, int]:
        found = session.prompt(prompt, template="none", max_tokens=tokens, temperature=0)
        return found.text, found.usage.generated_tokens

    form = model.plan.quant or model.plan.convert_to or model.plan.dtype if model.plan else ""
    return answer, f"{model.facts.engine}, {form}", seconds


def _resident() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="llama-116m")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--turns", type=int, default=9)
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main()
