"""Whether an embedder whose weights cannot be seen (a server, an object) is still the same: by one text's vector.

Vectors of the same model differ a little between runs and machines (float16, other batches), so they are not hashed but
compared.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np

from kaggle_magics.rag.embedding.protocol import Vectors

PROBE = "A library lends books: 3 of them for 14 days. Une bibliothèque prête des livres."
"""Never changed: what was compared with it would be taken for another model's."""
SAME = 0.99
"""Cosine above which two vectors of the probe are one model's: arithmetic in float16 or in other batches moves a vector
by less than 0.001."""


def probe_of(embedder: Any) -> Vectors | None:
    """The probe's vector, shape (d,); None where the identity tells the weights by itself."""
    probe = getattr(embedder, "probe", None)
    return None if probe is None else probe()


def is_same(one: Vectors, other: Vectors) -> bool:
    """Whether two vectors of the probe are one model's."""
    return one.shape == other.shape and float(one @ other) >= SAME


def to_text(probe: Vectors) -> str:
    """A probe as it is stored beside a collection's vectors."""
    return base64.b64encode(np.asarray(probe, "<f2").tobytes()).decode("ascii")


def from_text(text: str | None) -> Vectors | None:
    """The probe of `to_text`; None for what is none."""
    try:
        data = base64.b64decode(text or "", validate=True)
        return np.frombuffer(data, "<f2").astype(np.float32) if data and len(data) % 2 == 0 else None
    except (binascii.Error, ValueError):
        return None
