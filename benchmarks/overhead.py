"""What `%%prompt` adds to the bare engine loop: 256 streamed tokens, and one token alone.

    python benchmarks/overhead.py [--small]

The bare loop is the least code that gives the same tokens: encode, one pass over the prompt, one pass a token, the
highest logit, decode at the end. `%%prompt` runs in IPython with everything it does: parsing, rendering, sampling, stop
strings, incremental text, the worker, the display's updates, the footer. Every prompt is new: nothing is reused.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import inspect
import io
import time
from collections.abc import Callable
from typing import Any

from engines import agreement
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from models import gguf_file, hf_folder, text
from timing import Result, show, take_turns

import kaggle_magics
from kaggle_magics.models.fit.machine import this_machine

Loop = Callable[[str, int], str]


def transformers_loop(name: str) -> Loop:
    """The bare loop in torch, float32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

    tokenizer = AutoTokenizer.from_pretrained(hf_folder(name))
    model = AutoModelForCausalLM.from_pretrained(hf_folder(name), dtype=torch.float32).eval()

    # It was renamed in transformers 5.24.
    takes = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"

    def loop(prompt: str, tokens: int) -> str:
        ids, said = tokenizer(prompt, return_tensors="pt")["input_ids"], []
        cache = DynamicCache()
        with torch.inference_mode():
            for _ in range(tokens):
                output = model(input_ids=ids, **{takes: cache}, use_cache=True, logits_to_keep=1)
                said.append(int(output.logits[0, -1].argmax()))
                ids = torch.tensor([[said[-1]]])
        return str(tokenizer.decode(said))

    return loop


def llama_loop(name: str, kind: str) -> Loop:
    """The bare loop on llama.cpp's C functions."""
    import numpy as np

    from kaggle_magics.models.engines.llama_cpp.library import llama_library

    library = llama_library()
    model = library.llama_model_load_from_file(
        str(gguf_file(name, kind)).encode(), library.llama_model_default_params()
    )
    parameters = library.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = 4096, 512, 512
    parameters.n_threads = parameters.n_threads_batch = this_machine().cores
    parameters.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
    context = library.llama_init_from_model(model, parameters)
    vocabulary = library.llama_model_get_vocab(model)
    size = library.llama_vocab_n_tokens(vocabulary)
    piece = ctypes.create_string_buffer(64)

    def loop(prompt: str, tokens: int) -> str:
        library.llama_memory_clear(library.llama_get_memory(context), True)
        data, said = prompt.encode(), b""
        ids = (library.llama_token * (len(data) + 8))()
        count = library.llama_tokenize(vocabulary, data, len(data), ids, len(ids), True, True)
        for _ in range(tokens):
            library.llama_decode(context, library.llama_batch_get_one(ids, count))
            logits = np.ctypeslib.as_array(library.llama_get_logits_ith(context, -1), shape=(size,))
            ids, count = (library.llama_token * 1)(int(logits.argmax())), 1
            length = library.llama_token_to_piece(vocabulary, ids[0], piece, 64, 0, False)
            said += piece.raw[:length]
        return said.decode("utf-8", "replace")

    return loop


class Turn:
    """The bare loop and the magic on the same new prompt each time."""

    def __init__(self, shell: InteractiveShell, loop: Loop, tokens: int) -> None:
        self.shell, self.loop, self.tokens = shell, loop, tokens
        self.prompt = ""
        self.said: dict[str, list[str]] = {"bare": [], "magic": []}

    def bare(self) -> float:
        self.prompt = text(20, len(self.said["bare"]))
        started = time.perf_counter()
        said = self.loop(self.prompt, self.tokens)
        seconds = time.perf_counter() - started
        self.said["bare"].append(said)
        return seconds

    def magic(self) -> float:
        line = f"--template none --max-tokens {self.tokens} --raw"
        with contextlib.redirect_stdout(io.StringIO()):
            started = time.perf_counter()
            self.shell.run_cell_magic("prompt", line, self.prompt)
            seconds = time.perf_counter() - started
        self.said["magic"].append(kaggle_magics.get_session().last.text)
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a small model, few tokens, few runs")
    options = parser.parse_args()
    name, tokens, runs = ("llama-2m", 32, 3) if options.small else ("llama-116m", 256, 3)
    shell = InteractiveShell.instance()
    shell.display_pub = CapturingDisplayPublisher(parent=shell)
    shell.run_line_magic("load_ext", "kaggle_magics")
    session = kaggle_magics.get_session()
    results, notes = [], []
    cases: list[tuple[str, Any, Loop]] = [
        ("transformers", hf_folder(name), transformers_loop(name)),
        ("llama.cpp f16", gguf_file(name, "f16"), llama_loop(name, "f16")),
    ]
    for what, path, loop in cases:
        session.load(path, context=4096, name=what)
        for count in (tokens, 1):
            turn = Turn(shell, loop, count)
            taken = take_turns({"bare": turn.bare, "magic": turn.magic}, runs)
            label = f"{what}, {count} token{'s' * (count > 1)}"
            results.append(
                Result(label, 1000 * taken["bare"], 1000 * taken["magic"], 1.05 if count > 1 else None, at_most=True)
            )
            notes.append(f"{label}: {agreement(turn.said['magic'], turn.said['bare'])}")
            if count == 1:
                fixed = 1000 * (taken["magic"] - taken["bare"])
                notes.append(f"{what}: fixed cost {fixed:.1f} ms (target: at most 3 ms).")
        session.unload(what)
    show(f"`%%prompt` against the bare loop ({name})", results, notes=tuple(notes))


if __name__ == "__main__":
    main()
