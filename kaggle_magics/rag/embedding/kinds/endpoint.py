"""Embeddings of servers that speak OpenAI's HTTP API: `POST /embeddings` with a list of texts.

OpenAI's limits are 2,048 texts and 300,000 tokens a request (its API reference, "Create embeddings"); local servers
have far lower ones, which they tell only by refusing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kaggle_magics.errors import EngineError
from kaggle_magics.models.engines.endpoint.discovery import Server, context_length, discover
from kaggle_magics.models.engines.endpoint.http import Client, Limits, Retry, Unreachable, retry_after
from kaggle_magics.models.engines.endpoint.reference import EndpointReference, key_for, parse
from kaggle_magics.models.engines.endpoint.refusals import Refusal, explain, read_refusal
from kaggle_magics.models.engines.endpoint.tokens import estimate
from kaggle_magics.rag.embedding.batches import batches
from kaggle_magics.rag.embedding.files.prompts import Prompts, family_of
from kaggle_magics.rag.embedding.probing import PROBE
from kaggle_magics.rag.embedding.protocol import Batch, Embedder, Vectors, gather, unit

MOST_TEXTS, MOST_TOKENS = 64, 16384
"""Of one request: enough that its way there and back does not count, few enough to be stopped soon."""
UNKNOWN_LIMIT = 512
"""Tokens of a text where the server does not tell; what most embedding models read."""
_SECONDS = 120.0
_SHORTER, _FEWEST = 0.7, 64
"""A text that is too long for the server is cut to this share until it fits, or has so few characters."""


def recognise(thing: Any, name: str | None = None) -> Embedder | None:
    """`openai:URL#model`."""
    reference = parse(thing) if isinstance(thing, str) else None
    return EndpointEmbedder(reference) if reference is not None else None


class EndpointEmbedder:
    """A server's embedding model; the server is asked when the first text comes. Safe to use from several threads.

    Raises `EngineError` when the server cannot be reached or refuses, `ModelNotFound` when it has several models.
    """

    def __init__(self, reference: EndpointReference, limits: Limits | None = None) -> None:
        self._asked = reference
        self._limits = limits or Limits()
        self._guard = threading.Lock()
        self._connected: tuple[Server, Client] | None = None
        self._most = MOST_TEXTS
        self._base64 = True
        self._probe: Vectors | None = None
        self._context: int | None = None
        self._cut = 0

    @property
    def name(self) -> str:
        return self._asked.name

    @property
    def reference(self) -> str:
        return str(self._asked)

    @property
    def prompts(self) -> Prompts:
        family = family_of(self._asked.model or "")
        return family.prompts if family is not None else Prompts()

    @property
    def identity(self) -> str:
        """The address; whether the model behind it is the same, the probe tells."""
        prompts = self.prompts.key
        return f"{self._asked}" + (
            f"+{hashlib.blake2b(prompts.encode(), digest_size=4).hexdigest()}" if prompts else ""
        )

    @property
    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.prompts.source:
            notes.append(f"{self.name} gets its family's prompts, {self.prompts.source}.")
        if self._cut:
            which = "1 text was" if self._cut == 1 else f"{self._cut} texts were"
            notes.append(f"{which} too long for {self._asked.host}, and only the beginning counts.")
        return tuple(notes)

    @property
    def dimension(self) -> int:
        return int(self.probe().shape[0])

    @property
    def max_tokens(self) -> int:
        if self._context is None:
            server, client = self._connect()
            self._context = context_length(server, client) or UNKNOWN_LIMIT
        return self._context

    def probe(self) -> Vectors:
        """The vector of a text that never changes, shape (d,)."""
        if self._probe is None:
            self._probe = self._embed([PROBE])[0]
        return self._probe

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Estimates, rather too high; no request is made for them."""
        return [estimate(self.prompts.document + text) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return gather(self.stream_documents(texts), len(texts), 0 if texts else self.dimension)

    def embed_query(self, text: str) -> Vectors:
        vector: Vectors = self._embed([self.prompts.query + text])[0]
        return vector

    def stream_documents(self, texts: Sequence[str]) -> Iterator[Batch]:
        # A server refuses an empty text.
        prompted = [self.prompts.document + text or " " for text in texts]
        for together in batches([estimate(text) for text in prompted], MOST_TOKENS):
            start = 0
            while start < len(together):
                places = together[start : start + self._most]
                start += len(places)
                yield places, self._embed([prompted[place] for place in places])

    def _embed(self, texts: list[str]) -> Vectors:
        """Vectors of a few texts, in halves where the server takes no more at once."""
        answer = self._ask(texts)
        if not isinstance(answer, Refusal):
            return answer
        if len(texts) > 1:
            self._most = max(1, len(texts) // 2)
            half = len(texts) // 2
            return np.concatenate([self._embed(texts[:half]), self._embed(texts[half:])])
        text = texts[0]
        while isinstance(answer, Refusal) and len(text) > _FEWEST:
            text = text[: int(len(text) * _SHORTER)]
            answer = self._ask([text])
        if isinstance(answer, Refusal):
            raise self._explained(answer)
        self._cut += 1
        return answer

    def _ask(self, texts: list[str]) -> Vectors | Refusal:
        """One request, tried again as often as `Limits` allow; a refusal because of its length is given back."""
        server, client = self._connect()
        retry, stop = Retry(self._limits, random.random), threading.Event()
        while True:
            body: dict[str, Any] = {"model": server.reference.model or "", "input": texts}
            if self._base64:
                body["encoding_format"] = "base64"
            try:
                head, data = client.fetch("POST", f"{server.reference.url}/embeddings", body, seconds=_SECONDS)
            except Unreachable as error:
                if error.again and retry.wait(stop):
                    continue
                raise client.masked(error) from None
            if head.status == 200:
                return self._vectors(data, len(texts))
            refusal = read_refusal(head, data)
            if (
                self._base64
                and refusal.status in (400, 422)
                and "encoding_format" in f"{refusal.message}{refusal.parameter}"
            ):
                self._base64 = False
                continue
            if refusal.is_about_context or refusal.status == 413 or _is_about_size(refusal):
                return refusal
            if refusal.again and retry.wait(stop, retry_after(head.headers)):
                continue
            raise self._explained(refusal)

    def _vectors(self, data: bytes, count: int) -> Vectors:
        host = self._asked.host
        try:
            rows = sorted(json.loads(data)["data"], key=lambda row: int(row.get("index", 0)))
            vectors = [_numbers(row["embedding"]) for row in rows]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise EngineError(f"{host} does not answer with embeddings as OpenAI's API does.") from error
        if len(vectors) != count or len({len(vector) for vector in vectors}) > 1:
            raise EngineError(f"{host} gave {len(vectors)} vectors for {count} texts, or of several lengths.")
        found = np.stack(vectors)
        if self._probe is not None and found.shape[1] != len(self._probe):
            raise EngineError(f"{host} gave {found.shape[1]} numbers a text, and {len(self._probe)} before.")
        if not np.isfinite(found).all():
            raise EngineError(f"{host} gave numbers that are not finite.")
        return unit(found)

    def _explained(self, refusal: Refusal) -> Exception:
        server, client = self._connect()
        if refusal.status in (404, 405, 501):
            return EngineError(
                f"{self._asked.host} makes no embeddings{f': {refusal.message}' if refusal.message else ''}.",
                "Start it with an embedding model (llama-server: --embeddings).",
            )
        error = explain(refusal, server.reference, has_key=client.has_key, sent=(), models=tuple(server.models))
        return client.masked(error)

    def _connect(self) -> tuple[Server, Client]:
        with self._guard:
            if self._connected is None:
                client = Client(self._asked.url, key_for(self._asked), self._limits)
                server = discover(self._asked, client)
                client.url = server.reference.url
                self._connected = server, client
            return self._connected


def _is_about_size(refusal: Refusal) -> bool:
    """Whether there were too many texts, or too long ones (llama-server: "input is too large to process. increase the
    physical batch size"; OpenAI: "array too long", "max_tokens_per_request")."""
    said = f"{refusal.message} {refusal.code}".casefold()
    return refusal.status in (400, 413, 422, 500) and any(
        words in said for words in ("too large", "too long", "too many", "batch size", "max_tokens_per_request")
    )


def _numbers(embedding: Any) -> Vectors:
    """A vector from either form: float32 in base64, or a list of numbers; llama-server nests the list once more."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").astype(np.float32)
    array = np.asarray(embedding, np.float32)
    return np.asarray(array[0] if array.ndim == 2 and len(array) == 1 else array.reshape(-1), np.float32)
