"""--thread: the place of a cell in a conversation."""

from __future__ import annotations

from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.cell import turn_key


def thread_place(call: Call) -> dict[str, Any]:
    """What the line and the cell say about the conversation."""
    if call.options.thread is None:
        if call.options.new:
            raise OptionError("--new is about a thread, and none is named.", "Name one: --thread NAME.")
        return {}
    # The text as it was written: a variable in it may have changed when the cell is run again.
    written = call.body if call.body is not None else " ".join(call.options.text)
    if call.saved is not None:
        written = repr((call.saved.text, call.given))
    return {"thread": call.options.thread, "new": call.options.new, "turn": turn_key(call.shell, written)}
