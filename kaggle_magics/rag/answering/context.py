"""What a model is given of what was found: best first, each text once, pieces of one document joined, within a budget.

Passages of one document that overlap or touch become one, if they stand under the same heading and at the same place,
so that a citation still names one page; what lies between neighbours is taken in where the budget allows. A given
passage is always a slice of its document: `document[start:end] == text`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kaggle_magics import wording
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.rag.passages import Hit, Passage
from kaggle_magics.rag.sentences import sentence_spans

Beside = Callable[[Passage], Sequence[Passage]]
"""The passages right before and right after one in its document, as far as there are any."""
Fits = Callable[[Sequence[Hit]], bool]
NEIGHBOURED = 2
"""So many of the best hits get their neighbours."""
NEIGHBOUR_CHARACTERS = 1600
"""A passage with its neighbours is at most this long: more of the same document is seldom worth the reading."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is given, numbered from 1 in its order, and what became of the rest."""

    given: tuple[Hit, ...]
    left_out: tuple[Hit, ...] = ()
    """Found, but there was no room for them."""
    joined: int = 0
    """How many hits became part of another one."""
    widened: int = 0
    """How many were given with a neighbour that was not found itself."""
    cut: bool = False
    """Whether the only passage given is the beginning of one that did not fit."""


def fill(hits: Sequence[Hit], fits: Fits, *, beside: Beside | None = None, document: Callable[[str], str]) -> Context:
    """Take hits best first as long as `fits` says there is room; smaller ones after one that does not fit still may.

    `beside` brings neighbours, `document` gives the text of a document by its id. When not even the best fits, its
    beginning is taken, up to a sentence's or a word's end. Raises `CollectionError` without hits and `OptionError`
    where there is no room for a word.
    """
    if not hits:
        raise CollectionError(
            "Nothing was found to answer from.", "Ask in other words, or add documents: %rag_ingest PATH"
        )
    given: list[Hit] = []
    left_out: list[Hit] = []
    joined = widened = 0
    for hit in hits:
        if any(_same(hit.passage, other.passage) for other in given):
            continue
        trial = _with(given, hit, document)
        if fits(trial):
            joined += len(given) + 1 - len(trial)
            given = trial
        else:
            left_out.append(hit)
    if not given:
        return Context((_cut(hits[0], lambda hit: fits([hit])),), tuple(hits[1:]), cut=True)
    for place in range(min(NEIGHBOURED, len(given)) if beside is not None else 0):
        assert beside is not None
        wider = given[place]
        for neighbour in beside(given[place].passage):
            if not _touch(wider.passage, neighbour) or any(
                at != place and _overlap(other.passage, neighbour) for at, other in enumerate(given)
            ):
                continue
            trial_hit = _together(wider, neighbour, document)
            if len(trial_hit.passage.text) > NEIGHBOUR_CHARACTERS:
                continue
            if fits([*given[:place], trial_hit, *given[place + 1 :]]):
                wider = trial_hit
        widened += wider is not given[place]
        given[place] = wider
    return Context(tuple(given), tuple(left_out), joined, widened)


def _with(given: Sequence[Hit], hit: Hit, document: Callable[[str], str]) -> list[Hit]:
    """The hits with one more; those it touches become one with it, at the place of the best of them."""
    made, place = list(given), len(given)
    while (at := next((at for at, other in enumerate(made) if _touch(other.passage, hit.passage)), None)) is not None:
        other = made.pop(at)
        better, worse = (other, hit) if at < place else (hit, other)
        hit, place = _together(better, worse.passage, document), min(place, at)
    return [*made[:place], hit, *made[place:]]


def pairs(hits: Sequence[Hit]) -> list[tuple[str, str]]:
    """`(text, context)` of each, as `wording` takes them."""
    return [(hit.passage.text, hit.passage.context) for hit in hits]


def fits_in(room: int, question: str, count_tokens: Callable[[str], int], first: int = 1) -> Fits:
    """Whether the user turn of a grounded question takes at most `room` tokens."""
    return lambda chosen: count_tokens(wording.grounded_question(pairs(chosen), question, first)) <= room


def _same(one: Passage, other: Passage) -> bool:
    return (one.text, one.context) == (other.text, other.context) or is_within(one, other)


def is_within(outer: Passage, inner: Passage) -> bool:
    return outer.document_id == inner.document_id and outer.start <= inner.start and inner.end <= outer.end


def _overlap(one: Passage, other: Passage) -> bool:
    return one.document_id == other.document_id and one.start < other.end and other.start < one.end


def _touch(one: Passage, other: Passage) -> bool:
    """Whether two passages overlap, or follow one another with at most a blank line between, in the same place."""
    if (one.document_id, one.context, one.place) != (other.document_id, other.context, other.place):
        return False
    return max(one.start, other.start) - min(one.end, other.end) <= _GAP


_GAP = 2
"""Characters between two passages that follow one another: a blank line."""


def _together(hit: Hit, other: Passage, document: Callable[[str], str]) -> Hit:
    """A hit widened by a passage that touches it; the text is the document's own."""
    passage = hit.passage
    start, end = min(passage.start, other.start), max(passage.end, other.end)
    text = document(passage.document_id)[start:end]
    # The matches are places in the text that was found.
    return replace(hit, passage=replace(passage, start=start, end=end, text=text), matches=())


def _cut(hit: Hit, fits: Callable[[Hit], bool]) -> Hit:
    """The longest beginning of a hit that fits, up to a sentence's end, else a word's."""
    text = hit.passage.text
    words = [place for place in range(1, len(text)) if text[place].isspace() and not text[place - 1].isspace()]
    for ends in ([end for _, end in sentence_spans(text)], words):
        best = _last_fitting(ends, lambda end: fits(_shortened(hit, end)))
        if best is not None:
            return _shortened(hit, best)
    raise OptionError(
        "The question leaves no room for a passage in the model's context.",
        "Shorten it, lower --max-tokens, or load a model with a longer context.",
    )


def _last_fitting(ends: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(ends[middle]) else (low, middle)
    return ends[low - 1] if low else None


def _shortened(hit: Hit, length: int) -> Hit:
    passage = hit.passage
    return replace(hit, passage=replace(passage, end=passage.start + length, text=passage.text[:length]), matches=())
