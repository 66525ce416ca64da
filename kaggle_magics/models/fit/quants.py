"""The ways to make weights smaller: what a weight takes, and what it costs in quality.

bitsandbytes: NF4 with double quantisation is 4 bits and 0.127 bits of scales (QLoRA, Dettmers et al. 2023, section 3);
int8 is a byte and a scale a row. GGUF: block sizes of `ggml`'s types; a "_M" file mixes types (`llama-quant.cpp`), and
its output matrix is Q6_K. Loss is the rise of perplexity in percent that llama.cpp's `tools/quantize/README.md` and the
pull requests of each type (ggml-org/llama.cpp#1684) give for 7B models.
"""

from __future__ import annotations

from dataclasses import dataclass

from kaggle_magics.errors import OptionError, did_you_mean


@dataclass(frozen=True, slots=True)
class Quant:
    """One way. `bits` a weight of the layers' matrices, `head_bits` of the other tables; None: as the dtype has."""

    name: str
    bits: float
    head_bits: float | None
    loss: float
    """Rise of perplexity in percent."""
    fallback_bits: float = 0.0
    """Where rows are no multiple of 256, which K-quants need."""


BITSANDBYTES = {
    "nf4": Quant("nf4", 4.127, None, 1.0),
    "int8": Quant("int8", 8.03, None, 0.2),
}
GGUF_TYPES = {
    "q8_0": Quant("q8_0", 8.5, 8.5, 0.02),
    "q6_k": Quant("q6_k", 6.5625, 6.5625, 0.1, 8.5),
    "q5_k_m": Quant("q5_k_m", 5.67, 6.5625, 0.3, 6.5),
    "q5_k_s": Quant("q5_k_s", 5.5, 6.5625, 0.5, 6.0),
    "q4_k_m": Quant("q4_k_m", 4.82, 6.5625, 0.9, 6.0),
    "q4_k_s": Quant("q4_k_s", 4.56, 6.5625, 1.7, 5.6),
    "q4_0": Quant("q4_0", 4.5, 6.5625, 4.0),
    "q3_k_m": Quant("q3_k_m", 3.87, 6.5625, 4.1, 5.0),
    "q2_k": Quant("q2_k", 2.9, 6.5625, 14.6, 4.5),
}
"""Best first. llama.cpp has more types; these are the ones that are planned and offered."""
LITTLE = 1.0
"""Percent of perplexity that "auto" gives up for speed or room."""

WORDS = ("auto", "none", *BITSANDBYTES, *GGUF_TYPES)


def checked(word: str | None) -> str | None:
    """A word for `quant` in lower case; None for "none". Raises `OptionError` with the nearest one."""
    if word is None:
        return None
    name = str(word).lower().replace("-", "_")
    if name not in WORDS:
        raise OptionError(f"quant is one of {', '.join(WORDS)}, not {word!r}.", did_you_mean(name, WORDS))
    return None if name == "none" else name
