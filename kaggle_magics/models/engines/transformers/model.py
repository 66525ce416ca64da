"""A transformers model and tokenizer as a `LocalModel` (transformers 4.56 and later, 5.x).

The loop is our own (see `decoding`): `generate` cannot stop within a prompt and keeps nothing from one call to the
next. `loading` loads what is run here.
"""

from __future__ import annotations

import copy
import gc
import inspect
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaggle_magics import memory
from kaggle_magics.errors import CheckpointError, DoesNotFit, EngineError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.local_model import Interrupted, Row
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.transformers.cache import (
    Block,
    bytes_of,
    bytes_per_token,
    cut,
    layers_of,
    select,
    side_by_side,
    view,
)
from kaggle_magics.models.engines.transformers.grouped import grouped_heads, takes_grouped_heads
from kaggle_magics.models.engines.transformers.growing import Growth, layer_class
from kaggle_magics.models.engines.transformers.words import Words
from kaggle_magics.models.fit.machine import this_machine

CHUNK = 256
"""Tokens that one pass reads, of all rows together. A stop ends a pass at its next layer; what earlier passes have
read stays. Measured on 27 million parameters and 2,048 tokens: 128 is slower by a tenth, 512 and 1024 are no faster."""
MOST_ROWS = 64
MOST_STEPS = 64
"""Tokens that are read one by one where a state cannot go on with several; above that all is read again at once."""
NO_TOKEN = -1
"""Stands in a tail where a row has no token."""
_GROWING = ("DynamicLayer", "DynamicSlidingWindowLayer")
"""Kinds of cache layers that are keys and values and nothing else."""


