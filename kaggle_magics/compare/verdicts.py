"""What came of checking answers: a verdict for each answer, pass rates by assertion and by variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.compare.expectations import Expectation, Outcome
from kaggle_magics.errors import ExpectationFailed
from kaggle_magics.extras import require
from kaggle_magics.generation.answer import Answer


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One answer, and what was found of each assertion about it."""

    answer: Answer | None
    """None where there was none to be had: `error` says why."""
    checks: tuple[tuple[Expectation, Outcome], ...]
    variant: str = ""
    """The settings it was asked with, in words, where several are compared."""
    case: Mapping[str, Any] = field(default_factory=dict)
    """The row of the test set."""
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Whether all assertions hold."""
        return self.error is None and all(outcome.passed for _, outcome in self.checks)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of some answers are as expected, and what is wrong with the first that is not."""

    name: str
    passed: int
    of: int
    first_failure: str = ""

    @property
    def rate(self) -> float:
        """Share that passed, 0 to 1."""
        return self.passed / self.of if self.of else 0.0


class Verdicts(list[Verdict]):
    """Answers that were checked."""

    def __init__(self, verdicts: Iterable[Verdict], *, notes: Sequence[str] = (), title: str = "") -> None:
        super().__init__(verdicts)
        self.notes = tuple(notes)
        """How it was checked, and what was left out."""
        self.title = title

    @property
    def total(self) -> Rate:
        """Answers for which all assertions hold."""
        return _rate("all of them", [(verdict.passed, _why(verdict)) for verdict in self])

    @property
    def rate(self) -> float:
        """Share of the answers for which all assertions hold, 0 to 1."""
        return self.total.rate

    @property
    def by_expectation(self) -> list[Rate]:
        """A pass rate for each assertion; those from a test set by their column."""
        return _by_expectation(self)

    @property
    def by_variant(self) -> list[Rate]:
        """A pass rate for each variant; empty where there is only one."""
        found: dict[str, list[tuple[bool, str]]] = {}
        for verdict in self:
            found.setdefault(verdict.variant, []).append((verdict.passed, _why(verdict)))
        return [_rate(name, outcomes) for name, outcomes in found.items()] if len(found) > 1 else []

    def by_expectation_of(self, variant: str) -> dict[str, Rate]:
        """The pass rates of one variant by assertion."""
        return {rate.name: rate for rate in _by_expectation([each for each in self if each.variant == variant])}

    def require(self, at_least: float) -> None:
        """Raise `ExpectationFailed` where fewer answers than this share are as expected."""
        total = self.total
        if total.rate < at_least:
            raise ExpectationFailed(
                f"{total.passed} of {total.of} answers are as expected ({total.rate:.0%}), fewer than {at_least:.0%}.",
                f"The first that is not: {total.first_failure}" if total.first_failure else None,
            )

    def to_pandas(self) -> Any:
        """One row for each answer and assertion."""
        rows = []
        for verdict in self:
            answer = verdict.answer
            for expectation, outcome in verdict.checks:
                ours = {
                    "variant": verdict.variant,
                    "seed": answer.card.sampling.seed if answer else None,
                    "expectation": expectation.text,
                    "passed": outcome.passed,
                    "detail": outcome.detail,
                    "answer": answer.text if answer else None,
                    "stop_reason": answer.stop_reason if answer else "error",
                    "error": verdict.error,
                }
                # A column of the test set that is called as one of ours stays, under a name beside it.
                case = {f"{name}_given" if name in ours else name: value for name, value in verdict.case.items()}
                rows.append({**case, **ours})
        return require("pandas", "A table").DataFrame(rows)


def _rate(name: str, outcomes: Sequence[tuple[bool, str]]) -> Rate:
    first = next((detail for passed, detail in outcomes if not passed), "")
    return Rate(name, sum(passed for passed, _ in outcomes), len(outcomes), first)


def _why(verdict: Verdict) -> str:
    if verdict.error:
        return verdict.error
    return next((f"{each.text}: {outcome.detail}" for each, outcome in verdict.checks if not outcome.passed), "")


def _by_expectation(verdicts: Iterable[Verdict]) -> list[Rate]:
    found: dict[str, list[tuple[bool, str]]] = {}
    for verdict in verdicts:
        for expectation, outcome in verdict.checks:
            detail = f"{expectation.text}: {outcome.detail}" if expectation.column else outcome.detail
            found.setdefault(expectation.column or expectation.text, []).append((outcome.passed, detail))
    return [_rate(name, outcomes) for name, outcomes in found.items()]
