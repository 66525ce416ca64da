"""The engines that benchmarks compare, on the same weights, with the same threads: ours and the libraries' own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models import gguf_file, hf_folder

from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.fit.machine import this_machine
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.request import Piece, Request, Sampling


def ours(name: str, kind: str = "hf", *, context: int | None = None) -> Any:
    """Our engine on a named model: kind "hf" for transformers, else a GGUF type."""
    path = hf_folder(name) if kind == "hf" else gguf_file(name, kind)
    return load_engine(replace(make_plan(read_checkpoint(path), context=context), threads=this_machine().cores))


def pipeline(name: str) -> Any:
    """transformers' own pipeline, in float32 as ours."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    folder = str(hf_folder(name))
    return transformers.pipeline("text-generation", model=folder, tokenizer=folder, dtype=torch.float32, device="cpu")


def pipeline_text(pipe: Any, prompt: str, tokens: int) -> str:
    """What a pipeline answers, greedily."""
    return str(pipe(prompt, max_new_tokens=tokens, do_sample=False, return_full_text=False)[0]["generated_text"])


def llama(name: str, kind: str, *, context: int) -> Any:
    """llama-cpp-python's own `Llama`, with all cores, which it does not use by itself."""
    import llama_cpp

    cores = this_machine().cores
    return llama_cpp.Llama(
        str(gguf_file(name, kind)),
        n_ctx=context,
        n_threads=cores,
        n_threads_batch=cores,
        verbose=False,
    )


def llama_text(llama: Any, prompt: str, tokens: int) -> str:
    """What a `Llama` completes, greedily."""
    return str(llama.create_completion(prompt, max_tokens=tokens, temperature=0.0)["choices"][0]["text"])


def request(prompt: str, tokens: int) -> Request:
    """A greedy request of the text as it is."""
    return Request.ask(prompt, template="none", sampling=Sampling(max_tokens=tokens))


def answer(engine: Any, prompt: str, tokens: int) -> tuple[str, Piece]:
    """What our engine answers, and its last piece."""
    pieces = list(engine.stream(request(prompt, tokens), threading.Event()))
    return "".join(piece.text for piece in pieces), pieces[-1]


def answers(engine: Any, prompts: Sequence[str], tokens: int | Sequence[int]) -> list[str]:
    """What our engine answers to a table of prompts."""
    most = [tokens] * len(prompts) if isinstance(tokens, int) else tokens
    rows = [""] * len(prompts)
    requests = [request(prompt, count) for prompt, count in zip(prompts, most, strict=True)]
    for index, piece in engine.stream_many(requests, threading.Event()):
        rows[index] += piece.text
        assert piece.stop_reason != "error", piece.text
    return rows


def agreement(ours: Sequence[str], theirs: Sequence[str], *, least: float = 1.0) -> str:
    """A sentence on how many outputs are equal; fails when fewer than `least` of them are."""
    # Random models say bytes that are no characters; `Llama` leaves them out and we show them as U+FFFD.
    shown = [[text.replace("\ufffd", "") for text in texts] for texts in (ours, theirs)]
    equal = sum(one == other for one, other in zip(*shown, strict=True))
    assert equal >= least * len(ours), f"only {equal} of {len(ours)} outputs are equal"
    return f"{equal} of {len(ours)} outputs are equal."
