"""What IPython keeps of errors: their frames, and with them every tensor that a failed call was working on."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from kaggle_magics import memory

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def let_go(shell: InteractiveShell) -> None:
    """Clear the frames of the errors this shell keeps, where they went through a library that holds models.

    The tracebacks stay and can be shown; what an answer or a loaded model left in `Out` is not touched: neither holds
    weights once its model is unloaded.
    """
    memory.forget_last_errors(*_kept(shell))


def _kept(shell: InteractiveShell) -> Iterator[BaseException | TracebackType]:
    # Both handlers keep the last error they showed; the last cell's result keeps its own.
    for handler in (getattr(shell, "InteractiveTB", None), getattr(shell, "SyntaxTB", None)):
        for attribute in ("evalue", "value", "tb"):
            kept = getattr(handler, attribute, None)
            if isinstance(kept, BaseException | TracebackType):
                yield kept
    result = getattr(shell, "last_execution_result", None)
    for attribute in ("error_before_exec", "error_in_exec"):
        kept = getattr(result, attribute, None)
        if isinstance(kept, BaseException):
            yield kept
