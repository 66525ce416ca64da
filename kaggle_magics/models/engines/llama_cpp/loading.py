"""Loads a GGUF file with llama.cpp: weights on their device, a context with threads and flash attention set right."""

from __future__ import annotations

import ctypes
from typing import Any

from kaggle_magics.errors import CheckpointError, DoesNotFit
from kaggle_magics.models.engines.contexts import default_bytes
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.llama_cpp.adapters import use_adapter
from kaggle_magics.models.engines.llama_cpp.library import forget_log, last_words, llama_library, log_text
from kaggle_magics.models.engines.llama_cpp.model import LlamaModel
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.warming import warm_up
from kaggle_magics.models.fit.plan import PREFILL_CHUNK, Plan

MOST_ROWS, FEW_ROWS = 32, 4
"""Rows of a table that can be computed together."""


def load(plan: Plan) -> LocalEngine:
    """Load and warm a plan's GGUF file. Raises `MissingExtra`, `CheckpointError`, `DoesNotFit`."""
    library = llama_library()
    forget_log()
    model = load_weights(plan, library)
    try:
        _check_vocabulary(plan, library, model)
        context = new_context(plan, library, model)
        if plan.adapter is not None:
            try:
                use_adapter(library, model, context, plan.adapter, name=plan.checkpoint.name)
            except BaseException:
                library.llama_free(context)
                raise
    except BaseException:
        library.llama_model_free(model)
        raise
    facts = EngineFacts(
        engine=plan.engine,
        library=f"llama-cpp-python {library.__version__}",
        device=plan.device,
        dtype=plan.dtype,
        context_length=plan.context_length,
    )
    engine = LocalEngine(LlamaModel(library, model, context, facts=facts), kept_bytes=default_bytes(plan))
    warm_up(engine, plan)
    return engine


def load_weights(plan: Plan, library: Any) -> Any:
    """`llama_model *` of the plan's file. Raises `CheckpointError`, `DoesNotFit`."""
    checkpoint = plan.checkpoint
    parameters = library.llama_model_default_params()
    # Kept in a name until the model is loaded: llama.cpp reads it from where it lies.
    shares = _place(plan, library, parameters)
    model = library.llama_model_load_from_file(str(checkpoint.path).encode(), parameters)
    del shares
    if model:
        return model
    log = log_text()
    if "unknown model architecture" in log:
        raise CheckpointError(
            f"The installed llama.cpp does not know {checkpoint.architecture!r}, which {checkpoint.name} is.",
            "Load a safetensors version of it, or update llama-cpp-python.",
        )
    if any(says in log for says in ("unable to allocate", "failed to allocate", "Cannot allocate memory", "bad_alloc")):
        raise DoesNotFit(f"{checkpoint.name} does not fit on {plan.device}.", "Load a smaller quantisation of it.")
    raise CheckpointError(f"llama.cpp cannot load {checkpoint.name}.", last_words() or "The file may be damaged.")


def _check_vocabulary(plan: Plan, library: Any, model: Any) -> None:
    """llama.cpp loads a file without a tokenizer, and ends the process when it is asked for tokens; and one with an
    encoder, which it does not ask before its decoder answers."""
    vocabulary = library.llama_model_get_vocab(model)
    if library.llama_vocab_type(vocabulary) == library.LLAMA_VOCAB_TYPE_NONE:
        raise CheckpointError(f"{plan.checkpoint.name} has no tokenizer in it.", "Use a complete GGUF file of it.")
    if library.llama_model_has_encoder(model):
        raise CheckpointError(
            f"{plan.checkpoint.name} has an encoder, which is not run from GGUF files.",
            "Load the safetensors version of it.",
        )


def _place(plan: Plan, library: Any, parameters: Any) -> Any:
    """Say in `parameters` which layers lie on which device; returns what they point to."""
    everything = 999
    if plan.device == "cpu":
        parameters.n_gpu_layers = 0
        return None
    parameters.n_gpu_layers = everything if plan.gpu_layers is None else plan.gpu_layers
    parameters.main_gpu = _number(plan.device)
    if not plan.split:
        parameters.split_mode = library.LLAMA_SPLIT_MODE_NONE
        return None
    parameters.split_mode = library.LLAMA_SPLIT_MODE_LAYER
    shares = (ctypes.c_float * library.llama_max_devices())()
    for device, room in plan.split.items():
        if device != "cpu":
            shares[_number(device)] = room
    parameters.tensor_split = shares
    return shares


def _number(device: str) -> int:
    """N of "cuda:N"."""
    return int(device.partition(":")[2] or 0)


def new_context(plan: Plan, library: Any, model: Any) -> Any:
    """`llama_context *` for the plan. Raises `DoesNotFit`."""
    parameters = library.llama_context_default_params()
    parameters.n_ctx = plan.context_length
    parameters.n_batch = parameters.n_ubatch = min(PREFILL_CHUNK, plan.context_length)
    # One for what all have in common. Recurrent states are allotted for every sequence, so those models get few.
    recurrent = library.llama_model_is_recurrent(model) or library.llama_model_is_hybrid(model)
    parameters.n_seq_max = 1 + (FEW_ROWS if recurrent else MOST_ROWS)
    parameters.kv_unified = True
    parameters.n_threads = parameters.n_threads_batch = plan.threads
    wanted = library.LLAMA_FLASH_ATTN_TYPE_ENABLED if plan.flash_attention else library.LLAMA_FLASH_ATTN_TYPE_DISABLED
    for attention in (wanted, library.LLAMA_FLASH_ATTN_TYPE_AUTO):
        parameters.flash_attn_type = attention
        if context := library.llama_init_from_model(model, parameters):
            return context
    raise DoesNotFit(
        f"llama.cpp cannot make a context of {plan.context_length} tokens for {plan.checkpoint.name}.",
        last_words() or "Load it with a smaller context.",
    )