class TransformersModel(Words):
    """A causal language model and its tokenizer, as a `LocalModel`. Raises `CheckpointError` for what is no decoder."""

    def __init__(self, model: Any, tokenizer: Any, *, facts: EngineFacts, template: str | None) -> None:
        """`template` is the chat template; `facts.device` is where the inputs go."""
        parameters = inspect.signature(model.forward).parameters
        # The argument was renamed in transformers 5.24.
        self._takes_cache = next((name for name in ("cache", "past_key_values") if name in parameters), "")
        if model.config.is_encoder_decoder or not self._takes_cache:
            raise CheckpointError(
                f"A {type(model).__name__} is no decoder with a key-value cache, as this engine needs.",
                "Load a GGUF file of it where there is one.",
            )
        self._torch: Any = require("torch", "Running a safetensors model")
        library: Any = require("transformers", "Running a safetensors model")
        self._cache_class = library.DynamicCache
        self._growth = Growth(facts.context_length)
        self._layer_class = layer_class(library.cache_utils.DynamicLayer, self._growth)
        super().__init__(model, tokenizer, template=template)
        self._model = model
        self._takes = frozenset(parameters)
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        kinds = {type(layer).__name__ for layer in self._cache_class(config=model.config).layers}
        self.croppable = kinds <= set(_GROWING)
        self._attention = (
            grouped_heads if takes_grouped_heads(self._torch, facts.device, model.dtype) else nullcontext[None]
        )
        self._goes_on: bool | None = None
        self._bytes_per_token = 0
        self.facts = facts

    def begin(self) -> Row:
        row = Row()
        if self.croppable:
            # Layers of our own, which can be cut; a sliding window is then kept by the mask alone.
            cache = self._cache_class()
            cache.layer_class_to_replicate = self._layer_class
        else:
            # States of other kinds need the layers that the configuration names.
            cache = self._cache_class(config=self._model.config)
        row.memory = Block(cache, [row], [0])
        return row

    def crop(self, row: Row, length: int) -> None:
        if length >= len(row.tokens):
            return
        if length == 0 or not self.croppable:
            fresh = self.begin()
            self._give(fresh.memory.cache, row, [])
        else:
            self._give(cut(row.memory, row, length), row, row.tokens[:length])

    def fork(self, row: Row, length: int) -> Row:
        twin = self.begin()
        if length == 0 or not (self.croppable or length == len(row.tokens)):
            return twin
        cache = view(row.memory, row, length) if self.croppable else copy.deepcopy(row.memory.cache)
        self._give(cache, twin, row.tokens[:length])
        return twin

    def park(self, row: Row) -> None:
        """A row that is not computed is in nobody's way."""

    def drop(self, row: Row) -> None:
        row.tokens, row.memory = [], None

    def bytes_of(self, row: Row) -> int:
        return 0 if row.memory is None else bytes_of(row.memory.cache) // len(row.memory.rows)

    def rows_at_once(self, shared: int, own: Sequence[int]) -> int:
        if not self.croppable:
            return min(len(own), MOST_ROWS)
        # Half of what is free: for a moment some of it is there twice, and there are slots to spare.
        room = self._free_bytes() // 2
        longest, count = 0, 0
        for tokens in own[:MOST_ROWS]:
            longest = max(longest, shared + tokens)
            if count and (count + 1) * longest * self._bytes_per_token > room:
                break
            count += 1
        return count

    def evaluate(
        self, rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event
    ) -> NDArray[np.float32]:
        if len(rows) > 1 and not self.croppable:
            # Recurrent states of rows of different lengths cannot be read in step.
            return np.concatenate([self.evaluate([row], [tail], stop) for row, tail in zip(rows, tails, strict=True)])
        if not self.croppable:
            return self._evaluate_state(rows[0], tails[0], stop)
        # What was made in this mode is written to only in it.
        with self._torch.inference_mode():
            block, tails = self._together(rows, tails)
        logits = self._in_steps(block, tails, max(1, CHUNK // len(rows)), stop)
        places = [block.place_of(row) for row in rows]
        return logits if places == list(range(len(rows))) else logits[places]

    def close(self) -> None:
        self._model = self.tokenizer = None
        free(self._torch)

    def _in_steps(
        self, block: Block, tails: Sequence[Sequence[int]], step: int, stop: threading.Event
    ) -> NDArray[np.float32]:
        """Read tails of one length, `step` tokens a row at a time; they and the logits are in the block's order."""
        if self.croppable:
            self._growth.wanted = block.slots + len(tails[0])
        with self._watching(block.cache, stop) if self.croppable and len(tails[0]) > 1 else nullcontext():
            for begin in range(0, len(tails[0]), step):
                if stop.is_set():
                    raise Interrupted
                logits = self._forward(block, [tail[begin : begin + step] for tail in tails])
        return logits

    @contextmanager
    def _watching(self, cache: Any, stop: threading.Event) -> Iterator[None]:
        """Have each layer look for a stop when it writes its keys: a pass over many tokens can take seconds.

        Not by hooks on the layers: torch runs those in nested functions, whose frames keep the layer in a traceback.
        """
        write = cache.update

        def look(*given: Any, **named: Any) -> Any:
            if stop.is_set():
                raise Interrupted
            return write(*given, **named)

        cache.update = look
        try:
            yield
        finally:
            del cache.update

    def _evaluate_state(self, row: Row, tail: Sequence[int], stop: threading.Event) -> NDArray[np.float32]:
        """As `evaluate`, for a row with a recurrent state."""
        if self._goes_on is None:
            self._goes_on = self._can_go_on()
        step = CHUNK
        if not self._goes_on:
            if row.tokens and len(tail) > MOST_STEPS:
                tail = [*row.tokens, *tail]
                self.crop(row, 0)
            step = 1 if row.tokens else len(tail)
        return self._in_steps(row.memory, [tail], step, stop)

    def _can_go_on(self) -> bool:
        """Whether a pass of several tokens begins at the state it finds: some architectures begin anew, unless it is a
        single token. Found out by trying."""
        whole, parts = self.begin(), self.begin()
        tokens = [2, 3, 4, 5, 6, 7]
        once = self._forward(whole.memory, [tokens])
        self._forward(parts.memory, [tokens[:3]])
        twice = self._forward(parts.memory, [tokens[3:]])
        tolerance = float(self._torch.finfo(self._model.dtype).eps) ** 0.5
        return bool(np.abs(once - twice).max() <= tolerance * np.abs(once).max())

    def _give(self, cache: Any, row: Row, tokens: list[int]) -> None:
        """Make a cache the memory of a row, which leaves its block."""
        row.tokens, row.memory = tokens, Block(cache, [row], [0])

    def _together(self, rows: Sequence[Row], tails: Sequence[Sequence[int]]) -> tuple[Block, Sequence[Sequence[int]]]:
        """A block of exactly these rows, and tails of one length.

        Tails that are shorter than the longest begin earlier: the last tokens of what the row holds are read again, so
        that all rows end in the same slot.
        """
        width = max(map(len, tails))
        block: Block = rows[0].memory
        if all(len(tail) == width for tail in tails) and all(row.memory is block for row in rows):
            if len(rows) != len(block.rows):
                block = select(block, rows)
                for row in rows:
                    row.memory = block
            tail_of = {id(row): tail for row, tail in zip(rows, tails, strict=True)}
            return block, [tail_of[id(row)] for row in block.rows]
        wholes = [[*row.tokens, *tail] for row, tail in zip(rows, tails, strict=True)]
        longest = max(map(len, wholes))
        slots = longest - width
        held = [max(0, len(whole) - width) for whole in wholes]
        caches = [view(row.memory, row, length) for row, length in zip(rows, held, strict=True)]
        cache = side_by_side(caches, held, slots) if slots and any(held) else self.begin().memory.cache
        block = Block(cache, list(rows), [longest - len(whole) for whole in wholes])
        for row, whole, length in zip(rows, wholes, held, strict=True):
            row.tokens, row.memory = whole[:length], block
        return block, [[NO_TOKEN] * (width - len(whole)) + whole[-width:] for whole in wholes]

    def _forward(self, block: Block, tails: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """One pass over tails of one length; block and rows are as before when it fails."""
        torch, cache = self._torch, block.cache
        before = [(layer, layer.get_seq_length()) for layer in layers_of(cache)] if self.croppable else []
        try:
            with torch.inference_mode(), self._attention():
                output = self._model(
                    **self._inputs(block, tails),
                    **{self._takes_cache: cache},
                    **self._last_only,
                    use_cache=True,
                    return_dict=True,
                )
                logits: NDArray[np.float32] = output.logits[:, -1].to(dtype=torch.float32, device="cpu").numpy()
        except BaseException as error:
            self._undo(block, before)
            if memory.is_out_of_memory(error):
                free(torch)
                raise DoesNotFit(
                    "The memory ran out while the model answered.",
                    "Shorten the prompt, or load it with a smaller context.",
                ) from error
            if isinstance(error, RuntimeError):
                raise EngineError(f"torch failed: {first_line(error)}.") from error
            raise
        for row, tail in zip(block.rows, tails, strict=True):
            row.tokens.extend(token for token in tail if token != NO_TOKEN)
        if self.croppable:
            self._bytes_per_token = self._bytes_per_token or bytes_per_token(block)
        return logits

    def _inputs(self, block: Block, tails: Sequence[Sequence[int]]) -> dict[str, Any]:
        torch = self._torch
        inputs = {"input_ids": torch.tensor(tails, device=self.facts.device).clamp_(min=0)}
        if any(block.empty):
            empty = torch.tensor(block.empty, device=self.facts.device)[:, None]
            slots = torch.arange(block.slots + len(tails[0]), device=self.facts.device)[None]
            inputs["attention_mask"] = (slots >= empty).long()
            if "position_ids" in self._takes:
                inputs["position_ids"] = (slots[:, block.slots :] - empty).clamp_(min=0)
        return inputs

    def _undo(self, block: Block, before: Sequence[tuple[Any, int]]) -> None:
        """Put a block back as it was before a pass that failed half-way and left layers of different lengths."""
        if before:
            for layer, slots in before:
                layer.cut(slots)
        else:
            for row in block.rows:
                fresh = self.begin()
                self._give(fresh.memory.cache, row, [])

    def _free_bytes(self) -> int:
        device = self.facts.device
        if not device.startswith("cuda"):
            return this_machine().available
        cuda = self._torch.cuda
        held_back = cuda.memory_reserved(device) - cuda.memory_allocated(device)
        return int(cuda.mem_get_info(device)[0]) + int(held_back)


def first_line(error: BaseException) -> str:
    """The first line of what a library said, without its full stop."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".:")[:300]


def free(torch: Any) -> None:
    """Give back what is no longer used, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
