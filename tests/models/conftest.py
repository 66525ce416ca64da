"""Models for the tests of the models room: a GGUF made from the tiny Llama, one with a SentencePiece vocabulary."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.request import Piece, Request, Sampling

Ask = Callable[..., tuple[str, Piece]]


def gguf_value(value: Any) -> bytes:
    """A metadata value with its type, as docs/gguf.md of ggml lays it out."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_string(value)
    if value and isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(gguf_string, value))
    kind, letter = (6, "f") if value and isinstance(value[0], float) else (5, "i")
    return struct.pack(f"<IIQ{len(value)}{letter}", 9, kind, len(value), *value)


def gguf_string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def write_gguf_file(path: Path, metadata: dict[str, Any], tensors: dict[str, Any]) -> Path:
    """Write a GGUF version 3 of float32 numpy arrays."""
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        header += gguf_string(key) + gguf_value(value)
    data = b""
    for name, array in tensors.items():
        sides = array.shape[::-1]
        header += gguf_string(name) + struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, 0, len(data))
        data += array.astype("<f4").tobytes()
        data += b"\0" * (-len(data) % 32)
    header += b"\0" * (-len(header) % 32)
    path.write_bytes(header + data)
    return path


@pytest.fixture(scope="session")
def write_gguf() -> Callable[[Path, dict[str, Any], dict[str, Any]], Path]:
    return write_gguf_file


@pytest.fixture(scope="session")
def make_gguf() -> Callable[..., Path]:
    """Write a small GGUF file; further keyword arguments are metadata, `__` in them standing for a dot."""

    def make(path: Path, architecture: str = "llama", tensors: dict[str, Any] | None = None, **more: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {
            "general.architecture": architecture,
            "general.file_type": 15,
            f"{architecture}.context_length": 4096,
            f"{architecture}.block_count": 2,
            f"{architecture}.embedding_length": 64,
            f"{architecture}.attention.head_count": 8,
            f"{architecture}.attention.head_count_kv": 4,
            "tokenizer.ggml.tokens": ["a", "b"],
            "tokenizer.chat_template": "{{ messages }}",
            **{key.replace("__", "."): value for key, value in more.items()},
        }
        return write_gguf_file(path, metadata, tensors or {"w": np.zeros((2, 3), "f4")})

    return make


@pytest.fixture(scope="session")
def tiny_gguf(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny random Llama as a GGUF file: same weights, vocabulary and chat template."""
    torch = pytest.importorskip("torch")
    from safetensors import safe_open

    config = json.loads((tiny_llama / "config.json").read_text())
    tokenizer = json.loads((tiny_llama / "tokenizer.json").read_text())
    settings = json.loads((tiny_llama / "tokenizer_config.json").read_text())
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    special = {token["content"] for token in tokenizer["added_tokens"]}
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    rope = config.get("rope_parameters") or {}
    metadata = {
        "general.architecture": "llama",
        "general.name": "tiny llama",
        "general.file_type": 0,
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.block_count": config["num_hidden_layers"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": kv_heads,
        "llama.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "llama.rope.dimension_count": config["hidden_size"] // heads,
        "llama.rope.freq_base": float(rope.get("rope_theta") or config.get("rope_theta") or 10000.0),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in special else 1 for token in tokens],
        "tokenizer.ggml.merges": [
            pair if isinstance(pair, str) else " ".join(pair) for pair in tokenizer["model"]["merges"]
        ],
        "tokenizer.ggml.bos_token_id": tokens.index(settings["bos_token"]),
        "tokenizer.ggml.eos_token_id": tokens.index(settings["eos_token"]),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": settings["chat_template"],
    }
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    tensors = {}
    with safe_open(tiny_llama / "model.safetensors", "pt") as weights:
        for key in weights.keys():  # noqa: SIM118 - safe_open is no mapping
            array = weights.get_tensor(key).to(torch.float32).numpy()
            stem = key.removesuffix(".weight")
            if stem.startswith("model.layers."):
                _, _, layer, part = stem.split(".", 3)
                if part in ("self_attn.q_proj", "self_attn.k_proj"):
                    # llama.cpp rotates neighbouring pairs where transformers rotates halves.
                    count = heads if part == "self_attn.q_proj" else kv_heads
                    halves = array.reshape(count, 2, array.shape[0] // count // 2, array.shape[1])
                    array = halves.swapaxes(1, 2).reshape(array.shape)
                tensors[f"blk.{layer}.{names[part]}.weight"] = array
            else:
                tensors[f"{names[stem]}.weight"] = array
    return write_gguf_file(tmp_path_factory.mktemp("gguf") / "tiny-llama-F32.gguf", metadata, tensors)


@pytest.fixture(scope="session")
def sentencepiece_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama whose tokenizer is SentencePiece's kind: dummy space in front, byte tokens, BOS added."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "sentencepiece-llama"
    folder.mkdir()
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefghijklmnopqrstuvwxyz.,"]
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("a", "n"), ("▁", "a"), ("▁a", "n")]
    pieces += ["".join(pair) for pair in merges]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in pieces[:3]])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(7)
        config = LlamaConfig(
            vocab_size=len(pieces),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            bos_token_id=1,
            eos_token_id=2,
            initializer_range=0.2,
        )
        model = LlamaForCausalLM(config)
        # Bytes at random are hardly ever characters, and libraries differ in how they show what is none.
        model.lm_head.weight.data[3:259] = 0.0
        model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def open_engine() -> Iterator[Callable[..., Engine]]:
    """Load the model at a path, once a session for the same path and options."""
    engines: dict[tuple[Any, ...], Engine] = {}

    def open_it(path: Path, **options: Any) -> Engine:
        key = (path, *sorted(options.items()))
        if key not in engines:
            plan = make_plan(read_checkpoint(path), **options)
            # One thread: llama.cpp's threads wait for each other, which takes long on a machine that is busy.
            engines[key] = load_engine(replace(plan, threads=1))
        return engines[key]

    yield open_it
    for engine in engines.values():
        engine.close()


@pytest.fixture(scope="session")
def library_answer() -> Callable[..., str]:
    """What transformers itself makes of a prompt: generate(do_sample=False), decoded with what came before it."""

    def answer_it(path: Path, prompt: str | list[dict[str, str]], tokens: int) -> str:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        if isinstance(prompt, str):
            ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        else:
            text = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=tokens,
            pad_token_id=0,
        )[0]
        before = tokenizer.decode(ids[0], skip_special_tokens=True)
        return str(tokenizer.decode(output, skip_special_tokens=True)[len(before) :])

    return answer_it


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Ask an engine and collect the answer: its text and the last piece."""

    def ask_it(
        engine: Engine, text: str, *, template: str = "none", system: str | None = None, **sampling: Any
    ) -> tuple[str, Piece]:
        request = Request.ask(text, system=system, template=template, sampling=Sampling(**sampling))
        pieces = list(engine.stream(request, threading.Event()))
        assert all(piece.stop_reason is None for piece in pieces[:-1])
        return "".join(piece.text for piece in pieces), pieces[-1]

    return ask_it
