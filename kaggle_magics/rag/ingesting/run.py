"""Sources into a collection: what changed is read, split, embedded and stored, in groups of one transaction each.

Reading and splitting run in a thread of their own, ahead of embedding; the records are used by the calling thread
only. A group that is not finished leaves nothing in the records, but its vectors are in the embedding cache, so that
running again goes on where it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.errors import DocumentError, OptionError
from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.ingesting.preparing import Outcome, Prepared, Preparing, Skipped, Unchanged
from kaggle_magics.rag.ingesting.progress import IngestProgress, Meter
from kaggle_magics.rag.ingesting.pruning import vanished
from kaggle_magics.rag.ingesting.readahead import Readahead
from kaggle_magics.rag.ingesting.report import IngestRow
from kaggle_magics.rag.ingesting.vectors import Vectorised, Vectorising
from kaggle_magics.rag.readers.reading import ReadOptions
from kaggle_magics.rag.sources import Source, find_sources, missing_hint
from kaggle_magics.rag.splitting.splitter import Splitter
from kaggle_magics.rag.storing.records import Records
from kaggle_magics.rag.storing.writing import Change, NewDocument, State

FIRST, MOST = 128, 2048
"""Passages of the first group and of the largest: each may be twice the one before, so that something is soon done."""
CHARACTERS = 2_000_000
"""A group that is as long as this is not filled up."""
SOON = 32
"""Passages that are worth embedding while the reading goes on."""


@dataclass(slots=True)
class Ingestion:
    """One run over `paths`. After an exception what is stored stays; running again goes on there.

    A `KeyboardInterrupt` ends it without one: `left` then says how many sources were not come to.
    """

    records: Records
    splitter: Splitter
    embedder: Embedder | None
    cache: EmbeddingCache
    on_progress: Callable[[IngestProgress], None] | None = None
    options: ReadOptions = field(default_factory=ReadOptions)
    prune: bool = False
    on_change: Callable[[Change], None] = field(default=lambda change: None)
    """Told after each transaction, so that the vector index can follow."""
    embedded: int = 0
    reused: int = 0
    left: int = 0
    _rows: dict[int, IngestRow] = field(default_factory=dict)
    _gone: set[int] = field(default_factory=set)
    """Sources that do not exist."""
    _states: dict[str, State] = field(default_factory=dict)
    _labels: dict[str, str] = field(default_factory=dict)
    _touched: dict[str, str] = field(default_factory=dict)
    _meter: Meter = field(default_factory=lambda: Meter({}))

    def run(self, paths: Any) -> tuple[IngestRow, ...]:
        """Read everything `paths` means. Raises `DocumentError` when none of the named paths exists."""
        sources = list(find_sources(paths))
        if not sources:
            raise OptionError("There is nothing to read: the folder holds no files.")
        self._states = self.records.states()
        self._labels = {state.source: uri for uri, state in self._states.items()}
        self._meter = Meter(_weights(sources), self.on_progress)
        try:
            self._read_and_store(sources)
            if len(self._gone) == len(sources):
                hint = missing_hint(sources[0].uri)
                raise DocumentError(f"There is no file or folder {sources[0].label}.", hint or "Check the path.")
            removed = self._pruned(paths, sources) if self.prune else []
        except KeyboardInterrupt:
            removed = []
            self.left = len(sources) - len(self._rows)
        return (*(self._rows[number] for number in sorted(self._rows)), *removed)

    def _read_and_store(self, sources: Sequence[Source]) -> None:
        preparing = Preparing(self.splitter, self.options, self._states)
        ahead: Readahead[tuple[int, Source], Outcome]
        ahead = Readahead(enumerate(sources), lambda item: preparing(*item, stopped=ahead.stopped), _weigh)
        self._meter.show(sources[0].label)
        waiting: list[Prepared] = []
        passages = characters = 0
        most = FIRST
        with ahead:
            for outcome in ahead:
                if isinstance(outcome, Prepared):
                    waiting.append(outcome)
                    passages += len(outcome.pieces)
                    characters += outcome.size
                else:
                    self._settle(outcome)
                full = passages >= most or characters >= CHARACTERS
                if full or (passages >= SOON and ahead.idle):
                    most = min(2 * most, MOST) if full else most
                    self._store(waiting)
                    waiting, passages, characters = [], 0, 0
        self._store(waiting)
        if self._touched:
            self.records.touch(self._touched)
        self._meter.show(sources[-1].label)

    def _settle(self, outcome: Unchanged | Skipped) -> None:
        """The row of a source that is not stored now."""
        source = outcome.source
        if isinstance(outcome, Unchanged):
            state = outcome.state
            if outcome.signature != state.signature:
                self._touched[source.uri] = outcome.signature
            row = IngestRow(
                state.source, "unchanged", "", state.pages, state.characters, state.passages, state.recognised
            )
        else:
            if outcome.missing:
                self._gone.add(outcome.number)
            # What an earlier run stored of it stays: a file that cannot be read now was not emptied.
            kept = "; what was read of it earlier stays" if source.uri in self._states else ""
            row = IngestRow(source.label, "skipped", outcome.reason + kept, seconds=outcome.seconds)
        self._rows[outcome.number] = row
        self._meter.finish(outcome.number, worked=isinstance(outcome, Skipped))
        self._meter.show(row.source)

    def _store(self, waiting: Sequence[Prepared]) -> None:
        if not waiting:
            return
        begin = time.perf_counter()
        made = self._vectors(waiting)
        documents = [self._document(one, made) for one in waiting]
        change = self.records.store(documents)
        self.on_change(change)
        total = sum(len(one.pieces) for one in waiting)
        share = (time.perf_counter() - begin) / total
        for one, document in zip(waiting, documents, strict=True):
            embedded = made.embedded(one) if made is not None else 0
            reused = len(one.pieces) - embedded if made is not None else 0
            self.embedded += embedded
            self.reused += reused
            self._rows[one.number] = IngestRow(
                document.source,
                "updated" if one.source.uri in self._states else "added",
                _remarks(one),
                one.document.pages,
                len(one.document.text),
                len(one.pieces),
                one.document.recognised,
                embedded,
                reused,
                one.seconds + share * len(one.pieces),
            )
            self._meter.finish(one.number, worked=True)
        self._meter.passages += total
        self._meter.show(documents[-1].source)

    def _vectors(self, waiting: Sequence[Prepared]) -> Vectorised | None:
        if self.embedder is None:
            return None
        label = waiting[-1].source.label
        group = sum(self._meter.weights[one.number] for one in waiting)
        return Vectorising(self.records, self.embedder, self.cache)(
            waiting, lambda done, to_do: self._meter.show(label, group=group, embedded=done, to_embed=to_do)
        )

    def _document(self, one: Prepared, made: Vectorised | None) -> NewDocument:
        blobs = [None if made is None else made.blobs[digest] for digest in one.digests]
        label = self._label(one.source)
        self._labels[label] = one.source.uri
        return NewDocument(
            one.source.uri,
            label,
            one.content_hash,
            one.key,
            one.signature,
            one.document,
            one.pieces,
            one.ids,
            one.digests,
            blobs,
        )

    def _label(self, source: Source) -> str:
        """The label it has, else its own, else its uri when another source bears that (the folder changed)."""
        if source.uri in self._states:
            return self._states[source.uri].source
        return source.label if self._labels.get(source.label) in (None, source.uri) else source.uri

    def _pruned(self, paths: Any, sources: Sequence[Source]) -> list[IngestRow]:
        """Remove what the paths cover and is no longer there."""
        skipped = {number for number, row in self._rows.items() if row.status == "skipped"}
        # An archive that cannot be opened now has one row, which ends with the mark of its members.
        unread = {sources[number].uri.rstrip("!") for number in skipped - self._gone}
        there = {source.uri for number, source in enumerate(sources) if number not in self._gone}
        gone = vanished(paths, self._states, there, unread)
        if gone:
            self.on_change(Change(removed=self.records.remove(gone)))
        return [
            IngestRow(state.source, "removed", "it is no longer there", state.pages, state.characters, state.passages)
            for state in (self._states[uri] for uri in gone)
        ]


def _weights(sources: Sequence[Source]) -> dict[int, float]:
    """Bytes of each source; where they are not known, the mean of the others."""
    sizes = {}
    for number, source in enumerate(sources):
        try:
            sizes[number] = float(os.stat(source.uri).st_size)
        except (OSError, ValueError):
            continue
    mean = sum(sizes.values()) / len(sizes) if sizes else 1.0
    return {number: max(sizes.get(number, mean), 1.0) for number in range(len(sources))}


def _weigh(outcome: Outcome) -> int:
    return outcome.size if isinstance(outcome, Prepared) else 0


def _remarks(one: Prepared) -> str:
    """What is missing in a source that was read."""
    empty = one.document.empty_pages
    missing = f"no text on page{'s' if len(empty) > 1 else ''} {', '.join(map(str, empty[:20]))}" if empty else ""
    return "; ".join(filter(None, (missing, *one.warnings)))
