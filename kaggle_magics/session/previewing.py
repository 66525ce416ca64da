"""How a session shows what it would ask, without asking."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.conversation import TurnKey
from kaggle_magics.generation.preview import Own, Preview
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.session.attaching import AttachingCalls
from kaggle_magics.session.conversations import ConversationCalls


class PreviewCalls(AttachingCalls, ConversationCalls):
    """The part of a `Session` that previews."""

    def preview(
        self,
        text: str | Prompt,
        *,
        model: str | None = None,
        thread: str | None = None,
        new: bool = False,
        turn: str | TurnKey | None = None,
        attach: Any = None,
        attach_tokens: int | None = None,
        **options: Any,
    ) -> Preview:
        """What `prompt` with the same arguments would send: each token with its origin, counts, and whether it fits.

        Nothing is evaluated, sent or kept. A prompt that is too long for the context is no error here. Raises what
        `prompt` raises before it asks.
        """
        prompt = Prompt.of(text, **options)
        if attach is not None:
            prompt = replace(prompt, attached=self.describe(attach, tokens=attach_tokens, model=model))
        own = Own(prompt.text, prompt.spans)
        if thread is None:
            if new or turn is not None:
                raise OptionError(
                    f"{'new' if new else 'turn'} is about a thread, and none is named.", "Name one: --thread NAME."
                )
            return self._preview(prompt.request(), own, model=model)
        key = TurnKey(turn) if isinstance(turn, str) else turn
        fitted = self._fitted(prompt, thread, new=new, key=key, model=model)
        return self._preview(fitted.request, own, model=model, left_out=fitted.left_out)
