"""The types that llama.cpp's quantiser knows, and how far a result of each may be from its source."""

from __future__ import annotations

from dataclasses import dataclass

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.models.headers.gguf import FILE_TYPES

FLOATS = ("f32", "f16", "bf16")
"""Types that are not quantised."""

_SHORT = {"q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m"}
"""As llama-quantize abbreviates them (tools/quantize/quantize.cpp)."""


NEED_MATRIX = ("iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m", "iq3_xxs", "q2_k_s")
"""Types that llama.cpp makes only with an importance matrix (llama-quant.cpp, `tensor_requires_imatrix`)."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How far from its source a result may be. Wide: it is there to find broken files, not to grade good ones."""

    kl: float
    """Nats, mean over the text."""
    unrelated: float
    """Of the divergence between the source's own answers at different places, so that a model whose answers are all
    alike cannot pass by that alone."""
    sure: float
    """Share of the tokens that the source is sure of (by 10 % of probability) which must come out the same."""


_BOUNDS = (
    (("f32", "f16", "bf16"), Bound(0.02, 0.05, 0.98)),
    (("q8_0", "q6_k"), Bound(0.2, 0.2, 0.9)),
    (("q5", "iq4", "q4", "mxfp4", "nvfp4"), Bound(1.0, 0.5, 0.6)),
    (("q3", "iq3"), Bound(2.0, 0.7, 0.4)),
    (("q2", "iq2", "tq", "q1", "iq1"), Bound(5.0, 0.9, 0.1)),
)


def type_named(name: str) -> str:
    """The type's name in lower case. Raises `OptionError` for what llama.cpp does not have, or not without more."""
    if not isinstance(name, str):
        raise OptionError(f"A type is a name such as q4_k_m, not {name!r}.")
    wanted = name.strip().lower().replace("-", "_")
    wanted = _SHORT.get(wanted, wanted)
    if wanted not in NUMBERS:
        raise OptionError(
            f"llama.cpp has no type {name!r}.",
            did_you_mean(wanted, NUMBERS)
            or f"The usual ones are q8_0, q6_k, q5_k_m, q4_k_m; all: {', '.join(NUMBERS)}.",
        )
    if wanted in NEED_MATRIX:
        raise needs_matrix(wanted)
    return wanted


def needs_matrix(name: str) -> OptionError:
    """The error for a type that needs an importance matrix."""
    return OptionError(
        f"{name} needs an importance matrix, which nothing here makes.",
        "These need none: q2_k, q3_k_m, iq3_s, iq4_xs, q4_k_m.",
    )


def bound_of(name: str) -> Bound:
    """What a result of this type is held to."""
    return next(bound for starts, bound in _BOUNDS if name.startswith(starts))


def bits_of(name: str) -> float:
    """About how many bits a weight takes on disk, rounded up: for the look at the disk before there is a file."""
    if name in FLOATS:
        return 32.0 if name == "f32" else 16.0
    digits = next(int(letter) for letter in name if letter.isdigit())
    return digits + 1.5


NUMBERS = {name.lower(): number for number, name in FILE_TYPES.items()}
"""Name -> llama.h's `llama_ftype`."""
