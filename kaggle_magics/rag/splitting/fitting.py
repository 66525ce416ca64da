"""Passages within the embedder's limit: what is longer in its tokens is cut again, context counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from math import ceil

from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.splitting.cutting import divided
from kaggle_magics.rag.splitting.pieces import Piece
from kaggle_magics.rag.splitting.tables import rows_at

_BATCH = 512
"""Pieces that are counted together."""


def fitted(text: str, pieces: Iterable[Piece], embedder: Embedder) -> Iterator[Piece]:
    """The pieces of `text` in order, those cut again that have more than `embedder.max_tokens` tokens with context."""
    source = iter(pieces)
    most: int | None = None
    while batch := list(islice(source, _BATCH)):
        most = embedder.max_tokens if most is None else most
        done: list[Piece] = []
        while batch:
            counts = embedder.count_tokens([_embedded(text, piece) for piece in batch])
            longer: list[Piece] = []
            for piece, count in zip(batch, counts, strict=True):
                if count <= most or (piece.end - piece.start <= 1 and not piece.context):
                    done.append(piece)
                else:
                    longer += _shorter(text, piece, count, most)
            batch = longer
        yield from sorted(done, key=lambda piece: piece.start)


def _embedded(text: str, piece: Piece) -> str:
    words = text[piece.start : piece.end]
    return f"{piece.context}\n{words}" if piece.context else words


def _inner_half(context: str) -> str:
    """The second half of a context, from a joint on: the innermost heading or the header stands at its end."""
    half = context[len(context) - len(context) // 2 :]
    for joint in (" > ", ": ", " | ", " "):
        _, found, rest = half.partition(joint)
        if found and rest.strip():
            return rest.strip()
    return half.strip()


def _shorter(text: str, piece: Piece, count: int, most: int) -> Iterator[Piece]:
    """The context cut to a half where it takes more than a third of the limit, else the text in parts."""
    length, context = piece.end - piece.start, len(piece.context)
    if 3 * context * count > most * (context + length):
        yield replace(piece, context=_inner_half(piece.context))
        return
    room = max(1, most - ceil(count * context / (context + length)))
    own = max(count * length / (context + length), room + 1)
    size = min(length - 1, ceil(length / ceil(own / room)))
    for start, end in divided(text, piece.start, piece.end, max(1, size), piece.kind):
        place = piece.place
        if piece.kind == "table":
            place = rows_at(place, text, text.count("\n", piece.start, start), start, end)
        yield replace(piece, start=start, end=end, place=place)
