"""The value of an answer that was held to a schema, to choices or to a regular expression."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kaggle_magics.display.bundle import View, facts
from kaggle_magics.display.formats import as_json, as_text

if TYPE_CHECKING:
    from kaggle_magics.generation.answer import Answer


def value_view(answer: Answer) -> View | None:
    """Named fields where the value is an object of plain ones, else JSON or text as it is.

    None for an answer without a structure, for one that did not come to its end, and where another format is asked for.
    """
    if answer.card.structure is None or answer.stop_reason != "end" or answer.format != "markdown":
        return None
    structure = json.loads(answer.card.structure)
    if "schema" not in structure:
        return as_text(answer.text)
    try:
        data = json.loads(answer.text)
    except ValueError:  # in a code fence of a server's
        return as_json(answer.text)
    if isinstance(data, dict) and data and not any(isinstance(value, dict | list) for value in data.values()):
        name = "" if isinstance(answer.value, Mapping) else type(answer.value).__name__
        caption = name or str(structure["schema"].get("title", "Answer"))
        return facts(caption, [(key, _shown(value)) for key, value in data.items()])
    return as_json(answer.text)


def _shown(value: Any) -> str:
    """A plain value as JSON writes it; texts without quotation marks."""
    return value if isinstance(value, str) else json.dumps(value)
