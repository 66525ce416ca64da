"""Architectures of every kind of memory, small and random: greedy text is that of `generate`, reused or batched."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.request import Request, Sampling

pytest.importorskip("transformers", reason="transformers is not installed")

COMMON: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    # Default weights are so small that every next token is nearly as likely as any other.
    "initializer_range": 0.3,
}
HEADS: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}
WINDOW = 16
HYBRID: dict[str, Any] = {
    **HEADS,
    "head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
    "layer_types": ["linear_attention", "full_attention"],
}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2, positions learnt": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "Phi, part of each head rotated": ("Phi", {**HEADS, "num_key_value_heads": 4, "partial_rotary_factor": 0.5}),
    "Bloom, distances as biases": ("Bloom", {"n_layer": 2, "n_head": 4}),
    "Mistral with a window": ("Mistral", {**HEADS, "sliding_window": WINDOW}),
    "Gemma 2, every other layer with a window": ("Gemma2", {**HEADS, "head_dim": 8, "sliding_window": WINDOW}),
    "Gemma 3": ("Gemma3", {**HEADS, "head_dim": 8, "sliding_window": WINDOW, "num_hidden_layers": 6}),
    "Qwen 3": ("Qwen3", {**HEADS, "head_dim": 8}),
    "Mamba, a state and nothing else": ("Mamba", {"state_size": 4}),
    "Qwen 3.5, state and attention": ("Qwen3_5", HYBRID),
}
STATEFUL = ("Mamba", "Qwen3_5")
PROMPT = "The library opens at nine and closes at six, from Monday"
OTHERS = [" to Friday [1]. And then?", "", ", six.", " of them and gives one away. How many are left? The", " a"]


@pytest.fixture(scope="session")
def model_of(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with a small random model of that shape; the same weights every time."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        import torch
        import transformers

        if name not in made:
            kind, options = SHAPES[name]
            text = "Text" if kind == "Qwen3_5" or kind == "Gemma3" else ""
            head = next((n for n in (f"{kind}ForCausalLM", f"{kind}LMHeadModel") if hasattr(transformers, n)), None)
            if head is None:
                pytest.skip(f"this transformers has no {kind}")
            config = getattr(transformers, f"{kind}{text}Config")(**{**COMMON, **options})
            folder = tmp_path_factory.mktemp("architecture") / kind.lower()
            with torch.random.fork_rng():
                torch.manual_seed(11)
                model = getattr(transformers, head)(config)
                # Bytes at random are hardly ever characters, and libraries differ in how they show what is none.
                model.get_output_embeddings().weight.data[3:259] = 0.0
                model.save_pretrained(folder)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(tiny_llama / file, folder)
            made[name] = folder
        return made[name]

    return make


@pytest.mark.parametrize("name", SHAPES)
def test_greedy_text_is_that_of_generate(
    name: str, model_of: Callable[[str], Path], open_engine: Callable[..., Engine], ask: Any, library_answer: Any
) -> None:
    path = model_of(name)
    engine = open_engine(path)
    wanted = {other: library_answer(path, PROMPT + other, 24) for other in OTHERS}
    # Twice round, so that every prompt finds what the others and itself have left, beyond the window too.
    for round_ in range(3):
        for other in OTHERS:
            text, last = ask(engine, PROMPT + other, max_tokens=24)
            assert text == wanted[other], (round_, other)
        if round_:
            assert last.usage.reused_tokens == last.usage.prompt_tokens - 1


@pytest.mark.parametrize("name", SHAPES)
def test_rows_of_a_table_say_what_each_says_alone(
    name: str, model_of: Callable[[str], Path], open_engine: Callable[..., Engine], ask: Any
) -> None:
    engine = open_engine(model_of(name))
    for beginning in (PROMPT, ""):
        prompts = [beginning + (other or "x") for other in OTHERS]
        alone = [ask(engine, prompt, max_tokens=10 + place)[0] for place, prompt in enumerate(prompts)]
        rows: dict[int, str] = {}
        requests = [
            Request.ask(prompt, template="none", sampling=Sampling(max_tokens=10 + place))
            for place, prompt in enumerate(prompts)
        ]
        for index, piece in engine.stream_many(requests, threading.Event()):
            rows[index] = rows.get(index, "") + piece.text
        assert [rows[index] for index in range(len(prompts))] == alone
