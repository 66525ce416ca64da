"""Sources into a collection: what changed is read, split, embedded and stored, each document in its own transaction."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any, Literal

from kaggle_magics.errors import DocumentError, OptionError
from kaggle_magics.extras import require
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.embedding.protocol import Embedder, Vectors
from kaggle_magics.rag.readers.reading import Reading, ReadOptions
from kaggle_magics.rag.sources import Source, find_sources, missing_hint
from kaggle_magics.rag.splitting.splitter import Piece, Splitter
from kaggle_magics.rag.storing.records import Records

Status = Literal["added", "unchanged", "updated", "skipped"]
_GROUP = 128
"""Passages of small documents that are embedded together."""


@dataclass(frozen=True, slots=True)
class IngestRow:
    """What became of one source. `reason` says why it was skipped, or what is missing in it."""

    source: str
    status: Status
    reason: str = ""
    pages: int | None = None
    characters: int = 0
    passages: int = 0
    seconds: float = 0.0
    """Reading, splitting and storing; a share by passages of the time that embedding took."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The rows of one ingest, in the order of the sources, and what the collection holds afterwards."""

    rows: tuple[IngestRow, ...]
    collection: str
    documents: int
    passages: int
    embedded: int
    """Passages whose vectors had to be computed: neither stored before nor in the cache."""
    embedder: str | None
    seconds: float
    warnings: tuple[str, ...] = ()

    def count(self, status: Status) -> int:
        """How many sources ended with this status."""
        return sum(row.status == status for row in self.rows)

    def to_pandas(self) -> Any:
        """The rows as a DataFrame. Raises `MissingExtra` without pandas."""
        return require("pandas", "A table of the report").DataFrame([asdict(row) for row in self.rows])


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """Where an ingest stands: `done` of `total` sources are finished, `source` is at work."""

    done: int
    total: int
    source: str
    embedded: int = 0
    """Passages of the present group that have their vector, of `to_embed`."""
    to_embed: int = 0


