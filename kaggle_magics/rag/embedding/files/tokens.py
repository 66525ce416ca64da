"""A model folder's tokenizer by itself: without weights and, where `tokenizer.json` is there, without torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kaggle_magics.errors import CheckpointError
from kaggle_magics.extras import require
from kaggle_magics.models.headers.json_file import read_json

_AT_ONCE = 256
"""Texts that are tokenised together: their encodings hold offsets and words too, some hundred bytes a token."""


class Tokens:
    """Texts into token ids, never padded; safe to use from several threads.

    Truncation is done here and not by the library, whose tokenizers change themselves for it.
    """

    def __init__(self, folder: Path, *, lower_case: bool = False, special: bool = True) -> None:
        self._folder, self._lower_case, self._special = folder, lower_case, special
        self._tokenizer: Any = None
        self._saved_limit: int | None = None
        self._guard = threading.Lock()

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, special ones included, however long it is."""
        return [len(encoding) for encoding in self._encodings(texts)]

    def encode(self, texts: Sequence[str], longest: int | None = None) -> list[list[int]]:
        """Each text's ids, cut off at `longest` tokens; special ones at both ends stay."""
        left = self.truncates_left
        return [_cut(encoding, longest, left=left) for encoding in self._encodings(texts)]

    def placed(self, text: str, longest: int | None = None) -> tuple[list[int], list[tuple[int, int]]]:
        """A text's ids, cut off at the end at `longest`, and where in it each stands; special ones are (0, 0)."""
        encoding = self._loaded().encode(text.encode("utf-8", "replace").decode("utf-8"))
        ids, spans = _cut(encoding, longest, left=False), list(encoding.offsets)
        lost = len(spans) - len(ids)
        after = next((place for place, special in enumerate(reversed(encoding.special_tokens_mask)) if not special), 0)
        end = len(spans) - after
        return ids, spans[: end - lost] + spans[end:] if lost else spans

    @property
    def size(self) -> int:
        """Ids that there are."""
        return int(self._loaded().get_vocab_size())

    @property
    def saved_limit(self) -> int | None:
        """What the tokenizer was saved to cut off at; libraries that set a limit of their own do not heed it."""
        self._loaded()
        return self._saved_limit

    @property
    def filler(self) -> int:
        """The padding token's id; 0 where the files name none (what is padded is masked out)."""
        tokenizer = self._loaded()
        saved = read_json(self._folder / "tokenizer_config.json").get("pad_token")
        name = saved.get("content") if isinstance(saved, dict) else saved
        for token in (name, "[PAD]", "<pad>"):
            found = tokenizer.token_to_id(token) if isinstance(token, str) else None
            if found is not None:
                return int(found)
        return 0

    @property
    def pads_left(self) -> bool:
        return read_json(self._folder / "tokenizer_config.json").get("padding_side") == "left"

    @property
    def truncates_left(self) -> bool:
        return read_json(self._folder / "tokenizer_config.json").get("truncation_side") == "left"

    @property
    def unknown(self) -> int | None:
        """The id for what is in no vocabulary, where the tokenizer has one."""
        tokenizer = self._loaded()
        name = getattr(tokenizer.model, "unk_token", None)
        return tokenizer.token_to_id(name) if isinstance(name, str) else None

    def _encodings(self, texts: Sequence[str]) -> Iterator[Any]:
        tokenizer = self._loaded()
        for start in range(0, len(texts), _AT_ONCE):
            # A lone surrogate, from a file with a broken encoding, is no text for the library.
            some = [text.encode("utf-8", "replace").decode("utf-8") for text in texts[start : start + _AT_ONCE]]
            yield from tokenizer.encode_batch_fast(some, add_special_tokens=self._special)

    def _loaded(self) -> Any:
        with self._guard:
            if self._tokenizer is None:
                self._tokenizer = self._load()
            return self._tokenizer

    def _load(self) -> Any:
        path = self._folder / "tokenizer.json"
        if path.is_file():
            library = require("tokenizers", "Counting tokens")
            try:
                tokenizer = library.Tokenizer.from_file(str(path))
            except Exception as error:  # the library raises Exception itself
                raise CheckpointError(f"{path} cannot be read: {str(error)[:120]}", "Download it again.") from error
        else:
            tokenizer = self._by_transformers()
        # The file may have been saved with both.
        self._saved_limit = tokenizer.truncation["max_length"] if tokenizer.truncation else None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if self._lower_case:
            normalizers = require("tokenizers", "Counting tokens").normalizers
            present = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
            tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *present])
        return tokenizer

    def _by_transformers(self) -> Any:
        """From a vocabulary in another form (`vocab.txt`, SentencePiece), which transformers converts."""
        transformers = require("transformers", "Reading this model's tokenizer")
        try:
            return transformers.AutoTokenizer.from_pretrained(
                str(self._folder), local_files_only=True
            ).backend_tokenizer
        except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
            reason = str(error).strip().split("\n")[0][:160]
            raise CheckpointError(
                f"There is no tokenizer that can be used in {self._folder}: {reason}",
                "Attach or name another model with --embedder.",
            ) from error


def _cut(encoding: Any, longest: int | None, *, left: bool) -> list[int]:
    ids: list[int] = encoding.ids
    if longest is None or len(ids) <= longest:
        return ids
    special = encoding.special_tokens_mask
    before = next((place for place, is_special in enumerate(special) if not is_special), 0)
    after = next((place for place, is_special in enumerate(reversed(special)) if not is_special), 0)
    end = len(ids) - after
    if left:
        return ids[:before] + ids[end - max(0, longest - before - after) : end] + ids[end:]
    return ids[: max(0, longest - after)] + ids[end:]
