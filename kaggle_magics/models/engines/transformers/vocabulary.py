"""The bytes that the tokens of a transformers tokenizer stand for.

A token's name is not its text: byte-level tokenizers (GPT-2, Llama 3, Qwen) name every byte by a printable character,
SentencePiece ones write a space as U+2581 and single bytes as `<0x0A>`. Which of them it is is read from the decoder;
a tokenizer of another kind (WordPiece) is asked what each token adds to a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from kaggle_magics.models.engines.text import REPLACEMENT

SPACE = "\u2581"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def token_bytes(tokenizer: Any, size: int) -> list[bytes]:
    """What each of `size` tokens adds to an answer, in UTF-8; nothing for special tokens and for unused rows."""
    count = min(len(tokenizer), size)
    # A token that was added to a vocabulary is its own text, whatever the kind.
    added = {token: "" if one.special else str(one.content) for token, one in tokenizer.added_tokens_decoder.items()}
    silent = set(tokenizer.all_special_ids)
    write = _writer(tokenizer)
    names = tokenizer.convert_ids_to_tokens(list(range(count)))
    known: list[bytes] = []
    for token, name in enumerate(names):
        if token in silent or name is None:
            known.append(b"")
        elif token in added:
            known.append(added[token].encode("utf-8"))
        else:
            known.append(write(token, name))
    return known + [b""] * (size - count)


def _writer(tokenizer: Any) -> Callable[[int, str], bytes]:
    """What turns a token and its name into bytes."""
    steps = list(_decoder_steps(tokenizer))
    kinds = {str(step.get("type")) for step in steps}
    if "ByteLevel" in kinds or getattr(tokenizer, "byte_decoder", None):
        return _byte_level
    if kinds:
        # `Fuse` only joins, and `Strip` takes the space at the very beginning of a text, which an answer is not.
        replaced = [step for step in steps if step.get("type") in ("Replace", "Metaspace")]
        spaces = [mark for step in replaced if (mark := _space(step))]
        if spaces and len(spaces) == len(replaced) and kinds <= _SENTENCEPIECE:
            return _sentencepiece(spaces[0], bytes_too="ByteFallback" in kinds)
    elif getattr(tokenizer, "sp_model", None) is not None:
        return _sentencepiece(SPACE, bytes_too=True)
    return _by_difference(tokenizer)


_SENTENCEPIECE = frozenset({"Replace", "Metaspace", "ByteFallback", "Fuse", "Strip"})


def _decoder_steps(tokenizer: Any) -> Iterator[dict[str, Any]]:
    """The steps of a fast tokenizer's decoder, as `tokenizers` stores them; none for a slow tokenizer."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    if decoder is None:
        return
    stored = json.loads(decoder.__getstate__())
    yield from stored["decoders"] if stored.get("type") == "Sequence" else [stored]


def _space(step: dict[str, Any]) -> str | None:
    """The mark that a step writes as a space; None if it does something else."""
    if step["type"] == "Metaspace":
        return str(step["replacement"])
    pattern = step["pattern"].get("String")
    return str(pattern) if pattern and step.get("content") == " " else None


def _byte_level(token: int, name: str) -> bytes:
    try:
        return bytes(_BYTES[character] for character in name)
    except KeyError:  # no character stands for a byte: an added token, as it is
        return name.encode("utf-8")


def _sentencepiece(space: str, *, bytes_too: bool) -> Callable[[int, str], bytes]:
    def write(token: int, name: str) -> bytes:
        if bytes_too and (byte := _BYTE.fullmatch(name)):
            return bytes([int(byte[1], 16)])
        return name.replace(space, " ").encode("utf-8")

    return write


def _by_difference(tokenizer: Any) -> Callable[[int, str], bytes]:
    """What a token adds to a text that ends with a letter. Part of a character is nothing: such a token is not used."""

    def decode(tokens: list[int]) -> str:
        return str(tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    candidates = ([token] for token in range(len(tokenizer)))
    before = next((tokens for tokens in candidates if decode(tokens).isalpha()), [])
    text = decode(before)

    def write(token: int, name: str) -> bytes:
        both = decode([*before, token])
        added = both[len(text) :] if both.startswith(text) else ""
        return b"" if REPLACEMENT in added else added.encode("utf-8")

    return write


def _byte_names() -> dict[str, int]:
    """GPT-2's names of bytes (`bytes_to_unicode`): printable ones name themselves, the others begin at U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    return {chr(byte): byte for byte in printable} | {chr(0x100 + at): byte for at, byte in enumerate(others)}


_BYTES = _byte_names()
