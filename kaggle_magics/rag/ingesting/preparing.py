"""One source, from its bytes to its passages: everything that needs neither the records nor the embedder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.reading import Reading, ReadOptions
from kaggle_magics.rag.readers.recognising.ocr import missing as ocr_missing
from kaggle_magics.rag.sources import Source, missing_hint
from kaggle_magics.rag.splitting.pieces import Piece
from kaggle_magics.rag.splitting.splitter import Splitter
from kaggle_magics.rag.storing.identity import identify
from kaggle_magics.rag.storing.writing import State

MISSING = "it does not exist"
_WITHOUT_OCR = "|without-ocr"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A source that is new or changed, read and split."""

    number: int
    source: Source
    content_hash: str
    signature: str
    document: Document
    pieces: list[Piece]
    ids: list[str]
    digests: list[bytes]
    warnings: tuple[str, ...]
    key: str
    """How it was read and split, as `Preparing.key`; marked where something was left out for want of OCR."""
    seconds: float

    @property
    def size(self) -> int:
        """Characters, about: what it weighs in memory while it waits."""
        return len(self.document.text)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A source that is stored as it is; `signature` is new where the file was only touched."""

    number: int
    source: Source
    state: State
    signature: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """A source that yields nothing, and why."""

    number: int
    source: Source
    reason: str
    missing: bool
    seconds: float


Outcome = Prepared | Unchanged | Skipped


@dataclass(frozen=True, slots=True)
class Preparing:
    """How sources are read and split."""

    splitter: Splitter
    options: ReadOptions
    states: Mapping[str, State]

    @property
    def key(self) -> str:
        """Names how a file becomes passages, so that a change of it is noticed."""
        return f"{self.splitter.key}|{self.options.key}"

    def _is_current(self, state: State) -> bool:
        """Whether what is stored was read and split as it would be now."""
        if state.splitter == self.key + _WITHOUT_OCR:
            return ocr_missing(self.options.language) is not None
        return state.splitter == self.key

    def __call__(self, number: int, source: Source, stopped: Callable[[], bool] = lambda: False) -> Outcome:
        """Read and split a source that is new or changed. `Stopped` where `stopped` says so, asked between blocks."""
        begin = time.perf_counter()

        def spent() -> float:
            return time.perf_counter() - begin

        try:
            state = self.states.get(source.uri)
            current = state is not None and self._is_current(state)
            # Taken before the bytes: a change while they are read makes the signature stale, never the content.
            signature = source.signature() if source.signature is not None else ""
            if current and state is not None and signature and signature == state.signature:
                return Unchanged(number, source, state, signature, spent())
            data = source.load()
            content_hash = hashlib.blake2b(data, digest_size=16).hexdigest()
            if current and state is not None and content_hash == state.content_hash:
                return Unchanged(number, source, state, signature, spent())
            reading = Reading(source.name, self.options, dict(source.metadata))
            document = assemble(_watched(source.read(data, reading), stopped), reading.metadata)
            del data
            pieces = self.splitter.split(document)
            if not pieces:
                raise DocumentError("; ".join(("it holds no text", *reading.warnings)))
            named = list(identify(source.uri, document, pieces))
        except FileNotFoundError:
            reason = f"{MISSING}. {missing_hint(source.uri) or ''}".strip()
            return Skipped(number, source, reason, True, spent())
        except (DocumentError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return Skipped(number, source, reason, False, spent())
        except Exception as error:
            # A reader's library met a file it does not understand: that file is skipped, the others go on.
            reason = f"it cannot be read ({type(error).__name__}: {error})"[:200]
            return Skipped(number, source, reason, False, spent())
        ids, digests = [key for key, _ in named], [digest for _, digest in named]
        return Prepared(
            number,
            source,
            content_hash,
            signature,
            document,
            pieces,
            ids,
            digests,
            tuple(reading.warnings),
            self.key + _WITHOUT_OCR * reading.without_ocr,
            spent(),
        )


def _watched(blocks: Iterable[Block], stopped: Callable[[], bool]) -> Iterator[Block]:
    for block in blocks:
        if stopped():
            raise Stopped
        yield block


class Stopped(BaseException):
    """The run was ended while a source was read."""
