"""How a checkpoint would be run here, and whether it fits, estimated from headers before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kaggle_magics.errors import CheckpointError, DoesNotFit, OptionError, did_you_mean
from kaggle_magics.extras import installed
from kaggle_magics.models.checkpoint import DTYPE_BYTES, Checkpoint
from kaggle_magics.models.fit import placing
from kaggle_magics.models.fit.devices import gpus_to_try, named_gpu, without_kernels
from kaggle_magics.models.fit.machine import BFLOAT16_CAPABILITY, Gpu, Machine, default_dtype, this_machine
from kaggle_magics.models.fit.memory import PREFILL_CHUNK as PREFILL_CHUNK
from kaggle_magics.models.fit.memory import Form, converted, flash_attention, weights
from kaggle_magics.models.fit.placing import MARGIN as MARGIN
from kaggle_magics.models.fit.placing import Placement
from kaggle_magics.models.fit.quants import BITSANDBYTES, GGUF_TYPES, checked

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
SPARE_DISK = 2**30
"""Bytes that a conversion leaves free."""


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
    flash_attention: bool = True
    """Whether llama.cpp uses it; see `fit.memory.flash_attention`."""
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
    by_device: dict[str, int] | None = None
    """Bytes on each device, where it is not all on `device`."""

    @property
    def bytes(self) -> int:
        return sum(self.memory.values())

    @property
    def bytes_on(self) -> dict[str, int]:
        """Bytes on each device."""
        return self.by_device or {self.device: self.bytes}


def make_plan(
    checkpoint: Checkpoint,
    *,
    machine: Machine | None = None,
    dtype: str | None = None,
    context: int | None = None,
    device: str | None = None,
    quant: str | None = None,
    allow_pickle: bool = False,
    adapter: Path | None = None,
    siblings: Sequence[Checkpoint] = (),
    held: Mapping[str, Mapping[str, int]] | None = None,
) -> Plan:
    """The best way to run `checkpoint`: on one GPU where it fits, else over several, else on the CPU.

    `context` is in tokens; when None it is the model's own up to 8192, and less where only less fits. `quant` None or
    "none" leaves the weights as stored; "nf4", "int8" or a GGUF type asks for that; "auto" takes the best that fits
    (see `fit.choices`) and takes `adapter`, which may be one of `siblings`: files of the same model.
    `held` (loaded model -> device -> bytes) is what the error can offer to free.

    Raises `CheckpointError` for pickled weights unless they are allowed, `OptionError` for a dtype, context, device or
    quantisation that cannot be, and `DoesNotFit` with what would; its `plan` is the one that came nearest.
    """
    machine = machine or this_machine()
    if checkpoint.format == "pickle" and not allow_pickle:
        raise CheckpointError(
            f"{checkpoint.name} has only pickled weights (.bin, .pt), which can run any code when they are read.",
            "Use a version with safetensors; or, if you trust where it comes from, load it with --allow-pickle.",
        )
    quant = checked(quant)
    if quant == "auto":
        from kaggle_magics.models.fit.choices import best

        return best(checkpoint, machine=machine, dtype=dtype, context=context, device=device,
                    allow_pickle=allow_pickle, adapter=adapter, siblings=siblings)  # fmt: skip
    tried = candidates(checkpoint, machine, dtype=dtype, context=context, device=device, quant=quant)
    for plan in tried:
        if fits(plan, machine):
            return plan
    raise _does_not_fit(tried, machine, held or {}, siblings)


def candidates(
    checkpoint: Checkpoint,
    machine: Machine,
    *,
    dtype: str | None = None,
    context: int | None = None,
    device: str | None = None,
    quant: str | None = None,
) -> list[Plan]:
    """The ways to run a checkpoint in one form, best first; at least one, whether it fits or not."""
    on_the_fly, convert_to = _asked(checkpoint, quant, dtype)
    engine = "llama.cpp" if convert_to else ENGINES[checkpoint.format][0]
    contexts = _contexts(checkpoint, context)

    def form(gpus: Sequence[Gpu], tokens: int) -> Form:
        weakest = min(gpus, key=lambda gpu: gpu.capability) if gpus else None
        chosen = convert_to.upper() if convert_to else _dtype(checkpoint, weakest, dtype, machine)
        where = gpus[0].device if gpus else "cpu"
        flash = flash_attention(checkpoint, engine, where, tokens)
        return Form(engine, where, chosen, tokens, on_the_fly, convert_to, flash)

    def placements() -> Iterator[Placement]:
        if device not in (None, "auto"):
            asked = named_gpu(str(device), engine, machine, on_the_fly)
            gpus: tuple[Gpu, ...] = (asked,) if asked else ()
        else:
            gpus = gpus_to_try(engine, machine, on_the_fly)
        for tokens in contexts:
            for gpu in gpus:
                yield placing.on_gpu(checkpoint, form((gpu,), tokens), machine)
            if engine == "llama.cpp" or installed("accelerate"):
                for count in range(2, len(gpus) + 1):
                    yield placing.over_gpus(checkpoint, form(gpus[:count], tokens), machine, gpus[:count])
        if gpus and engine == "llama.cpp":
            for tokens in contexts:
                if shared := placing.partly_on_gpu(checkpoint, form(gpus[:1], tokens), machine):
                    yield shared
        if not gpus or device in (None, "auto"):
            for tokens in contexts:
                yield placing.on_cpu(checkpoint, form((), tokens), machine)

    return [_plan(checkpoint, machine, placement) for placement in placements()]


def fits(plan: Plan, machine: Machine) -> bool:
    """Whether a plan has room on every device, and on the disk what it writes there."""
    return lacking(plan, machine) is None


def lacking(plan: Plan, machine: Machine) -> str | None:
    """What there is not enough of, in words; None when it fits."""
    for device, taken in plan.bytes_on.items():
        free = placing.room(machine, device)
        if taken * MARGIN > free:
            return f"needs about {taken * MARGIN / 1e9:.1f} GB on {device}; {free / 1e9:.1f} GB are free"
    if plan.disk and machine.disk is not None and plan.disk + SPARE_DISK > machine.disk:
        return f"writes {plan.disk / 1e9:.1f} GB to disk; {machine.disk / 1e9:.1f} GB are free"
    return None


def _plan(checkpoint: Checkpoint, machine: Machine, placement: Placement) -> Plan:
    form = placement.form
    disk = 0
    if form.convert_to:
        # The result, and llama.cpp's converter writes float16 first.
        disk = converted(checkpoint, form.convert_to) + 2 * (checkpoint.parameters or checkpoint.bytes // 2)
    return Plan(
        checkpoint=checkpoint,
        engine=form.engine,
        device=form.device,
        dtype=form.dtype,
        context_length=form.context,
        memory=placement.memory,
        threads=machine.cores,
        quant=form.quant,
        convert_to=form.convert_to,
        flash_attention=form.flash_attention,
        gpu_layers=placement.gpu_layers,
        split=placement.split,
        tokens_per_second=placement.tokens_per_second,
        prompt_tokens_per_second=placement.prompt_tokens_per_second,
        disk=disk,
        why=_why(checkpoint, form, placement, machine),
        by_device=placement.by_device if len(placement.by_device) > 1 else None,
    )


def _why(checkpoint: Checkpoint, form: Form, placement: Placement, machine: Machine) -> str:
    """What a person should know about this way, most important first."""
    said = []
    if placement.split:
        said.append(f"layers over {len(placement.split)} GPUs, one after the other")
    if placement.gpu_layers is not None:
        said.append(f"{placement.gpu_layers} of {checkpoint.dimensions.layers} layers on the GPU")
    if form.device == "cpu":
        said += [without_kernels(gpu).replace("The installed ", "") for gpu in machine.gpus
                 if not gpu.usable and form.engine == "transformers"]  # fmt: skip
        if machine.unused:
            said.append(f"the {machine.unused} is not used")
        if form.quant:
            said.append("slow on a CPU: GGUF is faster")
    card = machine.gpu(form.device) if form.device != "cpu" else None
    if card and form.dtype == "bfloat16" and card.capability < BFLOAT16_CAPABILITY:
        said.append(f"{card.name} only emulates bfloat16, slowly")
    if form.device == "cpu" and form.engine == "transformers" and form.dtype in ("float16", "bfloat16"):
        said += [] if machine.bfloat16 else ["slow prompts on this CPU"]
    if form.engine == "transformers" and not form.quant and form.dtype != checkpoint.dtype:
        said.append(f"stored as {checkpoint.dtype}")
    return "; ".join(said)


def _asked(checkpoint: Checkpoint, quant: str | None, dtype: str | None) -> tuple[str | None, str | None]:
    """What is quantised while loading, and what is converted to. Raises `OptionError` for what cannot be."""
    if quant is None:
        return None, None
    if quant in BITSANDBYTES:
        if checkpoint.format == "gguf":
            raise OptionError(
                f"{checkpoint.name} is a GGUF file; {quant} is for safetensors.",
                "Load a GGUF file of a smaller type, or the model's safetensors.",
            )
        return quant, None
    if checkpoint.format == "gguf":
        if checkpoint.dtype.lower() == quant:
            return None, None
        raise OptionError(
            f"{checkpoint.name} is a GGUF file of type {checkpoint.dtype}, not {quant}.",
            f"Make one with: %llm_quantize {checkpoint.name} --to {quant}",
        )
    if checkpoint.format == "pickle":
        raise OptionError(f"{checkpoint.name} has pickled weights, which are not converted.", "Use quant nf4 or int8.")
    if checkpoint.encoder_decoder:
        raise OptionError(
            f"{checkpoint.name} is an encoder with a decoder, which is run by transformers and not as GGUF.",
            "Use quant nf4 or int8.",
        )
    if dtype not in (None, "auto"):
        raise OptionError(f"quant {quant} and dtype {dtype} exclude each other.", "Leave dtype out.")
    assert quant in GGUF_TYPES
    return None, quant


def _dtype(checkpoint: Checkpoint, gpu: Gpu | None, dtype: str | None, machine: Machine) -> str:
    if dtype in (None, "auto"):
        if checkpoint.format == "gguf":
            return checkpoint.dtype
        return default_dtype(gpu, cpu_has_bfloat16=machine.bfloat16)
    assert dtype is not None
    if checkpoint.format == "gguf":
        if dtype != checkpoint.dtype:
            raise OptionError(
                f"{checkpoint.name} is a GGUF file of type {checkpoint.dtype}; it cannot be loaded as {dtype}."
            )
    elif dtype not in DTYPE_BYTES:
        names = ", ".join(DTYPE_BYTES)
        raise OptionError(f"dtype must be one of {names}, not {dtype!r}.", did_you_mean(str(dtype), DTYPE_BYTES))
    return dtype


def _contexts(checkpoint: Checkpoint, context: int | None) -> list[int]:
    longest = checkpoint.context_length or UNKNOWN_CONTEXT
    if context is not None:
        if not isinstance(context, int) or isinstance(context, bool) or not 1 <= context <= longest:
            raise OptionError(f"context must be between 1 and {longest} for {checkpoint.name}, not {context}.")
        return [context]
    tokens = [min(longest, DEFAULT_CONTEXT)]
    while tokens[-1] // 2 >= SMALLEST_CONTEXT:
        tokens.append(tokens[-1] // 2)
    return tokens


def _does_not_fit(
    plans: Sequence[Plan], machine: Machine, held: Mapping[str, Mapping[str, int]], others: Sequence[Checkpoint]
) -> DoesNotFit:
    from kaggle_magics.models.fit.remedies import as_hint, remedies

    nearest = min(plans, key=lambda plan: _overfull(plan, machine))
    said = lacking(nearest, machine)
    hint = as_hint(remedies(nearest, machine, held=held, others=others))
    if not hint:
        rest = nearest.bytes - nearest.memory["weights"]
        left = max(0.0, placing.room(machine, nearest.device) / MARGIN - rest)
        bits = 8 * left / nearest.checkpoint.parameters if nearest.checkpoint.parameters else 0.0
        hint = (
            f"A GGUF file of it with at most {bits:.1f} bits a weight ({left / 1e9:.1f} GB) would fit."
            if bits >= 2.5 and weights(nearest.checkpoint, Form(nearest.engine, "cpu", nearest.dtype, 1)) > left
            else "Load a smaller model, or free memory first."
        )
    error = DoesNotFit(f"{nearest.checkpoint.name} {said}.", hint)
    error.plan = nearest
    return error


def _overfull(plan: Plan, machine: Machine) -> float:
    """By how much the fullest device is overfull."""
    return max(taken / max(placing.room(machine, device), 1) for device, taken in plan.bytes_on.items())
