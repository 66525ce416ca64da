"""Answers from a checkpoint in Hugging Face's layout, with transformers and torch (transformers 4.56 and later, 5.x).

Loaded from local safetensors only: no download, no pickles, no code from the checkpoint. The loop is our own (see
`decoding`): `generate` cannot stop within a prompt and keeps nothing from one call to the next.
"""

from __future__ import annotations

import gc
import inspect
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kaggle_magics.errors import CheckpointError, DoesNotFit, EngineError, KaggleMagicsError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.sampling import Logits
from kaggle_magics.models.engines.text import WindowDecoder
from kaggle_magics.models.plan import Plan
from kaggle_magics.models.templates import template_of


def load(plan: Plan) -> LocalEngine:
    """Load and warm a plan's checkpoint. Raises `MissingExtra`, `CheckpointError`, `DoesNotFit`."""
    transformers: Any = require("transformers", "Running a safetensors model")
    torch: Any = require("torch", "Running a safetensors model")
    checkpoint = plan.checkpoint
    try:
        with _quiet(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                checkpoint.path, local_files_only=True, trust_remote_code=False
            )
            # The attention is left to the library: torch's own ("sdpa") where the architecture has it.
            model, report = transformers.AutoModelForCausalLM.from_pretrained(
                checkpoint.path,
                dtype=getattr(torch, plan.dtype),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
            model = model.to(plan.device).eval()
        engine = LocalEngine(_TransformersModel(plan, transformers, torch, tokenizer, model, report))
        engine.warm_up()
        return engine
    except KaggleMagicsError:
        raise
    except Exception as error:
        raise _loading_error(error, plan, torch) from error


class _TransformersModel:
    """See `LocalModel`."""

    def __init__(
        self, plan: Plan, transformers: Any, torch: Any, tokenizer: Any, model: Any, report: Mapping[str, Any]
    ) -> None:
        name = plan.checkpoint.name
        if missing := sorted(report.get("missing_keys", ())):
            raise CheckpointError(
                f"{name} lacks {len(missing)} of the weights its config.json asks for, such as {missing[0]}."
            )
        parameters = inspect.signature(model.forward).parameters
        # The argument was renamed in transformers 5.24.
        self._takes_cache = next((name for name in ("cache", "past_key_values") if name in parameters), "")
        if model.config.is_encoder_decoder or not self._takes_cache:
            raise CheckpointError(
                f"{name} ({plan.checkpoint.architecture}) is no decoder with a key-value cache, as this engine needs.",
                "Load a GGUF file of it where there is one.",
            )
        self._torch, self._cache_class = torch, transformers.DynamicCache
        self._tokenizer, self._model = tokenizer, model
        self._device = plan.device
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self._cache: Any = None
        self.facts = EngineFacts(
            engine=plan.engine,
            library=f"transformers {transformers.__version__}, torch {torch.__version__}",
            device=plan.device,
            dtype=str(model.dtype).removeprefix("torch."),
            context_length=plan.context_length,
        )
        self.template = template_of(plan.checkpoint.path)
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
                ids = torch.tensor([list(tokens)], device=self._device)
                output = self._model(
                    input_ids=ids, use_cache=True, return_dict=True, **{self._takes_cache: cache}, **self._last_only
                )
                logits: Logits = output.logits[0, -1].to(dtype=torch.float32, device="cpu").numpy()
        except (torch.cuda.OutOfMemoryError, MemoryError) as error:
            _free(torch)
            raise DoesNotFit(
                "The memory ran out while the model answered.", "Shorten the prompt, or load it with a smaller context."
            ) from error
        except RuntimeError as error:
            raise EngineError(f"torch failed: {_first_line(error)}.") from error
        # Only now: a pass that failed half-way leaves layers of different lengths, so its cache is lost.
        self._cache = cache
        return logits

    def close(self) -> None:
        self._cache = self._model = self._tokenizer = None
        _free(self._torch)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """As `generate` ends: what generation_config.json names; and the tokenizer's own end of sequence."""
    ids: set[int] = set()
    for named in (model.generation_config.eos_token_id, tokenizer.eos_token_id):
        if isinstance(named, int):
            ids.add(named)
        elif named is not None:
            ids.update(int(each) for each in named)
    return frozenset(ids)


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No progress bars, warnings or log lines of the libraries on the user's screen while loading."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _loading_error(error: Exception, plan: Plan, torch: Any) -> KaggleMagicsError:
    checkpoint, line = plan.checkpoint, _first_line(error)
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        _free(torch)
        return DoesNotFit(
            f"{checkpoint.name} does not fit on {plan.device}.", "Load a smaller model, or unload another one."
        )
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return CheckpointError(
            f"{checkpoint.name} needs Python code of its own to run, which is never executed here.",
            "Use a version that transformers supports itself, or a GGUF file of it.",
        )
    if "does not recognize this architecture" in str(error):
        return CheckpointError(
            f"The installed transformers does not know the {checkpoint.architecture} of {checkpoint.name}.",
            "Run: %pip install -U transformers",
        )
    return CheckpointError(
        f"{checkpoint.name} cannot be loaded: {line}.", "Its folder may be incomplete; attach or download it again."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".:")[:300]


def _free(torch: Any) -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
