"""What a request would be for the model: its tokens, and where each comes from. Nothing is evaluated."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from kaggle_magics.models.engines.endpoint.tokens import estimate_messages
from kaggle_magics.models.engines.protocol import Engine, PromptToken, TellsTokens
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Message, Request

Origin = Literal["template", "system", "history", "context", "variable", "text"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)
"""Where a token comes from: the chat template, the system text, earlier turns, what is put around a person's text
(attachments, passages, instructions), a value of the notebook's, the person's own text."""
Spans = tuple[tuple[int, int, str], ...]
"""Where in a text values of variables stand: (start, end, field)."""
_SENTINEL = "\ue000{}\ue001"
_SENTINELS = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text with its origin. `name` is the field that a value was filled into."""

    start: int
    end: int
    origin: Origin
    name: str = ""


@dataclass(frozen=True, slots=True)
class Own:
    """The person's own text, and what of it was filled in."""

    text: str
    filled: Spans = ()


@dataclass(frozen=True, slots=True)
class PreviewToken:
    """One token of a prompt."""

    id: int
    text: str
    """The characters that end with it; a special token's name. Empty for a part of a character before its last."""
    origin: Origin
    special: bool = False
    name: str = ""
    """The field that it was filled in for."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent, and whether there is room for it and its answer."""

    model: str
    engine: str
    template: str
    text: str = field(repr=False)
    """What the model reads, special tokens included; for an endpoint the messages, as only the server knows its
    template."""
    tokens: tuple[PreviewToken, ...] = field(repr=False)
    """Exactly those that the engine would evaluate; empty where only a server knows them."""
    spans: tuple[Span, ...] = field(repr=False)
    """Where the parts of `text` come from, in order and without gaps."""
    prompt_tokens: int
    exact: bool
    """Whether `prompt_tokens` is counted; an estimate otherwise."""
    context_length: int
    max_tokens: int
    images: int = 0
    """Images that go with it; their tokens are not counted."""
    left_out: int = 0
    """Earliest turns of the conversation that would not be sent: they do not fit."""

    @property
    def counts(self) -> Mapping[Origin, int]:
        """Tokens by origin, those there are; empty for an endpoint."""
        counted = {origin: 0 for origin in ORIGINS}
        for token in self.tokens:
            counted[token.origin] += 1
        return {origin: count for origin, count in counted.items() if count}

    @property
    def room(self) -> int:
        """Tokens that the answer can have: `max_tokens`, or what the context leaves; 0 when the prompt fills it."""
        return max(0, min(self.max_tokens, self.context_length - self.prompt_tokens))

    @property
    def fits(self) -> bool:
        """Whether it can be asked at all: an answer needs room for a token."""
        return self.prompt_tokens < self.context_length

    @property
    def too_many(self) -> int:
        """Tokens by which the prompt is too long; 0 when it fits."""
        return max(0, self.prompt_tokens - self.context_length + 1)


def preview_of(loaded: LoadedModel, request: Request, own: Own, *, left_out: int = 0) -> Preview:
    """The preview of a request as it would run on a model. Raises `OptionError` and `EngineError` as rendering does."""
    engine = loaded.engine
    if isinstance(engine, TellsTokens):
        text, told = engine.prompt_tokens(request)
    else:
        text, told = engine.render(request), None
    spans = origins(engine, request, text, own)
    return Preview(
        model=loaded.name,
        engine=loaded.facts.engine,
        template=request.template,
        text=text,
        tokens=_with_origins(told or (), spans),
        spans=spans,
        prompt_tokens=estimate_messages(request.messages) if told is None else len(told),
        exact=told is not None,
        context_length=loaded.facts.context_length,
        max_tokens=request.sampling.max_tokens,
        images=sum(len(message.images) for message in request.messages),
        left_out=left_out,
    )


