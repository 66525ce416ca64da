"""How a checkpoint would be run here, and whether it fits, estimated from headers before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kaggle_magics.errors import CheckpointError, DoesNotFit, OptionError, did_you_mean
from kaggle_magics.extras import installed, require
from kaggle_magics.models.checkpoint import DTYPE_BYTES, Checkpoint
from kaggle_magics.models.machine import Gpu, Machine, default_dtype, this_machine

ENGINES = {
    "safetensors": ("transformers", "transformers"),
    "pickle": ("transformers", "transformers"),
    "gguf": ("llama.cpp", "llama_cpp"),
}
"""Checkpoint format -> engine, and the library it needs."""

DEFAULT_CONTEXT = 8192
"""Tokens, unless more is asked for: the KV cache of a 128k context can outweigh the weights."""
SMALLEST_CONTEXT = 1024
"""A context that nobody asked for is halved down to this to make a model fit."""
UNKNOWN_CONTEXT = 4096
"""For a checkpoint that does not say how long a context it was made for."""

PREFILL_CHUNK = 512
"""Tokens of the prompt that are computed at once, in both engines."""
MARGIN = 1.1
"""Needed memory over estimated memory."""

MiB = 2**20
_FIXED = {"transformers": 300 * MiB, "llama.cpp": 64 * MiB}
"""Anonymous memory after the libraries' import and a first tiny load, measured: 283 MB and 21 MB, rounded up."""
_CUDA_CONTEXT = 512 * MiB


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to run a checkpoint. `memory` is in bytes by part: weights, kv_cache, compute, fixed."""

    checkpoint: Checkpoint
    engine: str
    device: str
    """ "cpu" or "cuda:N"."""
    dtype: str
    """The weights' in memory: a torch dtype's name, or a GGUF's quantisation."""
    context_length: int
    memory: dict[str, int]
    threads: int = 1
    """CPU threads that compute (llama.cpp; torch keeps its own default)."""
    quant: str | None = None
    """How bitsandbytes quantises the weights while they are loaded: "nf4" or "int8"; None leaves them as stored."""
    convert_to: str | None = None
    """The GGUF type, such as "q4_k_m", that a safetensors checkpoint is converted to before llama.cpp loads it."""
    adapter: Path | None = None
    """A LoRA adapter on top: a PEFT folder, or a `.gguf` file where llama.cpp runs it."""
    trust_remote_code: bool = False
    """Whether Python code that comes with the checkpoint may run."""
    gpu_layers: int | None = None
    """How many of the layers lie on the GPU (llama.cpp's `n_gpu_layers`); None: all that `device` says."""
    split: dict[str, int] | None = None
    """Over several GPUs: device -> the most bytes of weights it takes. transformers gets it as `max_memory` beside
    `device_map="auto"`, llama.cpp as the proportions of its `tensor_split`. None: all on `device`."""
    tokens_per_second: float | None = None
    """Expected while it answers one request; None where the files do not tell enough."""
    prompt_tokens_per_second: float | None = None
    """Expected while it reads a prompt."""
    disk: int = 0
    """Bytes to be written to disk first (a conversion's result and what it needs on the way)."""
    why: str = ""
    """What speaks for or against it, in a few words."""

    @property
    def bytes(self) -> int:
        return sum(self.memory.values())


def make_plan(
    checkpoint: Checkpoint,
    *,
    machine: Machine | None = None,
    dtype: str | None = None,
    context: int | None = None,
    device: str | None = None,
    allow_pickle: bool = False,
) -> Plan:
    """The best way to run `checkpoint`: on a GPU where it fits, else on the CPU.

    `context` is in tokens; when None it is the model's own up to 8192, and less where only less fits. Raises
    `CheckpointError` for pickled weights unless they are allowed, `OptionError` for a dtype, context or device that
    cannot be, and `DoesNotFit` with what would.
    """
    if checkpoint.format == "pickle" and not allow_pickle:
        raise CheckpointError(
            f"{checkpoint.name} has only pickled weights (.bin, .pt), which can run any code when they are read.",
            "Use a version with safetensors; or, if you trust where it comes from, load it with --allow-pickle.",
        )
    machine = machine or this_machine()
    plans = [
        _plan(checkpoint, machine, gpu, dtype, tokens)
        for gpu in _devices(checkpoint, machine, device)
        for tokens in _contexts(checkpoint, context)
    ]
    for plan in plans:
        if plan.bytes * MARGIN <= _room(machine, plan.device):
            return plan
    raise _does_not_fit(plans, machine)


