"""From hits to a grounded answer: the request within the token budget, and what came back, checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kaggle_magics import __version__, wording
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.models.request import Message, Request, Sampling, Usage
from kaggle_magics.rag.answering.extracts import best_extracts
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.passages import Hit, Passage
from kaggle_magics.rag.sentences import sentence_spans

TEMPLATE_TOKENS = 24
"""Kept free for what a chat template puts around a system and a user turn."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A mark `[number]` in an answer and the passage it points at; numbers count from 1."""

    number: int
    passage: Passage


@dataclass(frozen=True, kw_only=True)
class GroundedAnswer(Answer):
    """An answer from passages. `hits[n - 1]` is what `[n]` cites; `citations` are those really used, each once."""

    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    refused: bool = False
    """The documents do not tell: no citation stands behind the text."""
    extractive: bool = False
    """The text is sentences of the documents themselves, chosen without a model."""
    unknown_citations: tuple[int, ...] = ()
    """Numbers in the text that no passage bears."""


def grounded_request(
    question: str,
    hits: Sequence[Hit],
    *,
    sampling: Sampling,
    count_tokens: Callable[[str], int],
    budget: int,
) -> tuple[Request, list[Hit]]:
    """The request for an answer from `hits` and the hits that fit into it, numbered from 1 in their order.

    `budget` is the model's context in tokens: prompt, template and answer together. The answer's share is
    `sampling.max_tokens`, at most a quarter of it, since an answer from passages is short. Hits are taken best first;
    one that does not fit is left out and smaller ones after it may still fit; equal texts are given once. When not even
    the best fits, it is cut at a sentence or a word (its offsets with it). Raises `OptionError` when the question
    leaves no room for a passage, and `CollectionError` without hits.
    """
    if not hits:
        raise CollectionError("There are no passages to answer from.", "Ingest documents first: %rag_ingest PATH")
    answer_tokens = min(sampling.max_tokens, budget // 4)
    room = budget - answer_tokens - TEMPLATE_TOKENS - count_tokens(wording.GROUNDED_SYSTEM)

    def fits(chosen: Sequence[Hit]) -> bool:
        return count_tokens(wording.grounded_question(_pairs(chosen), question)) <= room

    used: list[Hit] = []
    for hit in hits:
        known = any(
            (hit.passage.text, hit.passage.context) == (other.passage.text, other.passage.context) for other in used
        )
        if not known and fits([*used, hit]):
            used.append(hit)
    if not used:
        used = [_cut(hits[0], lambda hit: fits([hit]), question)]
    text = wording.grounded_question(_pairs(used), question)
    return Request.ask(text, system=wording.GROUNDED_SYSTEM, sampling=sampling), used


def finish(answer: Answer, used_hits: Sequence[Hit]) -> GroundedAnswer:
    """Check an answer against the hits it was given: citations in the order of the text, unknown numbers apart.

    A text that begins with the refusal sentence is `refused` and cites nothing.
    """
    numbers = list(dict.fromkeys(int(match.group(1)) for match in wording.CITATION.finditer(answer.text)))
    refused = wording.is_refusal(answer.text)
    known = [] if refused else [number for number in numbers if 1 <= number <= len(used_hits)]
    return GroundedAnswer(
        **answer.fields(),
        citations=tuple(Citation(number, used_hits[number - 1].passage) for number in known),
        hits=tuple(used_hits),
        refused=refused,
        unknown_citations=tuple(number for number in numbers if not 1 <= number <= len(used_hits)),
    )


def extractive(question: str, hits: Sequence[Hit], *, embedder: Embedder | None) -> GroundedAnswer:
    """An answer without a model: the sentences nearest to the question, each with its citation, a line each.

    Refuses when none is near enough (`extracts.THRESHOLD`). The run card's model and engine are "extracts".
    """
    begin = time.perf_counter()
    extracts = best_extracts(question, hits, embedder)
    text = "\n".join(f"{extract.text} {wording.citation(extract.number)}" for extract in extracts) or wording.REFUSAL
    seconds = time.perf_counter() - begin
    numbers = dict.fromkeys(extract.number for extract in extracts)
    return GroundedAnswer(
        text=text,
        stop_reason="end",
        usage=Usage(0, 0, 0, seconds, seconds),
        card=RunCard(
            model="extracts",
            source=embedder.name if embedder else "",
            engine="extracts",
            library=f"kaggle_magics {__version__}",
            device="cpu",
            dtype="",
            messages=(Message("user", question),),
            template="none",
            sampling=Sampling(seed=0),
            version=__version__,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
        citations=tuple(Citation(number, hits[number - 1].passage) for number in numbers),
        hits=tuple(hits),
        refused=not extracts,
        extractive=True,
    )


def _pairs(hits: Sequence[Hit]) -> list[tuple[str, str]]:
    return [(hit.passage.text, hit.passage.context) for hit in hits]


def _cut(hit: Hit, fits: Callable[[Hit], bool], question: str) -> Hit:
    """The longest beginning of a hit that fits, up to a sentence's end, else a word's."""
    text = hit.passage.text
    words = [place for place in range(1, len(text)) if text[place].isspace() and not text[place - 1].isspace()]
    for ends in ([end for _, end in sentence_spans(text)], words):
        best = _last_fitting(ends, lambda end: fits(_shortened(hit, end)))
        if best is not None:
            return _shortened(hit, best)
    raise OptionError(
        f"The question leaves no room for a passage in the model's context ({len(question)} characters).",
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
    return replace(hit, passage=replace(passage, end=passage.start + length, text=passage.text[:length]))
