"""What a transformers tokenizer and a model's configuration say about words: the same for every kind of model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kaggle_magics.models.engines.text import WindowDecoder
from kaggle_magics.models.engines.transformers.vocabulary import token_bytes


class Words:
    """The part of `LocalModel` that needs the tokenizer alone."""

    def __init__(self, model: Any, tokenizer: Any, *, template: str | None) -> None:
        self.tokenizer, self.template = tokenizer, template
        self.special_tokens: dict[str, str] = {
            key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)
        }
        self.size = int(model.config.get_text_config().vocab_size)
        self._end_tokens = _end_tokens(model, tokenizer)

    def is_end(self, token: int) -> bool:
        return token in self._end_tokens

    def token_text(self, token: int) -> str:
        return str(self.tokenizer.decode([token], clean_up_tokenization_spaces=False))

    def token_bytes(self) -> list[bytes]:
        return token_bytes(self.tokenizer, self.size)

    def token_name(self, token: int) -> str:
        return str(self.tokenizer.convert_ids_to_tokens(token))

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=add_special, verbose=False)["input_ids"])

    def decoder(self, prompt: Sequence[int]) -> WindowDecoder:
        def decode(tokens: Sequence[int]) -> str:
            text: str = self.tokenizer.decode(
                list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            return text

        return WindowDecoder(decode, prompt)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """As `generate` ends: what generation_config.json names; and the tokenizer's own end of sequence."""
    ids: set[int] = set()
    for named in (model.generation_config.eos_token_id, tokenizer.eos_token_id):
        if isinstance(named, int):
            ids.add(named)
        elif named is not None:
            ids.update(int(each) for each in named)
    return frozenset(ids)
