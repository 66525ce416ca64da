"""From what a person says of sources, pages and metadata to the filter that the records know."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from kaggle_magics.errors import CollectionError, OptionError, did_you_mean
from kaggle_magics.rag.storing.where import Where

Metadata = Mapping[str, Mapping[str, Any]]
"""What each source's file says of itself, by source."""
_PAGES = re.compile(r"\s*(\d+)\s*(?:(?:-|\u2013|\.\.)\s*(\d+)\s*)?")
_MOST_PAGES = 100_000


def make_where(
    where: Where | Mapping[str, Any] | None, sources: Sequence[str], metadata: Callable[[], Metadata] = dict
) -> Where | None:
    """A filter from `{"source": ..., "page": ..., FIELD: ...}`, each one value or a list; all fields have to fit.

    Sources may be patterns or file names; pages are numbers, ranges or texts like "3-5"; a field of the metadata is
    compared without regard to case, as a pattern, a number, or a range "2024-01..2024-06" (both ends included).
    Raises `OptionError` for a field that no document has, and `CollectionError` when no source fits.
    """
    if where is None or isinstance(where, Where):
        return where
    pages = None if where.get("page") is None else _pages(where["page"])
    chosen = None if where.get("source") is None else match_sources(_listed(where["source"]), sources)
    fields = {name: value for name, value in where.items() if name not in ("source", "page")}
    if fields:
        facts = metadata()
        known = ("source", "page", *dict.fromkeys(name for own in facts.values() for name in own))
        for name, value in fields.items():
            if name not in known:
                hint = did_you_mean(str(name), known) or f"Known: {', '.join(known)}."
                raise OptionError(f"where knows no field {name!r}.", hint)
            if value is not None:
                left = sources if chosen is None else chosen
                chosen = tuple(source for source in left if _fits(facts.get(source, {}), name, value))
    return Where(chosen, pages)


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


def _pages(value: Any) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for one in _listed(value):
        parts = one.split(",") if isinstance(one, str) else [one]
        for part in parts:
            match = _PAGES.fullmatch(str(part))
            if isinstance(part, bool) or match is None:
                raise OptionError(
                    f"page must be a number or a list of numbers, not {part!r}.", 'Such as 3, [1, 2] or "3-5".'
                )
            first, last = int(match[1]), int(match[2] or match[1])
            if last < first or last - first > _MOST_PAGES:
                raise OptionError(f"page {part!r} is no range of pages.", "Write the smaller number first: 3-5.")
            found.update(dict.fromkeys(range(first, last + 1)))
    return tuple(found)


def _fits(own: Mapping[str, Any], name: str, wanted: Any) -> bool:
    if name not in own:
        return False
    return any(_equal(own[name], one) for one in _listed(wanted))


def _equal(value: Any, wanted: Any) -> bool:
    text, pattern = str(value).casefold(), str(wanted).casefold()
    low, dots, high = pattern.partition("..")
    if dots:
        return _between(text, low.strip(), high.strip())
    number, other = _number(text), _number(pattern)
    if number is not None and other is not None:
        return number == other
    return text == pattern or fnmatchcase(text, pattern)


def _between(text: str, low: str, high: str) -> bool:
    """Ends included; as numbers where all are, else as texts, so that "2024-06" takes in all of its days."""
    number, least, most = _number(text), _number(low), _number(high)
    if number is not None and (least is not None or not low) and (most is not None or not high):
        return (least is None or number >= least) and (most is None or number <= most)
    return (not low or text >= low) and (not high or text[: len(high)] <= high)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset | range | np.ndarray) else [value]
