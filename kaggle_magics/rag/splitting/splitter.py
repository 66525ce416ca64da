"""From a document to its passages.

The default follows the document's structure (`structured`) and keeps within the embedder's limit (`fitted`). With
`chunk_size` or `chunk_overlap` given, the passages are those of LangChain's `RecursiveCharacterTextSplitter`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from kaggle_magics.errors import OptionError
from kaggle_magics.rag import document as documents
from kaggle_magics.rag.document import Document
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.splitting.fitting import fitted
from kaggle_magics.rag.splitting.pieces import Piece
from kaggle_magics.rag.splitting.recursive import recursive_spans
from kaggle_magics.rag.splitting.structured import structured, unit_of
from kaggle_magics.rag.splitting.tables import rows_at

STRUCTURED_SIZE = 800
RECURSIVE_SIZE = 1000
RECURSIVE_OVERLAP = 20
VERSION = 2
"""Raised when the default's passages of the same document change, so that collections are split again."""


@dataclass(frozen=True, slots=True)
class Splitter:
    """How documents are cut; `key` names the settings, so that a change of them is noticed."""

    recursive: bool
    chunk_size: int
    chunk_overlap: int
    embedder: Embedder | None = field(default=None, compare=False)
    """Whose token limit the default keeps; None where there is none to ask."""

    @property
    def key(self) -> str:
        kind = "recursive" if self.recursive else f"structured-{VERSION}"
        return f"{kind}:{self.chunk_size}:{self.chunk_overlap}:{documents.VERSION}"

    def split(self, document: Document) -> list[Piece]:
        """The document's passages in order; offsets into `document.text`."""
        if self.recursive:
            return list(self._recursive(document))
        pieces = structured(document, self.chunk_size)
        return list(pieces if self.embedder is None else fitted(document.text, pieces, self.embedder))

    def _recursive(self, document: Document) -> Iterator[Piece]:
        """Cut each page, slide, sheet or cell for itself, as LangChain's loaders give one document each."""
        for _, group in groupby(document.spans, key=lambda span: unit_of(span.place)):
            spans = list(group)
            start, end = spans[0].start, spans[-1].end
            beginnings = [span.start for span in spans]
            table, line, at = spans[0], 0, start
            for first, last in recursive_spans(document.text[start:end], self.chunk_size, self.chunk_overlap):
                inside = spans[max(0, bisect_right(beginnings, start + first) - 1)]
                place = inside.place
                if inside.kind == "table" and place.row is not None:
                    if inside is not table:
                        table, line, at = inside, 0, inside.start
                    line, at = line + document.text.count("\n", at, start + first), start + first
                    place = rows_at(place, document.text, line, start + first, min(start + last, inside.end))
                    place = replace(place, row=max(1, place.row or 1))  # a header that the reader made is no row
                yield Piece(start + first, start + last, "", place)


def make_splitter(
    chunk_size: int | None = None, chunk_overlap: int | None = None, embedder: Embedder | None = None
) -> Splitter:
    """The structure-aware splitter, or the recursive one when a size or an overlap (in characters) is given.

    Where only one is given the other is the book's: 1000 and 20 (at most a tenth of the size). The structure-aware one
    keeps within the token limit of `embedder`.
    Raises `OptionError` on a size below 1 or an overlap that is negative or larger than the size.
    """
    if chunk_size is None and chunk_overlap is None:
        return Splitter(False, STRUCTURED_SIZE, 0, embedder)
    for name, value in (("chunk_size", chunk_size), ("chunk_overlap", chunk_overlap)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise OptionError(f"{name} must be a whole number of characters, not {value!r}.")
    size = RECURSIVE_SIZE if chunk_size is None else chunk_size
    overlap = min(RECURSIVE_OVERLAP, size // 10) if chunk_overlap is None else chunk_overlap
    if size < 1:
        raise OptionError(f"chunk_size must be at least 1, not {size}.")
    if not 0 <= overlap <= size:
        raise OptionError(f"chunk_overlap must be between 0 and chunk_size ({size}), not {overlap}.")
    return Splitter(True, size, overlap)
