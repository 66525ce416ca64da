"""What is known before the first word of an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaggle_magics.rag.answering.evidence import Evidence
from kaggle_magics.rag.answering.request import Grounded
from kaggle_magics.rag.passages import Hit

if TYPE_CHECKING:
    from kaggle_magics.generation.preview import Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found for a question, and what is made of it. Handed on before any model is asked."""

    question: str
    searched: str
    """The question that was searched: another one where a follow-up was made to stand alone."""
    hits: tuple[Hit, ...]
    """What is given, numbered from 1; where it is not good enough, the nearest."""
    evidence: Evidence
    refused: bool
    """Whether it is not good enough, and no model will be asked."""
    grounded: Grounded | None = None
    """The request; None where no model is asked."""
    count_tokens: Callable[[str], int] | None = field(default=None, compare=False)
    preview: Callable[[], Preview] | None = field(default=None, compare=False)
    """What is sent, token by token."""

    @property
    def rewritten(self) -> bool:
        return self.searched != self.question

    def counts(self) -> list[tuple[str, int]]:
        """Tokens of each part of what is sent, by name, in its order; empty where no model is asked."""
        if self.grounded is None or self.count_tokens is None:
            return []
        return [(name, self.count_tokens(text)) for name, text in self.grounded.parts]
