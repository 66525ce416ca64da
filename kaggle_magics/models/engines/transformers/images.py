"""Image-text models of transformers: a prompt with images is read in one pass, then the answer is decoded as any other.

The model's processor turns images into pixel values, and widens their places in the text to as many tokens as the
model wants. What such a row holds is not used again: tokens do not tell one image from another.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.errors import DoesNotFit, EngineError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.answering import Answering
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.in_turn import in_turn
from kaggle_magics.models.engines.local_model import Interrupted, Row
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.transformers.model import TransformersModel, first_line
from kaggle_magics.models.request import Image, Piece, Request


@dataclass(frozen=True, slots=True)
class Seen:
    """A prompt with images, as the model takes it."""

    tokens: list[int]
    inputs: Mapping[str, Any]
    """What goes along with the tokens: pixel values, and what else the model's processor makes."""


class ImageTextModel(TransformersModel):
    """A `TransformersModel` that can also read a prompt with images."""

    def __init__(self, model: Any, tokenizer: Any, processor: Any, *, facts: EngineFacts, template: str | None) -> None:
        super().__init__(model, tokenizer, facts=facts, template=template)
        self._processor = processor
        self._seen: Mapping[str, Any] = {}
        # Models of the Qwen-VL family remember how far an image has moved the positions of what comes after it.
        self._moved = [module for module in model.modules() if hasattr(module, "rope_deltas")]

    def look(self, text: str, images: Sequence[Image]) -> Seen:
        """Prepare a prompt. Raises `EngineError` where the processor refuses it."""
        pillow: Any = require("PIL.Image", "An image")
        bos = self.special_tokens.get("bos_token", "")
        try:
            batch = self._processor(
                text=[text],
                images=[[pillow.open(io.BytesIO(image.data)).convert("RGB") for image in images]],
                # As the processor's own `apply_chat_template` decides it.
                add_special_tokens=not (bos and text.startswith(bos)),
                return_tensors="pt",
            )
        except Exception as error:  # processors raise whatever they meet
            raise EngineError(f"The model's processor refuses the images: {first_line(error)}.") from error
        made = dict(batch)
        tokens = made.pop("input_ids")[0].tolist()
        made.pop("attention_mask", None)
        return Seen(tokens, {name: self._placed(value) for name, value in made.items() if name in self._takes})

    def see(self, row: Row, seen: Seen, stop: threading.Event) -> NDArray[np.float32]:
        """Read a whole prompt into an empty row: logits of what follows, shape (vocabulary,).

        Raises `Interrupted` when it stopped early because `stop` was set.
        """
        if not self.croppable and self._goes_on is None:
            self._goes_on = self._can_go_on()
        self.forget_positions()
        if stop.is_set():
            raise Interrupted
        self._growth.wanted = len(seen.tokens)
        self._seen = seen.inputs
        try:
            with self._watching(row.memory.cache, stop):
                logits: NDArray[np.float32] = self._forward(row.memory, [seen.tokens])[0]
                return logits
        finally:
            self._seen = {}

    def forget_positions(self) -> None:
        """After a row with images: those of other rows are not moved."""
        for module in self._moved:
            module.rope_deltas = None

    def close(self) -> None:
        self._processor, self._moved = None, []
        super().close()

    def _inputs(self, block: Any, tails: Sequence[Sequence[int]]) -> dict[str, Any]:
        return {**super()._inputs(block, tails), **self._seen}

    def _placed(self, value: Any) -> Any:
        if not isinstance(value, self._torch.Tensor):
            return value
        value = value.to(self.facts.device)
        return value.to(self._model.dtype) if value.is_floating_point() else value


class ImageTextEngine(LocalEngine):
    """A `LocalEngine` whose requests may have images; those are answered one by one."""

    def __init__(self, model: ImageTextModel, **options: Any) -> None:
        super().__init__(model, **options)
        self._sees: ImageTextModel | None = model

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        """Answer a request; see `Engine.stream`."""
        if not _images(request):
            yield from super().stream(request, stop)
            return
        self._open()
        model = self._sees
        assert model is not None
        started = time.perf_counter()
        rendered = self._render(request)
        seen = model.look(rendered.text, _images(request))
        room = self._room(seen.tokens, request)
        answer = Answering(request, seen.tokens, model, is_chat=rendered.is_chat, room=room, started=started)
        row = model.begin()
        try:
            logits = model.see(row, seen, stop)
            if begun := answer.prompt[len(seen.tokens) :]:
                [logits] = self._evaluate([row], [begun], stop)
            for _, piece in self._go_on([answer], [row], [logits], stop):
                yield piece
        except Interrupted:
            yield answer.last()
        except DoesNotFit:
            # The next request finds all memory that can be had.
            self.forget()
            raise
        finally:
            model.drop(row)
            model.forget_positions()

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        """Answer many requests, those without images together; see `Engine.stream_many`."""
        alone = [index for index, request in enumerate(requests) if _images(request)]
        others = [index for index in range(len(requests)) if index not in set(alone)]
        for index, piece in super().stream_many([requests[index] for index in others], stop):
            yield others[index], piece
        for index, piece in in_turn(self.stream, [requests[index] for index in alone], stop):
            yield alone[index], piece

    def close(self) -> None:
        super().close()
        self._sees = None


def _images(request: Request) -> list[Image]:
    return [image for message in request.messages for image in message.images]
