"""How much memory this process holds, giving back what is no longer used, and telling when there was not enough."""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

_HOLDERS = {"kaggle_magics", "torch", "transformers", "peft", "accelerate", "bitsandbytes", "llama_cpp"}
"""Packages whose frames may hold tensors, or models that hold them."""

_M_MMAP_THRESHOLD = -3
"""Of mallopt(3)."""

_SAYS_FULL = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "std::bad_alloc",
    "failed to allocate",
    "unable to allocate",
)
"""How libraries word it that do not raise MemoryError: torch's CPU allocator and CUDA, mmap, C++, ggml, numpy."""


def process_bytes() -> int:
    """Resident memory of this process, plus what torch holds on GPUs; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + _cuda_bytes()


def private_bytes() -> dict[str, int]:
    """Bytes by device that others could have if this process gave them back; {} where the system does not tell.

    "cpu" is resident anonymous memory: pages of files that are mapped are left out, the kernel takes those back by
    itself. "cuda:N" is all that is taken on that card, by whichever library, once torch uses CUDA.
    """
    held: dict[str, int] = {}
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        held["cpu"] = int(fields["RssAnon"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        pass
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            held[f"cuda:{index}"] = total - free
    return held


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


@contextmanager
def apart() -> Iterator[None]:
    """What is allocated inside, in pieces of a megabyte and more, goes back to the system as soon as it is freed.

    glibc otherwise puts blocks of up to 32 MB into its arenas; weights that library threads read are then kept at the
    end of a thread's arena, which malloc_trim does not touch (glibc, malloc.c, mtrim). Elsewhere this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(_M_MMAP_THRESHOLD, 2**20)
    try:
        yield
    finally:
        # Where glibc's own rule ends up once a large block was freed: temporary blocks are reused, not mapped anew.
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what led to it, says that memory ran out; each library says so in its own way."""
    for one in chain(error):
        if isinstance(one, MemoryError) or type(one).__name__ == "OutOfMemoryError":
            return True
        if isinstance(one, OSError) and one.errno == errno.ENOMEM:
            return True
        # torch's CPU allocator raises a RuntimeError, safetensors an error of its own.
        if isinstance(one, RuntimeError | OSError) or type(one).__name__ == "SafetensorError":
            words = str(one).lower()
            if any(says in words for says in _SAYS_FULL):
                return True
    return False


def let_go(*errors: BaseException | None) -> None:
    """Clear the variables of the frames that errors and their causes went through; the tracebacks still print.

    What failed is alive as long as a frame of it is, and a notebook keeps the last error's frames.
    """
    for error in errors:
        for one in chain(error):
            _clear(one.__traceback__)


def forget_last_errors(*kept: BaseException | TracebackType | None) -> None:
    """`let_go` of the errors that Python keeps as the last ones, and of others (or tracebacks) that are kept somewhere.

    Only those that went through a library that holds models: others are left for a debugger.
    """
    for held in (*kept, *(getattr(sys, name, None) for name in ("last_exc", "last_value", "last_traceback"))):
        if isinstance(held, TracebackType) and _goes_through_holders(held):
            _clear(held)
        elif isinstance(held, BaseException) and any(_goes_through_holders(one.__traceback__) for one in chain(held)):
            let_go(held)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its causes and contexts, and the members of groups; each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _goes_through_holders(trace: TracebackType | None) -> bool:
    return any(_package(step) in _HOLDERS for step in _traces(trace))


def _clear(trace: TracebackType | None) -> None:
    for step in _traces(trace):
        try:
            step.tb_frame.clear()
        except RuntimeError:
            continue  # it still runs
        # Whoever showed the traceback looked at f_locals, which before Python 3.13 is a copy that the frame keeps;
        # looking again brings it up to date.
        _ = step.tb_frame.f_locals


def _traces(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _package(trace: TracebackType) -> str:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]


def _cuda_bytes() -> int:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return sum(torch.cuda.memory_reserved(device) for device in range(torch.cuda.device_count()))
