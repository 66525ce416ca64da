"""How a search is done: one object, so that searching, asking and evaluating take the same options."""

from __future__ import annotations

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
    """Only passages of these sources, pages or metadata, such as `{"source": "a.md", "page": [1, 2]}`."""
    fusion: Fusion = "min-max"
    """How a hybrid search joins its two rankings."""

    def __post_init__(self) -> None:
        if isinstance(self.passages, bool) or not isinstance(self.passages, int) or self.passages < 1:
            raise OptionError(f"passages must be a whole number of at least 1, not {self.passages!r}.")
        for name, value, known in (("mode", self.mode, MODES), ("fusion", self.fusion, FUSIONS)):
            if value not in known:
                raise OptionError(
                    f"There is no search {name} {value!r}.",
                    did_you_mean(str(value), known) or f"Known: {', '.join(known)}.",
                )

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
