"""A model in memory, under the name a person gave it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.engines.protocol import Engine, EngineFacts
from kaggle_magics.models.plan import Plan


@dataclass(eq=False)
class LoadedModel:
    """An engine under the name it has in this session, with the checkpoint it was loaded from."""

    name: str
    engine: Engine
    checkpoint: Checkpoint | None = None
    """None for an engine that was adopted: it came from no file we know."""
    plan: Plan | None = None
    seconds: float = 0.0
    """What loading and warming took."""
    bytes_taken: int = 0
    """How much the process grew, measured; can be near 0 where weights are mapped from disk."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def facts(self) -> EngineFacts:
        return self.engine.facts

    @property
    def source(self) -> str:
        """Where its weights lie."""
        return str(self.checkpoint.path) if self.checkpoint else self.facts.library

    def count_tokens(self, text: str) -> int:
        """Tokens of a plain text."""
        return self.engine.count_tokens(text)
