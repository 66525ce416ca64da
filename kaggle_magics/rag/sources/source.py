"""One thing to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.reading import Reading


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to be read. `uri` is its identity (an absolute path, `text:NAME`), `label` the name shown and cited."""

    uri: str
    label: str
    load: Callable[[], bytes]
    """The content whose hash says whether it changed. Raises OSError."""
    read: Callable[[bytes, Reading], Iterable[Block]]
    """The blocks of that content. Raises `DocumentError`."""
    name: str = ""
    """The file's name, by which a reader is found."""
    metadata: Mapping[str, str | int | float] = field(default_factory=dict)
    """What is known of it before it is read."""
    signature: Callable[[], str] | None = None
    """Equal to an earlier one only if the content is certainly the same; "" where that cannot be told without reading.
    Raises OSError."""
