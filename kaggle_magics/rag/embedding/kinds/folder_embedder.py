"""What embedders from a folder have in common: facts from small files, a tokenizer of its own, one load."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from kaggle_magics.rag.embedding.files.fingerprint import fingerprint
from kaggle_magics.rag.embedding.files.folder import ModelFolder
from kaggle_magics.rag.embedding.files.tokens import Tokens
from kaggle_magics.rag.embedding.protocol import Batch, Vectors, gather


class FolderEmbedder(ABC):
    """An `Embedder` whose model lies in a folder. It may be used from several threads; the weights are loaded once."""

    libraries: tuple[str, ...] = ()
    """What has to be installed to run it."""

    def __init__(self, facts: ModelFolder, *, special: bool = True) -> None:
        self.facts = facts
        self.folder = facts.path
        self.tokens = Tokens(facts.tokenizer_folder, lower_case=facts.lower_case, special=special)
        self._identity: str | None = None
        self._model: Any = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def reference(self) -> str:
        """What finds this very model again on this machine."""
        return str(self.folder)

    @property
    def prompts(self) -> Any:
        return self.facts.prompts

    @property
    def notes(self) -> tuple[str, ...]:
        prompts = self.facts.prompts
        return (f"{self.name} gets its family's prompts, {prompts.source}.",) if prompts.of_family else ()

    @property
    def identity(self) -> str:
        """Name, content of the files, and whatever else decides about the vectors.

        The device's arithmetic (float16 on a GPU) is left out: it moves a vector by less than storing it does.
        """
        if self._identity is None:
            prompts = self.facts.prompts.key
            more = f"{prompts}{self._more_identity()}"
            suffix = f"+{hashlib.blake2b(more.encode(), digest_size=4).hexdigest()}" if more else ""
            self._identity = f"{self.name}@{fingerprint(self.folder)}{suffix}"
        return self._identity

    @property
    def max_tokens(self) -> int:
        return self.facts.max_tokens

    @property
    def dimension(self) -> int:
        known = self.facts.dimension
        return known if known is not None else self._measured_dimension()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """With the passage's prompt, which is read by the model too."""
        return self.tokens.count([self.facts.prompts.document + text for text in texts])

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return gather(self.stream_documents(texts), len(texts), 0 if texts else self.dimension)

    def embed_query(self, text: str) -> Vectors:
        vectors: Vectors = gather(self._stream([self.facts.prompts.query + text], is_query=True), 1, 0)[0]
        return vectors

    def stream_documents(self, texts: Sequence[str]) -> Iterator[Batch]:
        return self._stream([self.facts.prompts.document + text for text in texts], is_query=False)

    def _loaded(self) -> Any:
        with self._loading:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _more_identity(self) -> str:
        """What besides name, files and prompts changes the vectors."""
        return ""

    @abstractmethod
    def _load(self) -> Any:
        """The model, ready to run."""

    @abstractmethod
    def _stream(self, texts: Sequence[str], *, is_query: bool) -> Iterator[Batch]:
        """Unit vectors of texts that have their prompts."""

    @abstractmethod
    def _measured_dimension(self) -> int:
        """Components of a vector, told by the loaded model."""
