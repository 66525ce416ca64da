"""What came of a comparison: a row for each variant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kaggle_magics.compare.agreement import agreement
from kaggle_magics.compare.grid import Variant
from kaggle_magics.extras import require
from kaggle_magics.generation.answer import Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One variant and what it answered. Without an answer `error` says why, unless the comparison was stopped."""

    variant: Variant
    model: str
    """Name of the model, or as it was asked for where it could not be loaded."""
    answer: Answer | None = None
    error: str | None = None
    memory_bytes: int | None = None
    """How much the process grew when the model was loaded, measured."""
    planned_bytes: int | None = None
    """What the model takes with a full context, estimated from its files."""
    seconds_to_load: float | None = None
    """None for a model that was loaded before."""
    same: float | None = None
    """Share of the other answers that are equal to this one, white space aside."""
    agreement: float | None = None
    """Mean similarity with the other answers, 0 to 1; see `compare.agreement`."""

    @property
    def title(self) -> str:
        """What sets it apart from the other variants, in words."""
        return self.variant.label or self.model

    @property
    def text(self) -> str:
        """The answer's text; empty where there is none."""
        return self.answer.text if self.answer else ""

    @property
    def value(self) -> Any:
        """The parsed object, when a schema was asked for."""
        return self.answer.value if self.answer else None

    @property
    def stop_reason(self) -> str:
        """Why the answer ended; "error" or "interrupted" where there is none."""
        if self.answer:
            return self.answer.stop_reason
        return "error" if self.error else "interrupted"

    def row(self) -> dict[str, Any]:
        """All of it by name, flat."""
        usage = self.answer.usage if self.answer else None
        return {
            "model": self.model,
            **({"quant": self.variant.quant} if self.variant.quant else {}),
            **self.variant.settings,
            "text": self.text if self.answer else None,
            "value": self.value,
            "stop_reason": self.stop_reason,
            "prompt_tokens": usage.prompt_tokens if usage else None,
            "reused_tokens": usage.reused_tokens if usage else None,
            "generated_tokens": usage.generated_tokens if usage else None,
            "tokens_per_second": usage.tokens_per_second or None if usage else None,
            "seconds_to_first_token": usage.seconds_to_first_token if usage else None,
            "seconds": usage.seconds if usage else None,
            "from_cache": self.answer.from_cache if self.answer else None,
            "seconds_to_load": self.seconds_to_load,
            "memory_bytes": self.memory_bytes,
            "planned_bytes": self.planned_bytes,
            "same": self.same,
            "agreement": self.agreement,
            "error": self.error,
        }


class Comparison(list[Compared]):
    """One prompt, asked in several ways: a row for each variant, in the order they were asked for."""

    def __init__(self, rows: Iterable[Compared], *, notes: Sequence[str] = ()) -> None:
        found = list(rows)
        # The beginning of an answer would say nothing about how alike the answers are.
        figures = agreement([None if row.stop_reason in ("interrupted", "error") else row.text for row in found])
        super().__init__(replace(row, same=s, agreement=a) for row, (s, a) in zip(found, figures, strict=True))
        self.notes = tuple(notes)
        """What happened to loaded models meanwhile, and what was left out."""

    @property
    def answers(self) -> list[Answer]:
        """The answers there are."""
        return [row.answer for row in self if row.answer is not None]

    def to_pandas(self) -> Any:
        """One row a variant: its settings, then what came of it."""
        return require("pandas", "A table").DataFrame([row.row() for row in self])
