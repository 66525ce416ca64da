"""What a collection does with new documents."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from kaggle_magics.rag.collection.opened import OpenedFolder
from kaggle_magics.rag.embedding.cache import EmbeddingCache
from kaggle_magics.rag.ingesting.progress import IngestProgress
from kaggle_magics.rag.ingesting.report import IngestReport
from kaggle_magics.rag.ingesting.run import Ingestion
from kaggle_magics.rag.readers.reading import ReadOptions
from kaggle_magics.rag.splitting.splitter import make_splitter
from kaggle_magics.rag.storing.identity import embedded_text

_TOGETHER = 2048
"""Passages whose vectors are stored together, so that a kill loses few."""


_LEARNING = 1.0
_SHARE = 0.1
"""At most so many seconds, and so large a share of an ingest's time, go into learning how to search it."""


class IngestingPart(OpenedFolder):
    """Ingesting into a collection."""

    def ingest(
        self,
        paths: Any,
        *,
        chunk_size: int | None = None,
        chunk_overlap: int | None = None,
        language: str | None = None,
        speech_model: str | None = None,
        prune: bool = False,
        on_progress: Callable[[IngestProgress], None] | None = None,
    ) -> IngestReport:
        """Read files, folders, patterns, texts (dict of name -> text) or documents; see `find_sources`.

        What did not change is neither read nor embedded again. `chunk_size` and `chunk_overlap` in characters switch to
        the recursive splitter. `language` (ISO 639) is that of OCR and speech, `speech_model` the Whisper model that
        writes down recordings, by default an attached one. `prune` removes sources that `paths` cover and that are no
        longer there. Interrupted or killed, the documents finished so far are kept; after an interrupt the report says
        how many are `left`.
        Raises `OptionError`, `DocumentError` when none of the paths exists, `CollectionError` when storing fails.
        """
        splitter = make_splitter(chunk_size, chunk_overlap, self.embedder)
        with self._working(), contextlib.closing(EmbeddingCache()) as cache:
            begin = time.perf_counter()
            self._make_writable()
            embedder, options = self._remembered_embedder(), ReadOptions(language, speech_model)
            run = Ingestion(self._records, splitter, embedder, cache, on_progress, options, prune, self._follow)
            try:
                rows = run.run(paths)
                filled = 0 if run.left else self._fill_vectors(cache)
            finally:
                self._follow()
            if not run.left and any(row.status in ("added", "updated") for row in rows):
                self._learn(min(_LEARNING, _SHARE * (time.perf_counter() - begin)))
            documents, passages = self._records.counts()
            return IngestReport(
                rows,
                self.name,
                documents,
                passages,
                run.embedded + filled,
                self.embedder.name if self.embedder else None,
                time.perf_counter() - begin,
                self.warnings,
                run.reused,
                run.left,
            )

    def _fill_vectors(self, cache: EmbeddingCache) -> int:
        """Embed passages that were stored while no embedder was at hand; how many were computed."""
        if self.embedder is None:
            return 0
        missing, total = self._records.without_vector(), 0
        for start in range(0, len(missing), _TOGETHER):
            some = missing[start : start + _TOGETHER]
            texts = [embedded_text(text, context) for _, text, context in some]
            vectors, computed = cache.embed(self.embedder, texts)
            self._records.set_vectors({key: vector for (key, _, _), vector in zip(some, vectors, strict=True)})
            total += computed
        return total
