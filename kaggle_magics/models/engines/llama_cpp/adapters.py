"""LoRA adapters in GGUF files, on a model that llama.cpp loaded."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.engines.llama_cpp.library import forget_log, last_words


def use_adapter(library: Any, model: Any, context: Any, path: Path, *, name: str) -> None:
    """Let everything that `context` computes go through the adapter; llama.cpp frees it with the model (llama.h).

    Raises `CheckpointError` when it was made for another model than `name`.
    """
    forget_log()
    adapter = library.llama_adapter_lora_init(model, str(path).encode())
    pointer = ctypes.cast(adapter, ctypes.c_void_p).value if adapter else None
    if not pointer:
        raise CheckpointError(
            f"llama.cpp cannot use the adapter {path.name} with {name}.",
            last_words() or "Name the model it was made for.",
        )
    adapters, scales = (ctypes.c_void_p * 1)(pointer), (ctypes.c_float * 1)(1.0)
    kind = ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))
    code = library.llama_set_adapters_lora(context, ctypes.cast(adapters, kind), 1, scales)
    if code != 0:
        raise CheckpointError(f"llama.cpp cannot use the adapter {path.name} ({code}).", last_words())
