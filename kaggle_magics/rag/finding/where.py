"""From what a person says of sources and pages to the filter that the records know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from kaggle_magics.errors import CollectionError, OptionError, did_you_mean
from kaggle_magics.rag.storing.where import Where


def make_where(where: Where | Mapping[str, Any] | None, sources: Sequence[str]) -> Where | None:
    """A filter from `{"source": ..., "page": ...}`, each one value or a list; sources may be patterns or file names.

    Raises `OptionError` for another key, and `CollectionError` when no source fits.
    """
    if where is None or isinstance(where, Where):
        return where
    unknown = [key for key in where if key not in ("source", "page")]
    if unknown:
        raise OptionError(f"where knows no field {unknown[0]!r}.", "Known: source, page.")
    pages = where.get("page")
    try:
        numbers = None if pages is None else tuple(int(page) for page in _listed(pages))
    except (TypeError, ValueError) as error:
        raise OptionError(f"page must be a number or a list of numbers, not {pages!r}.") from error
    chosen = None if where.get("source") is None else match_sources(_listed(where["source"]), sources)
    return Where(chosen, numbers)


def match_sources(wanted: Sequence[Any], sources: Sequence[str]) -> tuple[str, ...]:
    """The sources that a list of names, file names or patterns means. Raises `CollectionError` when one means none."""
    chosen: dict[str, None] = {}
    for pattern in map(str, wanted):
        fitting = [source for source in sources if source == pattern] or [
            source for source in sources if fnmatchcase(source, pattern) or source.rsplit("/", 1)[-1] == pattern
        ]
        if not fitting:
            raise CollectionError(f"No source {pattern!r} is in the collection.", did_you_mean(pattern, sources))
        chosen.update(dict.fromkeys(fitting))
    return tuple(chosen)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset | np.ndarray) else [value]