@dataclass(slots=True)
class _Pending:
    """A document that is read and split, and waits for its vectors."""

    number: int
    source: Source
    label: str
    content_hash: str
    status: Status
    document: Document
    pieces: list[Piece]
    warnings: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class Ingestion:
    """One run over `paths`. After an exception (an interrupt too) what is stored stays; running again goes on there."""

    records: Records
    splitter: Splitter
    embedder: Embedder | None
    cache: EmbeddingCache
    on_progress: Callable[[IngestProgress], None] | None = None
    options: ReadOptions = field(default_factory=ReadOptions)
    embedded: int = 0
    _rows: dict[int, IngestRow] = field(default_factory=dict)
    _total: int = 0

    def run(self, paths: Any) -> tuple[IngestRow, ...]:
        """Read everything `paths` means. Raises `DocumentError` when none of the named paths exists."""
        sources = list(find_sources(paths))
        self._total = len(sources)
        if not sources:
            raise OptionError("There is nothing to read: the folder holds no files.")
        waiting: list[_Pending] = []
        for number, source in enumerate(sources):
            self._tell(source.label)
            pending = self._prepare(number, source)
            if pending is not None:
                waiting.append(pending)
            if sum(len(one.pieces) for one in waiting) >= _GROUP:
                self._store(waiting)
                waiting = []
        self._store(waiting)
        rows = tuple(self._rows[number] for number in range(len(sources)))
        if all(row.reason.startswith(_MISSING) for row in rows):
            hint = missing_hint(sources[0].uri)
            raise DocumentError(f"There is no file or folder {sources[0].label}.", hint or "Check the path.")
        return rows

    @property
    def _key(self) -> str:
        """Names how a file becomes passages, so that a change of it is noticed."""
        return f"{self.splitter.key}|{self.options.key}"

    def _prepare(self, number: int, source: Source) -> _Pending | None:
        """Read and split a source that is new or changed; else write its row."""
        begin = time.perf_counter()
        try:
            data = source.load()
            content_hash = hashlib.blake2b(data, digest_size=16).hexdigest()
            stored = self.records.state_of(source.uri)
            if stored is not None and stored[1:] == (content_hash, self._key):
                pages, characters, passages = self.records.extent_of(source.uri)
                spent = time.perf_counter() - begin
                self._rows[number] = IngestRow(stored[0], "unchanged", "", pages, characters, passages, spent)
                return None
            reading = Reading(source.name, self.options, dict(source.metadata))
            document = assemble(source.read(data, reading), reading.metadata)
            pieces = self.splitter.split(document)
            if not pieces:
                raise DocumentError("it holds no text")
        except FileNotFoundError:
            self._skip(number, source, f"{_MISSING}. {missing_hint(source.uri) or ''}".strip(), begin)
            return None
        except (DocumentError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._skip(number, source, reason, begin)
            return None
        except (RecursionError, MemoryError, ValueError, LookupError, AssertionError, TypeError) as error:
            # A reader's library met a file it does not understand: that file is skipped, the others go on.
            self._skip(number, source, f"it cannot be read ({type(error).__name__}: {error})"[:200], begin)
            return None
        label = stored[0] if stored else self._free_label(source)
        status: Status = "updated" if stored else "added"
        spent = time.perf_counter() - begin
        return _Pending(number, source, label, content_hash, status, document, pieces, tuple(reading.warnings), spent)

    def _skip(self, number: int, source: Source, reason: str, begin: float) -> None:
        # What an earlier run stored of it stays: a file that cannot be read now was not emptied.
        kept = "; what was read of it earlier stays" if self.records.state_of(source.uri) else ""
        self._rows[number] = IngestRow(source.label, "skipped", reason + kept, seconds=time.perf_counter() - begin)

    def _free_label(self, source: Source) -> str:
        """The source's label, or its uri when another source already bears it (the working directory changed)."""
        return source.label if self.records.uri_of(source.label) in (None, source.uri) else source.uri

    def _store(self, waiting: Sequence[_Pending]) -> None:
        if not waiting:
            return
        begin = time.perf_counter()
        vectors = self._vectors(waiting)
        share = (time.perf_counter() - begin) / sum(len(one.pieces) for one in waiting)
        offset = 0
        for one in waiting:
            begin = time.perf_counter()
            mine = None if vectors is None else vectors[offset : offset + len(one.pieces)]
            offset += len(one.pieces)
            # A second source of this run may have taken the label meanwhile.
            label = one.label if self.records.uri_of(one.label) in (None, one.source.uri) else one.source.uri
            self.records.replace(one.source.uri, label, one.content_hash, self._key, one.document, one.pieces, mine)
            empty = one.document.empty_pages
            missing = (
                f"no text on page{'s' if len(empty) > 1 else ''} {', '.join(map(str, empty[:20]))}" if empty else ""
            )
            reason = "; ".join(filter(None, (missing, *one.warnings)))
            spent = one.seconds + share * len(one.pieces) + time.perf_counter() - begin
            self._rows[one.number] = IngestRow(
                label, one.status, reason, one.document.pages, len(one.document.text), len(one.pieces), spent
            )
        self._tell(waiting[-1].label)

    def _vectors(self, waiting: Sequence[_Pending]) -> Vectors | None:
        if self.embedder is None:
            return None
        texts = list(chain.from_iterable(_embedded_texts(one) for one in waiting))
        label = waiting[-1].label
        vectors, computed = self.cache.embed(self.embedder, texts, lambda done: self._tell(label, done, len(texts)))
        self.embedded += computed
        return vectors

    def _tell(self, source: str, embedded: int = 0, to_embed: int = 0) -> None:
        if self.on_progress is not None:
            self.on_progress(IngestProgress(len(self._rows), self._total, source, embedded, to_embed))


_MISSING = "it does not exist"


def embedded_text(text: str, context: str) -> str:
    """What is embedded for a passage: its context on a line of its own, then its text."""
    return f"{context}\n{text}" if context else text


def _embedded_texts(one: _Pending) -> Iterator[str]:
    for piece in one.pieces:
        yield embedded_text(one.document.text[piece.start : piece.end], piece.context)
