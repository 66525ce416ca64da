"""How a session describes what goes with a prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.attachments.attach import Attached, attach, budget, named
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.session.generating import GeneratingCalls


class AttachingCalls(GeneratingCalls):
    """The part of a `Session` that looks at live objects and files."""

    def describe(self, things: Any, *, tokens: int | None = None, model: str | None = None) -> Attached:
        """Objects and files as a model gets them: `session.prompt(..., attach=things)` does the same.

        `things` is a mapping of names to objects, or an object, or a list of them; a text or a path names a file.
        Frames, arrays, containers, functions, text files and the like are described in words, in at most `tokens`
        tokens of the model together (by default a quarter of its context, at most 4096), split fairly. Image files, PIL
        images and, where the model takes images, figures are images. Raises `OptionError` for a file that is not
        there, `DocumentError` for one that cannot be read.
        """
        loaded = self.model(model)
        found = named(things)
        if not found:
            raise OptionError("There is nothing to attach: the list is empty.")
        return attach(
            found,
            count_tokens=loaded.count_tokens,
            tokens=budget(loaded.facts.context_length) if tokens is None else tokens,
            takes_images=loaded.facts.takes_images,
        )

    def _prompt_of(self, text: str | Prompt, model: str | None, options: dict[str, Any]) -> Prompt:
        """The prompt that `prompt` would make of the same arguments, `attach` and `attach_tokens` among them."""
        attach, tokens = options.pop("attach", None), options.pop("attach_tokens", None)
        prompt = Prompt.of(text, **options)
        if attach is None:
            return prompt
        return replace(prompt, attached=self.describe(attach, tokens=tokens, model=model))
