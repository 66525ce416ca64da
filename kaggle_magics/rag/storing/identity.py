"""What makes a passage the same passage, so that an edit of its document leaves it as it is."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from kaggle_magics.rag.document import Document
from kaggle_magics.rag.passages import Place
from kaggle_magics.rag.splitting.pieces import Piece


def embedded_text(text: str, context: str) -> str:
    """What is embedded for a passage: its context on a line of its own, then its text."""
    return f"{context}\n{text}" if context else text


def digest_of(text: str) -> bytes:
    """Names what is embedded: equal digests, equal vectors. 16 bytes."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def sameness_of(text: str) -> int:
    """Equal for texts that differ in nothing but whitespace; 64 bits with a sign, as SQLite keeps numbers."""
    plain = " ".join(text.split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "big", signed=True)


def document_id(uri: str, content_hash: str, splitter: str) -> str:
    """Another one whenever the document's text may be another, so that old offsets never meet a new text."""
    identity = f"{uri}\0{content_hash}\0{splitter}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(identity, digest_size=10).hexdigest()


def identify(uri: str, document: Document, pieces: Sequence[Piece]) -> Iterator[tuple[str, bytes]]:
    """Id and digest of each piece.

    The id is made of the uri, the context, the text, the page and the number of the occurrence, not of the offsets:
    a piece that only moved keeps it. The page is in it because vector indexes keep it beside the vector.
    """
    seen: Counter[bytes] = Counter()
    prefix = uri.encode("utf-8", "surrogatepass")
    for piece in pieces:
        digest = digest_of(embedded_text(document.text[piece.start : piece.end], piece.context))
        own = b"\0".join((prefix, digest, len(piece.context).to_bytes(4, "big"), _kept_beside(piece.place)))
        seen[own] += 1
        yield hashlib.blake2b(own + seen[own].to_bytes(4, "big"), digest_size=10).hexdigest(), digest


def _kept_beside(place: Place) -> bytes:
    return b"" if place.page is None else str(place.page).encode()
