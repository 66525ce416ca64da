"""Where an ingest stands, and how long it may take yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Where an ingest stands: `done` of `total` sources are finished, `source` is at work."""

    done: int
    total: int
    source: str
    embedded: int = 0
    """Passages of the present group that have their vector, of `to_embed`."""
    to_embed: int = 0
    passages: int = 0
    """Passages that have their vector so far, in all groups."""
    seconds: float = 0.0
    seconds_left: float | None = None
    """Estimated from the bytes that are done and those that are not; None until there is something to go by."""
    fraction: float = 0.0
    """Of the work, by bytes; what did not change counts as done at once."""

    @property
    def rate(self) -> float | None:
        """Passages a second so far."""
        return self.passages / self.seconds if self.passages and self.seconds > 0 else None


@dataclass(slots=True)
class Meter:
    """Counts what is done. Sources weigh as many bytes as they have; one whose size is not known weighs the mean."""

    weights: Mapping[int, float]
    tell: Callable[[IngestProgress], None] | None = None
    passages: int = 0
    _finished: set[int] = field(default_factory=set)
    _worked: float = 0.0
    """Weight of the sources that had to be read."""
    _skimmed: float = 0.0
    """Weight of those that did not."""
    _begin: float = field(default_factory=time.perf_counter)

    def finish(self, number: int, *, worked: bool) -> None:
        """A source has its row; `worked` says whether it cost time worth counting."""
        if number not in self._finished:
            self._finished.add(number)
            if worked:
                self._worked += self.weights.get(number, 0.0)
            else:
                self._skimmed += self.weights.get(number, 0.0)

    def show(self, source: str, *, group: float = 0.0, embedded: int = 0, to_embed: int = 0) -> None:
        """Tell where it stands; `group` is the weight of the sources whose passages are being embedded."""
        if self.tell is None:
            return
        part = group * embedded / to_embed if to_embed else 0.0
        whole = sum(self.weights.values()) or 1.0
        worked, spent = self._worked + part, time.perf_counter() - self._begin
        ahead = max(whole - self._skimmed - worked, 0.0)
        left = spent * ahead / worked if worked > 0 and spent > 0.5 else None
        fraction = min((self._skimmed + worked) / whole, 1.0)
        self.tell(
            IngestProgress(
                len(self._finished),
                len(self.weights),
                source,
                embedded,
                to_embed,
                self.passages + embedded,
                spent,
                left,
                fraction,
            )
        )
