"""What it costs to hold an answer to a JSON schema, for each token, with a vocabulary of 152,064 tokens.

    python benchmarks/structured.py [--small]

One GGUF model of random weights, one language: as a JSON schema for us, as a GBNF grammar for llama-cpp-python's
`LlamaGrammar`. Both decode greedily and must choose the same tokens. Measured is the time that choosing takes, from the
logits to the token: our `Sampler` against `Llama.sample`, each less what it takes without a constraint. Beside it the
whole answer, model included. A random model likes every token as little as any other, so the likeliest ones are hardly
ever allowed and the mask of the whole vocabulary is needed at most steps; a trained one knows JSON and is asked about
single tokens. That case is measured too, with logits that favour an allowed token.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from typing import Any

import numpy as np
from engines import llama, ours
from models import prompt
from timing import Result, show, take_turns

from kaggle_magics.generation.structured.structure import structure_of
from kaggle_magics.models.engines.sampling import Sampler
from kaggle_magics.models.request import Request, Sampling

ITEM = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]{3,12}$"},
        "kind": {"enum": ["fruit", "vegetable", "bread"]},
        "code": {"type": "string", "pattern": "^[A-F0-9]{6}$"},
        "fresh": {"type": "boolean"},
    },
    "required": ["name", "kind", "code", "fresh"],
    "additionalProperties": False,
}
GBNF = r"""
root ::= " "? "[" item ("," " "? item){COUNT} "]"
item ::= "{" "\"name\":" " "? name "," " "? "\"kind\":" " "? kind "," " "? "\"code\":" " "? code "," " "? fresh "}"
name ::= "\"" [a-z]{3,12} "\""
kind ::= "\"fruit\"" | "\"vegetable\"" | "\"bread\""
code ::= "\"" [A-F0-9]{6} "\""
fresh ::= "\"fresh\":" " "? ("true" | "false")
"""
"""The same language as the schema's in our form of JSON: one space may follow a comma and a colon, and come first."""


class Timed:
    """A function that keeps how long each of its calls took, in seconds."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.taken: list[float] = []

    def __call__(self, *given: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return self._function(*given, **named)
        finally:
            self.taken.append(time.perf_counter() - started)


def our_tokens(engine: Any, text: str, most: int, structure: Any) -> tuple[list[int], Timed, float]:
    """The tokens we choose, how long each choice took, and seconds in all."""
    timed = Timed(Sampler.choose)
    request = Request.ask(text, template="none", sampling=Sampling(max_tokens=most), constraint=structure)
    chosen: list[int] = []

    def choose(self: Sampler, logits: Any) -> int:
        token = int(timed(self, logits))
        chosen.append(token)
        return token

    original, Sampler.choose = Sampler.choose, choose  # type: ignore[method-assign]
    try:
        started = time.perf_counter()
        pieces = list(engine.stream(request, threading.Event()))
        seconds = time.perf_counter() - started
    finally:
        Sampler.choose = original  # type: ignore[method-assign]
    assert structure is None or pieces[-1].stop_reason == "end"
    return chosen, timed, seconds


def their_tokens(llama: Any, tokens: list[int], most: int, grammar: Any) -> tuple[list[int], Timed, float]:
    """The same of llama-cpp-python; the token that ends the answer is left out."""
    timed = Timed(type(llama).sample.__get__(llama))
    llama.sample = timed
    end, chosen = llama.token_eos(), []
    try:
        started = time.perf_counter()
        for token in llama.generate(tokens, temp=0.0, grammar=grammar):
            if token == end:
                break
            chosen.append(int(token))
            if len(chosen) == most:
                break
        seconds = time.perf_counter() - started
    finally:
        del llama.sample
    return chosen, timed, seconds


def likely(engine: Any, structure: Any, tokens: list[int]) -> float:
    """Median seconds of a choice where the token that comes is the likeliest one, as a trained model has it."""
    model = engine._model
    sampler = Sampler(Sampling(), (), structure.begin(model))
    logits = np.random.default_rng(1).normal(size=model.size).astype(np.float32)
    taken = []
    for token in tokens:
        favoured = logits.copy()
        favoured[token] = 100.0
        started = time.perf_counter()
        assert sampler.choose(favoured) == token
        taken.append(time.perf_counter() - started)
    free = Sampler(Sampling(), ())
    alone = Timed(free.choose)
    for _ in tokens:
        alone(logits)
    return statistics.median(taken) - statistics.median(alone.taken)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a shorter answer, few runs")
    options = parser.parse_args()
    count, runs = (1, 1) if options.small else (2, 5)
    name, kind, most, context = "llama-42m-152k", "f16", 600, 1024
    engine, library = ours(name, kind, context=context), llama(name, kind, context=context)
    from llama_cpp import LlamaGrammar

    text = prompt(engine.count_tokens, 32)
    tokens = library.tokenize(text.encode(), add_bos=False, special=True)
    schema = {"type": "array", "items": ITEM, "minItems": count, "maxItems": count}
    structure = structure_of(schema=schema)
    source = GBNF.replace("COUNT", str(count - 1))
    length = 0
    spent: dict[str, list[float]] = {"ours": [], "theirs": [], "ours alone": [], "theirs alone": []}

    def constrained() -> float:
        chosen, timed, seconds = our_tokens(engine, text, most, structure)
        assert chosen == answer, "another answer than in the first run"
        spent["ours"].append(sum(timed.taken) / length)
        return seconds

    def by_grammar() -> float:
        chosen, timed, seconds = their_tokens(library, tokens, most, LlamaGrammar.from_string(source, verbose=False))
        assert chosen == answer, f"the tokens differ: {library.detokenize(chosen)!r}"
        spent["theirs"].append(sum(timed.taken) / length)
        return seconds

    def alone() -> float:
        _, timed, seconds = our_tokens(engine, text, length, None)
        spent["ours alone"].append(sum(timed.taken) / length)
        return seconds

    def library_alone() -> float:
        _, timed, seconds = their_tokens(library, tokens, length, None)
        spent["theirs alone"].append(sum(timed.taken) / length)
        return seconds

    started = time.perf_counter()
    structure.begin(engine._model)  # type: ignore[union-attr]
    first = time.perf_counter() - started
    answer, _, _ = our_tokens(engine, text, most, structure)
    length = len(answer)
    written = library.detokenize(answer).decode()
    assert len(json.loads(written)) == count
    whole = take_turns(
        {"ours": constrained, "theirs": by_grammar, "ours alone": alone, "theirs alone": library_alone}, runs
    )
    cost = {way: 1000 * statistics.median(taken[1:]) for way, taken in spent.items()}
    ours_cost, their_cost = cost["ours"] - cost["ours alone"], cost["theirs"] - cost["theirs alone"]
    trained = 1000 * likely(engine, structure, answer)
    show(
        "Structured answers",
        [
            Result("cost of the constraint a token, 152,064 tokens", their_cost, ours_cost, 8.0),
            Result("whole answer, a token", 1000 * whole["theirs"] / length, 1000 * whole["ours"] / length),
            Result("without a constraint", 1000 * whole["theirs alone"] / length, 1000 * whole["ours alone"] / length),
        ],
        notes=(
            f"{name}, {kind}; baseline: `LlamaGrammar`. {length} tokens, all equal: `{written[:90]}...`",
            f"Where the likeliest token is an allowed one, as trained models mostly have it: {trained:.3f} ms.",
            f"The first answer of a model reads its vocabulary once: {first:.1f} s.",
        ),
    )


if __name__ == "__main__":
    main()
