"""How a search is done: one object, so that searching, asking and evaluating take the same options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from kaggle_magics.errors import OptionError, did_you_mean

Mode = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
Fusion = Literal["min-max", "rrf"]
FUSIONS: tuple[Fusion, ...] = ("min-max", "rrf")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What `search`, `ask` and `rag_eval` can be told about finding passages; checked when it is made."""

    passages: int = 5
    """How many passages are found, at least 1."""
    mode: Mode = "hybrid"
    where: Mapping[str, Any] | None = None
    """Only passages of these sources, pages or metadata: `{"source": "a.md", "page": [1, 2], "author": "Ada*"}`."""
    fusion: Fusion = "min-max"
    """How a hybrid search joins its two rankings."""
    weight: float | None = None
    """Weight of the dense scores in min-max fusion, 0 to 1; None is what the collection learnt from itself."""
    diversity: float = 0.0
    """0 to 1: how much a passage that resembles one already chosen is put back (maximal marginal relevance)."""
    neighbours: int = 0
    """Passages before and after a hit that are joined to it; hits that then touch become one."""
    reranker: str | None = None
    """Reference of a cross-encoder that orders the best candidates anew."""

    def __post_init__(self) -> None:
        _whole("passages", self.passages, 1)
        _whole("neighbours", self.neighbours, 0)
        for name, value, known in (("mode", self.mode, MODES), ("fusion", self.fusion, FUSIONS)):
            if value not in known:
                raise OptionError(
                    f"There is no search {name} {value!r}.",
                    did_you_mean(str(value), known) or f"Known: {', '.join(known)}.",
                )
        if self.weight is not None:
            _share("weight", self.weight)
            if self.fusion == "rrf" or self.mode != "hybrid":
                other = "fusion rrf" if self.fusion == "rrf" else f"mode {self.mode}"
                raise OptionError(f"weight means nothing with {other}.", "Leave one of the two out.")
        _share("diversity", self.diversity)
        if self.where is not None and not isinstance(self.where, Mapping):
            raise OptionError(
                f"where is a mapping of fields to values, not {self.where!r}.", 'Such as {"source": "a.md", "page": 3}.'
            )
        if self.reranker is not None and (not isinstance(self.reranker, str) or not self.reranker.strip()):
            raise OptionError(f"reranker is the name or folder of a cross-encoder, not {self.reranker!r}.")

    @classmethod
    def take(cls, options: dict[str, Any]) -> SearchOptions:
        """Take the search options out of keyword arguments; what is left in `options` is somebody else's."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls) if field.name in options})

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> SearchOptions:
        """From keyword arguments. Raises `OptionError` for a name that is no search option."""
        rest = dict(options)
        found = cls.take(rest)
        if rest:
            name, known = next(iter(rest)), [field.name for field in fields(cls)]
            raise OptionError(
                f"There is no search option {name!r}.", did_you_mean(name, known) or f"Known: {', '.join(known)}."
            )
        return found


def _whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} must be a whole number of at least {least}, not {value!r}.")


def _share(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and 0 <= value <= 1):
        raise OptionError(f"{name} must be a number from 0 to 1, not {value!r}.")
