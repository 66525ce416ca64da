"""Which passages a search keeps to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """Only passages of these sources and on these pages; None means any."""

    sources: tuple[str, ...] | None = None
    pages: tuple[int, ...] | None = None
