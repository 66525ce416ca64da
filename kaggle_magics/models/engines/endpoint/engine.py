"""The engine: one streamed completion a request, many at once for a table."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from kaggle_magics.errors import EngineError, KaggleMagicsError
from kaggle_magics.models.engines.endpoint.discovery import Server, context_length, discover, takes_images
from kaggle_magics.models.engines.endpoint.events import Chunk, chunks, whole
from kaggle_magics.models.engines.endpoint.http import (
    Cancelled,
    Client,
    Exchange,
    Limits,
    Retry,
    Unreachable,
    retry_after,
)
from kaggle_magics.models.engines.endpoint.many import BrokenOff, many
from kaggle_magics.models.engines.endpoint.payload import CONTINUING, DROPPABLE, payload, prompt_text, response_formats
from kaggle_magics.models.engines.endpoint.probabilities import Told
from kaggle_magics.models.engines.endpoint.reference import EndpointReference, key_for
from kaggle_magics.models.engines.endpoint.refusals import Refusal, explain, read_refusal
from kaggle_magics.models.engines.endpoint.tokens import TokenCounter, estimate, estimate_messages
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.text import StopStrings
from kaggle_magics.models.fit.plan import UNKNOWN_CONTEXT
from kaggle_magics.models.request import Piece, Request, StopReason, Usage

AT_ONCE = 8
"""Requests under way together in `stream_many`."""
_REASONS: dict[str, StopReason] = {"stop": "end", "length": "length", "content_filter": "error"}


def connect(
    reference: EndpointReference,
    *,
    context: int | None = None,
    at_once: int = AT_ONCE,
    limits: Limits | None = None,
) -> EndpointEngine:
    """An engine on the server and model that `reference` names, once the server has answered.

    `context` is the model's context in tokens, for servers that do not tell it (4096 is assumed otherwise). Raises
    `EngineError` when the server cannot be reached or refuses, `ModelNotFound` when it has several models or none.
    """
    client = Client(reference.url, key_for(reference), limits or Limits())
    server = discover(reference, client)
    client.url = server.reference.url
    return EndpointEngine(server, client, context=context, at_once=at_once)


class EndpointEngine:
    """An `Engine` that asks a server. It may be used from several threads at once."""

    def __init__(self, server: Server, client: Client, *, context: int | None = None, at_once: int = AT_ONCE) -> None:
        self.reference = server.reference
        self._models = tuple(server.models)
        self._client: Client | None = client
        self._at_once = max(1, at_once)
        self._model = self.reference.model or ""
        self._owner = str(server.models.get(self._model, {}).get("owned_by", "")).casefold()
        self._counter = TokenCounter(client, server.root, self._model)
        self._without: set[str] = set()
        """Parameters that the server turned out not to take, and can do without."""
        self._renamed: dict[str, str] = {}
        self._form = 0
        """Which form of `response_format` the server takes (`payload.response_formats`)."""
        self._facts = EngineFacts(
            engine="endpoint",
            library=str(self.reference),
            device="endpoint",
            dtype="unknown",
            context_length=context or context_length(server, client) or UNKNOWN_CONTEXT,
            takes_images=takes_images(server, client),
        )

    @property
    def facts(self) -> EngineFacts:
        return self._facts

    def render(self, request: Request) -> str:
        """The text that is sent; with template "auto" the messages as JSON, as only the server knows its template."""
        if request.template != "auto":
            return prompt_text(request)
        messages = [
            {"role": message.role, **({"images": list(map(str, message.images))} if message.images else {})}
            | {"content": message.content}
            for message in request.messages
        ]
        return json.dumps(messages, ensure_ascii=False, indent=1)

    def can_continue(self, request: Request) -> bool:
        """Whether the server goes on with a last turn of the assistant's instead of beginning a new one."""
        return request.template != "auto" or self._owner in CONTINUING

    def count_tokens(self, text: str) -> int:
        """Tokens of a plain text: counted by the server where it has a way to, else an estimate, rather too high."""
        self._open()
        return self._counter.count(text)

    def close(self) -> None:
        self._client = None

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """Answer a request; see `Engine.stream`.

        Stopping closes the connection, also while the server has not yet begun. A constraint is the server's to keep,
        as far as it can (`response_format`); whoever asked checks the answer. An answer that breaks off raises
        `EngineError` after the text so far.
        """
        client = self._open()
        started = time.perf_counter()
        path, body = payload(request, self._model, owner=self._owner)
        forms = response_formats(request.constraint)
        tally, stops, told = _Tally(started), StopStrings(request.sampling.stop), Told()
        reason: StopReason | None = None
        exchange: Exchange | None = None
        try:
            exchange, events = self._begin(client, path, body, forms, stop)
            for chunk in events:
                tally.add(chunk)
                if chunk.finish:
                    reason = "stop_sequence" if chunk.stopped_by else _REASONS.get(chunk.finish, "end")
                text = stops.feed(chunk.text)
                tokens = told.read(chunk.logprobs) if request.logprobs is not None else ()
                if text or chunk.reasoning or tokens:
                    yield Piece(text, tokens=tokens, reasoning=chunk.reasoning)
                if stops.found:
                    # A server that does not know stop strings would go on.
                    reason = "stop_sequence"
                    break
        except Cancelled:
            reason = "interrupted"
        except EngineError as error:
            raise client.masked(error) from None
        finally:
            if exchange is not None:
                exchange.close()
        if reason is None:
            raise BrokenOff(
                f"{self.reference.host} broke off in the middle of the answer.",
                "Look into the server's log; some servers answer one request at a time.",
            )
        yield Piece(stops.flush(), reason, tally.usage(request))

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        """Answer many requests, up to `at_once` under way together and begun in order; see `Engine.stream_many`.

        An answer's pieces come once it has ended: a server that takes one request at a time breaks off the one before,
        which is then asked again, with fewer under way.
        """
        self._open()
        yield from many(self.stream, requests, stop, at_once=self._at_once)

    def _open(self) -> Client:
        if self._client is None:
            raise EngineError("This model was unloaded.", "Load it again.")
        return self._client

    def _begin(
        self,
        client: Client,
        path: str,
        body: dict[str, Any],
        forms: Sequence[Mapping[str, Any] | None],
        stop: threading.Event,
    ) -> tuple[Exchange, Iterator[Chunk]]:
        """Send until a server begins to answer: retries, parameters it does not know left out, and the first of the
        `forms` of an answer that it takes.

        Raises `Cancelled`, and `KaggleMagicsError` for what no other try would mend.
        """
        retry = Retry(client.limits, random.random)
        at = min(self._form, len(forms) - 1)
        while True:
            sent = self._adapted(body)
            if (form := forms[at]) is not None:
                sent["response_format"] = form
            exchange = client.send("POST", f"{self.reference.url}/{path}", sent)
            try:
                head = exchange.head(stop)
                if head.status == 200:
                    events = chunks(exchange.lines(stop)) if head.is_event_stream else whole(exchange.body(stop))
                    if (first := next(events, None)) is None:
                        raise Unreachable("The server closed the connection without an answer.", again=True)
                    return exchange, chain([first], events)
                refusal = read_refusal(head, exchange.body(stop))
            except Unreachable as error:
                exchange.close()
                if error.again and retry.wait(stop):
                    continue
                raise
            except BaseException:
                exchange.close()
                raise
            exchange.close()
            if refusal.is_about_form and at + 1 < len(forms):
                at += 1
                if not refusal.is_about_schema:
                    self._form = at
                continue
            if self._adapt(refusal, sent):
                continue
            if refusal.is_about_images and _has_images(sent):
                raise EngineError(
                    f"{self._model} of {self.reference.host} takes no images: {refusal.message}.".replace("..", "."),
                    "Ask a model that sees; a figure of matplotlib can be attached to others in words.",
                )
            if refusal.again and retry.wait(stop, retry_after(head.headers)):
                continue
            raise self._refused(client, refusal, path, sent)

    def _adapted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {self._renamed.get(name, name): value for name, value in body.items() if name not in self._without}

    def _adapt(self, refusal: Refusal, sent: Mapping[str, Any]) -> bool:
        """Whether the same request can be sent again in a form that this server takes."""
        if refusal.status in (400, 422) and "max_completion_tokens" in refusal.message and "max_tokens" in sent:
            # OpenAI's reasoning models have renamed it.
            self._renamed["max_tokens"] = "max_completion_tokens"
            return True
        unknown = set(refusal.unknown_parameters(tuple(sent)))
        # One of these two names is always unknown.
        names = {"repeat_penalty", "repetition_penalty"}
        droppable = DROPPABLE | (names if len(names & unknown) == 1 and names <= sent.keys() else set())
        if not unknown or unknown - droppable:
            return False
        self._without |= unknown
        return True

    def _refused(self, client: Client, refusal: Refusal, path: str, sent: Mapping[str, Any]) -> KaggleMagicsError:
        if (
            path == "completions"
            and refusal.status in (400, 404, 405)
            and (not refusal.message or "chat" in refusal.message.casefold() or refusal.is_page)
        ):
            return EngineError(
                f"{self.reference.host} takes only chats for {self._model}, no finished text.", "Use template auto."
            )
        error = explain(refusal, self.reference, has_key=client.has_key, sent=tuple(sent), models=self._models)
        return client.masked(error)


