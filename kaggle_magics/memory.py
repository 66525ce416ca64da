"""How much memory this process holds, and giving back what is no longer used."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path


def process_bytes() -> int:
    """Resident memory of this process, plus what torch holds on GPUs; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + _cuda_bytes()


def release() -> None:
    """Collect garbage and hand freed memory back to the system and to the GPU driver."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        # glibc keeps freed arenas for itself; a notebook that unloads a model wants them back.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _cuda_bytes() -> int:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return sum(torch.cuda.memory_reserved(device) for device in range(torch.cuda.device_count()))
