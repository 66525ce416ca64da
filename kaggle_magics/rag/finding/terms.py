"""The terms of a question, as the lexical index knows them, and where they stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import overload

from kaggle_magics.rag.finding.words import STOP_WORDS
from kaggle_magics.rag.storing.lexical import LexicalIndex, Stemmer
from kaggle_magics.rag.storing.segments import RUN, run_terms, without_runs, written_terms

MOST = 64
"""Terms of a question that count."""
_WORD = re.compile(r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*")
_SHORTEST = 4
"""Letters from which on a word that nobody wrote is taken for a part of a longer one."""
_RELATIVES = 8
_RELATED = 0.5
"""Weight of a word that is only related to the question's."""
_SPELLINGS = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "\u00df"), ("\u00df", "ss"))
"""German without umlauts, and how the index, which knows no diacritics, has it."""


def question_terms(question: str, index: LexicalIndex) -> dict[str, float]:
    """Terms with their weights, English function words left out (unless there are no others).

    A word that no passage holds stands for what is nearest to it: another spelling, longer words that begin with it or
    hold it, or the two known words that it is made of (Krankenhausgarten).
    """
    words = [match[0].lower() for match in _WORD.finditer(without_runs(question))]
    words = list(dict.fromkeys([word for word in words if word not in STOP_WORDS] or words))[: 4 * MOST]
    words += [word.lower() for word in written_terms(question)]
    stems = index.stemmer.stems(words)
    weights = dict.fromkeys((term for word in words for term in stems[word]), 1.0)
    weights.update(dict.fromkeys(run_terms(question), 1.0))
    weights = dict(list(weights.items())[:MOST])
    possible = [term for term in weights if len(term) >= _SHORTEST and not RUN.match(term)]
    known = index.known(possible)
    for term in possible:
        if term not in known:
            for other in _relatives(term, index):
                weights.setdefault(other, _RELATED)
    return weights


class Marks(Sequence[tuple[int, int]]):
    """What `matches` gives, worked out when it is first looked at: most hits are given to a model and never shown."""

    def __init__(self, text: str, terms: frozenset[str], stemmer: Stemmer) -> None:
        self._open: tuple[str, frozenset[str], Stemmer] | None = (text, terms, stemmer)
        self._made: tuple[tuple[int, int], ...] = ()

    def made(self) -> tuple[tuple[int, int], ...]:
        if (waiting := self._open) is not None:
            self._made = matches(*waiting)
            self._open = None
        return self._made

    @overload
    def __getitem__(self, at: int) -> tuple[int, int]: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[tuple[int, int], ...]: ...

    def __getitem__(self, at: int | slice) -> tuple[int, int] | tuple[tuple[int, int], ...]:
        return self.made()[at]

    def __len__(self) -> int:
        return len(self.made())

    def __eq__(self, other: object) -> bool:
        return self.made() == (other.made() if isinstance(other, Marks) else other)

    def __hash__(self) -> int:
        return hash(self.made())

    def __repr__(self) -> str:
        return repr(self.made())

    def __reduce__(self) -> tuple[type, tuple[tuple[tuple[int, int], ...]]]:
        return tuple, (self.made(),)  # copied and pickled without the index


def matches(text: str, terms: frozenset[str], stemmer: Stemmer) -> tuple[tuple[int, int], ...]:
    """Where in a text words or runs with one of these terms stand: `(start, end)`, in order, none touching."""
    words = [(match.start(), match.end()) for match in _WORD.finditer(without_runs(text))]
    other = {text[start:end]: [part.lower() for part in written_terms(text[start:end])] for start, end in words}
    stems = stemmer.stems([*other, *(part for parts in other.values() for part in parts)])
    marked = {
        word for word, parts in other.items() if any(not terms.isdisjoint(stems[each]) for each in (word, *parts))
    }
    found = [(start, end) for start, end in words if text[start:end] in marked]
    grams = [term for term in terms if RUN.match(term)]
    for run in RUN.finditer(text) if grams else ():
        for gram in grams:
            at = run[0].find(gram)
            while at >= 0:
                found.append((run.start() + at, run.start() + at + len(gram)))
                at = run[0].find(gram, at + 1)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _relatives(term: str, index: LexicalIndex) -> list[str]:
    if spelt := [word for word in _spellings(term) if word in index.known([word])]:
        return spelt
    return index.beginning_with(term, _RELATIVES) or _parts(term, index) or index.holding(term, _RELATIVES)


def _spellings(term: str) -> Iterator[str]:
    for written, meant in _SPELLINGS:
        if written in term:
            yield term.replace(written, meant)


def _parts(term: str, index: LexicalIndex) -> list[str]:
    """The two known words that a compound is made of, perhaps with the s that German puts between."""
    for at in range(len(term) - _SHORTEST, _SHORTEST - 1, -1):
        first, second = term[:at], term[at:]
        for head in dict.fromkeys((first, first.removesuffix("s"))):
            if len(head) >= _SHORTEST and len(index.known([head, second])) == len({head, second}):
                return [head, second]
    return []
