"""The weights of `evidence`, and where they come from.

Fitted by logistic regression (L2, C = 0.1 on standardised features) with all-MiniLM-L6-v2 on a slice of SQuAD v2 (87
paragraphs of two articles in one collection): 293 answerable questions against the same ones with their paragraph taken
out, and, with a fifth of the weight ("tokens"; else a tenth), against 333 questions that were written to deceive.

AUROC of "tokens": 0.869 (taken out) and 0.629 (to deceive) in sample, 0.871 and 0.519 for the questions of each article
by weights of the other one; 0.986 on the example handbook, which it has not seen. The dense top score has 0.680, 0.615
and 0.954. Taken out, by weights of the other article: "sentences" 0.844, "words" 0.777. Thresholds refuse about a tenth
of the answerable questions there, where all of the collection is on two subjects. `benchmarks/refusal.py` measures it.

The thresholds are chosen by hand, so that questions the example handbook does not tell are refused as well; they are
not calibrated on the collection that is asked, whose subjects or language may put its scores elsewhere.
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
        0.35,
    ),
    "sentences": Fitted(
        {"sentence": 4.287, "passage gap": 1.594, "names": 0.368, "numbers": 3.029, "negation": -1.735}, -7.203, 0.36
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
        0.36,
    ),
}
"""By what there is to go by: vectors of tokens, of sentences, or words alone."""
