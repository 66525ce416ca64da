"""The sizes of a model that its memory and its speed depend on, from config.json or a GGUF's metadata.

What a token leaves in the cache differs from layer to layer: all of it, only a window, or nothing where the layer keeps
a state of constant size (Mamba, linear attention). Sources: transformers' configuration classes and `cache_utils`;
llama.cpp's `llama-hparams.cpp` and gguf-py's key names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The sizes an estimate of memory and speed needs; 0 where the files do not tell."""

    layers: int = 0
    hidden: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    vocabulary: int = 0
    heads: int = 0
    intermediate: int = 0
    """Width of the feed-forward layers."""
    cache: int = 0
    """Elements a token adds to the cache, keys and values of all layers that remember the whole context."""
    window_cache: int = 0
    """The same for the layers that see only the last `window` tokens."""
    window: int = 0
    expanded_cache: int = 0
    """What multi-head latent attention costs instead of `cache` where its latents are cached expanded."""
    state: int = 0
    """Elements of recurrent states, whatever the length of the context; float32."""
    linear: int = 0
    """Parameters in the matrices that bitsandbytes quantises: no embeddings, no output matrix, no experts."""
    embedding: int = 0
    """Parameters of the table of input embeddings."""
    embedding_bytes: int = 0
    """Bytes of that table as it is stored."""
    tied: bool = False
    """Whether that table is the output matrix too."""
    read: float = 1.0
    """Share of the weights that one token reads: no unused experts, one row of an embedding table."""


NO_DIMENSIONS = Dimensions()


class Tensor(Protocol):
    """What both formats' headers tell of a tensor."""

    @property
    def elements(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def bytes(self) -> int | None: ...


_MOST_LAYERS = 10_000
"""A damaged file may claim billions."""
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "tok_embeddings.weight",
               "embed_in.weight", "embeddings.weight", "token_embd.weight")  # fmt: skip
_HEADS = ("lm_head.weight", "embed_out.weight", "output.weight")
"""The output matrix as transformers and GGUF call it; "output.weight" with nothing before it."""
_NO_CACHE = {"mamba", "mamba2", "falcon_mamba", "rwkv", "rwkv7", "xlstm"}
_ALL_SLIDING = {"mistral", "mixtral", "phi3", "starcoder2", "phimoe"}
_PATTERNS = {"gemma2": 2, "gpt_oss": 2, "cohere2": 4, "olmo3": 4, "exaone4": 4, "gemma3": 6, "gemma3_text": 6}
"""model_type -> every how many layers one sees the whole context (where `layer_types` is not written down)."""


