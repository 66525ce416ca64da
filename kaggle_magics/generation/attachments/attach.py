"""Attachments together: what is sent in words shares a budget of tokens, what is an image goes beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics import wording
from kaggle_magics.errors import OptionError
from kaggle_magics.generation.attachments.describers import describe
from kaggle_magics.generation.attachments.description import Description, Words, class_key
from kaggle_magics.generation.attachments.images import is_image, is_path, is_picture, to_image
from kaggle_magics.models.request import Image

SHARE = 4
"""Without a given budget, attachments get one part in so many of the context..."""
MOST_TOKENS = 4096
"""...and no more than this, which is read in seconds."""
_CHARACTERS = 4
"""Of a token, to begin with; the model's own count settles it."""
_TRIES = 6


@dataclass(frozen=True, slots=True)
class Attached:
    """Attachments as a model gets them."""

    descriptions: tuple[Description, ...] = ()
    images: tuple[Image, ...] = ()

    @property
    def text(self) -> str:
        """Exactly what stands before the person's own text; "" where there are images only."""
        return wording.attachment_block(part.text for part in self.descriptions)

    @property
    def tokens(self) -> int:
        """Of the text."""
        return sum(part.tokens for part in self.descriptions)


def attach(
    things: Mapping[str, Any],
    *,
    count_tokens: Callable[[str], int],
    tokens: int,
    takes_images: bool,
) -> Attached:
    """Describe things, by name, in at most `tokens` tokens together; images go along where the model takes them.

    A figure is an image for a model that takes one and words for others. Raises `OptionError` for a budget that holds
    nothing, `DocumentError` for a file that is neither text nor image.
    """
    if tokens < 1:
        raise OptionError(f"Attachments need at least 1 token, not {tokens}.")
    images = {name: to_image(name, value) for name, value in things.items() if _as_image(value, takes_images)}
    texts = {name: value for name, value in things.items() if name not in images}
    fits = {name: _fitted(name, value, tokens, count_tokens) for name, value in texts.items()}
    shares = fair_shares({name: part.tokens for name, part in fits.items()}, tokens)
    parts = tuple(
        part if part.tokens <= shares[name] else _fitted(name, texts[name], shares[name], count_tokens)
        for name, part in fits.items()
    )
    return Attached(parts, tuple(images.values()))


def fair_shares(wanted: Mapping[str, int], total: int) -> dict[str, int]:
    """Split `total` so that nobody gets more than wanted, and who wants more gets as much as any other."""
    shares: dict[str, int] = {}
    left, waiting = total, sorted(wanted, key=lambda name: wanted[name])
    for place, name in enumerate(waiting):
        shares[name] = min(wanted[name], left // (len(waiting) - place))
        left -= shares[name]
    return shares


def budget(context_length: int) -> int:
    """Tokens for attachments where no number is given."""
    return max(1, min(context_length // SHARE, MOST_TOKENS))


def _as_image(value: object, takes_images: bool) -> bool:
    return is_image(value) or (takes_images and is_picture(value))


def _fitted(name: str, value: object, tokens: int, count_tokens: Callable[[str], int]) -> Description:
    """The longest description found that has at most `tokens` tokens; what it is stands there in any case."""
    room = tokens * _CHARACTERS
    best: Description | None = None
    for _ in range(_TRIES):
        words = describe(value, max(room, 0))
        part = Description(name, words)
        part = Description(name, words, count_tokens(part.text))
        if part.tokens <= tokens:
            best = part if best is None or part.tokens > best.tokens else best
            if not words.left_out or part.tokens > 0.85 * tokens:
                break
            # Room was left: the first guess was too careful.
            grown = int(room * min(4.0, 0.95 * tokens / max(part.tokens, 1)))
            if grown <= room:
                break
            room = grown
        elif best is not None or room <= 0:
            break
        else:
            room = int(room * min(0.9, 0.9 * tokens / part.tokens)) if part.tokens < 4 * tokens else room // 4
    if best is None:
        bare = Words(describe(value, 0).what, "", "its content")
        part = Description(name, bare)
        best = Description(name, bare, count_tokens(part.text))
    return best


def named(things: Any) -> dict[str, Any]:
    """Things by name: a mapping as it is; others by their path, their own name, or their class."""
    if isinstance(things, Mapping) and class_key(type(things)) != "os._Environ":
        return {str(name): _path(value) for name, value in things.items()}
    items = things if isinstance(things, list | tuple) else [things]
    found: dict[str, Any] = {}
    for item in items:
        name = str(item) if isinstance(item, str | Path) else getattr(item, "__name__", "") or type(item).__name__
        taken, number = name, 1
        while taken in found and found[taken] is not item:
            number += 1
            taken = f"{name} {number}"
        found[taken] = file_of(item) if isinstance(item, str | Path) else item
    return found


def _path(value: Any) -> Any:
    return file_of(value) if is_path(value) else value


def file_of(path: str | Path) -> Path:
    """The file at a path. Raises `OptionError` where there is none; nothing is fetched from the web."""
    if "://" in str(path):
        raise OptionError(f"{path} is an address, and nothing is fetched to be attached.", "Download it first.")
    found = Path(path).expanduser()
    try:
        if found.is_file():
            return found
        is_folder = found.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if is_folder:
        raise OptionError(f"{path} is a folder.", "Attach its files, or read it into a collection with %rag_ingest.")
    raise OptionError(f"There is no file {path}.", "A text of your own is attached by name: attach={'notes': text}.")
