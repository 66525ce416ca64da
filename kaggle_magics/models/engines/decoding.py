"""The one loop with which every local engine answers, a single request or a table of them.

A library is plugged in through `LocalModel`: a handful of methods on token sequences, and nothing about requests,
sampling or text. What its memory holds from requests before is used again as far as a new prompt begins with the same
tokens (`contexts`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from kaggle_magics.errors import DoesNotFit, EngineError, KaggleMagicsError, OptionError
from kaggle_magics.models.engines.answering import Answering
from kaggle_magics.models.engines.contexts import KeptContexts, common_prefix
from kaggle_magics.models.engines.local_model import Interrupted, LocalModel, Row
from kaggle_magics.models.engines.protocol import EngineFacts, PromptToken
from kaggle_magics.models.engines.sampling import Logits, Sampler
from kaggle_magics.models.engines.spans import align
from kaggle_magics.models.request import Piece, Request, Sampling, Usage
from kaggle_magics.models.templates import Rendered, render

NO_TOKEN = -1
KEPT_BYTES = 256 * 2**20
"""How much kept contexts may take where nobody says more."""


class LocalEngine:
    """An `Engine` on a `LocalModel`."""

    def __init__(self, model: LocalModel, *, kept_bytes: int = KEPT_BYTES) -> None:
        """`kept_bytes` bounds what contexts of earlier requests may take; the latest one is always kept."""
        self._model: LocalModel | None = model
        self._facts = model.facts
        self._contexts = KeptContexts(model, kept_bytes)
        self._bytes: list[bytes] | None = None
        """Each token's bytes, once they were asked for."""

    @property
    def facts(self) -> EngineFacts:
        return self._facts

    @property
    def template(self) -> str | None:
        """The model's own chat template."""
        return self._open().template

    @property
    def special_tokens(self) -> Mapping[str, str]:
        """`bos_token`, `eos_token` and so on, as text."""
        return self._open().special_tokens

    @property
    def kept_bytes(self) -> int:
        """The bound on kept contexts, in bytes; can be set, and counts from the next request on."""
        return self._contexts.most_bytes

    @kept_bytes.setter
    def kept_bytes(self, most: int) -> None:
        self._contexts.most_bytes = most

    @property
    def context_bytes(self) -> int:
        """What contexts of earlier requests take now, in bytes."""
        return self._contexts.bytes

    def render(self, request: Request) -> str:
        """The text the model reads, with the BOS that the tokenizer puts before it."""
        model = self._open()
        rendered = self._render(request)
        bos = model.special_tokens.get("bos_token", "")
        if rendered.complete or not bos or rendered.text.startswith(bos):
            return rendered.text
        adds_bos = model.encode(_valid(rendered.text), add_special=True)[:1] == model.encode(bos, add_special=False)[:1]
        return bos + rendered.text if adds_bos else rendered.text

    def prompt_tokens(self, request: Request) -> tuple[str, list[PromptToken]]:
        """What the model would read; see `TellsTokens`."""
        model = self._open()
        text, ids = _valid(self.render(request)), self._encode(self._render(request))
        if self._bytes is None:
            self._bytes = model.token_bytes()
        # A token without bytes controls: its name is what a template writes for it.
        names = {token: model.token_name(token) for token in set(ids) if not self._bytes[token]}
        own = [names[token].encode("utf-8") if token in names else self._bytes[token] for token in ids]
        tokens = [
            PromptToken(token, names.get(token, text[start:end]), start, end, special=token in names)
            for token, (start, end) in zip(ids, align(text, own), strict=True)
        ]
        return text, tokens

    def count_tokens(self, text: str) -> int:
        return len(self._open().encode(_valid(text), add_special=False))

    def close(self) -> None:
        if self._model is not None:
            self._contexts.clear()
            self._model.close()
        self._model = None

    def forget(self) -> int:
        """Drop all kept contexts; how many there were."""
        return self._contexts.clear()

    def warm_up(self) -> None:
        """Run one token through the model, so that what is slow or wrong the first time shows while loading."""
        model = self._open()
        try:
            token = next(iter(model.encode("a", add_special=True)), 0)
            row = model.begin()
            [logits] = model.evaluate([row], [[token]], threading.Event())
            Sampler(Sampling(), ()).choose(logits)
            model.drop(row)
        except BaseException:
            self.close()
            raise

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """Answer a request; see `Engine.stream`."""
        started = time.perf_counter()
        answer = self._prepare(request, started)
        row = self._contexts.take(answer.prompt)
        answer.reused = len(row.tokens)
        try:
            logits = self._read(row, answer.prompt, stop)
            for _, piece in self._go_on([answer], [row], [logits], stop):
                yield piece
        except Interrupted:
            yield answer.last()
        finally:
            self._contexts.keep(row)

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        """Answer many requests; see `Engine.stream_many`.

        What all prompts have in common is read once. The rest goes in batches of neighbours in length, as many rows
        as memory allows; a row that has ended leaves its batch.
        """
        answers: dict[int, Answering] = {}
        for index, request in enumerate(requests):
            started = time.perf_counter()
            try:
                answers[index] = self._prepare(request, started)
            except KaggleMagicsError as error:
                seconds = time.perf_counter() - started
                yield index, Piece(str(error), "error", Usage(0, 0, 0, seconds, seconds))
        # Neighbours in length waste least on padding. The longest come first: if memory is short it shows at once.
        order = sorted(answers, key=lambda index: -len(answers[index].prompt))
        names = {id(answers[index]): index for index in order}
        for answer, piece in self._table([answers[index] for index in order], stop):
            yield names[id(answer)], piece

    def _table(self, waiting: list[Answering], stop: threading.Event) -> Iterator[tuple[Answering, Piece]]:
        if not waiting or stop.is_set():
            return
        shared = min((common_prefix(waiting[0].prompt, answer.prompt[:-1]) for answer in waiting), default=0)
        base = self._contexts.take([*waiting[0].prompt[:shared], NO_TOKEN])
        held, limit = len(base.tokens), len(waiting)
        try:
            if held < shared:
                self._evaluate([base], [waiting[0].prompt[held:shared]], stop)
            while waiting and not stop.is_set():
                own = [len(answer.prompt) - shared + answer.most for answer in waiting]
                count = min(limit, self._open().rows_at_once(shared, own))
                batch, waiting = waiting[:count], waiting[count:]
                for answer in batch:
                    answer.reused = shared
                # Whoever comes first pays for what was read on behalf of all.
                batch[0].reused, held = held, shared
                try:
                    yield from self._batch(batch, base, shared, stop)
                except DoesNotFit as error:
                    left = [answer for answer in batch if answer.reason is None]
                    if count == 1 or any(answer.usage().generated_tokens for answer in left):
                        for answer in left:
                            yield answer, answer.failed(error)
                    else:
                        waiting = left + waiting
                    limit = max(1, count // 2)
                except KaggleMagicsError as error:
                    for answer in batch:
                        if answer.reason is None:
                            yield answer, answer.failed(error)
        except Interrupted:
            return
        except KaggleMagicsError as error:
            for answer in waiting:
                yield answer, answer.failed(error)
        finally:
            self._contexts.keep(base)

    def _batch(
        self, batch: list[Answering], base: Row, shared: int, stop: threading.Event
    ) -> Iterator[tuple[Answering, Piece]]:
        """Answer some prompts together that begin with the `shared` tokens which `base` holds."""
        model = self._open()
        rows: list[Row] = []
        try:
            for answer in batch:
                answer.start()
                rows.append(model.fork(base, shared))
            tails = [answer.prompt[len(row.tokens) :] for answer, row in zip(batch, rows, strict=True)]
            logits = self._evaluate(rows, tails, stop)
            yield from self._go_on(batch, rows, list(logits), stop, tolerant=True)
        except Interrupted:
            for answer in batch:
                if answer.reason is None:
                    yield answer, answer.last()
        finally:
            for row in rows:
                model.drop(row)

    def _go_on(
        self,
        answers: list[Answering],
        rows: list[Row],
        logits: Sequence[Logits],
        stop: threading.Event,
        *,
        tolerant: bool = False,
    ) -> Iterator[tuple[Answering, Piece]]:
        """Token by token until every answer has ended. `tolerant`: an answer that fails ends alone."""
        going = list(zip(answers, rows, strict=True))
        while going:
            for (answer, _), scores in zip(going, logits, strict=True):
                try:
                    piece = answer.accept(scores)
                except KaggleMagicsError as error:
                    if not tolerant:
                        raise
                    yield answer, answer.failed(error)
                    continue
                if piece is not None:
                    yield answer, piece
                if answer.reason is not None:
                    yield answer, answer.last()
            if len(going) > 1:
                for answer, row in going:
                    if answer.reason is not None:
                        self._open().drop(row)
            going = [(answer, row) for answer, row in going if answer.reason is None]
            if going:
                tails = [[answer.token] for answer, _ in going]
                logits = list(self._evaluate([row for _, row in going], tails, stop))

    def _open(self) -> LocalModel:
        if self._model is None:
            raise EngineError("This model was unloaded.", "Load it again.")
        return self._model

    def _render(self, request: Request) -> Rendered:
        model = self._open()
        return render(request, model.template, model.special_tokens)

    def _prepare(self, request: Request, started: float) -> Answering:
        """The answer to a request, before anything is computed. Raises `OptionError` for what cannot be asked."""
        model = self._open()
        rendered = self._render(request)
        prompt = self._encode(rendered)
        room = self._room(prompt, request)
        return Answering(request, prompt, model, is_chat=rendered.is_chat, room=room, started=started)

    def _encode(self, rendered: Rendered) -> list[int]:
        return self._open().encode(_valid(rendered.text), add_special=not rendered.complete)

    def _room(self, prompt: Sequence[int], request: Request) -> int:
        """Tokens left for the answer."""
        context = self._facts.context_length
        if not prompt:
            raise OptionError("The prompt is empty.", "Write what the model is to answer.")
        room = context - len(prompt) - (len(request.begun.tokens) if request.begun else 0)
        if room > 0:
            return room
        if request.begun:
            raise OptionError("The answer has filled the model's context.", "Load the model with a longer context.")
        parts = [(self.count_tokens(message.content), message.role) for message in request.messages]
        longest = ", ".join(f"{count} of the {role} text" for count, role in sorted(parts, reverse=True)[:3])
        raise OptionError(
            f"The prompt has {len(prompt)} tokens; the model's context holds {context}, the answer included: "
            f"at least {1 - room} too many.",
            f"Cut something ({longest}), or load the model with a longer context.",
        )

    def _read(self, row: Row, prompt: Sequence[int], stop: threading.Event) -> Logits:
        """Read what `row` lacks of a prompt; copies are kept on the way where the memory cannot be cut later."""
        for length in self._contexts.branches(prompt, row):
            self._evaluate([row], [prompt[len(row.tokens) : length]], stop)
            self._contexts.copy(row)
        [logits] = self._evaluate([row], [prompt[len(row.tokens) :]], stop)
        return logits

    def _evaluate(self, rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event) -> list[Logits]:
        if stop.is_set():
            raise Interrupted
        try:
            return list(self._open().evaluate(rows, tails, stop))
        except DoesNotFit:
            # The next request finds all memory that can be had.
            self._contexts.clear()
            raise


def _valid(text: str) -> str:
    """The text with "?" for lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
