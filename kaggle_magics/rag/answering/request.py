"""The request for a grounded answer: what stays the same first, so that a follow-up reuses what the model has read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kaggle_magics import wording
from kaggle_magics.errors import OptionError
from kaggle_magics.models.request import Message, Request, Sampling
from kaggle_magics.rag.answering.context import Beside, Context, fill, fits_in, is_within, pairs
from kaggle_magics.rag.passages import Hit

TEMPLATE_TOKENS = 24
"""Kept free for what a chat template puts around a system and a user turn."""


@dataclass(frozen=True, slots=True)
class Said:
    """A conversation about passages, as far as it was sent: `given[n - 1]` is what `[n]` cites in it."""

    messages: tuple[Message, ...]
    given: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Grounded:
    """A request, the passages it gives (those of the conversation before it first), and how they were chosen."""

    request: Request
    given: tuple[Hit, ...]
    context: Context
    continues: bool = False
    """Whether the conversation before it is sent too; else it stands alone, as its question does."""
    parts: tuple[tuple[str, str], ...] = ()
    """What is sent, by name: the system text, each passage, the question, earlier turns."""


def grounded_request(
    question: str,
    hits: Sequence[Hit],
    *,
    sampling: Sampling,
    count_tokens: Callable[[str], int],
    budget: int,
    document: Callable[[str], str],
    beside: Beside | None = None,
    said: Said | None = None,
) -> Grounded:
    """The request for an answer from `hits`; those that fit are numbered from 1 in their order.

    `budget` is the model's context in tokens: prompt, template and answer together. The answer's share is
    `sampling.max_tokens`, at most a quarter of it, since an answer from passages is short. With `said` the question
    goes on with that conversation: passages that were given in it keep their numbers and are not given again. Where
    what is new does not fit behind it, the conversation is left out, and begins anew with all that was found. Raises
    as `context.fill`.
    """
    room = budget - min(sampling.max_tokens, budget // 4) - TEMPLATE_TOKENS
    if said is not None:
        found = _further(question, hits, said, sampling, count_tokens, room, document)
        if found is not None:
            return found
    room -= count_tokens(wording.GROUNDED_SYSTEM)
    context = fill(hits, fits_in(room, question, count_tokens), beside=beside, document=document)
    text = wording.grounded_question(pairs(context.given), question)
    request = Request.ask(text, system=wording.GROUNDED_SYSTEM, sampling=sampling)
    return Grounded(
        request,
        context.given,
        context,
        parts=(("system text", wording.GROUNDED_SYSTEM), *_parts(context.given, question, 1)),
    )


def _further(
    question: str,
    hits: Sequence[Hit],
    said: Said,
    sampling: Sampling,
    count_tokens: Callable[[str], int],
    room: int,
    document: Callable[[str], str],
) -> Grounded | None:
    """The next turn of a conversation; None where the best of what is new has no room behind it."""
    earlier = "\n".join(message.content for message in said.messages)
    room -= count_tokens(earlier) + TEMPLATE_TOKENS // 2 * len(said.messages)
    fresh = [hit for hit in hits if not any(is_within(known.passage, hit.passage) for known in said.given)]
    first = len(said.given) + 1
    fits = fits_in(room, question, count_tokens, first)
    if not fits([]):
        return None
    context = Context(())
    if fresh:
        try:
            context = fill(fresh, fits, document=document)
        except OptionError:
            return None
        if context.cut or context.left_out:
            return None
    text = wording.grounded_question(pairs(context.given), question, first)
    request = Request((*said.messages, Message("user", text)), sampling)
    parts = (("earlier turns", earlier), *_parts(context.given, question, first))
    return Grounded(request, (*said.given, *context.given), context, True, parts)


def _parts(given: Sequence[Hit], question: str, first: int) -> list[tuple[str, str]]:
    passages = [
        (f"passage {wording.citation(number)}", wording.passage(number, text, context))
        for number, (text, context) in enumerate(pairs(given), start=first)
    ]
    return [*passages, ("question", wording.grounded_question((), question))]
