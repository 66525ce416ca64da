"""Cells that are one line: IPython refuses a cell magic without a body before it is called, also where none is needed.

`%%prompt --resume` and `%%prompt --use NAME` need none. So such a cell is given a body of one empty line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_MARK = "_of_kaggle_magics"


def register(shell: InteractiveShell, names: Callable[[], set[str]]) -> None:
    """Let cells of these magics be one line; `names` gives their names as they are now."""

    def with_body(lines: list[str]) -> list[str]:
        if len(lines) != 1 or not lines[0].startswith("%%"):
            return lines
        word = lines[0][2:].split(maxsplit=1)[0] if lines[0][2:].strip() else ""
        return [lines[0].rstrip("\n") + "\n", "\n"] if word in names() else lines

    setattr(with_body, _MARK, True)
    shell.input_transformers_cleanup.append(with_body)


def unregister(shell: InteractiveShell) -> None:
    """Take back what `register` did."""
    ours = [each for each in shell.input_transformers_cleanup if getattr(each, _MARK, False)]
    for each in ours:
        shell.input_transformers_cleanup.remove(each)
