"""A grounded answer: what came back, checked against the passages that were given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from kaggle_magics import __version__, wording
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.models.request import Message, Sampling, Usage
from kaggle_magics.rag.answering.evidence import Evidence
from kaggle_magics.rag.answering.extracts import best_extracts
from kaggle_magics.rag.answering.support import Claim, claims
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.passages import Hit, Passage


@dataclass(frozen=True, slots=True)
class Citation:
    """A mark `[number]` in an answer and the passage it points at; numbers count from 1."""

    number: int
    passage: Passage
    spans: tuple[tuple[int, int], ...] = ()
    """Where in the passage's text the sentences stand that the answer stands on, the most important first."""


@dataclass(frozen=True, kw_only=True)
class GroundedAnswer(Answer):
    """An answer from passages. `hits[n - 1]` is what `[n]` cites; `citations` are those really used, each once."""

    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    """What was given; of a refusal before any model was asked, the nearest that was found."""
    refused: bool = False
    """The documents do not tell: no citation stands behind the text."""
    refused_by: Literal["", "evidence", "model"] = ""
    """Whether the figures decided so before any model was asked, or the model said so."""
    extractive: bool = False
    """The text is sentences of the documents themselves, chosen without a model."""
    unknown_citations: tuple[int, ...] = ()
    """Numbers in the text that no passage bears."""
    question: str = ""
    """As it was asked."""
    searched: str = ""
    """The question that was searched and answered, where it differs: a follow-up that was made to stand alone."""
    evidence: Evidence | None = field(default=None, compare=False)
    """How good what was found is, with its raw figures."""
    claims: tuple[Claim, ...] = ()
    """The sentences of the text, each with its support in the passages."""
    left_out: int = 0
    """Passages that were found, but that the context had no room for."""

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The sentences that no cited passage supports."""
        return tuple(self.text[claim.start : claim.end] for claim in self.claims if not claim.supported)


def finish(answer: Answer, given: Sequence[Hit], *, embedder: Embedder | None = None, **about: Any) -> GroundedAnswer:
    """Check an answer against the hits it was given: citations in the order of the text, unknown numbers apart, and
    what each sentence stands on.

    A text that begins with the refusal sentence is `refused` and cites nothing. `about` are further fields.
    """
    numbers = list(dict.fromkeys(int(match.group(1)) for match in wording.CITATION.finditer(answer.text)))
    refused = wording.is_refusal(answer.text)
    known = [] if refused else [number for number in numbers if 1 <= number <= len(given)]
    passages = {number: hit.passage for number, hit in enumerate(given, start=1)}
    found = () if refused else claims(answer.text, passages, embedder)
    return GroundedAnswer(
        **answer.fields(),
        citations=tuple(Citation(number, passages[number], _spans(number, found)) for number in known),
        hits=tuple(given),
        refused=refused,
        refused_by="model" if refused else "",
        unknown_citations=tuple(number for number in numbers if not 1 <= number <= len(given)),
        claims=found,
        **about,
    )


def finish_again(answer: Answer, before: GroundedAnswer) -> GroundedAnswer:
    """The same question's answer after it was gone on with."""
    return finish(
        answer,
        before.hits,
        question=before.question,
        searched=before.searched,
        evidence=before.evidence,
        left_out=before.left_out,
    )


def extractive(
    question: str,
    hits: Sequence[Hit],
    /,
    *,
    embedder: Embedder | None,
    evidence: Evidence | None = None,
    pool: Sequence[Hit] = (),
    **about: Any,
) -> GroundedAnswer:
    """An answer without a model: the sentences nearest to the question, each with its citation, a line each.

    Refuses where `evidence` is not enough. `pool` is the background that words are weighed by. The run card's model
    and engine are "extracts".
    """
    begin = time.perf_counter()
    enough = evidence is None or evidence.enough
    extracts = best_extracts(question, hits, embedder, pool=pool) if enough else []
    lines = [f"{extract.text} {wording.citation(extract.number)}" for extract in extracts]
    text = "\n".join(lines) or wording.REFUSAL
    spans: dict[int, list[tuple[int, int]]] = {}
    found: list[Claim] = []
    at = 0
    for extract, line in zip(extracts, lines, strict=True):
        spans.setdefault(extract.number, []).append(extract.span)
        found.append(Claim(at, at + len(line), True, 1.0, 1.0, None, extract.number, extract.span))
        at += len(line) + 1
    return _without_model(
        text,
        question,
        embedder,
        seconds=time.perf_counter() - begin,
        citations=tuple(Citation(number, hits[number - 1].passage, tuple(spans[number])) for number in spans),
        hits=tuple(hits),
        refused=not extracts,
        refused_by="" if extracts else "evidence",
        extractive=True,
        evidence=evidence,
        claims=tuple(found),
        **about,
    )


def refusal(question: str, nearest: Sequence[Hit], /, *, embedder: Embedder | None, **about: Any) -> GroundedAnswer:
    """The answer where what was found is not good enough to ask a model about; `about` are further fields."""
    return _without_model(
        wording.REFUSAL, question, embedder, hits=tuple(nearest), refused=True, refused_by="evidence", **about
    )


def _without_model(
    text: str, question: str, embedder: Embedder | None, /, *, seconds: float = 0.0, **about: Any
) -> GroundedAnswer:
    card = RunCard(
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
    )
    usage = Usage(0, 0, 0, seconds, seconds)
    return GroundedAnswer(text=text, stop_reason="end", usage=usage, card=card, **{"question": question, **about})


def _spans(number: int, found: Sequence[Claim]) -> tuple[tuple[int, int], ...]:
    """The sentences of a passage that an answer's sentences stand on, in the order of the answer."""
    spans = [claim.span for claim in found if claim.number == number and claim.span is not None and claim.supported]
    return tuple(dict.fromkeys(spans))
