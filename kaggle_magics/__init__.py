"""LLM magics for Jupyter notebooks, made for Kaggle: `%load_ext kaggle_magics`, and one magic per job.

The same in Python: `session = kaggle_magics.get_session()`. Importing this package, or loading the extension, imports
no heavy library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from IPython.core.interactiveshell import InteractiveShell

    from kaggle_magics.generation.card import RunCard
    from kaggle_magics.session import Session

__version__ = "0.1.0"

__all__ = ["__version__", "cards", "get_session", "load_ipython_extension", "unload_ipython_extension"]


def get_session() -> Session:
    """The session of this process: its loaded models, collections and last answer."""
    from kaggle_magics.session import get_session as session_of_this_process

    return session_of_this_process()


def cards(notebook: str | PathLike[str]) -> list[RunCard]:
    """The run cards in the outputs of an `.ipynb` file, in the order of its cells."""
    from kaggle_magics.generation.record import notebook_answers

    return [answer.card for answer in notebook_answers(notebook)]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext kaggle_magics`: register the magics, their completion and the views of their results."""
    from kaggle_magics.magics.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext kaggle_magics`: take all of that back and free models and collections."""
    from kaggle_magics.magics.extension import unload

    unload(shell)