def origins(engine: Engine, request: Request, text: str, own: Own) -> tuple[Span, ...]:
    """Where each part of a rendered `text` comes from: messages that are found in it, and the template between them."""
    messages = request.messages
    asked = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    spans: list[Span] = []
    end = 0
    for index, start, content in _places(engine, request, text):
        if end < start:
            spans.append(Span(end, start, "template"))
        end = start + len(content)
        if messages[index].role == "system":
            spans.append(Span(start, end, "system"))
        elif index != asked:
            spans.append(Span(start, end, "history"))
        else:
            spans += _inside(content, start, own)
    if end < len(text):
        spans.append(Span(end, len(text), "template"))
    return tuple(span for span in spans if span.start < span.end)


def _places(engine: Engine, request: Request, text: str) -> list[tuple[int, int, str]]:
    """(index of the message, start, text there) of the messages found in a rendered text, in its order.

    The same conversation is rendered with sentinels for its texts: what stands between them is the template's, so a
    word of the template's that a message happens to say is no trouble. Templates that read the texts (to strip thoughts
    from earlier turns) can write something else then; the messages are looked for in order instead.
    """
    hidden = [Message(message.role, _SENTINEL.format(at)) for at, message in enumerate(request.messages)]
    try:
        skeleton = engine.render(replace(request, messages=tuple(hidden)))
    except Exception:  # whatever a template makes of texts that are none
        skeleton = ""
    before, *rest = _SENTINELS.split(skeleton)
    found: list[tuple[int, int, str]] = []
    place = len(before)
    if rest and text.startswith(before):
        for number, after in zip(rest[::2], rest[1::2], strict=True):
            contents = _forms(request.messages[int(number)].content)
            content = next((each for each in contents if text.startswith(each + after, place)), None)
            if content is None:
                break
            found.append((int(number), place, content))
            place += len(content) + len(after)
        else:
            if place == len(text):
                return found
    return _in_order(request.messages, text)


def _in_order(messages: Sequence[Message], text: str) -> list[tuple[int, int, str]]:
    found, place = [], 0
    for index, message in enumerate(messages):
        for content in _forms(message.content):
            start = text.find(content, place) if content else -1
            if start >= 0:
                found.append((index, start, content))
                place = start + len(content)
                break
    return found


def _forms(content: str) -> tuple[str, ...]:
    """A message's text as a template may write it: as it is, or trimmed."""
    content = content.encode("utf-8", "replace").decode("utf-8")
    return tuple(dict.fromkeys((content, content.strip(), content.rstrip(), content.lstrip())))


def _inside(content: str, start: int, own: Own) -> list[Span]:
    """The parts of the turn that is asked: the person's own text, values in it, and what was put around it."""
    place, text, shift = -1, own.text, 0
    for form in _forms(own.text):
        place = content.rfind(form) if form else -1
        if place >= 0:
            text, shift = form, own.text.find(form) if form in own.text else 0
            break
    if place < 0:
        return [Span(start, start + len(content), "context")]
    begin = start + place
    spans = [Span(start, begin, "context")]
    at = 0
    for low, high, name in own.filled:
        low, high = max(low - shift, at), min(high - shift, len(text))
        if low < high:
            spans += [Span(begin + at, begin + low, "text"), Span(begin + low, begin + high, "variable", name)]
            at = high
    spans += [Span(begin + at, begin + len(text), "text"), Span(begin + len(text), start + len(content), "context")]
    return [span for span in spans if span.start < span.end]


def _with_origins(told: Sequence[PromptToken], spans: Sequence[Span]) -> tuple[PreviewToken, ...]:
    starts = [span.start for span in spans]

    def origin(token: PromptToken) -> Span:
        if not spans or (token.special and token.start == token.end):
            return Span(0, 0, "template")
        # A token that joins two parts belongs to the first of its characters that is no white space.
        space = len(token.text) - len(token.text.lstrip()) if token.text.strip() and not token.special else 0
        return spans[max(0, bisect_right(starts, token.start + space) - 1)]

    made = []
    for token in told:
        span = origin(token)
        made.append(PreviewToken(token.id, token.text, span.origin, token.special, span.name))
    return tuple(made)
