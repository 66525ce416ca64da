"""Text comes whole: characters, spaces and stop strings."""

from __future__ import annotations

import pytest

from kaggle_magics.models.engines.text import ByteDecoder, StopStrings, WindowDecoder


def test_bytes_become_characters_only_when_complete() -> None:
    data = "a 😀é".encode()
    decoder = ByteDecoder(lambda token: data[token : token + 1])
    pieces = [decoder.feed(place) for place in range(len(data))]
    assert pieces == ["a", " ", "", "", "", "😀", "", "é"]
    assert decoder.flush() == ""


def test_bytes_that_never_become_a_character_show_at_the_end() -> None:
    decoder = ByteDecoder(lambda token: b"\xf0\x9f")
    assert decoder.feed(0) == ""
    assert decoder.flush() == "\ufffd"


def test_a_window_shows_no_half_characters() -> None:
    data = "né😀!".encode()

    def decode(tokens: list[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    decoder = WindowDecoder(decode, b"prompt")
    pieces = [decoder.feed(byte) for byte in data]
    assert pieces == ["n", "", "é", "", "", "", "😀", "!"]


def test_a_window_gives_broken_bytes_up_after_a_while() -> None:
    decoder = WindowDecoder(lambda tokens: bytes(tokens).decode("utf-8", "replace"), b"p")
    shown = "".join(decoder.feed(0x9F) for _ in range(20)) + decoder.flush()
    assert shown == "\ufffd" * 20


@pytest.mark.parametrize(
    ("pieces", "stop", "shown", "found"),
    [
        (["Hello"], [], "Hello", False),
        (["Hel", "lo\n", "\nBye"], ["\n\n"], "Hello", True),
        (["a", "b", "c", "d"], ["bcd"], "a", True),
        (["a", "b", "c", "x"], ["bcd"], "abcx", False),
        (["ab"], ["abc"], "ab", False),
        (["xEN", "D STOP"], ["STOP", "END"], "x", True),
        (["aab"], ["ab"], "a", True),
        (["a", "a", "b"], ["ab"], "a", True),
        (["stop"], ["stop", "sto"], "", True),
        (["😀", "é"], ["é"], "😀", True),
    ],
)
def test_stop_strings(pieces: list[str], stop: list[str], shown: str, found: bool) -> None:
    stops = StopStrings(stop)
    text = ""
    for piece in pieces:
        text += stops.feed(piece)
        # What is shown is never taken back.
        assert shown.startswith(text)
    assert text + stops.flush() == shown
    assert stops.found is found
