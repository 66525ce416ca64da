"""Questions made from a collection itself, for those who have none: each is about one sentence of one passage.

With a model its words are the model's. Without one they are some of the sentence's own words: enough to notice that
something is broken or to compare settings of one kind, but it flatters search by words, which the result says.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kaggle_magics.rag.evaluation.questions import Question, Reference
from kaggle_magics.rag.finding.words import content_words
from kaggle_magics.rag.passages import Passage
from kaggle_magics.rag.sentences import unit_spans

_FEWEST_WORDS = 4
_SHORTEST, _LONGEST = 30, 400
"""Characters of a sentence that a question can be about."""
_KEPT = 0.5
"""Share of a sentence's content words that stay in a question made of them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence to ask about, and where it stands."""

    passage: Passage
    start: int
    end: int

    @property
    def sentence(self) -> str:
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]

    def question(self, text: str, row: int) -> Question:
        """The question whose answer this sentence is."""
        return Question(text, (Reference(self.passage.source, self.start, self.end),), row=row)


def candidates(passages: Sequence[Passage], seed: int = 0) -> Iterator[Candidate]:
    """Sentences worth a question in an order drawn by `seed`: at most one a passage, sources in turn."""
    draw = random.Random(seed)
    by_source: dict[str, list[Passage]] = {}
    for passage in draw.sample(passages, len(passages)):
        by_source.setdefault(passage.source, []).append(passage)
    waiting = list(by_source.values())
    while waiting:
        for group in waiting:
            found = _best_sentence(group.pop())
            if found is not None:
                yield found
        waiting = [group for group in waiting if group]


def keywords(candidate: Candidate, seed: int = 0) -> str:
    """Half of the sentence's content words in their order, the longer ones rather; drawn by `seed`."""
    draw = random.Random(f"{seed} {candidate.passage.id} {candidate.start}")
    words = list(dict.fromkeys(content_words(candidate.sentence)))
    weights = {word: draw.random() ** (1 / max(1, len(word))) for word in words}
    most = sorted(words, key=lambda word: -weights[word])[: max(3, round(len(words) * _KEPT))]
    return " ".join(word for word in words if word in most)


def asked(text: str) -> str | None:
    """The question in a model's answer: its first line that ends with a question mark, without numbers and quotes."""
    for line in text.splitlines():
        line = re.sub(r"^\s*(?:\d+[.)]|[-*]|question:)\s*", "", line, flags=re.IGNORECASE).strip().strip("\"'*")
        if line.endswith(("?", "\uff1f")) and len(line) >= 8:
            return line
    return None


def _best_sentence(passage: Passage) -> Candidate | None:
    best: tuple[int, Candidate] | None = None
    for start, end in unit_spans(passage.text):
        if not _SHORTEST <= end - start <= _LONGEST:
            continue
        words = set(content_words(passage.text[start:end]))
        if len(words) >= _FEWEST_WORDS and (best is None or len(words) > best[0]):
            best = len(words), Candidate(passage, passage.start + start, passage.start + end)
    return best[1] if best else None
