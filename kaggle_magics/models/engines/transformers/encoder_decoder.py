"""Encoders with a decoder (T5, BART, Marian and their like), answered by transformers' own `generate`.

The prompt goes through the encoder and the decoder's memory holds the answer alone, so there is no common beginning of
prompts to keep, and rows of a table are answered one after the other. What an answer needs beyond that is ours: the
next token is chosen by the same sampler as everywhere, with its stop strings, constraints and probabilities, and given
to `generate` as the only one that is possible. The checkpoint's own rules on tokens (a language's first token, no
repeated n-grams) hold, as in the library; its beam search does not.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kaggle_magics import memory
from kaggle_magics.errors import DoesNotFit, EngineError, KaggleMagicsError, OptionError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.answering import Answering
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.in_turn import in_turn
from kaggle_magics.models.engines.local_model import Row
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.sampling import Logits
from kaggle_magics.models.engines.transformers.model import first_line, free
from kaggle_magics.models.engines.transformers.quiet import quiet
from kaggle_magics.models.engines.transformers.words import Words
from kaggle_magics.models.request import Piece, Request, Sampling


class EncoderDecoderModel(Words):
    """A model and its tokenizer, with the parts of a `LocalModel` that do not need a memory that can be cut."""

    croppable = False

    def __init__(self, model: Any, tokenizer: Any, *, facts: EngineFacts, template: str | None) -> None:
        super().__init__(model, tokenizer, template=template)
        self._torch: Any = require("torch", "Running a safetensors model")
        self._library: Any = require("transformers", "Running a safetensors model")
        self._model, self.facts = model, facts

    def generate(
        self, prompt: Sequence[int], most: int, choose: Callable[[Logits], int], ended: Callable[[], bool]
    ) -> None:
        """Have each token of an answer of at most `most` chosen from its logits, until `ended` says so after one.

        Raises `DoesNotFit` when memory runs out, `EngineError` for what torch refuses, and what `choose` raises.
        """
        torch = self._torch

        def only(_: Any, scores: Any) -> Any:
            logits = scores[0].to(dtype=torch.float32, device="cpu").numpy()
            possible = torch.full_like(scores, -np.inf)
            possible[0, choose(logits)] = 0.0
            return possible

        def is_over(ids: Any, *_: Any, **__: Any) -> Any:
            return torch.full((len(ids),), ended(), dtype=torch.bool, device=ids.device)

        inputs = torch.tensor([list(prompt)], device=self.facts.device)
        try:
            # It warns of settings for its beam search, which stay without effect.
            with torch.inference_mode(), quiet(self._library):
                self._model.generate(
                    inputs,
                    attention_mask=torch.ones_like(inputs),
                    # Ours ends it at `most`: at the very end of its own, `generate` may force the end token.
                    max_new_tokens=most + 1,
                    min_new_tokens=None,
                    num_beams=1,
                    do_sample=False,
                    logits_processor=self._library.LogitsProcessorList([only]),
                    stopping_criteria=self._library.StoppingCriteriaList([is_over]),
                )
        except KaggleMagicsError:
            raise
        except Exception as error:
            if memory.is_out_of_memory(error):
                free(torch)
                raise DoesNotFit(
                    "The memory ran out while the model answered.", "Shorten the prompt, or load a smaller model."
                ) from error
            if isinstance(error, RuntimeError | ValueError | IndexError):
                raise EngineError(f"transformers failed: {first_line(error)}.") from error
            raise

    def begin(self) -> Row:
        return Row()

    def evaluate(self, rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event) -> Any:
        raise EngineError("An encoder with a decoder does not go on with a text; it answers one.")

    def crop(self, row: Row, length: int) -> None:
        row.tokens = []

    def fork(self, row: Row, length: int) -> Row:
        return Row()

    def park(self, row: Row) -> None:
        """Nothing is in memory between two requests."""

    def drop(self, row: Row) -> None:
        row.tokens = []

    def bytes_of(self, row: Row) -> int:
        return 0

    def rows_at_once(self, shared: int, own: Sequence[int]) -> int:
        return 1

    def close(self) -> None:
        self._model = self.tokenizer = None
        free(self._torch)


class EncoderDecoderEngine(LocalEngine):
    """An `Engine` on an `EncoderDecoderModel`. `facts.context_length` bounds the prompt and the answer each."""

    def __init__(self, model: EncoderDecoderModel) -> None:
        super().__init__(model)
        self._own = model

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """Answer a request; see `Engine.stream`. An encoder reads in one pass: a stop counts after it."""
        answer = self._prepare(request, time.perf_counter())
        if not stop.is_set():
            yield from self._pieces(answer, stop)
        yield answer.last()

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        """Answer many requests one after the other; see `Engine.stream_many`."""
        return in_turn(self.stream, requests, stop)

    def warm_up(self) -> None:
        """Answer with one token, so that what is slow or wrong the first time shows while loading."""
        self._open()
        try:
            for _ in self.stream(Request.ask("a", template="none", sampling=Sampling(max_tokens=1)), threading.Event()):
                pass
        except BaseException:
            self.close()
            raise

    def _pieces(self, answer: Answering, stop: threading.Event) -> Iterator[Piece]:
        """What `generate` gives in a thread of its own: it returns only when all is over."""
        given: queue.SimpleQueue[Piece | BaseException | None] = queue.SimpleQueue()
        left = threading.Event()

        def choose(logits: Logits) -> int:
            piece = answer.accept(logits)
            if piece is not None:
                given.put(piece)
            return answer.token

        def ended() -> bool:
            return answer.reason is not None or stop.is_set() or left.is_set()

        def run() -> None:
            try:
                self._own.generate(answer.prompt, answer.most, choose, ended)
                given.put(None)
            except BaseException as error:
                given.put(error)

        thread = threading.Thread(target=run, name="generate", daemon=True)
        thread.start()
        try:
            while (item := given.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            left.set()
            thread.join()

    def can_continue(self, request: Request) -> bool:
        """An answer's beginning is the decoder's, and `generate` always begins one."""
        return False

    def _room(self, prompt: Sequence[int], request: Request) -> int:
        """Tokens there are for the answer: the prompt takes none of the decoder's."""
        context = self._facts.context_length
        if not prompt:
            raise OptionError("The prompt is empty.", "Write what the model is to answer.")
        if len(prompt) > context:
            raise OptionError(
                f"The prompt has {len(prompt)} tokens; the model's encoder takes {context}.",
                "Shorten the prompt, or load the model with a longer context.",
            )
        return context
