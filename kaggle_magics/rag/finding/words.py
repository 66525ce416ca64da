"""The words of a question."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
STOP_WORDS = frozenset(
    _WORD.findall(
        "a about an and any are as at be been but by can could did do does for from had has have how i if in into is "
        "it its me my of on or our shall should so than that the their them then there these they this those to was we "
        "were what when where which who whom whose why will with would you your"
    )
)


def content_words(text: str) -> list[str]:
    """The words of a text in lower case, without English function words (unless it has no others)."""
    words = [word.casefold() for word in _WORD.findall(text)]
    return [word for word in words if word not in STOP_WORDS] or words
