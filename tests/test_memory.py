"""Telling that memory ran out, and letting go of what errors hold."""

from __future__ import annotations

import errno
import sys
import traceback
import types
import weakref

import pytest

from kaggle_magics import memory
from kaggle_magics.errors import CheckpointError, DoesNotFit


class Big:
    """Something that can be watched."""


class OutOfMemoryError(RuntimeError):
    """As torch.cuda.OutOfMemoryError is called."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        DoesNotFit("no"),
        OutOfMemoryError("CUDA error"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError("Cannot allocate memory (os error 12)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_every_library_says_it_in_its_own_way(error: Exception) -> None:
    assert memory.is_out_of_memory(error)
    wrapped = CheckpointError("cannot be loaded")
    wrapped.__cause__ = error
    assert memory.is_out_of_memory(wrapped)


@pytest.mark.parametrize(
    "error",
    [ValueError("out of memory"), RuntimeError("size mismatch"), OSError(errno.ENOENT, "no"), KeyboardInterrupt()],
)
def test_other_trouble_is_no_lack_of_memory(error: BaseException) -> None:
    assert not memory.is_out_of_memory(error)


def failing(module: str = "kaggle_magics.fake") -> tuple[BaseException, weakref.ref[Big]]:
    """An error whose causes' frames hold a `Big`; the frames are of `module`."""
    space: dict[str, object] = {"__name__": module, "Big": Big, "refs": []}
    code = (
        "import weakref\n"
        "def inner():\n"
        "    big = Big()\n"
        "    refs.append(weakref.ref(big))\n"
        "    raise ValueError('inner')\n"
        "def outer():\n"
        "    try:\n"
        "        inner()\n"
        "    except ValueError as error:\n"
        "        raise RuntimeError('outer') from error\n"
    )
    exec(code, space)
    outer = space["outer"]
    assert isinstance(outer, types.FunctionType)
    try:
        outer()
    except RuntimeError as error:
        return error, space["refs"][0]  # type: ignore[index]
    raise AssertionError("it did not fail")


def test_an_error_lets_go_of_its_frames_and_still_prints() -> None:
    error, big = failing()
    assert big() is not None
    memory.let_go(error, None)
    assert big() is None
    printed = "".join(traceback.format_exception(error))
    assert "in inner" in printed and "in outer" in printed


def test_a_group_and_a_circle_of_errors_are_let_go() -> None:
    error, big = failing()
    group = ExceptionGroup("both", [ValueError("other"), error])  # type: ignore[list-item]
    error.__context__ = group
    memory.let_go(group)
    assert big() is None


def test_the_last_error_is_forgotten_where_it_may_hold_models(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, big = failing()
    monkeypatch.setattr(sys, "last_value", ours, raising=False)
    memory.forget_last_errors()
    assert big() is None
    theirs, mine = failing("somebody.else")
    monkeypatch.setattr(sys, "last_value", theirs, raising=False)
    memory.forget_last_errors(theirs)
    assert mine() is not None, "a debugger still wants what has nothing to do with models"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_private_memory_grows_with_what_is_allocated_and_shrinks_when_it_is_freed() -> None:
    with memory.apart():
        before = memory.private_bytes()["cpu"]
        block = bytearray(b"x" * (64 << 20))
        grown = memory.private_bytes()["cpu"] - before
        del block
        memory.release()
        left = memory.private_bytes()["cpu"] - before
    assert 60 << 20 < grown < 140 << 20 and left < 8 << 20
