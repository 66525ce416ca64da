"""The weights of `evidence`, and where they come from.

Fitted by logistic regression (L2, C = 0.1 on standardised features) with all-MiniLM-L6-v2 on a slice of SQuAD v2 (87
paragraphs of two articles in one collection): 293 answerable questions against the same ones with their paragraph taken
out, and, with a fifth of the weight ("tokens"; else a tenth), against 333 questions that were written to deceive.

AUROC of "tokens": 0.882 (taken out) and 0.635 (to deceive) in sample, 0.884 and 0.524 for the questions of each article
by weights of the other one (its figures were chosen by that same comparison, so that 0.884 is a little kind); 0.982 on
the example handbook, which the weights have not seen. The dense top score has 0.680, 0.615 and 0.954. Taken out, by
weights of the other article: "sentences" 0.844, "words" 0.777. Thresholds refuse about a tenth of the answerable
questions there ("tokens": 15 %, and 78 % of those taken out), where all of the collection is on two subjects; that of
"tokens" stands where eight of the handbook's ten questions without an answer are refused and none of the others.
`benchmarks/refusal.py` measures it. Fused scores must not be among the figures: they are relative to the best passage
of the search, so that they would tell at once that it was taken out.

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
            "sentence": 1.832,
            "window lead": 4.918,
            "words matched elsewhere": -5.9,
            "bm25": 0.055,
            "names": 0.453,
            "numbers": 3.778,
            "negation": -2.546,
        },
        -6.743,
        0.385,
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