def _has_images(sent: Mapping[str, Any]) -> bool:
    return any(isinstance(message["content"], list) for message in sent.get("messages", ()))


class _Tally:
    """What an answer costs, from what the server tells, else estimated."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._first = 0.0
        self._parts: list[str] = []
        self._prompt: int | None = None
        self._generated: int | None = None
        self._reused: int | None = None

    def add(self, chunk: Chunk) -> None:
        if chunk.text or chunk.reasoning:
            self._first = self._first or time.perf_counter() - self._started
            self._parts.append(chunk.reasoning + chunk.text)
        self._prompt = chunk.prompt_tokens if chunk.prompt_tokens is not None else self._prompt
        self._generated = chunk.generated_tokens if chunk.generated_tokens is not None else self._generated
        self._reused = chunk.reused_tokens if chunk.reused_tokens is not None else self._reused

    def usage(self, request: Request) -> Usage:
        seconds = time.perf_counter() - self._started
        prompt, generated = self._prompt, self._generated
        estimated = prompt is None or generated is None
        if generated is None:
            # Most servers send a token a chunk; where chunks are longer than tokens are, the text tells more.
            text = "".join(self._parts)
            generated = len(self._parts) if len(text) <= 8 * len(self._parts) else estimate(text)
        if prompt is None:
            is_chat = request.template == "auto"
            prompt = estimate_messages(request.messages) if is_chat else estimate(prompt_text(request))
        return Usage(
            prompt_tokens=prompt,
            reused_tokens=self._reused or 0,
            generated_tokens=generated,
            seconds_to_first_token=self._first or seconds,
            seconds=seconds,
            estimated=estimated,
        )
