"""All passages of a collection in numbers: what a search has to know of each before it reads any."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.rag.storing.where import Where

Integers = NDArray[np.int64]
UNIT = 5
"""Neighbouring passages of a document that count as one text where a word's rarity is told."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Layout:
    """Passages in the order of their documents and places; every array has one element a passage."""

    ids: list[str]
    number: Integers
    document: Integers
    """Number of the document, counted from 0."""
    unit: Integers
    """Number of the group of `UNIT` neighbours."""
    length: NDArray[np.float32]
    """Of the text and the context, in characters."""
    page: Integers
    """0 where there is none."""
    sameness: Integers
    """Equal where texts differ in whitespace only."""
    before: Integers
    """How many passages of the same document stand before."""
    after: Integers
    sources: list[str]
    """By number of the document."""
    position_of_number: Integers
    position_of_id: dict[str, int]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def units(self) -> int:
        return int(self.unit[-1]) + 1 if len(self.ids) else 0

    def within(self, where: Where) -> NDArray[np.bool_]:
        """Which passages a filter leaves."""
        allowed = np.ones(len(self), np.bool_)
        if where.sources is not None:
            wanted = set(where.sources)
            allowed &= np.array([source in wanted for source in self.sources], np.bool_)[self.document]
        if where.pages is not None:
            allowed &= np.isin(self.page, where.pages)
        return allowed


def read_layout(connection: sqlite3.Connection) -> Layout:
    """The layout of what is stored now; reads no texts."""
    rows = connection.execute(
        'SELECT p.id, p.number, d.source, p."end" - p.start + length(p.context), coalesce(p.page, 0), p.sameness '
        "FROM passages p JOIN documents d ON d.id = p.document_id ORDER BY d.source, p.start, p.number"
    ).fetchall()
    ids = [row[0] for row in rows]
    number = np.fromiter((row[1] for row in rows), np.int64, len(rows))
    ordinals: dict[str, int] = {}
    document = np.fromiter((ordinals.setdefault(row[2], len(ordinals)) for row in rows), np.int64, len(rows))
    begins = np.flatnonzero(np.diff(document, prepend=-1))
    within = np.arange(len(rows)) - begins[document] if len(rows) else np.zeros(0, np.int64)
    ends = np.append(begins[1:], len(rows))
    after = ends[document] - 1 - np.arange(len(rows)) if len(rows) else np.zeros(0, np.int64)
    unit = np.cumsum(within % UNIT == 0) - 1
    position = np.full(int(number.max(initial=0)) + 1, -1, np.int64)
    position[number] = np.arange(len(rows))
    return Layout(
        ids,
        number,
        document,
        unit,
        np.fromiter((row[3] for row in rows), np.float32, len(rows)),
        np.fromiter((row[4] for row in rows), np.int64, len(rows)),
        np.fromiter((row[5] for row in rows), np.int64, len(rows)),
        within,
        after,
        list(ordinals),
        position,
        {key: at for at, key in enumerate(ids)},
    )
