"""How a session shows what it would ask, without asking."""

from __future__ import annotations

from typing import Any

from kaggle_magics.generation.conversation import TurnKey
from kaggle_magics.generation.preview import Own, Preview
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.session.attaching import AttachingCalls
from kaggle_magics.session.conversations import ConversationCalls, key_of


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
        key = key_of(thread, turn, new=new)
        prompt = self._prompt_of(text, model, {"attach": attach, "attach_tokens": attach_tokens, **options})
        own = Own(prompt.text, prompt.spans)
        if thread is None:
            return self._preview(prompt.request(), own, model=model)
        fitted = self._fitted(prompt, thread, new=new, key=key, model=model)
        return self._preview(fitted.request, own, model=model, left_out=fitted.left_out)
