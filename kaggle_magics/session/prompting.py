"""How a session asks a person's own words."""

from __future__ import annotations

from typing import Any

from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.session.generating import GeneratingCalls, OnText


class PromptingCalls(GeneratingCalls):
    """The part of a `Session` that prompts."""

    def prompt(
        self, text: str | Prompt, *, model: str | None = None, on_text: OnText | None = None, **options: Any
    ) -> Answer:
        """Ask a loaded model. `options` are those of `Prompt.of`: system, template, and the fields of `Sampling`.

        `on_text` gets each new piece of text, in this thread. The notebook's stop button ends the answer early: its
        `stop_reason` is then "interrupted".
        """
        prompt = Prompt.of(text, **options)
        return self._keep(self.generate(prompt.request(), model=model, on_text=on_text))
