"""One training or test sample: a conversation whose assistant turns are learnt, and how an answer is judged."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

SKILLS = ("grounded", "refusal", "arithmetic", "formulas", "knowledge", "code", "formats", "chat")
"""Skill names; all but `chat` are lines of the published table."""


@dataclass
class Sample:
    """`messages` alternate user and assistant turns (a system turn may come first) and end with the assistant.

    `check` names how `training.judge` judges an answer to the last question and holds what it needs.
    """

    skill: str
    messages: list[dict[str, str]]
    check: dict[str, Any] = field(default_factory=dict)
    prefix: str = ""
    """Training only: how the first question's message begins (the passages). Where given, every question is asked right
    below it, blind to the other questions and answers: many questions for one reading, each as in the test."""

    @property
    def answer(self) -> str:
        """The wanted answer to the last question."""
        return self.messages[-1]["content"]

    @property
    def answers(self) -> list[str]:
        """All wanted answers, in order."""
        return [message["content"] for message in self.messages if message["role"] == "assistant"]


def talk(skill: str, question: str, answer: str, system: str | None = None, **check: Any) -> Sample:
    """One question, one answer."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Sample(skill, messages, check or {"kind": "exact"})


def held_out(text: str, share: int = 8) -> bool:
    """Whether `text` (a name, a number, operands as text) is kept from training: one in `share`, by CRC-32."""
    return zlib.crc32(text.lower().encode()) % share == 0
