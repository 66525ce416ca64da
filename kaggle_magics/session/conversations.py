"""Conversations: the session's threads, and how a turn is asked in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.answer import Answer, InThread
from kaggle_magics.generation.conversation import Fitted, Thread, Threads, Turn, TurnKey, fit
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.session.generating import GeneratingCalls, OnText


class ConversationCalls(GeneratingCalls):
    """The part of a `Session` that talks with a model over several turns."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: Threads = Threads()
        """The conversations by name."""

    def _converse(
        self,
        prompt: Prompt,
        name: str,
        *,
        new: bool,
        key: TurnKey | None,
        model: str | None,
        on_text: OnText | None,
        on_reasoning: OnText | None,
    ) -> Answer:
        """Ask the next turn of a conversation, or one of its turns again.

        The conversation changes only once there is an answer: an error leaves it as it was. An answer that was stopped
        before its first word adds nothing either.
        """
        loaded = self.model(model)
        thread = self.threads[name] if name in self.threads else Thread(_name(name))
        with thread.lock:
            before = [] if new else thread.before(key)
            fitted = _fitted(prompt, thread, before, loaded, new=new)
            place = InThread(
                name,
                turn=len(before) + 1,
                left_out=fitted.left_out,
                replaced=not new and len(before) < len(thread),
                cut=0 if new else max(0, len(thread) - len(before) - 1),
            )
            answer = self.generate(fitted.request, model=loaded.name, on_text=on_text, on_reasoning=on_reasoning)
            answer = replace(prompt.shown(answer), card=replace(answer.card, thread=place))
            if answer.text or answer.stop_reason != "interrupted":
                thread.turns = [*before, Turn(answer, key)]
                self.threads.put(thread)
        return answer

    def _fitted(self, prompt: Prompt, name: str, *, new: bool, key: TurnKey | None, model: str | None) -> Fitted:
        """The request that `_converse` would ask next; nothing changes."""
        thread = self.threads[name] if name in self.threads else Thread(_name(name))
        return _fitted(prompt, thread, [] if new else thread.before(key), self.model(model), new=new)


def _fitted(prompt: Prompt, thread: Thread, before: Sequence[Turn], loaded: LoadedModel, *, new: bool) -> Fitted:
    if prompt.system is None and not new:
        prompt = replace(prompt, system=thread.system)
    return fit(prompt.request(), before, loaded)


def _name(name: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise OptionError("A thread's name must be text that is not empty.", "Such as: --thread recipes")
    return name