def folder_dimensions(config: Mapping[str, Any], tensors: Sequence[tuple[str, Tensor]]) -> Dimensions:
    """From a config.json (its text part) and the names and tensors; `tensors` is empty for pickled weights."""
    heads = integer(config, "num_attention_heads", "n_head", "num_heads")
    hidden = integer(config, "hidden_size", "n_embd", "d_model")
    layers = integer(config, "num_hidden_layers", "n_layer", "num_layers")
    kv_heads = integer(config, "num_key_value_heads") or heads
    head_dim = integer(config, "head_dim") or (hidden // heads if heads else 0)
    kinds = _layer_kinds(config, min(layers, _MOST_LAYERS))
    a_layer, expanded = 2 * kv_heads * head_dim, 0
    if latent := integer(config, "kv_lora_rank"):
        rope = integer(config, "qk_rope_head_dim")
        expanded = heads * (integer(config, "qk_nope_head_dim") + rope + integer(config, "v_head_dim"))
        a_layer = latent + rope
    full, sliding = kinds.count("full") + layers - min(layers, _MOST_LAYERS), kinds.count("sliding")
    used, count = (
        integer(config, "num_experts_per_tok", "top_k_experts"),
        integer(config, "num_local_experts", "num_experts", "n_routed_experts"),
    )
    return Dimensions(
        layers=layers,
        hidden=hidden,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=integer(config, "vocab_size"),
        heads=heads,
        intermediate=integer(config, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden,
        cache=full * a_layer,
        window_cache=sliding * a_layer,
        window=integer(config, "sliding_window", "attention_chunk_size") if sliding else 0,
        expanded_cache=full * expanded,
        state=kinds.count("state") * _state(config, hidden),
        **_weights(tensors, used / count if used and count else 1.0, tied=config.get("tie_word_embeddings")),
    )


def gguf_dimensions(
    architecture: str, metadata: Mapping[str, Any], vocabulary: int, tensors: Sequence[tuple[str, Tensor]]
) -> Dimensions:
    """From a GGUF's metadata (`<architecture>.<key>`) and all its tensors with their names."""

    def number(key: str, default: int = 0) -> int:
        value = metadata.get(f"{architecture}.{key}")
        if isinstance(value, tuple):
            value = max(value, default=0)
        return max(0, int(value)) if isinstance(value, int | float) and math.isfinite(value) else default

    layers, hidden = min(number("block_count"), _MOST_LAYERS), number("embedding_length")
    heads = number("attention.head_count")
    key = number("attention.key_length") or (hidden // heads if heads else 0)
    value = number("attention.value_length") or key
    per_layer = metadata.get(f"{architecture}.attention.head_count_kv")
    # In hybrid models the layers without attention have no heads for it.
    kv_heads = (
        [max(0, int(each)) for each in per_layer]
        if isinstance(per_layer, tuple)
        else [number("attention.head_count_kv", heads)] * layers
    )
    interval = number("full_attention_interval")
    if interval and not isinstance(per_layer, tuple):
        kv_heads = [each if (at + 1) % interval == 0 else 0 for at, each in enumerate(kv_heads)]
    if shared := number("attention.shared_kv_layers"):
        kv_heads[max(0, layers - shared) :] = [0] * min(shared, layers)
    if architecture in _NO_CACHE:
        kv_heads = []
    # Latent attention keeps no values: they are a part of the keys.
    width = key if number("attention.key_length_mla") else key + value
    window = number("attention.sliding_window")
    slides = _gguf_pattern(metadata.get(f"{architecture}.attention.sliding_window_pattern"), architecture, layers)
    sliding = [each for each, slid in zip(kv_heads, slides, strict=False) if slid and window]
    inner, states = number("ssm.inner_size"), number("ssm.state_size")
    groups = max(1, number("ssm.group_count"))
    without = layers - sum(1 for each in kv_heads if each)
    conv = max(0, number("ssm.conv_kernel") - 1) * (inner + 2 * groups * states)
    used, count = number("expert_used_count"), number("expert_count")
    return Dimensions(
        layers=layers,
        hidden=hidden,
        kv_heads=int(max(kv_heads, default=0)),
        head_dim=key,
        vocabulary=vocabulary,
        heads=heads,
        intermediate=number("feed_forward_length") or 4 * hidden,
        cache=(sum(kv_heads) - sum(sliding)) * width,
        window_cache=sum(sliding) * width,
        window=window if sliding else 0,
        state=(without or layers) * (conv + inner * states) if inner else 0,
        **_weights(tensors, used / count if used and count else 1.0),
    )


def integer(config: Mapping[str, Any], *keys: str) -> int:
    """The first of these keys that is a count; text, truth values and negative numbers are none."""
    values = (config.get(key) for key in keys)
    return next((value for value in values if isinstance(value, int) and value is not True and value > 0), 0)


def _weights(tensors: Sequence[tuple[str, Tensor]], experts_used: float, tied: object = None) -> dict[str, Any]:
    linear = embedding = embedding_bytes = 0
    total = read = 0.0
    separate = False
    for name, tensor in tensors:
        size = float(tensor.bytes or tensor.elements)
        total += size
        if name.endswith(_EMBEDDINGS):
            embedding += tensor.elements
            embedding_bytes += int(size)
        elif name == "output.weight" or name.endswith(_HEADS[:2]):
            separate = True
            read += size
        elif "experts." in name or "_exps." in name:
            read += size * experts_used
        else:
            read += size
            if len(tensor.shape) == 2 and name.endswith(".weight"):
                linear += tensor.elements
    is_tied = not separate if tied is None else bool(tied)
    if is_tied:
        read += embedding_bytes
    return {
        "linear": linear,
        "embedding": embedding,
        "embedding_bytes": embedding_bytes,
        "tied": is_tied,
        "read": min(1.0, read / total) if total else 1.0,
    }


def _layer_kinds(config: Mapping[str, Any], layers: int) -> list[str]:
    """For each layer "full", "sliding" or "state"."""
    kind = str(config.get("model_type", ""))
    named = config.get("layer_types") or config.get("layers_block_type") or config.get("block_types")
    if isinstance(named, list) and named:
        # Griffin repeats a short pattern.
        return [_named_kind(str(named[at % len(named)])) for at in range(layers)]
    if kind in _NO_CACHE:
        return ["state"] * layers
    if isinstance(pattern := config.get("hybrid_override_pattern"), str):
        return ["full" if letter == "*" else "state" if letter == "M" else "none" for letter in pattern]
    if isinstance(indices := config.get("attn_layer_indices"), list):
        return ["full" if at in indices else "state" for at in range(layers)]
    if period := integer(config, "attn_layer_period"):
        offset = integer(config, "attn_layer_offset")
        return ["full" if at % period == offset else "state" for at in range(layers)]
    if not integer(config, "sliding_window") or config.get("use_sliding_window") is False:
        return ["full"] * layers
    if kind in _ALL_SLIDING:
        return ["sliding"] * layers
    if pattern_length := integer(config, "sliding_window_pattern", "_sliding_window_pattern") or _PATTERNS.get(kind):
        return ["sliding" if (at + 1) % pattern_length else "full" for at in range(layers)]
    if config.get("use_sliding_window") and "max_window_layers" in config:
        return ["sliding" if at >= integer(config, "max_window_layers") else "full" for at in range(layers)]
    return ["full"] * layers


def _named_kind(name: str) -> str:
    if "sliding" in name or "chunked" in name:
        return "sliding"
    if "full" in name or name in ("attention", "hybrid"):
        return "full"
    return "none" if name in ("mlp", "moe") else "state"


def _state(config: Mapping[str, Any], hidden: int) -> int:
    """Elements of one recurrent layer's states: convolution and scan (Mamba 1 and 2, gated delta net, short conv)."""
    if key_heads := integer(config, "linear_num_key_heads"):
        key, value = integer(config, "linear_key_head_dim"), integer(config, "linear_value_head_dim")
        value_heads = integer(config, "linear_num_value_heads")
        conv = 2 * key_heads * key + value_heads * value
        return value_heads * key * value + conv * integer(config, "linear_conv_kernel_dim")
    inner = int(hidden * float(config.get("mamba_expand") or config.get("expand") or 2))
    states = integer(config, "mamba_d_state", "state_size", "ssm_state_size")
    groups = integer(config, "mamba_n_groups", "n_groups")
    kernel = integer(config, "mamba_d_conv", "conv_kernel", "conv_L_cache") or 4
    return inner * states + (inner + 2 * groups * states) * kernel


def _gguf_pattern(pattern: object, architecture: str, layers: int) -> Sequence[bool]:
    """Which layers slide: llama.cpp's own patterns where the file gives none (`llama-model.cpp`, `set_swa_pattern`)."""
    if isinstance(pattern, tuple):
        return [bool(each) for each in pattern]
    known = {"gemma2": 2, "gpt-oss": 2, "cohere2": 4, "olmo2": 4, "exaone4": 4, "gemma3": 6, "gemma3n": 5, "llama4": 4}
    length = pattern if isinstance(pattern, int) and pattern > 0 else known.get(architecture, 0)
    return _every(length, layers)


def _every(length: int, layers: int) -> list[bool]:
    return [bool(length and (at + 1) % length) for at in range(layers)]
