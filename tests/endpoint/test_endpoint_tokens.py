"""The estimate of tokens, against two vocabularies that lie at both ends: OpenAI's cl100k_base and Llama 2's."""

from __future__ import annotations

import pytest

from kaggle_magics.models.engines.endpoint.tokens import estimate, estimate_messages
from kaggle_magics.models.request import Message

COUNTED = {
    "The library opens at nine and closes at six, from Monday to Friday. Who do I call when the boiler fails?": (
        24,
        26,
    ),
    "def area(radius: float) -> float:\n    return math.pi * radius ** 2  # in square metres\n": (24, 27),
    '{"name": "weather", "days": 14, "cities": ["Lima", "La Paz"], "metric": true}': (28, 31),
    "1997 2024 31337 3.14159 65536 1000000": (20, 38),
    "Die Bibliothek öffnet um neun Uhr; größere Geräte überprüft die Hausverwaltung jährlich.": (28, 27),
    "Столица Перу — Лима. Библиотека открывается в девять часов утра.": (36, 25),
    "秘鲁的首都是利马。图书馆早上九点开门，晚上六点关门。": (35, 37),  # noqa: RUF001
    "페루의 수도는 리마입니다. 도서관은 아침 아홉 시에 문을 엽니다.": (34, 51),
    "पेरू की राजधानी लीमा है। पुस्तकालय सुबह नौ बजे खुलता है।": (61, 59),
    "🗼🎉😀👍🏽": (14, 21),
}
"""Text -> its tokens by cl100k_base and by Llama 2's tokenizer, counted with both."""


@pytest.mark.parametrize("text", COUNTED)
def test_never_wildly_low_and_not_wildly_high(text: str) -> None:
    told, counts = estimate(text), COUNTED[text]
    assert 0.7 * max(counts) <= told <= 1.75 * min(counts)


def test_odd_texts() -> None:
    assert estimate("") == 0 and estimate(" ") == 0 and estimate("\n\n\n") == 3
    assert estimate("a" * 70_000) >= 17_500
    assert estimate("\ud800\x00\ufffd") >= 3
    assert estimate("word " * 1000) == 1000


def test_a_conversation_costs_its_marks_too() -> None:
    assert estimate_messages([Message("user", "word")] * 2) > 2 * estimate("word") + 5
