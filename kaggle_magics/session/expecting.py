"""How a session tests prompts: assertions about answers, over several seeds."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kaggle_magics.compare.expectations import Checking, Expectation, Outcome, parse
from kaggle_magics.compare.grid import seeds_of
from kaggle_magics.compare.result import Compared, Comparison
from kaggle_magics.compare.verdicts import Verdict, Verdicts
from kaggle_magics.errors import KaggleMagicsError, OptionError, did_you_mean
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.structured.structure import structure_of
from kaggle_magics.models.request import Request
from kaggle_magics.session.comparing import ComparingCalls

if TYPE_CHECKING:
    from kaggle_magics.generation.several import Answers
    from kaggle_magics.generation.tables.table import AnswerTable
    from kaggle_magics.rag.embedding.protocol import Embedder

OnDone = Callable[[int, int], None]
"""Gets how many answers there are, and how many there will be."""


class ExpectingCalls(ComparingCalls):
    """The part of a `Session` that checks answers."""

    def __init__(self) -> None:
        super().__init__()
        self._embedder: Embedder | None = None
        self._looked_for_embedder = False

    def expect(
        self,
        expectations: str | Iterable[str | Expectation],
        *,
        on: Any = None,
        seeds: int | Sequence[int] | None = None,
        namespace: Mapping[str, Any] | None = None,
        at_least: float | None = None,
        on_progress: OnDone | None = None,
    ) -> Verdicts:
        """Check what was asked last, be it an answer, several, a table of them or each variant of a comparison; or what
        `on` gives: one of these, or a list of answers.

        `expectations` are lines as in `compare.expectations`; `namespace` holds what `python:` and `json schema` name.
        With `seeds` (a number N means 1 to N) the answer's prompt is asked again with each, in one batch, and the
        result tells how often each assertion holds; at temperature 0, where a seed changes nothing, it is not. Asking
        again leaves the session's last answer as it is. Raises `OptionError`, and with `at_least` `ExpectationFailed`
        where a smaller share of the answers is as expected.
        """
        wanted = expectations_of(expectations, namespace or {})
        checking, notes = self._checking(wanted, namespace or {})
        subject = self._subject() if on is None else on
        if isinstance(subject, Comparison) and seeds is not None:
            raise OptionError("A comparison is checked as it is.", "Give the seeds to it: %%compare --seed 1,2,3")
        subjects, asked = _subjects(subject)
        if seeds is not None:
            answers = [answer for answer, _, _ in subjects if answer is not None]
            again, asked = self._over(answers, seeds_of(seeds), notes, on_progress)
            subjects = [(answer, None, "") for answer in again]
        notes += _left_out(len(subjects), asked)
        verdicts = [
            Verdict(answer=answer, error=error, variant=name, checks=_checks(answer, error, wanted, checking))
            for answer, error, name in subjects
        ]
        result = Verdicts(verdicts, notes=notes)
        if at_least is not None:
            result.require(at_least)
        return result

    def _subject(self) -> Answer | Comparison | Answers | AnswerTable:
        """What was asked last: all of it, where that was more than one answer."""
        found = self.compared
        if found is not None and (self.last is None or any(self.last is answer for answer in found.answers)):
            return found
        if self.last is None:
            raise OptionError("There is no answer to check yet.", "Ask something first, such as with %%prompt.")
        several = self.several or ()
        of_several = (each if isinstance(each, Answer) else each.answer for each in several)
        if self.several is not None and any(self.last is answer for answer in of_several):
            return self.several
        return self.last

    def _over(
        self, answers: Sequence[Answer], seeds: Sequence[int], notes: list[str], on_progress: OnDone | None
    ) -> tuple[list[Answer], int]:
        """The answers to the same prompts with each seed, and how many were to be asked."""
        found: list[Answer] = []
        asked = 0
        greedy = (
            "At temperature 0 every seed gives the same answer: it was checked once. "
            "Ask with --temperature to see how often it holds."
        )
        for answer in answers:
            if answer.card.sampling.temperature == 0:
                if greedy not in notes:
                    notes.append(greedy)
                found.append(answer)
                asked += 1
                continue
            requests = [_again(answer, seed) for seed in seeds]
            done = _Counted(len(requests), on_progress)
            came = self.generate_many(requests, model=answer.card.model, on_answer=done)
            found += [each for each in came if each.stop_reason != "interrupted"]
            asked += len(requests)
        return found, asked

    def _checking(self, expectations: Sequence[Expectation], names: Mapping[str, Any]) -> tuple[Checking, list[str]]:
        """What checks use, and what is to be said of it. The embedding model is looked for when something needs it."""
        if not any(each.kind == "similar" for each in expectations):
            return Checking(names), []
        if not self._looked_for_embedder:
            from kaggle_magics.rag.embedding.models import find_embedder

            self._looked_for_embedder = True
            self._embedder = find_embedder(download=False)
        embedder = self._embedder
        if embedder is not None:
            try:
                alike = functools.lru_cache(1024)(lambda one, other: _cosine(embedder, one, other))
                alike("", "")
                return Checking(names, alike, f"the cosine by {embedder.name}"), [
                    f"similar: the cosine of the embeddings by {embedder.name}."
                ]
            except KaggleMagicsError:
                self._embedder = None
        return Checking(names), ["similar: ROUGE-L F1 of the words; no embedding model is at hand."]


class _Counted:
    """Counts answers as they end."""

    def __init__(self, of: int, on_progress: OnDone | None) -> None:
        self._done, self._of, self._on_progress = 0, of, on_progress

    def __call__(self, index: int, answer: Answer) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._of)


def expectations_of(given: str | Iterable[str | Expectation], names: Mapping[str, Any]) -> list[Expectation]:
    """Expectations from lines, or as they are. Raises `OptionError`."""
    if isinstance(given, str):
        return parse(given, schema_of=_named(names))
    items = list(given)
    if items and all(isinstance(item, Expectation) for item in items):
        return [item for item in items if isinstance(item, Expectation)]
    return parse([str(item) for item in items], schema_of=_named(names))


def _named(names: Mapping[str, Any]) -> Callable[[str], Any]:
    """Finds a schema among names; what is no name is taken as it is."""

    def schema_of(text: str) -> Any:
        if text.isidentifier() and text not in names:
            raise OptionError(f"There is no {text} in the namespace.", did_you_mean(text, names))
        return names.get(text, text)

    return schema_of


def _subjects(given: Any) -> tuple[list[tuple[Answer | None, str | None, str]], int]:
    """Answer, error and variant of each that has either, and how many there could be. Raises `OptionError`."""
    if isinstance(given, Answer):
        return [(given, None, "")], 1
    items = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else []
    if not items or not all(isinstance(item, Answer) or hasattr(item, "answer") for item in items):
        raise OptionError("on must be an answer, a comparison, or a list of answers that is not empty.")
    found: list[tuple[Answer | None, str | None, str]] = []
    for item in items:
        answer, error = (item, "") if isinstance(item, Answer) else (item.answer, getattr(item, "error", ""))
        if answer is not None or error:
            found.append((answer, error or None, item.title if isinstance(item, Compared) else ""))
    if not found:
        raise OptionError("There is no answer to check: none was asked to its end.")
    return found, len(items)


def _checks(
    answer: Answer | None, error: str | None, expectations: Sequence[Expectation], checking: Checking
) -> tuple[tuple[Expectation, Outcome], ...]:
    """What holds of an answer; where there is none, nothing does."""
    if answer is None:
        return tuple((each, Outcome(False, error or "")) for each in expectations)
    return tuple((each, each.of(answer, checking)) for each in expectations)


def _again(answer: Answer, seed: int) -> Request:
    """What was asked, with another seed."""
    card = answer.card
    constraint = structure_of(**json.loads(card.structure)) if card.structure else None
    return Request(card.messages, replace(card.sampling, seed=seed), card.template, constraint)


def _left_out(there: int, asked: int) -> list[str]:
    return [f"Stopped: {there} of {asked} answers are there and were checked."] if there < asked else []


def _cosine(embedder: Embedder, one: str, other: str) -> float:
    """Of two unit vectors, between -1 and 1."""
    first, second = embedder.embed_documents([one, other])
    return float(first @ second)
