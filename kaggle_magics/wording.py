"""Every text this package puts around a person's own text, in one place.

The same functions are called when a question is asked and when the training data of the bundled model is
made, so the small model meets exactly the words it learnt. Nothing here knows a model, a tokenizer or a
notebook: strings in, strings out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

GROUNDED_SYSTEM = (
    "Answer only from the numbered passages and cite them like [1]. "
    "If they do not hold the answer, say: The documents do not say."
)
"""System text of `%%ask`."""

REFUSAL = "The documents do not say."
"""The whole answer when the passages do not hold one."""

CITATION = re.compile(r"\[(\d{1,3})\]")
"""A citation in an answer; group 1 is the passage's number, counted from 1."""


def citation(number: int) -> str:
    """The mark that cites passage `number` (counted from 1)."""
    return f"[{number}]"


def passage(number: int, text: str, context: str = "") -> str:
    """One numbered passage; `context` (heading path, table header) stands before the text in brackets."""
    where = f"({context}) " if context else ""
    return f"{citation(number)} {where}{text.strip()}"


def passage_block(passages: Iterable[tuple[str, str]]) -> str:
    """Number `(text, context)` pairs from 1 and join them, one blank line between two."""
    return "\n\n".join(passage(number, text, context) for number, (text, context) in enumerate(passages, start=1))


def grounded_question(passages: Iterable[tuple[str, str]], question: str) -> str:
    """The user turn of `%%ask`: the numbered passages, then the question."""
    return f"{passage_block(passages)}\n\nQuestion: {question.strip()}"


def is_refusal(answer: str) -> bool:
    """Whether an answer says, in the words we asked for, that the documents do not tell."""
    return answer.strip().strip("\"'*").casefold().startswith(REFUSAL.rstrip(".").casefold())


def code_system(language: str = "Python") -> str:
    """System text of `%%codegen`."""
    return f"Write only {language} code, without explanations."
