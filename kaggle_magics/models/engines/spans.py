"""Which characters of a text each of its tokens stands for."""

from __future__ import annotations

from collections.abc import Sequence

_WINDOW = 64
"""Bytes that a tokenizer may have left out or changed (by normalising) before a token's own."""


def align(text: str, tokens: Sequence[bytes]) -> list[tuple[int, int]]:
    """(start, end) in characters for each token, given by its bytes, in order and without gaps.

    A character belongs to the token with its last byte; those with its bytes before have none of their own. What no
    token's bytes account for, such as characters that the tokenizer normalises, goes to the next token that is found.
    """
    data = text.encode("utf-8")
    ended = _characters_ended(data)
    spans: list[tuple[int, int]] = []
    place = begun = 0
    for own in tokens:
        place = _after(data, place, own)
        spans.append((begun, ended[place]))
        begun = ended[place]
    if spans:
        spans[-1] = (spans[-1][0], len(text))
    return spans


def _after(data: bytes, place: int, own: bytes) -> int:
    """Where a token ends that is looked for from `place` on; `place` itself where it is not there."""
    if data.startswith(own, place):
        return place + len(own)
    # SentencePiece puts a space before a text that has none.
    if own.startswith(b" ") and data.startswith(own[1:], place):
        return place + len(own) - 1
    found = data.find(own, place, place + _WINDOW + len(own))
    return place if found < 0 else found + len(own)


def _characters_ended(data: bytes) -> list[int]:
    """For each number of bytes from 0 on, how many characters are whole in them."""
    ended, count = [0], 0
    for at in range(len(data)):
        # A character ends where the next byte is no continuation (10xxxxxx).
        if at + 1 == len(data) or data[at + 1] & 0xC0 != 0x80:
            count += 1
        ended.append(count)
    return ended
