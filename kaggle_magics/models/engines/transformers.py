"""A transformers model and tokenizer as a `LocalModel` (transformers 4.56 and later, 5.x).

The loop is our own (see `decoding`): `generate` cannot stop within a prompt and keeps nothing from one call to the
next. `transformers_loading` loads what is run here.
"""

from __future__ import annotations

import gc
import inspect
import threading
from collections.abc import Sequence
from typing import Any

from kaggle_magics.errors import CheckpointError, DoesNotFit, EngineError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.sampling import Logits
from kaggle_magics.models.engines.text import WindowDecoder


class TransformersModel:
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
        self._cache_class = require("transformers", "Running a safetensors model").DynamicCache
        self._tokenizer, self._model = tokenizer, model
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self._cache: Any = None
        self.facts = facts
        self.template = template
        self.special_tokens: dict[str, str] = {
            key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)
        }
        self._end_tokens = _end_tokens(model, tokenizer)

    def is_end(self, token: int) -> bool:
        return token in self._end_tokens

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=add_special, verbose=False)["input_ids"])

    def decoder(self, prompt: Sequence[int]) -> WindowDecoder:
        def decode(tokens: Sequence[int]) -> str:
            text: str = self._tokenizer.decode(
                list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            return text

        return WindowDecoder(decode, prompt)

    def keep(self, length: int) -> int:
        held = 0 if self._cache is None else int(self._cache.get_seq_length())
        if length == 0 or length > held:
            self._cache = None
            return 0
        if length < held:
            try:
                # The only form that every version reads alike: remove this many.
                self._cache.crop(length - held)
            except (RuntimeError, ValueError, NotImplementedError, AttributeError):
                self._cache = None
            if self._cache is None or int(self._cache.get_seq_length()) != length:
                # A sliding window has forgotten too much, or recurrent states cannot go back.
                self._cache = None
                return 0
        return length

    def evaluate(self, tokens: Sequence[int], stop: threading.Event) -> Logits:
        torch = self._torch
        if self._cache is None:
            self._cache = self._cache_class(config=self._model.config)
        cache, self._cache = self._cache, None
        try:
            with torch.inference_mode():
                ids = torch.tensor([list(tokens)], device=self.facts.device)
                output = self._model(
                    input_ids=ids, use_cache=True, return_dict=True, **{self._takes_cache: cache}, **self._last_only
                )
                logits: Logits = output.logits[0, -1].to(dtype=torch.float32, device="cpu").numpy()
        except (torch.cuda.OutOfMemoryError, MemoryError) as error:
            free(torch)
            raise DoesNotFit(
                "The memory ran out while the model answered.", "Shorten the prompt, or load it with a smaller context."
            ) from error
        except RuntimeError as error:
            raise EngineError(f"torch failed: {first_line(error)}.") from error
        # Only now: a pass that failed half-way leaves layers of different lengths, so its cache is lost.
        self._cache = cache
        return logits

    def close(self) -> None:
        self._cache = self._model = self._tokenizer = None
        free(self._torch)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """As `generate` ends: what generation_config.json names; and the tokenizer's own end of sequence."""
    ids: set[int] = set()
    for named in (model.generation_config.eos_token_id, tokenizer.eos_token_id):
        if isinstance(named, int):
            ids.add(named)
        elif named is not None:
            ids.update(int(each) for each in named)
    return frozenset(ids)


def first_line(error: BaseException) -> str:
    """The first line of what a library said, without its full stop."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".:")[:300]


def free(torch: Any) -> None:
    """Give back what is no longer used, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
