"""How a session asks a person's own words."""

from __future__ import annotations

from typing import Any

from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.conversation import TurnKey
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.session.conversations import key_of
from kaggle_magics.session.generating import OnText
from kaggle_magics.session.previewing import PreviewCalls
from kaggle_magics.session.resuming import ResumingCalls


class PromptingCalls(PreviewCalls, ResumingCalls):
    """The part of a `Session` that prompts."""

    def prompt(
        self,
        text: str | Prompt,
        *,
        model: str | None = None,
        thread: str | None = None,
        new: bool = False,
        turn: str | TurnKey | None = None,
        attach: Any = None,
        attach_tokens: int | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        **options: Any,
    ) -> Answer:
        """Ask a loaded model. `options` are those of `Prompt.of`, and the fields of `Sampling`.

        `attach` are objects and files that go with the text, described in at most `attach_tokens` tokens (`describe`).

        `thread` names a conversation: its earlier turns are sent too, as far as they fit into the context, and its
        system text where none is given; `new` starts it over. `turn` is a name for this turn: when a turn of that name
        is there already, it is asked again and those after it are cut off. `on_text` gets each new piece of text, in
        this thread, and `on_reasoning` what the model thinks before it. The notebook's stop button ends the answer
        early: its `stop_reason` is then "interrupted".
        """
        key = key_of(thread, turn, new=new)
        prompt = self._prompt_of(text, model, {"attach": attach, "attach_tokens": attach_tokens, **options})
        if thread is not None:
            answer = self._converse(
                prompt, thread, new=new, key=key, model=model, on_text=on_text, on_reasoning=on_reasoning
            )
            return self._keep(answer)
        answer = self.generate(prompt.request(), model=model, on_text=on_text, on_reasoning=on_reasoning)
        return self._keep(prompt.shown(answer))
