"""How fast memory and arithmetic are: this machine's CPU measured once, GPUs from their makers' tables."""

from __future__ import annotations

import json
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kaggle_magics.environment import cache_dir

GPUS: dict[str, tuple[float, float]] = {
    "RTX PRO 6000": (1792, 503), "RTX 5090": (1792, 210), "RTX 4090": (1008, 165), "RTX 3090": (936, 71),
    "B200": (8000, 2250), "H200": (4800, 989), "H100 PCIe": (2000, 756), "H100": (3350, 989), "GH200": (4000, 989),
    "A100-SXM4-80GB": (2039, 312), "A100": (1555, 312), "A30": (933, 165), "A10": (600, 125), "L40S": (864, 362),
    "L40": (864, 181), "L4": (300, 121), "T4": (320, 65), "V100": (900, 125), "P100": (732, 19), "P4": (192, 5.5),
    "K80": (240, 4),
}  # fmt: skip
"""Part of a name -> GB/s of memory and TFLOPS in dense float16 (bfloat16), as NVIDIA's data sheets give them. The first
that a GPU's name contains counts."""

_ARRAY = 64 * 2**20
"""Bytes read by each thread: more than any core's share of the last cache."""
_SIDE = 768
_TURNS = 4
_OURS = 1.2
"""Time that passed over time a thread computed, up to which its core counts as its own."""
_MEASURED = 4
"""Version of what is measured; a cached figure of another version is measured again."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What bounds a device. `bandwidth` in bytes/s, `flops` in multiplications and additions a second."""

    bandwidth: float
    flops: float
    measured: bool
    """False for figures from a table."""


def gpu_speed(name: str, *, clock_khz: int = 0, bus_bits: int = 0) -> Speed | None:
    """A GPU's figures from the table, else from memory clock and bus width; None where neither is known."""
    for part, (bandwidth, tflops) in GPUS.items():
        if part.casefold().replace(" ", "") in name.casefold().replace(" ", ""):
            return Speed(bandwidth * 1e9, tflops * 1e12, measured=False)
    if clock_khz > 0 and bus_bits > 0:
        # Two transfers a clock (CUDA Runtime API, cudaDeviceProp.memoryClockRate); arithmetic is a guess from it.
        bandwidth = 2 * clock_khz * 1e3 * bus_bits / 8
        return Speed(bandwidth, 100 * bandwidth, measured=False)
    return None


@lru_cache(maxsize=4)
def cpu_speed(threads: int) -> Speed:
    """This machine's CPU with so many threads: measured in about 0.2 s, then remembered in the cache folder.

    What was measured while others kept the cores busy is used, and not remembered.
    """
    file = _file(threads)
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return Speed(float(stored["bandwidth"]), float(stored["flops"]), measured=True)
    except (OSError, ValueError, KeyError, TypeError):
        speed, quiet = measure_cpu(threads)
    if quiet:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(asdict(speed)), encoding="utf-8")
        except OSError:
            pass  # Nothing can be kept here: the next kernel measures again.
    return speed


def measure_cpu(threads: int, *, array_bytes: int = _ARRAY) -> tuple[Speed, bool]:
    """Bytes/s that all threads read together and float32 operations/s of a matrix product, the best of some turns; and
    whether the cores were ours while it was measured.

    Reading is timed by each thread's own clock, which stands still while another process has its core.
    """
    import numpy as np

    parts = [np.ones(max(1, array_bytes // 4), np.float32) for _ in range(threads)]
    matrix = np.ones((_SIDE, _SIDE), np.float32)

    def read(part: Any) -> tuple[float, float]:
        wall, own = time.perf_counter(), time.thread_time()
        np.max(part)
        return time.perf_counter() - wall, time.thread_time() - own

    with ThreadPoolExecutor(threads) as pool:
        turns = [list(pool.map(read, parts)) for _ in range(_TURNS)]
    bandwidth, quiet = 0.0, False
    for turn in turns:
        own = sum(parts[0].nbytes / max(seconds, 1e-9) for _, seconds in turn)
        whole = sum(part.nbytes for part in parts) / max(wall for wall, _ in turn)
        ours = all(wall <= _OURS * seconds + 1e-4 for wall, seconds in turn)
        # Threads that did not run side by side did not share the bus: the truth lies between the two.
        rate = whole if ours else (own + whole) / 2
        if (ours, rate) > (quiet, bandwidth):
            bandwidth, quiet = rate, ours
    return Speed(bandwidth, _flops(matrix, threads), measured=True), quiet


def _flops(matrix: Any, threads: int) -> float:
    """Operations/s of a product of square matrices, by the time the cores spent on it rather than the time it took."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    threads = min(threads, int(limit)) if limit.isdigit() and int(limit) else threads
    best = 0.0
    for _ in range(_TURNS):
        wall, cores = time.perf_counter(), time.process_time()
        matrix @ matrix
        wall, cores = time.perf_counter() - wall, time.process_time() - cores
        best = max(best, 2 * len(matrix) ** 3 / max(min(wall, cores / threads), 1e-9))
    return best


def cpu_flags() -> frozenset[str]:
    """What instructions the CPU has, as Linux names them ("avx2", "avx512_bf16", "amx_bf16"); empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return frozenset(line.partition(":")[2].split())


def _file(threads: int) -> Path:
    try:
        model = next(
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
            if line.startswith("model name")
        )
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    key = "".join(letter if letter.isalnum() else "-" for letter in f"{model}-{os.cpu_count()}-{threads}")
    return cache_dir() / "speed" / f"{key}-{_MEASURED}.json"
