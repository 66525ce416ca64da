"""Pictures inside documents: each is read once by OCR; drawings that OCR cannot open are counted and told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.recognising.ocr import text_of_image

_LEAST_BYTES = 200
"""Smaller ones are lines, dots and spacers."""
_DRAWING = re.compile(rb"\x01\x00\x00\x00.{36} EMF|\xd7\xcd\xc6\x9a|\x01\x00\x09\x00|\s*(?:<\?xml|<svg)", re.DOTALL)
"""EMF ([MS-EMF] 2.3.4.2), WMF with and without a placeable header ([MS-WMF] 2.3.2), SVG."""


@dataclass(slots=True)
class Pictures:
    """The pictures of one document."""

    reading: Reading
    drawings: int = 0
    _seen: set[bytes] = field(default_factory=set)

    def blocks(self, data: bytes, place: Place) -> Iterator[Block]:
        """The paragraphs in a picture, marked as recognised; nothing for one that was met before (a logo)."""
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if len(data) < _LEAST_BYTES or digest in self._seen:
            return
        self._seen.add(digest)
        if _DRAWING.match(data):
            self.drawings += 1
            return
        for paragraph in re.split(r"\n\s*\n", text_of_image(data, self.reading)):
            if paragraph.strip():
                yield Block(paragraph.strip(), place=place, recognised=True)

    def finish(self) -> None:
        """Add what was left out to the report."""
        if self.drawings:
            several = "s" if self.drawings > 1 else ""
            self.reading.warnings.append(f"{self.drawings} drawing{several} in it (EMF, WMF, SVG) not read")
