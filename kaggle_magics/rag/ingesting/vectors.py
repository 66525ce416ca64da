"""Vectors for a group of documents: those that are stored already, those in the cache, and the rest computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.ingesting.preparing import Prepared
from kaggle_magics.rag.storing.identity import embedded_text
from kaggle_magics.rag.storing.records import Records

SLICE = 2048
"""Texts that are embedded in one call: enough that batches of equal length can be made of them."""


@dataclass(slots=True)
class Vectorised:
    """The vectors of a group's passages by their digest, and which had to be computed."""

    blobs: dict[bytes, bytes] = field(default_factory=dict)
    computed: set[bytes] = field(default_factory=set)

    def embedded(self, one: Prepared) -> int:
        """How many of its passages were computed for it."""
        count = len(mine := self.computed & set(one.digests))
        self.computed -= mine  # an equal text of a later document was computed only once
        return count


@dataclass(frozen=True, slots=True)
class Vectorising:
    """What makes vectors. Texts that are stored anywhere in the collection are not embedded again."""

    records: Records
    embedder: Embedder
    cache: EmbeddingCache

    def __call__(self, group: Sequence[Prepared], on_batch: Callable[[int, int], None]) -> Vectorised:
        """`on_batch(done, to_do)` counts the texts of this group that need a vector."""
        wanted = {digest for one in group for digest in one.digests}
        result = Vectorised(self.records.vectors_of(wanted))
        missing: list[tuple[bytes, Prepared, int]] = []
        seen = set(result.blobs)
        for one in group:
            for place, digest in enumerate(one.digests):
                if digest not in seen:
                    seen.add(digest)
                    missing.append((digest, one, place))
        for start in range(0, len(missing), SLICE):
            some = missing[start : start + SLICE]
            texts = [_text(one, place) for _, one, place in some]
            known = self.cache.holds(self.embedder, texts)
            offset = start

            def told(done: int, offset: int = offset) -> None:
                on_batch(offset + done, len(missing))

            vectors, _ = self.cache.embed(self.embedder, texts, told)
            rows = vectors.astype("<f2")
            del vectors, texts
            for (digest, _, _), row, held in zip(some, rows, known, strict=True):
                result.blobs[digest] = row.tobytes()
                if not held:
                    result.computed.add(digest)
        return result


def _text(one: Prepared, place: int) -> str:
    piece = one.pieces[place]
    return embedded_text(one.document.text[piece.start : piece.end], piece.context)
