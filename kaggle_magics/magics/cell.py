"""Which cell is running, told by what the front end sends with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kaggle_magics.environment import is_batch
from kaggle_magics.generation.conversation import TurnKey

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def turn_key(shell: InteractiveShell, text: str) -> TurnKey | None:
    """What tells that a cell is run again.

    JupyterLab and Notebook 7 send a cell's id from the notebook's file, VS Code an address of the cell, both as
    `cellId` in the metadata of the execute request. Where there is none (nbclient, consoles, older front ends) the
    cell's text stands for it. In a saved run each cell runs once, and in a terminal there are no cells: None.
    """
    parent = _parent(shell)
    if parent is None:
        return None
    header, metadata = parent.get("header") or {}, parent.get("metadata") or {}
    run = str(header.get("msg_id") or "")
    cell = metadata.get("cellId")
    if cell:
        return TurnKey(str(cell), run)
    if is_batch():
        return None
    digest = hashlib.blake2b(text.strip().encode("utf-8", "replace"), digest_size=8).hexdigest()
    return TurnKey(f"text:{digest}", run)


def notebook(shell: InteractiveShell) -> str:
    """The notebook's file as far as the front end tells it (Jupyter Server in `JPY_SESSION_NAME`, VS Code in a
    variable), else the folder."""
    named = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    # Jupyter's is relative to where the server was started, the kernel's folder is the notebook's own.
    return os.path.join(os.getcwd(), os.path.basename(named)) if isinstance(named, str) else os.getcwd()


def _parent(shell: InteractiveShell) -> Mapping[str, Any] | None:
    """The message that the kernel is answering; None outside of one."""
    if getattr(shell, "kernel", None) is None:
        return None
    # `get_parent` is newer; it also knows the message of a thread or a subshell.
    get_parent = getattr(shell, "get_parent", None)
    parent = get_parent() if get_parent else getattr(shell, "parent_header", None)
    return parent if isinstance(parent, Mapping) else None
