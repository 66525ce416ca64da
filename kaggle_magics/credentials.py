"""Keys and tokens: from the environment or Kaggle's secrets, and never shown, stored or logged."""

from __future__ import annotations

import importlib
import os

from kaggle_magics import environment
from kaggle_magics.extras import installed


def secret(*names: str) -> str | None:
    """The first of these names that is set, in the environment or attached to the notebook as a Kaggle secret.

    Kaggle's client asks its server, so only a notebook on Kaggle is asked, and any failure of it means that there is
    no such secret. The value must go no further than the request that needs it.
    """
    for name in names:
        if value := os.environ.get(name, "").strip():
            return value
    if not environment.on_kaggle() or not installed("kaggle_secrets"):
        return None
    for name in names:
        try:
            client = importlib.import_module("kaggle_secrets").UserSecretsClient()
            value = str(client.get_secret(name) or "").strip()
        except Exception:  # its errors differ from image to image: no such secret, no internet, not allowed
            continue
        if value:
            return value
    return None


class Secret:
    """A key in memory that shows nowhere: not in a repr, a format string, a pickle or a dataclass's fields."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value, for the request that needs it."""
        return self._value

    def mask(self, text: str) -> str:
        """`text` without the value, which servers like to repeat in their errors."""
        return text.replace(self._value, "***") if self._value else text

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str:
        raise TypeError("A secret is not stored.")
