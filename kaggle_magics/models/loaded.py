"""A model in memory, under the name a person gave it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.engines.protocol import Engine, EngineFacts
from kaggle_magics.models.fit.plan import Plan
from kaggle_magics.models.identity import Identity
from kaggle_magics.models.request import Request


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a model is to be loaded, as far as a person said so; None leaves the choice to the plan."""

    quant: str | None = None
    dtype: str | None = None
    context: int | None = None
    """Tokens."""
    device: str | None = None
    adapter: Path | None = None
    allow_pickle: bool = False
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: equal when the same thing is asked for again, and its files are still the same."""

    path: Path
    options: LoadOptions
    stamp: tuple[tuple[str, int, int], ...]
    """Name, bytes and time of change (ns) of every file."""

    @classmethod
    def of(cls, checkpoint: Checkpoint, options: LoadOptions) -> Wanted:
        return cls(checkpoint.path, options, (*_stamp(checkpoint.path), *_stamp(options.adapter)))


@dataclass(eq=False)
class LoadedModel:
    """An engine under the name it has in this session, with the checkpoint it was loaded from."""

    name: str
    engine: Engine
    checkpoint: Checkpoint | None = None
    """None for an engine that was adopted: it came from no file we know."""
    plan: Plan | None = None
    """As it runs; None for an engine that was adopted."""
    seconds: float = 0.0
    """What loading and warming took."""
    bytes_taken: int = 0
    """How much the process grew, measured; can be near 0 where weights are mapped from disk."""
    template: str = "auto"
    """What "auto" means for it: its own chat template, or a named one that was given when it was loaded."""
    adopted: str | None = None
    """What of the notebook's it runs on, such as "a transformers model": that memory is not ours to free."""
    things: tuple[Any, ...] | None = field(default=None, repr=False)
    """The objects that were adopted."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What its load was asked for by name, "reference" among it, in JSON's own types; empty where it was adopted."""
    wanted_context: int | None = None
    wanted: Wanted | None = None
    by_default: bool = False
    """Whether it was chosen because no reference was given."""
    private: Mapping[str, int] = field(default_factory=dict)
    """Bytes by device that unloading it will make available to others, measured while it was loaded."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    identity: Identity | None = field(default=None, repr=False)
    """What it is, read from its files when it was loaded: `models.identity.identify`."""
    on_count: Callable[[str, int], None] | None = field(default=None, repr=False)
    """Is told each text whose tokens were counted, and how many there are: a replay cannot count them."""

    @property
    def facts(self) -> EngineFacts:
        return self.engine.facts

    @property
    def source(self) -> str:
        """Where its weights lie."""
        if self.checkpoint:
            return str(self.checkpoint.path)
        if self.identity:
            return self.identity.source
        return self.adopted or self.facts.library

    @property
    def has_template(self) -> bool:
        """Whether it comes with a chat template; where that cannot be known, it is taken to."""
        if self.checkpoint:
            return self.checkpoint.has_chat_template
        return self.identity.has_template if self.identity else True

    @property
    def adapter(self) -> str | None:
        """The name of the LoRA adapter it runs with."""
        return self.plan.adapter.name if self.plan and self.plan.adapter else None

    def count_tokens(self, text: str) -> int:
        """Tokens of a plain text."""
        count = self.engine.count_tokens(text)
        if self.on_count is not None:
            self.on_count(text, count)
        return count

    def render(self, request: Request) -> str:
        """The exact text the model reads for this request, special tokens included."""
        return self.engine.render(request)


def _stamp(path: Path | None) -> list[tuple[str, int, int]]:
    """What tells that files were replaced. Only the folder itself is looked at: that is where a model's files lie."""
    if path is None:
        return []
    try:
        files = sorted(os.scandir(path), key=lambda file: file.name) if path.is_dir() else [path]
        facts = [(file.name, file.stat()) for file in files]
    except OSError:
        return []
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in facts]
