"""How a session goes on with an answer that was stopped or cut off."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.card import RunCard
from kaggle_magics.generation.conversation import Thread, Turn
from kaggle_magics.generation.history.rows import Asked
from kaggle_magics.generation.running import card_of
from kaggle_magics.generation.structured.structure import structure_again
from kaggle_magics.generation.waiting import in_line
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Message, Request
from kaggle_magics.session.conversations import ConversationCalls
from kaggle_magics.session.generating import OnText

_SAME = ("engine", "content", "adapter_content", "quant", "dtype", "template", "template_hash")
"""What of two run cards is equal where the same model reads the same prompt."""
_OVER = {
    "end": ("ended by itself: there is nothing to go on with.", "Ask for more with %%prompt --thread NAME."),
    "stop_sequence": ("ended at a stop text: there is nothing to go on with.", "Ask again without --stop."),
    "error": ("ended by an error.", "Ask again."),
}


class ResumingCalls(ConversationCalls):
    """The part of a `Session` that goes on with answers."""

    def resume(
        self,
        answer: Answer | None = None,
        *,
        thread: str | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
    ) -> Answer:
        """Go on with an answer that was stopped or reached its length: the whole answer, the new part included.

        It is the last answer, the last one of a thread, or the one that is given; in its thread it takes the place of
        the one before. On the model that began it, the model's tokens and random numbers go on exactly where they
        were, so that the text is the one an answer without a break would have had (as far as the model computes the
        same from a kept context). Another model goes on from the text. `max_tokens` is for the new part; all other
        options stay. `usage` is of the new part. `OptionError` for an answer that is complete.
        """
        if answer is not None and thread is not None:
            raise OptionError("An answer and a thread are named.", "Name one of them.")
        conversation = self.thread(thread) if thread is not None else None
        if conversation is not None:
            if not conversation.turns:
                raise OptionError(f"Thread {thread} has no turn yet.", "Ask with %%prompt --thread NAME.")
            answer = conversation.turns[-1].answer
        answer = answer or self.last_answer()
        if answer.stop_reason in _OVER:
            said, hint = _OVER[answer.stop_reason]
            raise OptionError(f"The answer {said}", hint)
        if conversation is None and answer.card.thread is not None:
            conversation = self._whose_last(answer)
        loaded = self.model(model or (answer.card.model if answer.card.model in self.loaded else None))
        request, exact = _request(answer, loaded, max_tokens)
        turn = conversation.turns[-1] if conversation else None
        before = conversation.turns[:-1] if conversation else []
        asked = Asked(
            thread=conversation.name if conversation else None,
            key=turn.key if turn else None,
            previous=before[-1].entry if before else None,
        )
        if not exact and on_text and answer.text:
            on_text(answer.text)
        line = (
            in_line(conversation.lock, f"thread {conversation.name}", "its answer") if conversation else nullcontext()
        )
        with line:
            whole = self.generate(
                request,
                model=loaded.name,
                on_text=on_text,
                on_reasoning=on_reasoning,
                asked=asked,
                finish=lambda new: _joined(answer, new, exact=exact),
            )
            if conversation is not None and turn is not None:
                conversation.turns = [*before, Turn(whole, turn.key, self._entry_of(whole))]
                self.threads.put(conversation)
        return self._keep(_as_before(answer, whole))

    def _whose_last(self, answer: Answer) -> Thread | None:
        """The conversation in which an answer is the last one."""
        place = answer.card.thread
        known = self._known_thread(place.name) if place else None
        last = known.turns[-1].answer if known and known.turns else None
        return known if last is not None and (last.card, last.text) == (answer.card, answer.text) else None


def _request(answer: Answer, loaded: LoadedModel, max_tokens: int | None) -> tuple[Request, bool]:
    """The request that goes on with an answer, and whether it does so from the very tokens."""
    card = answer.card
    sampling = card.sampling if max_tokens is None else replace(card.sampling, max_tokens=max_tokens)
    structure = structure_again(card.structure) if card.structure else None
    request = Request(card.messages, sampling, card.template, structure, card.logprobs)
    if not answer.text and not (answer.progress and answer.progress.tokens):
        return request, True
    can_continue = getattr(loaded.engine, "can_continue", lambda request: True)
    if answer.progress is not None and can_continue(request) and _same(card, card_of(loaded, request)):
        return replace(request, begun=answer.progress), True
    if structure is not None:
        raise OptionError(
            f"Only {card.model}, as it was loaded then, can go on with an answer of a given structure.",
            "Load it again, or ask anew.",
        )
    request = replace(request, messages=(*card.messages, Message("assistant", answer.text)))
    if not can_continue(request):
        raise OptionError(
            f"{loaded.name} ({loaded.facts.engine}) cannot go on with an answer, only begin a new one.",
            "Ask again with a higher --max-tokens.",
        )
    return request, False


def _same(one: RunCard, other: RunCard) -> bool:
    known = one.content is not None or one.source == other.source
    return known and all(getattr(one, name) == getattr(other, name) for name in _SAME)


def _joined(before: Answer, new: Answer, *, exact: bool) -> Answer:
    """The whole answer: an engine that goes on from tokens says the beginning again, from text it does not."""
    tokens = (*before.tokens, *new.tokens)
    place = before.card.thread
    card = replace(new.card, thread=place and replace(place, cut=0, restored=0))
    if exact:
        return replace(new, card=card, tokens=tokens, format=before.format)
    resumed = before.card.resumed + before.usage.generated_tokens
    card = replace(card, messages=before.card.messages, resumed=resumed)
    whole = replace(new, text=before.text + new.text, card=card, tokens=tokens, progress=None, format=before.format)
    return replace(whole, reasoning=before.reasoning)


def _as_before(before: Answer, whole: Answer) -> Answer:
    """The whole answer as the kind of answer that it was."""
    from kaggle_magics.code.check import CodeAnswer, check_code
    from kaggle_magics.code.extract import extract_code
    from kaggle_magics.rag.answering.answer import GroundedAnswer, finish_again

    if isinstance(before, CodeAnswer):
        code = extract_code(whole.text, before.language)
        checks = check_code(code, before.language)
        return CodeAnswer(**whole.fields(), code=code, language=before.language, checks=checks)
    return finish_again(whole, before) if isinstance(before, GroundedAnswer) else whole
