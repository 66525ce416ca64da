"""Conversations: the session's threads, and how a turn is asked in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from kaggle_magics.errors import HistoryError, OptionError
from kaggle_magics.generation.answer import Answer, InThread
from kaggle_magics.generation.conversation import Fitted, Thread, Threads, Turn, TurnKey, fit, says_nothing
from kaggle_magics.generation.history.rows import Asked, HistoryEntry
from kaggle_magics.generation.prompt import Prompt
from kaggle_magics.generation.waiting import in_line, shortened
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.session.generating import GeneratingCalls, OnText


class ConversationCalls(GeneratingCalls):
    """The part of a `Session` that talks with a model over several turns."""

    def __init__(self) -> None:
        super().__init__()
        self._forget_threads()

    def _forget_threads(self) -> None:
        self.threads: Threads = Threads(self._end_thread)
        """The conversations by name."""
        self._unanswered: WeakValueDictionary[str, Thread] = WeakValueDictionary()

    def _end_thread(self, name: str) -> None:
        if self.recording:
            self._history.end(name, self._place)

    def thread(self, name: str) -> Thread:
        """A conversation of this session, or one of this notebook from before the kernel was started.

        `OptionError` where there is none of that name.
        """
        return self._known_thread(name) or self.threads[name]

    def thread_entries(self, thread: Thread) -> list[HistoryEntry]:
        """The entries of a conversation's turns in the history, as far as they are there."""
        return self._history.entries([turn.entry for turn in thread.turns if turn.entry is not None])

    def forget(self, words: str = "", *, thread: str | None = None, model: str | None = None) -> int:
        if thread is not None and not words and model is None and thread in self.threads:
            self.threads.drop(thread)
        return super().forget(words, thread=thread, model=model)

    def _known_thread(self, name: str) -> Thread | None:
        if name in self.threads:
            return self.threads[name]
        if self.notebook is None or not self.recording or not isinstance(name, str):
            return None
        try:
            turns = self._history.turns(name, self.notebook)
        except HistoryError:
            # The conversation begins anew; what is wrong is said when its first turn cannot be kept.
            return None
        return self._unanswered.setdefault(name, Thread(name, turns)) if turns else None

    def _thread_to_ask(self, name: str) -> Thread:
        """A conversation that is known, or a new one: the same for all who ask in it before it has a first answer."""
        return self._known_thread(_name(name)) or self._unanswered.setdefault(name, Thread(name))

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
        thread = self._thread_to_ask(name)
        with in_line(thread.lock, f"thread {name}", f"the answer to {shortened(prompt.text)}"):
            before = [] if new else thread.before(key)
            fitted = _fitted(prompt, thread, before, loaded, new=new)
            place = InThread(
                name,
                turn=len(before) + 1,
                left_out=fitted.left_out,
                replaced=not new and len(before) < len(thread),
                cut=0 if new else max(0, len(thread) - len(before) - 1),
                restored=min(thread.restored, len(before)),
            )
            previous = before[-1].entry if before else None
            answer = self.generate(
                fitted.request,
                model=loaded.name,
                on_text=on_text,
                on_reasoning=on_reasoning,
                asked=Asked(thread=name, key=key, previous=previous),
                thread=place,
            )
            answer = prompt.shown(answer)
            if not says_nothing(answer):
                thread.turns, thread.restored = [*before, Turn(answer, key, self._entry_of(answer))], 0
                self.threads.put(thread)
        return answer

    def _fitted(self, prompt: Prompt, name: str, *, new: bool, key: TurnKey | None, model: str | None) -> Fitted:
        """The request that `_converse` would ask next; nothing changes."""
        thread = self._known_thread(_name(name)) or Thread(name)
        return _fitted(prompt, thread, [] if new else thread.before(key), self.model(model), new=new)


def key_of(thread: str | None, turn: str | TurnKey | None, *, new: bool) -> TurnKey | None:
    """The key of a turn. Raises `OptionError` for what is about a thread where none is named."""
    if thread is None and (new or turn is not None):
        raise OptionError(
            f"{'new' if new else 'turn'} is about a thread, and none is named.", "Name one: --thread NAME."
        )
    return TurnKey(turn) if isinstance(turn, str) else turn


def _fitted(prompt: Prompt, thread: Thread, before: Sequence[Turn], loaded: LoadedModel, *, new: bool) -> Fitted:
    if prompt.system is None and not new:
        prompt = replace(prompt, system=thread.system)
    return fit(prompt.request(), before, loaded)


def _name(name: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise OptionError("A thread's name must be text that is not empty.", "Such as: --thread recipes")
    return name
