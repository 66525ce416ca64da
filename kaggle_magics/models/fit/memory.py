"""Memory of a plan by part, from headers: weights, KV cache, compute buffers, and what the libraries take.

Fitted to what `benchmarks/memory.py` measures on a CPU for both engines. What counts there is anonymous memory at its
peak, and those pages of mapped weights that answering touches; a row of an embedding table is not the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata

from kaggle_magics.models.checkpoint import DTYPE_BYTES, Checkpoint
from kaggle_magics.models.fit.quants import BITSANDBYTES, GGUF_TYPES

PREFILL_CHUNK = 512
"""Tokens of the prompt that are computed at once, in both engines."""

MiB = 2**20
_FIXED = {"transformers": 260 * MiB, "llama.cpp": 15 * MiB}
"""Anonymous memory of the engine's libraries once they are imported."""
_BITSANDBYTES = 90 * MiB
_A_TOKEN = {"transformers": 560, "llama.cpp": 256}
"""Bytes a token of the vocabulary takes in the tokenizer."""
CUDA_CONTEXT = 512 * MiB
"""CUDA's own on each GPU, with cuBLAS' workspace."""
_FRAGMENTED = 2
"""torch's intermediate results over their sizes: the allocator keeps what was freed in pieces."""
_READ_AHEAD = {False: 0.6, True: 0.0}
"""Whether weights are read in the dtype computed in -> the share that is there unquantised at once, measured."""
_ROOM_FOR_SCORES = 512 * MiB
"""What attention scores may take on a CPU, for speed without flash attention: 8,192 tokens of a 7B model."""
_BESIDE_SCORES = 1.3
"""What attention without flash takes, over its scores alone; measured with 1,024 to 16,384 tokens of context."""
_LATENTS_CACHED = (5, 24)
"""transformers from here on caches multi-head latent attention as latents."""


@dataclass(frozen=True, slots=True)
class Form:
    """In which form a checkpoint is run: what the estimate depends on besides the checkpoint itself."""

    engine: str
    device: str
    dtype: str
    context: int
    quant: str | None = None
    convert_to: str | None = None
    flash_attention: bool = True

    @property
    def width(self) -> int:
        """Bytes of one element of the KV cache: llama.cpp keeps float16 whatever the weights are."""
        return 2 if self.engine == "llama.cpp" else DTYPE_BYTES.get(self.dtype, 2)


def estimate(checkpoint: Checkpoint, form: Form) -> dict[str, int]:
    """Bytes by part: weights, kv_cache, compute, fixed."""
    cache = kv_cache(checkpoint, form)
    return {
        "weights": resident(checkpoint, form),
        "kv_cache": cache,
        # What quantising needs for a moment is over before there is a cache.
        "compute": max(compute(checkpoint, form), quantising(checkpoint, form) - cache),
        "fixed": fixed(checkpoint, form),
    }


def weights(checkpoint: Checkpoint, form: Form) -> int:
    """Bytes of all weights in this form."""
    size = checkpoint.dimensions
    if form.convert_to:
        return converted(checkpoint, form.convert_to)
    if form.engine == "llama.cpp" or not checkpoint.parameters or checkpoint.dtype not in DTYPE_BYTES:
        return checkpoint.bytes
    a_weight = DTYPE_BYTES.get(form.dtype, 2)
    if form.quant:
        bits = BITSANDBYTES[form.quant].bits
        return int(size.linear * bits / 8) + (checkpoint.parameters - size.linear) * a_weight
    return checkpoint.parameters * a_weight


def converted(checkpoint: Checkpoint, kind: str) -> int:
    """Bytes of a GGUF file of this type made from a checkpoint."""
    size, quant = checkpoint.dimensions, GGUF_TYPES[kind]
    parameters = checkpoint.parameters or checkpoint.bytes // 2
    linear = size.linear or parameters
    fits_blocks = not quant.fallback_bits or not (size.hidden % 256 or size.intermediate % 256)
    bits = quant.bits if fits_blocks else quant.fallback_bits
    head = quant.head_bits or bits
    # Without an output matrix of its own the table has its type; else it has the layers'.
    rest = max(0, parameters - linear)
    tables = min(rest, size.embedding * (1 if size.tied else 2))
    table_bits = head if size.tied else (head + bits) / 2
    return int((linear * bits + tables * table_bits + (rest - tables) * 32) / 8) + 64 * size.vocabulary


