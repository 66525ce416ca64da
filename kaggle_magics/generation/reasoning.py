"""What a model thinks before it answers, told apart from the answer while both stream.

Reasoning models write their thoughts first, between two marks: `<think>` and `</think>` in most families. The opening
mark may stand in the text already (DeepSeek's and Qwen's templates end with it) and only the closing one comes. Marks
count only there: where the answer begins, or where the prompt ends. Anywhere else they are the answer's own text.
Stop strings and `max_tokens` count from the first token on, thoughts included.
"""

from __future__ import annotations

from collections.abc import Callable

from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.engines.text import overlap
from kaggle_magics.models.request import Request

MARKS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),  # DeepSeek R1, Qwen 3, QwQ, SmolLM 3, Hunyuan, MiniMax
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A Reasoning
)
"""Opening and closing marks of the families."""
_HARMONY_TURN = "<|start|>assistant"
"""How the prompt of a gpt-oss model ends; the answer then comes in channels (OpenAI's harmony format)."""
_HARMONY = (
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    # Where special tokens are not written out, as our engines do not, the words between them are left.
    ("analysis", "assistantfinal"),
)


class ReasoningSplitter:
    """Splits one answer that comes in pieces. `prompt` gives the text before it; it is asked once, if at all."""

    def __init__(self, prompt: Callable[[], str]) -> None:
        self._prompt = prompt
        self._marks = MARKS
        self._asked = False
        self._held = ""
        self._closing: str | None = None
        """What ends the thoughts; None where there are none."""
        self._begun = self._answering = False

    def feed(self, text: str) -> tuple[str, str]:
        """The answer's text and the thoughts that can be told apart now."""
        if self._answering:
            # Blank lines between the thoughts and the answer are part of neither.
            text = text if self._begun else text.lstrip()
            self._begun = self._begun or bool(text)
            return text, ""
        self._held += text
        return self._think() if self._is_open() else ("", "")

    def flush(self) -> tuple[str, str]:
        """What was held back, at the end. Thoughts without an end are thoughts."""
        held, self._held = self._held, ""
        return ("", held) if self._closing else (held, "")

    def _is_open(self) -> bool:
        """Whether it is settled what the text so far is."""
        if self._closing is None and self._held and not self._asked:
            self._asked = True
            self._read_prompt(self._prompt())
        if self._closing is not None:
            return True
        start = self._held.lstrip()
        for opening, closing in self._marks:
            if start.startswith(opening):
                self._closing, self._held = closing, start[len(opening) :]
                return True
        if any(opening.startswith(start) for opening, _ in self._marks):
            return False
        self._answering = self._begun = True
        return True

    def _read_prompt(self, prompt: str) -> None:
        end = prompt[-200:].rstrip()
        if end.endswith(_HARMONY_TURN):
            self._marks = _HARMONY
        for opening, closing in self._marks:
            if end.endswith(opening):
                self._closing = closing

    def _think(self) -> tuple[str, str]:
        held, closing = self._held, self._closing
        if closing is None:
            self._held = ""
            return held, ""
        place = held.find(closing)
        if place < 0:
            keep = overlap(held, closing)
            self._held = held[len(held) - keep :]
            return "", held[: len(held) - keep]
        self._closing, self._held, self._answering = None, "", True
        return self.feed(held[place + len(closing) :])[0], held[:place]


def splitter_for(engine: Engine, request: Request) -> ReasoningSplitter | None:
    """The splitter for the answer to a request; None where a constraint says what the answer looks like."""
    if request.constraint is not None:
        return None

    def prompt() -> str:
        try:
            return engine.render(request)
        except Exception:  # an engine of somebody else's may not tell; then nothing is open
            return ""

    return ReasoningSplitter(prompt)
