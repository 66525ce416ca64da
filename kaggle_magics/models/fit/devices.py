"""Which devices a model may be tried on, as asked for or as there are."""

from __future__ import annotations

from functools import lru_cache

from kaggle_magics.errors import OptionError
from kaggle_magics.extras import installed, require
from kaggle_magics.models.fit.machine import Gpu, Machine

INT8_CAPABILITY = (7, 5)
NF4_CAPABILITY = (6, 0)
"""From where on bitsandbytes has kernels for them (its documentation, "Installation")."""


def gpus_to_try(engine: str, machine: Machine, quant: str | None = None) -> tuple[Gpu, ...]:
    """The GPUs this engine can use, the one with most room first."""
    if engine == "llama.cpp":
        usable = list(machine.gpus) if machine.gpus and llama_uses_gpus() else []
    else:
        least = {"int8": INT8_CAPABILITY, "nf4": NF4_CAPABILITY}.get(quant or "", (0, 0))
        usable = [gpu for gpu in machine.gpus if gpu.usable and gpu.capability >= least]
    return tuple(sorted(usable, key=lambda gpu: -gpu.free))


def named_gpu(device: str, engine: str, machine: Machine, quant: str | None = None) -> Gpu | None:
    """The GPU that was asked for; None for "cpu". Raises `OptionError` where it is not there or cannot be used."""
    kind, _, number = str(device).partition(":")
    if device == "cpu":
        return None
    if kind != "cuda" or (number and not number.isdigit()):
        hint = f"No engine here runs on the {machine.unused}." if machine.unused and "tpu" in kind.lower() else None
        raise OptionError(f"device must be cpu, cuda or cuda:N, not {device!r}.", hint)
    gpu = machine.gpu(device)
    if gpu is None:
        raise OptionError(
            f"There is no GPU {device} here ({len(machine.gpus)} found).",
            "Use device cpu, or switch an accelerator on.",
        )
    if engine == "llama.cpp":
        if not llama_uses_gpus():
            raise OptionError(
                "The installed llama-cpp-python was built for the CPU only.",
                "Use device cpu, or install a CUDA build of it.",
            )
        return gpu
    if not gpu.usable:
        raise OptionError(f"{without_kernels(gpu)}.", "Use device cpu, or choose another accelerator.")
    if gpu not in gpus_to_try(engine, machine, quant):
        major, minor = gpu.capability
        raise OptionError(
            f"bitsandbytes has no {quant} for {gpu.name} (sm_{major}{minor}).", "Use quant nf4, or device cpu."
        )
    return gpu


def without_kernels(gpu: Gpu) -> str:
    """What is wrong with a GPU that the installed torch was not built for."""
    major, minor = gpu.capability
    return f"The installed torch has no kernels for {gpu.name} (sm_{major}{minor})"


@lru_cache(maxsize=1)
def llama_uses_gpus() -> bool:
    """Whether the installed llama-cpp-python was built for GPUs."""
    return installed("llama_cpp") and bool(require("llama_cpp", "Running a GGUF file").llama_supports_gpu_offload())
