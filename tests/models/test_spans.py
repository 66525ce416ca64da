"""Which characters belong to which token."""

from __future__ import annotations

import pytest

from kaggle_magics.models.engines.spans import align


@pytest.mark.parametrize(
    ("text", "tokens", "parts"),
    [
        ("Lima is", [b"Li", b"ma", b" is"], ["Li", "ma", " is"]),
        # A character of several tokens is with the last one.
        ("é🎉!", [b"\xc3", b"\xa9\xf0", b"\x9f\x8e", b"\x89!"], ["", "é", "", "🎉!"]),
        # SentencePiece's space before the text.
        ("Lima is", [b" Lima", b" is"], ["Lima", " is"]),
        ("Lima", [b" ", b"Lima"], ["", "Lima"]),
        # Nothing for tokens that only control, and for names that are not in the text.
        ("Lima", [b"", b"Lima", b""], ["", "Lima", ""]),
        ("Lima", [b"<s>", b"Lima"], ["", "Lima"]),
        # What was normalised away goes to the token that comes next.
        ("A\u0301b c", [b"\xc3\x81b", b" c"], ["", "A\u0301b c"]),
        ("Li..ma", [b"Li", b"ma"], ["Li", "..ma"]),
        ("Lima", [b"Li", b"xx"], ["Li", "ma"]),
        ("", [b"<s>"], [""]),
        ("Lima", [], []),
    ],
)
def test_characters_are_shared_out_without_gaps(text: str, tokens: list[bytes], parts: list[str]) -> None:
    spans = align(text, tokens)
    assert [text[start:end] for start, end in spans] == parts
    ends = [0, *(end for _, end in spans)]
    assert all(start == end for (start, _), end in zip(spans, ends, strict=False))
