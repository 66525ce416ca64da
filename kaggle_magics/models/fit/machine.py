"""What this machine has: memory as the process may use it, cores, GPUs; and which dtype suits a device."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.environment import cache_dir
from kaggle_magics.extras import installed, require
from kaggle_magics.models.fit.hardware import Speed, cpu_flags, cpu_speed, gpu_speed

CGROUP = Path("/sys/fs/cgroup")
BFLOAT16_CAPABILITY = (8, 0)
"""NVIDIA GPUs compute in bfloat16 from here on (Ampere); torch.cuda.is_bf16_supported() counts emulation as support."""


_UNTOUCHED = 0.95
"""Share of a GPU's memory that is taken to be free where torch cannot ask; llama.cpp may still run on it."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. `usable` is False when the installed torch has no kernels for it."""

    index: int
    name: str
    memory: int
    free: int
    """Bytes."""
    capability: tuple[int, int]
    usable: bool = True
    speed: Speed | None = None
    """From a table or its clocks; None where neither is known."""

    @property
    def device(self) -> str:
        return f"cuda:{self.index}"


@dataclass(frozen=True, slots=True)
class Machine:
    """Memory in bytes, as this process may use it (a container's limit counts)."""

    memory: int
    available: int
    cores: int
    """Physical cores, at most as many as the process may run on: the best number of threads for llama.cpp."""
    gpus: tuple[Gpu, ...] = ()
    disk: int | None = None
    """Bytes free where converted models go; None: not known."""
    speed: Speed | None = None
    """Of the CPU, measured; None: not known."""
    bfloat16: bool = False
    """Whether the CPU computes in bfloat16 (AVX512-BF16, AMX)."""
    unused: str = ""
    """An accelerator that is there and that no engine here runs on, such as "TPU v5e-8"."""

    def gpu(self, device: str) -> Gpu | None:
        """The GPU that "cuda" (the first) or "cuda:N" names."""
        index = int(device.partition(":")[2] or 0)
        return next((gpu for gpu in self.gpus if gpu.index == index), None)


def this_machine() -> Machine:
    """What there is now. torch is asked for GPUs only where an NVIDIA driver is present."""
    memory, available = _memory()
    cores = _cores()
    return Machine(
        memory,
        available,
        cores,
        _gpus() if nvidia_driver_present() else (),
        disk=_free_disk(),
        speed=cpu_speed(cores),
        bfloat16=_has_bfloat16(),
        unused=_tpu(),
    )


def default_dtype(gpu: Gpu | None, *, cpu_has_bfloat16: bool = False) -> str:
    """float32 on a CPU (bfloat16 is 6 to 7 times slower at prompts) unless it has instructions for bfloat16; float16
    on GPUs below capability 8.0, else bfloat16."""
    if gpu is None:
        return "bfloat16" if cpu_has_bfloat16 else "float32"
    return "bfloat16" if gpu.capability >= BFLOAT16_CAPABILITY else "float16"


def has_kernels(capability: tuple[int, int], architectures: list[str]) -> bool:
    """Whether a torch built for `architectures` ("sm_75", "compute_90") runs on a GPU of this capability.

    Binary code (sm) runs on the same major version from its minor on; PTX (compute) on any later GPU (CUDA C++
    Programming Guide, "Binary compatibility" and "PTX compatibility").
    """
    for architecture in architectures:
        kind, _, number = architecture.rstrip("af").partition("_")
        if not number.isdigit():
            continue
        major, minor = divmod(int(number), 10)
        if kind == "sm" and major == capability[0] and minor <= capability[1]:
            return True
        if kind == "compute" and (major, minor) <= capability:
            return True
    return False


def nvidia_driver_present() -> bool:
    """Whether the NVIDIA driver is loaded, without importing anything."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def _gpus() -> tuple[Gpu, ...]:
    if not installed("torch"):
        return ()
    torch: Any = require("torch", "Reading the GPUs")
    if not torch.cuda.is_available():
        return ()
    architectures = torch.cuda.get_arch_list()
    gpus = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        capability = (properties.major, properties.minor)
        usable = has_kernels(capability, architectures)
        # Asking for free memory makes a CUDA context, which fails on a GPU torch has no kernels for.
        free = torch.cuda.mem_get_info(index)[0] if usable else int(_UNTOUCHED * properties.total_memory)
        speed = gpu_speed(
            properties.name,
            clock_khz=int(getattr(properties, "memory_clock_rate", 0) or 0),
            bus_bits=int(getattr(properties, "memory_bus_width", 0) or 0),
        )
        gpus.append(Gpu(index, properties.name, properties.total_memory, free, capability, usable, speed))
    return tuple(gpus)


def _has_bfloat16() -> bool:
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})


def _tpu() -> str:
    """Kaggle's TPU image sets these; nothing here runs on one."""
    kind = os.environ.get("TPU_ACCELERATOR_TYPE", "")
    return f"TPU {kind}".strip() if kind or os.environ.get("ISTPUVM") == "1" else ""


def _free_disk() -> int | None:
    try:
        return shutil.disk_usage(cache_dir()).free
    except OSError:
        return None


def _memory() -> tuple[int, int]:
    """Total and available bytes: the machine's, or the container's where that is less."""
    total, available = _system_memory()
    for limit_file, used_file in (
        (CGROUP / "memory.max", CGROUP / "memory.current"),
        (CGROUP / "memory/memory.limit_in_bytes", CGROUP / "memory/memory.usage_in_bytes"),
    ):
        limit, used = _number(limit_file), _number(used_file)
        if limit is not None and used is not None and limit < total:
            # Cached file pages count as used there, though the kernel gives them back.
            total, available = limit, min(available, limit - used + _file_cache(limit_file.parent))
    return total, available


def _system_memory() -> tuple[int, int]:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        facts = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        return facts["MemTotal"], facts["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        psutil: Any = require("psutil", "Reading this machine's memory")
        memory = psutil.virtual_memory()
        return int(memory.total), int(memory.available)


def _file_cache(folder: Path) -> int:
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    facts = dict(line.split()[:2] for line in lines if len(line.split()) >= 2)
    return int(facts.get("inactive_file", facts.get("total_inactive_file", 0)))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = _cpu_quota()
    return max(1, min(allowed, _physical_cores() or allowed, quota or allowed))


def _cpu_quota() -> int | None:
    """Whole cores that a container's CPU quota allows (cgroup v2, cpu.max: quota and period in microseconds)."""
    try:
        quota, period = (CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def _physical_cores() -> int | None:
    siblings = set()
    for core in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list"):
        try:
            siblings.add(core.read_text(encoding="ascii").strip())
        except OSError:
            return None
    return len(siblings) or None
