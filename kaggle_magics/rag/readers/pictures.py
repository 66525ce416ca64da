"""Pictures inside documents: read once each by OCR where it is there, else counted and told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.reading import Reading

_LEAST_BYTES = 200
"""Smaller ones are lines, dots and spacers."""


@dataclass(slots=True)
class Pictures:
    """The pictures of one document."""

    reading: Reading
    unread: int = 0
    _seen: set[bytes] = field(default_factory=set)

    def blocks(self, data: bytes, place: Place) -> Iterator[Block]:
        """The text in a picture, as recognised paragraphs; nothing for one that was met before (a logo)."""
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if len(data) < _LEAST_BYTES or digest in self._seen:
            return
        self._seen.add(digest)
        self.unread += 1
        yield from ()

    def finish(self) -> None:
        """Add what was left out to the report."""
        if self.unread:
            several = "s" if self.unread > 1 else ""
            self.reading.warnings.append(f"{self.unread} picture{several} in it not read")
