"""Keeps what transformers has to say off the person's screen, and its loading to one thread at a time."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOADING = threading.Lock()
"""Held by whoever loads weights: meanwhile transformers changes torch's defaults and its own for the whole process, and
of two loads at once one finds weights missing."""


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """No progress bars, warnings or log lines of the libraries on the screen meanwhile."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
