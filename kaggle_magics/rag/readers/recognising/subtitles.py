"""Subtitles (SubRip, WebVTT): what is said, in paragraphs with the times at which they begin and end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading

_TIMES = re.compile(r"((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})")
_MARKUP = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_PAUSE = 2.0
"""Seconds of silence that end a paragraph."""
_LONG, _LONGEST = 300, 800
"""Characters from which on a paragraph ends with the next sentence, and at which it ends anyhow."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What is said from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield paragraphs with `place.time` and `place.end_time`. Raises `DocumentError` when there are no times in it."""
    segments: list[Segment] = []
    for cue in re.split(r"\n[ \t]*\n+", decode(data)):
        found = _TIMES.search(cue)
        if found is None:
            continue  # the head of a WebVTT file, its notes and styles
        lines = (_MARKUP.sub("", line).strip() for line in cue[found.end() :].split("\n")[1:])
        text = " ".join(filter(None, lines))
        if text and not (segments and segments[-1].text == text):  # live captions repeat what is still shown
            segments.append(Segment(_seconds(found.group(1)), _seconds(found.group(2)), text))
    if not segments:
        raise DocumentError("the file holds no subtitles (no line of times such as 00:00:01,000 --> 00:00:02,500)")
    yield from spoken(segments)


def spoken(segments: Iterable[Segment], *, recognised: bool = False) -> Iterator[Block]:
    """Segments as paragraphs: a pause ends one, or a sentence's end where it is long enough."""
    words: list[str] = []
    start = end = 0.0
    for segment in segments:
        if words:
            length = sum(map(len, words))
            ended = words[-1].endswith((".", "!", "?", "\u3002", "\uff01", "\uff1f", "\u0964"))
            if segment.start - end > _PAUSE or (length >= _LONG and ended) or length >= _LONGEST:
                yield Block(" ".join(words), place=Place(time=start, end_time=end), recognised=recognised)
                words = []
        if not words:
            start = segment.start
        words.append(segment.text)
        end = max(segment.end, segment.start)
    if words:
        yield Block(" ".join(words), place=Place(time=start, end_time=end), recognised=recognised)


def _seconds(time: str) -> float:
    seconds = 0.0
    for part in time.replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds
