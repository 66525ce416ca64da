"""The weights of `evidence`, and where they come from.

Fitted by logistic regression (L2, C = 0.1 on standardised features) with all-MiniLM-L6-v2 on a slice of SQuAD v2 (87
paragraphs of two articles in one collection): 293 answerable questions against the same ones with their paragraph taken
out, and, with a fifth of the weight, against 333 questions that were written to deceive. `benchmarks/refusal.py`
measures it. Thresholds refuse 5 % of the answerable questions there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fitted:
    """A logistic combination of raw figures."""

    weights: Mapping[str, float]
    bias: float
    threshold: float


FITTED = {
    "tokens": Fitted(
        {
            "sentence": 2.842,
            "tokens gap": 2.296,
            "tokens gap to five": 4.599,
            "sentence tokens gap": 2.851,
            "names": 0.554,
            "numbers": 3.864,
            "negation": -2.432,
        },
        -7.773,
        0.26,
    ),
    "sentences": Fitted(
        {"sentence": 4.287, "passage gap": 1.594, "names": 0.368, "numbers": 3.029, "negation": -1.735}, -7.203, 0.29
    ),
    "words": Fitted(
        {
            "sentence words": 2.73,
            "passage coverage gap": 1.066,
            "names": 0.681,
            "numbers": 3.034,
            "negation": -1.299,
        },
        -5.281,
        0.30,
    ),
}
"""By what there is to go by: vectors of tokens, of sentences, or words alone."""