def _plan(checkpoint: Checkpoint, machine: Machine, gpu: Gpu | None, dtype: str | None, context: int) -> Plan:
    engine, _ = ENGINES[checkpoint.format]
    chosen = _dtype(checkpoint, gpu, dtype)
    on_gpu = gpu is not None
    size = checkpoint.dimensions
    # llama.cpp keeps keys and values as float16 whatever the weights are.
    width = 2 if engine == "llama.cpp" else DTYPE_BYTES.get(chosen, 2)
    stored = checkpoint.bytes
    if engine == "transformers" and checkpoint.parameters and checkpoint.dtype in DTYPE_BYTES:
        stored = checkpoint.parameters * DTYPE_BYTES[chosen]
    logits = (PREFILL_CHUNK if engine == "llama.cpp" else 1) * size.vocabulary * 4
    memory = {
        "weights": stored,
        "kv_cache": 2 * size.layers * context * size.kv_heads * size.head_dim * width,
        "compute": logits + PREFILL_CHUNK * size.hidden * 8 * width,
        "fixed": _CUDA_CONTEXT if on_gpu else _FIXED[engine],
    }
    device = gpu.device if gpu is not None else "cpu"
    return Plan(checkpoint, engine, device, chosen, context, memory, machine.cores)


def _dtype(checkpoint: Checkpoint, gpu: Gpu | None, dtype: str | None) -> str:
    if dtype in (None, "auto"):
        return checkpoint.dtype if checkpoint.format == "gguf" else default_dtype(gpu)
    assert dtype is not None
    if checkpoint.format == "gguf":
        if dtype != checkpoint.dtype:
            raise OptionError(
                f"{checkpoint.name} is a GGUF file of type {checkpoint.dtype}; it cannot be loaded as {dtype}."
            )
    elif dtype not in DTYPE_BYTES:
        names = ", ".join(DTYPE_BYTES)
        raise OptionError(f"dtype must be one of {names}, not {dtype!r}.", did_you_mean(dtype, DTYPE_BYTES))
    return dtype


def _contexts(checkpoint: Checkpoint, context: int | None) -> list[int]:
    longest = checkpoint.context_length or UNKNOWN_CONTEXT
    if context is not None:
        if not 1 <= context <= longest:
            raise OptionError(f"context must be between 1 and {longest} for {checkpoint.name}, not {context}.")
        return [context]
    tokens = [min(longest, DEFAULT_CONTEXT)]
    while tokens[-1] // 2 >= SMALLEST_CONTEXT:
        tokens.append(tokens[-1] // 2)
    return tokens


def _devices(checkpoint: Checkpoint, machine: Machine, device: str | None) -> Iterator[Gpu | None]:
    """The GPUs to try, the one with most room first, then None for the CPU."""
    if device in (None, "auto"):
        if checkpoint.format != "gguf" or (machine.gpus and _llama_uses_gpus()):
            usable = [gpu for gpu in machine.gpus if gpu.usable or checkpoint.format == "gguf"]
            yield from sorted(usable, key=lambda gpu: -gpu.free)
        yield None
        return
    assert device is not None
    kind, _, number = device.partition(":")
    if device == "cpu":
        yield None
    elif kind != "cuda" or (number and not number.isdigit()):
        raise OptionError(f"device must be cpu, cuda or cuda:N, not {device!r}.")
    elif (gpu := machine.gpu(device)) is None:
        raise OptionError(
            f"There is no GPU {device} here ({len(machine.gpus)} found).",
            "Use device cpu, or switch an accelerator on.",
        )
    elif checkpoint.format == "gguf" and not _llama_uses_gpus():
        raise OptionError(
            "The installed llama-cpp-python was built for the CPU only.",
            "Use device cpu, or install a CUDA build of it.",
        )
    elif checkpoint.format != "gguf" and not gpu.usable:
        major, minor = gpu.capability
        raise OptionError(
            f"The installed torch has no kernels for {gpu.name} (sm_{major}{minor}).",
            "Use device cpu, or choose another accelerator.",
        )
    else:
        yield gpu


def _llama_uses_gpus() -> bool:
    return installed("llama_cpp") and bool(require("llama_cpp", "Running a GGUF file").llama_supports_gpu_offload())


def _room(machine: Machine, device: str) -> int:
    gpu = machine.gpu(device) if device != "cpu" else None
    return gpu.free if gpu is not None else machine.available


def _does_not_fit(plans: list[Plan], machine: Machine) -> DoesNotFit:
    nearest = min(plans, key=lambda plan: plan.bytes / max(_room(machine, plan.device), 1))
    room = _room(machine, nearest.device)
    without_cache = replace(nearest, memory={**nearest.memory, "kv_cache": 0})
    if without_cache.bytes * MARGIN < room and nearest.memory["kv_cache"]:
        a_token = nearest.memory["kv_cache"] / nearest.context_length
        fits = int((room / MARGIN - without_cache.bytes) / a_token)
        hint = f"A context of {fits} tokens would fit."
    else:
        rest = nearest.bytes - nearest.memory["weights"]
        weights = max(0.0, room / MARGIN - rest)
        bits = 8 * weights / nearest.checkpoint.parameters if nearest.checkpoint.parameters else 0.0
        hint = (
            f"A GGUF file of it with at most {bits:.1f} bits a weight ({weights / 1e9:.1f} GB) would fit."
            if bits >= 2.5
            else "Load a smaller model, or free memory first."
        )
    return DoesNotFit(
        f"{nearest.checkpoint.name} needs about {nearest.bytes * MARGIN / 1e9:.1f} GB on {nearest.device}; "
        f"{room / 1e9:.1f} GB are free.",
        hint,
    )
