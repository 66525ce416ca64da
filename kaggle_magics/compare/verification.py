"""Answers that were asked again: the same, changed, or not to be had here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from kaggle_magics.compare.agreement import similarity
from kaggle_magics.extras import require
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.card import RunCard
from kaggle_magics.models.engines.protocol import EngineFacts

Outcome = Literal["same", "changed", "not asked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One answer and what came when its run card was run again."""

    number: int
    """Counted from 1, in the order they were answered."""
    before: Answer
    after: Answer | None = field(default=None, repr=False)
    """None where the model could not be asked."""
    remarks: tuple[str, ...] = ()
    """Why it was not asked, or what else is not as it was."""

    @property
    def outcome(self) -> Outcome:
        """ "same" is equal character for character, and ended for the same reason."""
        if self.after is None:
            return "not asked"
        equal = (self.after.text, self.after.stop_reason) == (self.before.text, self.before.stop_reason)
        return "same" if equal else "changed"

    @property
    def prompt(self) -> str:
        """The last turn that was asked."""
        messages = self.before.card.messages
        return messages[-1].content if messages else ""

    @property
    def differs_at(self) -> int | None:
        """The first character that is another one, counted from 0; None where it is the same, or was not asked."""
        if self.after is None or self.after.text == self.before.text:
            return None
        pairs = zip(self.before.text, self.after.text, strict=False)
        at = next((place for place, (one, other) in enumerate(pairs) if one != other), None)
        return min(len(self.before.text), len(self.after.text)) if at is None else at

    @property
    def similarity(self) -> float | None:
        """How alike both texts are, 0 to 1 (`compare.agreement`); None where it was not asked."""
        return None if self.after is None else similarity(self.before.text, self.after.text)


class Verified(list[Check]):
    """What was checked, in the order it was answered."""

    def __init__(self, checks: Iterable[Check] = (), *, of: int | None = None, notes: Iterable[str] = ()) -> None:
        super().__init__(checks)
        self.of = len(self) if of is None else of
        """How many there were to check: more than there are rows where it was stopped."""
        self.notes = tuple(notes)

    @property
    def changed(self) -> list[Check]:
        """The answers that are not what they were."""
        return [check for check in self if check.outcome == "changed"]

    @property
    def same(self) -> list[Check]:
        """The answers that are what they were, character for character."""
        return [check for check in self if check.outcome == "same"]

    def to_pandas(self) -> Any:
        """One row an answer."""
        rows = [
            {
                "number": check.number,
                "model": check.before.card.model,
                "prompt": check.prompt,
                "outcome": check.outcome,
                "before": check.before.text,
                "after": check.after.text if check.after else None,
                "differs_at": check.differs_at,
                "similarity": check.similarity,
                "remarks": " ".join(check.remarks),
            }
            for check in self
        ]
        return require("pandas", "A table").DataFrame(rows)


def why_not(answer: Answer) -> str | None:
    """Why an answer cannot be asked again, whatever model there is; None where it can."""
    if answer.stop_reason in ("interrupted", "error"):
        return "It was not finished: it was stopped, or failed."
    if not answer.card.messages:
        return "Its prompt was too long to be kept in the notebook."
    if any(not image.data for message in answer.card.messages for image in message.images):
        return "It was about an image, of which a card keeps only the hash."
    return None


def not_as_then(card: RunCard, facts: EngineFacts, template_hash: str | None) -> tuple[str, ...]:
    """What a model runs on now that is not what it ran on then, a sentence each: why an answer may change."""
    said = []
    for what, then, now in (
        ("Library", card.library, facts.library),
        ("Device", card.device, facts.device),
        ("Type of the weights", card.dtype, facts.dtype),
        ("Template", card.template_hash, template_hash),
    ):
        if then and now and then != now:
            said.append(f"{what}: {then} then, {now} now.")
    return tuple(said)


def by_chance(card: RunCard) -> str | None:
    """Why an answer may change although nothing else did; None where it should not."""
    if card.engine == "endpoint":
        return "A server does not promise the same answer twice."
    if card.device.startswith("cuda"):
        return "A GPU adds in no fixed order: a near tie between two tokens may fall the other way."
    if card.content is None:
        return "This model was made in a notebook, and may have changed."
    return None
