"""Models that a server runs: what tells their references apart, without importing what speaks HTTP."""

from __future__ import annotations

from typing import TypeGuard

PREFIX = "openai:"


def is_endpoint(reference: object) -> TypeGuard[str]:
    """Whether a reference names a server (`openai:URL#model`) rather than a model on this machine."""
    return isinstance(reference, str) and reference.strip().casefold().startswith(PREFIX)
