"""One answer in the making: logits in, pieces of text out, and why it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kaggle_magics.models.engines.local_model import LocalModel
from kaggle_magics.models.engines.sampling import Logits, Sampler, likeliest, log_probabilities
from kaggle_magics.models.engines.text import StopStrings
from kaggle_magics.models.request import Piece, Progress, Request, StopReason, TokenProbability, Usage


class Answering:
    """The answer to one prompt: give it the logits after each token until `reason` is set, then take `last`."""

    def __init__(
        self,
        request: Request,
        prompt: Sequence[int],
        model: LocalModel,
        *,
        is_chat: bool,
        room: int,
        started: float,
    ) -> None:
        """`room`: tokens left in the context. `is_chat`: white space before the answer is no part of it.

        `started`: when the request came (`time.perf_counter`).
        """
        begun = request.begun or Progress()
        self.prompt = [*prompt, *begun.tokens]
        """What is read before the next token: the prompt, and what the answer has already."""
        self.reused = 0
        """Tokens of the prompt that were in memory before; set by whoever reads the prompt."""
        self.reason: StopReason | None = None
        """Why the answer ended; None while it goes on."""
        self.token = -1
        """The token chosen last, to be read next."""
        self.most = min(request.sampling.max_tokens, room)
        """Tokens that the answer may have."""
        self._model = model
        matcher = request.constraint.begin(model) if request.constraint else None
        self._sampler = Sampler(request.sampling, prompt, matcher)
        self._decoder, self._stops = model.decoder(prompt), StopStrings(request.sampling.stop)
        self._logprobs = request.logprobs
        self._told: list[TokenProbability] = []
        # The white space between a template's last words and the answer belongs to the template.
        self._before_text = is_chat if request.constraint is None else not request.constraint.keeps_space
        self._generated = 0
        self._tokens = list(begun.tokens)
        self._sampler.go_on(begun)
        self._begun = "".join(self._stops.feed(self._text(self._decoder.feed(token))) for token in begun.tokens)
        self._started = started
        self._first = 0.0

    def start(self) -> None:
        """Begin to count the time from now."""
        self._started = time.perf_counter()

    def accept(self, logits: Logits) -> Piece | None:
        """Choose the next token from logits of shape (vocabulary,); the piece there is to show, if any."""
        token = self.token = self._sampler.choose(logits)
        self._first = self._first or time.perf_counter() - self._started
        if self._model.is_end(token):
            self.reason = "end"
            return None
        self._generated += 1
        self._tokens.append(token)
        text = self._text(self._decoder.feed(token))
        if self._logprobs is not None:
            self._told.append(self._probability(token, logits, text))
        shown = self._take_begun() + self._stops.feed(text)
        if self._stops.found:
            self.reason = "stop_sequence"
        elif self._sampler.finished:
            self.reason = "end"
        elif self._generated >= self.most:
            self.reason = "length"
        return Piece(shown, tokens=self._take_told()) if shown else None

    def last(self) -> Piece:
        """The last piece, with what was held back, the reason and the usage."""
        begun = self._take_begun()
        rest = "" if self._stops.found else self._stops.feed(self._text(self._decoder.flush()))
        if self._stops.found:
            self.reason = "stop_sequence"
        rest += self._stops.flush()
        progress = Progress(tuple(self._tokens), self._sampler.draws)
        reason = self.reason or "interrupted"
        return Piece(begun + rest, reason, self.usage(), self._take_told(), progress=progress)

    def failed(self, error: Exception) -> Piece:
        """The last piece of an answer that cannot go on."""
        self.reason = "error"
        return Piece(str(error), "error", self.usage(), self._take_told())

    def usage(self) -> Usage:
        """What it has cost until now."""
        seconds = time.perf_counter() - self._started
        return Usage(len(self.prompt), self.reused, self._generated, self._first or seconds, seconds)

    def _text(self, text: str) -> str:
        if self._before_text:
            text = text.lstrip()
            self._before_text = not text
        return text

    def _probability(self, token: int, logits: Logits, piece: str) -> TokenProbability:
        best = likeliest(logits, self._logprobs or 0)
        own, *others = (float(value) for value in log_probabilities(logits, [token, *best]))
        top = tuple((one, self._model.token_text(one), value) for one, value in zip(best, others, strict=True))
        return TokenProbability(token, self._model.token_text(token), own, top, piece)

    def _take_begun(self) -> str:
        begun, self._begun = self._begun, ""
        return begun

    def _take_told(self) -> tuple[TokenProbability, ...]:
        told, self._told = tuple(self._told), []
        return told
