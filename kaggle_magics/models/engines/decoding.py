"""The one loop with which every local engine answers: prompt, reuse, tokens, text, stopping, usage.

A library is plugged in through `LocalModel`: a handful of methods on token ids and logits, and nothing about requests,
sampling or text. What a model has in its memory (the KV cache) from the request before is used again as far as the new
prompt begins with the same tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.models.engines.in_turn import in_turn
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.sampling import Logits, Sampler
from kaggle_magics.models.engines.text import StopStrings, TokenDecoder
from kaggle_magics.models.plan import PREFILL_CHUNK
from kaggle_magics.models.request import Piece, Request, Sampling, StopReason, Usage
from kaggle_magics.models.templates import Rendered, render


class Interrupted(Exception):
    """A model stopped inside `evaluate` because it was told to."""


class LocalModel(Protocol):
    """A library's model and tokenizer, with one sequence in its memory."""

    @property
    def facts(self) -> EngineFacts: ...

    @property
    def template(self) -> str | None:
        """The model's own chat template."""
        ...

    @property
    def special_tokens(self) -> Mapping[str, str]:
        """`bos_token`, `eos_token` and so on, as text."""
        ...

    def is_end(self, token: int) -> bool:
        """Whether this token ends an answer."""
        ...

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        """Token ids; special tokens written in the text count as such. `add_special` adds what the tokenizer puts
        around a text, such as BOS."""
        ...

    def decoder(self, prompt: Sequence[int]) -> TokenDecoder:
        """A decoder for the answer to `prompt`."""
        ...

    def keep(self, length: int) -> int:
        """Forget all but the first `length` tokens; returns how many are left, 0 where memory cannot be cut."""
        ...

    def evaluate(self, tokens: Sequence[int], stop: threading.Event) -> Logits:
        """Read `tokens` after what is in memory; logits (float32, shape (vocabulary,)) of what follows the last one.

        Raises `Interrupted` when it could stop early because `stop` was set. After any exception memory holds at least
        what it held before, or `keep` says that it does not.
        """
        ...

    def close(self) -> None: ...


class LocalEngine:
    """An `Engine` on a `LocalModel`."""

    def __init__(self, model: LocalModel) -> None:
        self._model: LocalModel | None = model
        self._facts = model.facts
        self._in_memory: list[int] = []

    @property
    def facts(self) -> EngineFacts:
        return self._facts

    def render(self, request: Request) -> str:
        """The text the model reads, with the BOS that the tokenizer puts before it."""
        model = self._open()
        rendered = self._render(request)
        bos = model.special_tokens.get("bos_token", "")
        if rendered.complete or not bos or rendered.text.startswith(bos):
            return rendered.text
        adds_bos = model.encode(_valid(rendered.text), add_special=True)[:1] == model.encode(bos, add_special=False)[:1]
        return bos + rendered.text if adds_bos else rendered.text

    def count_tokens(self, text: str) -> int:
        return len(self._open().encode(_valid(text), add_special=False))

    def close(self) -> None:
        if self._model is not None:
            self._model.close()
        self._model = None
        self._in_memory = []

    def warm_up(self) -> None:
        """Run one token through the model, so that what is slow or wrong the first time shows while loading."""
        model = self._open()
        try:
            token = next(iter(model.encode("a", add_special=True)), 0)
            Sampler(Sampling(), ()).choose(model.evaluate([token], threading.Event()))
            model.keep(0)
        except BaseException:
            self.close()
            raise

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """Answer a request; see `Engine.stream`."""
        start = time.perf_counter()
        model = self._open()
        rendered = self._render(request)
        prompt = model.encode(_valid(rendered.text), add_special=not rendered.complete)
        room = self._room(prompt)
        sampling = request.sampling
        sampler = Sampler(sampling, prompt)
        decoder, stops = model.decoder(prompt), StopStrings(sampling.stop)
        reused = self._reuse(prompt)
        first, generated = 0.0, 0
        answering = rendered.is_chat
        reason: StopReason | None = None
        try:
            logits = self._prefill(prompt[reused:], stop)
            while True:
                token = sampler.choose(logits)
                first = first or time.perf_counter() - start
                if model.is_end(token):
                    reason = "end"
                    break
                generated += 1
                text = decoder.feed(token)
                if answering:
                    # The white space between a template's last words and the answer belongs to the template.
                    text = text.lstrip()
                    answering = not text
                if shown := stops.feed(text):
                    yield Piece(shown)
                if stops.found:
                    reason = "stop_sequence"
                    break
                if generated >= min(sampling.max_tokens, room):
                    reason = "length"
                    break
                if stop.is_set():
                    raise Interrupted
                logits = self._evaluate([token], stop)
        except Interrupted:
            reason = "interrupted"
        rest = "" if stops.found else stops.feed(decoder.flush().lstrip() if answering else decoder.flush())
        if stops.found:
            reason = "stop_sequence"
        seconds = time.perf_counter() - start
        usage = Usage(len(prompt), reused, generated, first or seconds, seconds)
        yield Piece(rest + stops.flush(), reason, usage)

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        """Answer many requests; see `Engine.stream_many`."""
        return in_turn(self.stream, requests, stop)

    def _open(self) -> LocalModel:
        if self._model is None:
            raise EngineError("This model was unloaded.", "Load it again.")
        return self._model

    def _render(self, request: Request) -> Rendered:
        model = self._open()
        return render(request, model.template, model.special_tokens)

    def _room(self, prompt: Sequence[int]) -> int:
        """Tokens left for the answer."""
        context = self._facts.context_length
        if not prompt:
            raise OptionError("The prompt is empty.", "Write what the model is to answer.")
        if len(prompt) >= context:
            raise OptionError(
                f"The prompt has {len(prompt)} tokens; the model's context holds {context}, the answer included.",
                "Shorten the prompt, or load the model with a longer context.",
            )
        return context - len(prompt)

    def _reuse(self, prompt: Sequence[int]) -> int:
        """Cut the memory to what it has in common with the prompt; returns how many tokens that are."""
        # The last token is always read again: its logits are where the answer begins.
        common = _common_prefix(self._in_memory, prompt[:-1])
        kept = self._open().keep(common)
        self._in_memory = list(prompt[:kept])
        return kept

    def _prefill(self, tokens: Sequence[int], stop: threading.Event) -> Logits:
        for begin in range(0, len(tokens), PREFILL_CHUNK):
            if stop.is_set():
                raise Interrupted
            logits = self._evaluate(tokens[begin : begin + PREFILL_CHUNK], stop)
        return logits

    def _evaluate(self, tokens: Sequence[int], stop: threading.Event) -> Logits:
        logits = self._open().evaluate(tokens, stop)
        self._in_memory.extend(tokens)
        return logits


def _valid(text: str) -> str:
    """The text with "?" for lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _common_prefix(known: Sequence[int], wanted: Sequence[int]) -> int:
    for place, (one, other) in enumerate(zip(known, wanted, strict=False)):
        if one != other:
            return place
    return min(len(known), len(wanted))
