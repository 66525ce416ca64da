"""Engines on objects that the notebook made: a transformers model, a llama_cpp `Llama`. Nothing is copied or freed.

Somebody else may change these objects at any time: train the model on, close the `Llama`. So they are looked at before
each request.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError, EngineError, KaggleMagicsError, OptionError
from kaggle_magics.extras import require
from kaggle_magics.models.checkpoint import Checkpoint, read_checkpoint
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.llama_cpp.library import llama_library
from kaggle_magics.models.engines.llama_cpp.loading import new_context
from kaggle_magics.models.engines.llama_cpp.model import LlamaModel
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.transformers.checks import check_tokenizer
from kaggle_magics.models.engines.transformers.model import TransformersModel
from kaggle_magics.models.fit.machine import this_machine
from kaggle_magics.models.fit.plan import DEFAULT_CONTEXT, UNKNOWN_CONTEXT, Plan
from kaggle_magics.models.request import Piece, Request


class AdoptedEngine(LocalEngine):
    """A `LocalEngine` that asks before each request whether its model is still the one it knew."""

    def __init__(self, model: Any, state: Callable[[], object]) -> None:
        """`state` gives something that is equal as long as the model is the same; it raises when the model is gone."""
        super().__init__(model)
        self._state = state
        self._known = state()

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        self._look()
        yield from super().stream(request, stop)

    def stream_many(self, requests: Sequence[Request], stop: threading.Event) -> Iterator[tuple[int, Piece]]:
        self._look()
        yield from super().stream_many(requests, stop)

    def count_tokens(self, text: str) -> int:
        self._look()
        return super().count_tokens(text)

    def close(self) -> None:
        super().close()
        self._state = lambda: None

    def _look(self) -> None:
        self._open()
        if (state := self._state()) != self._known:
            # What other weights left in the cache is worth nothing now.
            self.forget()
            self._known = state


def adopt_transformers(model: Any, tokenizer: Any, *, name: str, context: int | None = None) -> AdoptedEngine:
    """An engine on a transformers model (or PEFT's around one) and its tokenizer. Raises `OptionError`."""
    transformers: Any = require("transformers", "Running a transformers model")
    torch: Any = require("torch", "Running a transformers model")
    if type(model).__module__.partition(".")[0] == "peft":
        if getattr(model.active_peft_config, "is_prompt_learning", False):
            raise OptionError(
                f"A {type(model).__name__} with a learnt prompt cannot be adopted.", "Adopt its base model."
            )
        # LoRA's matrices are inside the base model, which has transformers' own interface.
        model = model.base_model.model
    kind = type(model).__name__
    if not getattr(model, "can_generate", lambda: False)():
        raise OptionError(
            f"A {kind} answers nothing: it has no head that says which token comes next.",
            "Load it with AutoModelForCausalLM.",
        )
    offloaded = getattr(model, "hf_device_map", None)
    if any(parameter.is_meta for parameter in model.parameters()) and not offloaded:
        raise OptionError(f"This {kind} has no weights: it lies on the device meta.", "Load it with from_pretrained.")
    if model.config.is_encoder_decoder:
        raise OptionError(
            f"A {kind} is an encoder with a decoder, which cannot be adopted.",
            "Save it with its tokenizer (save_pretrained), and load the folder: %llm_load FOLDER",
        )
    try:
        check_tokenizer(name, tokenizer, model)
    except CheckpointError as error:
        raise OptionError(error.message, "Adopt the tokenizer the model was made with.") from error
    longest = _positive(getattr(model.config.get_text_config(), "max_position_embeddings", None)) or UNKNOWN_CONTEXT
    facts = EngineFacts(
        engine="transformers",
        library=f"transformers {transformers.__version__}, torch {torch.__version__}",
        device=str(model.get_input_embeddings().weight.device) if not offloaded else str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        context_length=_context(context, longest),
    )
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default")

    def state() -> object:
        # It may have been trained since; with dropout every answer would be another one.
        model.eval()
        # In-place changes of a tensor count up its version; a new tensor has another address.
        return [(id(each), each._version, each.data_ptr()) for each in model.parameters()]

    return _warm(AdoptedEngine(TransformersModel(model, tokenizer, facts=facts, template=template), state), name)


class _LentLlama(LlamaModel):
    """On a model that somebody else frees; only the context is ours."""

    def close(self) -> None:
        self._model = None
        super().close()


def adopt_llama(llama: Any, *, name: str, context: int | None = None) -> AdoptedEngine:
    """An engine on a llama_cpp `Llama`, with a context of its own beside that of the `Llama`. Raises `OptionError`."""
    library = llama_library()
    inner = getattr(llama, "_model", None)
    pointer = getattr(inner, "model", None)
    if pointer is None:
        raise OptionError("This Llama is closed.", "Make a new one, or load its file with %llm_load.")
    if llama.model_params.vocab_only:
        raise OptionError("This Llama has only a vocabulary and no weights.", "Make it without vocab_only.")
    vocabulary = library.llama_model_get_vocab(pointer)
    if not library.llama_model_has_decoder(pointer) or library.llama_model_has_encoder(pointer):
        raise OptionError("This Llama answers nothing: its model is an encoder.", "It can embed documents.")
    if library.llama_vocab_type(vocabulary) == library.LLAMA_VOCAB_TYPE_NONE:
        raise OptionError("The model of this Llama has no tokenizer in it.", "Use a complete GGUF file of it.")
    trained = int(library.llama_model_n_ctx_train(pointer)) or UNKNOWN_CONTEXT
    tokens = _context(context, trained) if context else min(int(llama.n_ctx()), trained)
    checkpoint = checkpoint_of(llama)
    on_gpu = llama.model_params.n_gpu_layers != 0 and library.llama_supports_gpu_offload()
    device = f"cuda:{llama.model_params.main_gpu}" if on_gpu else "cpu"
    plan = Plan(checkpoint, "llama.cpp", device, checkpoint.dtype, tokens, {}, this_machine().cores)
    ours = new_context(plan, library, pointer)
    if (adapter := getattr(llama, "_lora_adapter", None)) is not None:
        address = ctypes.cast(adapter, ctypes.c_void_p).value
        kind = ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))
        adapters, scales = (ctypes.c_void_p * 1)(address), (ctypes.c_float * 1)(llama.lora_scale)
        library.llama_set_adapters_lora(ours, ctypes.cast(adapters, kind), 1, scales)
    facts = EngineFacts(
        engine="llama.cpp",
        library=f"llama-cpp-python {library.__version__}",
        device=device,
        dtype=checkpoint.dtype,
        context_length=tokens,
    )

    def state() -> object:
        # The closure keeps the Llama alive, and with it the model that our context stands on.
        if llama._model is None or llama._model.model is None:
            raise EngineError("The Llama that was adopted has been closed.", f"Unload it: %llm_unload {name}")
        return None

    return _warm(AdoptedEngine(_LentLlama(library, pointer, ours, facts=facts), state), name)


def checkpoint_of(llama: Any) -> Checkpoint:
    """The file a `Llama` was loaded from; what little is known of it where the file is gone."""
    path = Path(str(llama.model_path))
    try:
        return read_checkpoint(path)
    except KaggleMagicsError:
        metadata = getattr(llama, "metadata", None) or {}
        architecture = str(metadata.get("general.architecture", "unknown"))
        return Checkpoint(path.stem, path, "gguf", architecture, None, 0, "unknown", 0, False)


def _warm(engine: AdoptedEngine, name: str) -> AdoptedEngine:
    try:
        engine.warm_up()
    except KaggleMagicsError as error:
        raise OptionError(f"{name} cannot be adopted: {error.message}", error.hint) from error
    return engine


def _context(context: int | None, longest: int) -> int:
    if context is None:
        return min(longest, DEFAULT_CONTEXT)
    if not 1 <= context <= longest:
        raise OptionError(f"context must be between 1 and {longest} for this model, not {context}.")
    return context


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
