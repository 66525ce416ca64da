"""Models of random weights in named shapes, made offline and kept in a temporary folder: what benchmarks run on.

    python benchmarks/models.py llama-27m            # makes it and prints where it is
    from models import gguf_file, hf_folder          # in a benchmark beside this file

What such a model says means nothing; how long it takes, and that two ways to run it say the same, is real. Weights are
drawn wide enough that the best next token stands out, and the end token is never the best one. They are the same every
time. The tokenizer is a byte-level BPE whose learnt part is small; tokens beyond it fill the vocabulary up.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import shutil
import tempfile
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("KAGGLE_MAGICS_BENCHMARK_MODELS", Path(tempfile.gettempdir()) / "kaggle-magics-benchmarks"))
LEARNT = 2000
"""Tokens of the tokenizer that come out of its training; words of these models' texts are one to three of them."""
SPECIAL = ("<pad>", "<s>", "</s>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
FORMAT = 2
"""Raised when what is written here changes, so that no old file is taken for a new one."""


@dataclass(frozen=True)
class Shape:
    """A Llama. Rows are multiples of 256, as llama.cpp's K-quants want them."""

    vocabulary: int
    hidden: int
    feed_forward: int
    layers: int
    heads: int
    kv_heads: int
    context: int = 4096
    tied: bool = False


SHAPES = {
    "llama-2m": Shape(2048, 256, 512, 2, 4, 2),
    "llama-27m": Shape(8192, 512, 1536, 6, 8, 4),
    "llama-116m": Shape(18432, 768, 2048, 14, 12, 4),
    "llama-42m-152k": Shape(152064, 256, 768, 4, 4, 2, tied=True),
    "llama-174m-152k": Shape(152064, 512, 1536, 6, 8, 4),
}
"""Name -> shape; the name says the parameters, and the vocabulary where it is a large one."""


def hf_folder(name: str) -> Path:
    """The folder of a model as transformers loads it (float32 safetensors, tokenizer, chat template)."""
    return _made(_place(name) / "hf", lambda folder: _write_hf(folder, SHAPES[name]))


def gguf_file(name: str, kind: str = "f16") -> Path:
    """The same weights as a GGUF file: "f32", "f16", or a type llama.cpp quantises to, such as "q4_k_m", "q8_0"."""
    kind = kind.lower()
    path = _place(name) / f"{name}-{kind.upper()}.gguf"
    if kind in ("f32", "f16"):
        return _made(path, lambda file: _write_gguf(file, hf_folder(name), SHAPES[name], kind))
    source = gguf_file(name)
    return _made(path, lambda file: _quantise(source, file, kind))


def text(words: int, seed: int = 0) -> str:
    """Words of the language these tokenizers were trained on: about 1.3 tokens each, never the same text twice."""
    chooser = random.Random(f"text {seed}")
    return " ".join(chooser.choices(_words(), k=words))


def prompt(count_tokens: Any, tokens: int, seed: int = 0) -> str:
    """A text of exactly `tokens` tokens, as `count_tokens(text)` counts them."""
    words = text(tokens, seed).split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count_tokens(" ".join(words[:middle])) <= tokens else (low, middle - 1)
    found = " ".join(words[:low])
    # A letter that no word here has is a token of its own.
    found += "X" * (tokens - count_tokens(found))
    assert count_tokens(found) == tokens
    return found


def _place(name: str) -> Path:
    key = sha256(json.dumps([FORMAT, asdict(SHAPES[name])]).encode()).hexdigest()[:8]
    return CACHE / f"{name}-{key}"


def _made(path: Path, make: Any) -> Path:
    """`path`, written by `make(temporary path)` unless it is there; never half of it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent)) / path.name
        try:
            make(temporary)
            temporary.rename(path)
        except OSError:
            if not path.exists():  # somebody else may have made it meanwhile
                raise
        finally:
            shutil.rmtree(temporary.parent, ignore_errors=True)
    return path


def _words() -> list[str]:
    chooser = random.Random("words")
    syllables = [a + b for a in "bdfgklmnprstv" for b in "aeiou"]
    return sorted({"".join(chooser.choices(syllables, k=chooser.choice((1, 2, 2, 3)))) for _ in range(3000)})


def _write_hf(folder: Path, shape: Shape) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True)
    _write_tokenizer(folder, shape)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=shape.vocabulary,
                hidden_size=shape.hidden,
                intermediate_size=shape.feed_forward,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                num_key_value_heads=shape.kv_heads,
                max_position_embeddings=shape.context,
                tie_word_embeddings=shape.tied,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
                initializer_range=0.1,
            )
        )
        # Its logit is 0, and among thousands the best one is always higher: no answer ends before its time.
        model.get_output_embeddings().weight.data[: len(SPECIAL)] = 0.0
    model.save_pretrained(folder)


def _write_tokenizer(folder: Path, shape: Shape) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(LEARNT, shape.vocabulary),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text(2000, seed) for seed in range(10)), trainer)
    state = json.loads(tokenizer.to_str())
    known = state["model"]["vocab"]
    chooser = random.Random("tokens")
    while len(known) < shape.vocabulary:
        word = "".join(chooser.choices("abcdefghijklmnopqrstuvwxyz", k=chooser.randint(4, 12)))
        known.setdefault(chooser.choice(("Ġ", "")) + word, len(known))
    (folder / "tokenizer.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": SPECIAL[0],
        "bos_token": SPECIAL[1],
        "eos_token": SPECIAL[2],
        "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _write_gguf(path: Path, folder: Path, shape: Shape, kind: str) -> None:
    import gguf
    import numpy as np
    from safetensors.numpy import load_file

    state = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = sorted(state["model"]["vocab"], key=state["model"]["vocab"].__getitem__)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(path.stem)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if kind == "f16" else gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(shape.hidden // shape.heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in state["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    for key, array in load_file(folder / "model.safetensors").items():
        name = _gguf_name(key)
        if ".self_attn.q_proj" in key or ".self_attn.k_proj" in key:
            # llama.cpp rotates neighbouring pairs where transformers rotates halves.
            heads = shape.heads if "q_proj" in key else shape.kv_heads
            halves = array.reshape(heads, 2, array.shape[0] // heads // 2, array.shape[1])
            array = halves.swapaxes(1, 2).reshape(array.shape)
        wide = array.ndim == 1 or kind == "f32"
        writer.add_tensor(name, np.ascontiguousarray(array, np.float32 if wide else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


_PARTS = {
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


def _gguf_name(key: str) -> str:
    stem = key.removesuffix(".weight")
    if stem.startswith("model.layers."):
        _, _, layer, part = stem.split(".", 3)
        return f"blk.{layer}.{_PARTS[part]}.weight"
    return f"{_PARTS[stem]}.weight"


def _quantise(source: Path, target: Path, kind: str) -> None:
    from kaggle_magics.models.engines.llama_cpp.library import llama_library

    library = llama_library()
    parameters = library.llama_model_quantize_default_params()
    parameters.ftype = getattr(library, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    code = library.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters))
    if code != 0:
        raise SystemExit(f"llama.cpp could not quantise {source} to {kind} ({code}).")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("--gguf", help="a GGUF of this type instead of the folder for transformers")
    options = parser.parse_args()
    print(gguf_file(options.name, options.gguf) if options.gguf else hf_folder(options.name))


if __name__ == "__main__":
    main()