def resident(checkpoint: Checkpoint, form: Form) -> int:
    """Bytes of weights that are in memory while it answers: on a CPU mapped tables are only touched here and there."""
    whole, size = weights(checkpoint, form), checkpoint.dimensions
    if form.device != "cpu" or size.tied:
        return whole
    if form.convert_to:
        table = size.embedding * GGUF_TYPES[form.convert_to].bits / 8
    elif form.engine == "llama.cpp":
        table = size.embedding_bytes
    elif form.dtype == checkpoint.dtype:
        table = size.embedding * DTYPE_BYTES.get(form.dtype, 2)
    else:
        table = 0
    return max(0, whole - int(table))


def flash_attention(checkpoint: Checkpoint, engine: str, device: str, context: int) -> bool:
    """Whether llama.cpp had better use flash attention.

    On a CPU it saves the scores' buffer and little else. After 1,024 tokens of context the next 24 took 29.9 ms with it
    and 15.1 without, after 3,000 tokens 77.9 and 23.5, and one token 9.0 and 5.5 (27 million parameters, float16, two
    AVX2 cores, medians).
    """
    return engine != "llama.cpp" or device != "cpu" or _scores(checkpoint, context) > _ROOM_FOR_SCORES


def _scores(checkpoint: Checkpoint, context: int) -> int:
    """Bytes of the attention scores of one chunk of a prompt, as llama.cpp holds them without flash attention."""
    heads = checkpoint.dimensions.heads or checkpoint.dimensions.kv_heads
    return heads * context * min(PREFILL_CHUNK, context) * 4


def kv_cache(checkpoint: Checkpoint, form: Form) -> int:
    """Bytes of keys, values and recurrent states for a full context."""
    size = checkpoint.dimensions
    full = size.cache or (0 if size.window_cache or size.state else 2 * size.layers * size.kv_heads * size.head_dim)
    if form.engine == "transformers" and size.expanded_cache and not _caches_latents():
        full = size.expanded_cache
    # llama.cpp is told to keep sliding layers whole, so that a prompt can be cut back to what the next one shares.
    seen = form.context if form.engine == "llama.cpp" else min(form.context, size.window + PREFILL_CHUNK)
    return form.width * (full * form.context + size.window_cache * seen) + 4 * size.state


def compute(checkpoint: Checkpoint, form: Form) -> int:
    """Bytes of intermediate results while a chunk of a prompt is read at the end of a full context."""
    size, on_gpu = checkpoint.dimensions, form.device != "cpu"
    chunk = min(PREFILL_CHUNK, form.context)
    heads = size.heads or size.kv_heads
    if form.engine == "llama.cpp":
        # Buffers are reserved for the logits of a whole chunk; on a CPU what is never written is never there.
        logits = (chunk if on_gpu else 1) * size.vocabulary * 4
        scores = 0 if form.flash_attention else int(_BESIDE_SCORES * _scores(checkpoint, form.context))
        return logits + scores + 4 * chunk * (2 * size.intermediate + 4 * size.hidden) + 6 * chunk * form.context
    width = form.width
    logits = 2 * size.vocabulary * 4
    repeated = 2 * heads * size.head_dim * form.context * width
    hidden = 3 * chunk * (size.intermediate + size.hidden) * width
    unpacked = size.hidden * size.intermediate * width if form.quant else 0
    return logits + _FRAGMENTED * (repeated + hidden + chunk * form.context * width) + unpacked


def quantising(checkpoint: Checkpoint, form: Form) -> int:
    """Bytes that are needed while bitsandbytes quantises on a CPU: transformers reads many weights ahead of it."""
    if not form.quant or form.device != "cpu":
        return 0
    share = _READ_AHEAD[form.dtype == checkpoint.dtype]
    return int(share * checkpoint.dimensions.linear * DTYPE_BYTES.get(form.dtype, 2))


def fixed(checkpoint: Checkpoint, form: Form) -> int:
    """Bytes of the libraries and the tokenizer; of CUDA's context on a GPU."""
    if form.device != "cpu":
        return CUDA_CONTEXT
    tokenizer = _A_TOKEN[form.engine] * checkpoint.dimensions.vocabulary
    return _FIXED[form.engine] + tokenizer + (_BITSANDBYTES if form.quant else 0)


@lru_cache(maxsize=1)
def _caches_latents() -> bool:
    try:
        major, minor = (int(part) for part in metadata.version("transformers").split(".")[:2])
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return (major, minor) >= _LATENTS_CACHED
