"""The result of an evaluation: settings side by side, with intervals, and which of them is best."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kaggle_magics.extras import require
from kaggle_magics.rag.evaluation.metrics import Figure, figure, paired
from kaggle_magics.rag.evaluation.questions import Question

if TYPE_CHECKING:
    from kaggle_magics.rag.answering.answer import GroundedAnswer
    from kaggle_magics.rag.passages import Hit

MEASURES = (
    "ndcg",
    "mrr",
    "recall",
    "precision",
    "iou",
    "complete",
    "answer",
    "f1",
    "citation",
    "refusal",
    "wrong refusal",
)
"""In the order in which they are shown."""
DECIDES = ("answer", "ndcg", "recall", "refusal")
"""The first of these that was measured says which setting is best."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One question under one setting."""

    setting: str
    question: Question
    hits: tuple[Hit, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    answer: GroundedAnswer | None = None
    error: str = ""
    seconds: float = 0.0
    """Of the search, without the answer."""


class Evaluation(list[Judged]):
    """All questions under all settings, setting by setting."""

    def __init__(
        self,
        judged: Iterable[Judged],
        *,
        settings: Mapping[str, Mapping[str, Any]],
        collection: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(judged)
        self.settings = dict(settings)
        """The settings by their labels: options of `search` by name."""
        self.collection = collection
        self.notes = list(notes)

    @property
    def measures(self) -> list[str]:
        """The measures that any question has, in the order in which they are shown."""
        found = {name for judged in self for name in judged.measures}
        return [name for name in MEASURES if name in found]

    @property
    def decides(self) -> str | None:
        """The measure that says which setting is best."""
        return next((name for name in DECIDES if name in self.measures), None)

    @property
    def best(self) -> str | None:
        """The label of the best setting by `decides`; the earlier of equals."""
        name = self.decides
        means = {label: found.mean for label in self.settings if name and (found := self.figure(label, name))}
        return max(means, key=lambda label: means[label], default=None)

    def of(self, setting: str) -> list[Judged]:
        """The questions under one setting."""
        return [judged for judged in self if judged.setting == setting]

    def figure(self, setting: str, measure: str) -> Figure | None:
        """The mean of a measure with its 95 % interval; None where it was not measured."""
        return figure([judged.measures[measure] for judged in self.of(setting) if measure in judged.measures])

    def difference(self, one: str, other: str, measure: str) -> Figure | None:
        """How much better `other` is than `one` on the questions that both have, with its 95 % interval."""
        first, second = ({j.question.row: j.measures.get(measure) for j in self.of(label)} for label in (one, other))
        pairs = [(a, second[key]) for key, a in first.items() if a is not None and second.get(key) is not None]
        return paired([a for a, _ in pairs], [b for _, b in pairs if b is not None])

    def seconds(self, setting: str) -> float:
        """The median time of a search."""
        return statistics.median([judged.seconds for judged in self.of(setting)] or [0.0])

    @property
    def suggestion(self) -> str:
        """One line: which setting to take, and whether it is better by more than chance."""
        name, best = self.decides, self.best
        first = next(iter(self.settings), None)
        if name is None or best is None or first is None or len(self.settings) < 2:
            return ""
        if best == first:
            return f"Best by {name}: {best}, which is the first setting."
        gain = self.difference(first, best, name)
        if gain is None:
            return f"Best by {name}: {best}."
        told = f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] against {first}"
        if gain.low > 0:
            return f"Best by {name}: {best} ({told})."
        return f"Best by {name}: {best}, but within chance ({told}): more questions would tell."

    def to_pandas(self) -> Any:
        """One row a question and setting, with a column for each measure. Raises `MissingExtra` without pandas."""
        rows = [
            {
                "setting": judged.setting,
                "question": judged.question.text,
                **{name: judged.measures.get(name) for name in self.measures},
                "answer_text": judged.answer.text if judged.answer else None,
                "sources": [hit.passage.source for hit in judged.hits],
                "seconds": judged.seconds,
                "error": judged.error or None,
            }
            for judged in self
        ]
        return require("pandas", "A table").DataFrame(rows)
