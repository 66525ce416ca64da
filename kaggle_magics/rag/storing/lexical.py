"""The lexical index as it is stored: which terms a text has, and where a term stands. SQLite FTS5 keeps both.

Words are Porter's stems (`lexical`); beside them stands what no tokenizer of words segments (`segments`). Scores are
not made here: FTS5's own bm25() weighs all matching rows one by one, with fixed constants, without their neighbours.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator

import numpy as np

from kaggle_magics.rag.storing.layout import Integers, Layout, read_layout

_TEMPORARY = """
CREATE VIRTUAL TABLE IF NOT EXISTS temp.lexical_terms USING fts5vocab ('main', 'lexical', 'instance');
CREATE VIRTUAL TABLE IF NOT EXISTS temp.segment_terms USING fts5vocab ('main', 'segments', 'instance');
CREATE VIRTUAL TABLE IF NOT EXISTS temp.lexical_rows USING fts5vocab ('main', 'lexical', 'row');
"""
_STEMMER = """
CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'porter unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE stems USING fts5vocab ('words', 'instance');
"""
_INSTANCES = ("lexical_terms", "segment_terms")
_AT_ONCE = 100
"""Terms of one statement."""
_REMEMBERED = 50_000
_SCANNED = 20_000
"""Passages up to which all words of the index are looked through for a part."""


class Stemmer:
    """The stems that FTS5 makes of words, by FTS5 itself, so that a question meets its index."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._known: dict[str, tuple[str, ...]] = {}

    def close(self) -> None:
        """What is asked afterwards (hits may be looked at later than their collection is open) opens it again."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            self._connection.executescript(_STEMMER)
        return self._connection

    def stems(self, words: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Each word's terms: mostly one, none for what is no word."""
        with self._guard:
            wanted = dict.fromkeys(words)
            missing = [word for word in wanted if word not in self._known]
            if missing:
                if len(self._known) + len(missing) > _REMEMBERED:
                    self._known.clear()
                    missing = list(wanted)
                connection = self._opened()
                found: dict[int, list[str]] = {}
                connection.execute("BEGIN")
                try:
                    rows = ((number, word.encode("utf-8", "replace").decode()) for number, word in enumerate(missing))
                    connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", rows)
                    for number, term in connection.execute('SELECT doc, term FROM stems ORDER BY doc, "offset"'):
                        found.setdefault(number, []).append(term)
                finally:
                    connection.execute("ROLLBACK")
                self._known.update((word, tuple(found.get(number, ()))) for number, word in enumerate(missing))
            return {word: self._known[word] for word in wanted}


class LexicalIndex:
    """Reads the lexical tables of one open `records.sqlite`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ready = False
        self._layout: Layout | None = None
        self._changes = -1
        self.stemmer = Stemmer()

    def layout(self, changes: int) -> Layout:
        """The passages, read again when `changes` is another one than the last time."""
        if self._layout is None or self._changes != changes:
            self._layout, self._changes = read_layout(self._connection), changes
        return self._layout

    def postings(self, terms: Iterable[str], layout: Layout) -> dict[str, tuple[Integers, Integers]]:
        """Positions in `layout` of the passages with each term, in order, and how often it stands in each; terms that
        stand nowhere are left out."""
        self._prepare()
        found: dict[str, tuple[Integers, Integers]] = {}
        for some in _batches(terms):
            # One text for all rows of a term: a row each would cost a Python object a passage.
            held = ", ".join(f"(SELECT group_concat(doc) FROM temp.{table} WHERE term = word)" for table in _INSTANCES)
            words = ", ".join(["(?)"] * len(some))
            query = f"WITH wanted (word) AS (VALUES {words}) SELECT word, {held} FROM wanted"
            for term, *joined in self._connection.execute(query, some):
                if numbers := ",".join(filter(None, joined)):
                    positions = layout.position_of_number[np.fromstring(numbers, dtype=np.int64, sep=",")]
                    found[term] = np.unique(positions, return_counts=True)
        return found

    def beginning_with(self, prefix: str, most: int) -> list[str]:
        """Words of the index that begin with `prefix`, those in most passages first."""
        self._prepare()
        # The last code point follows every other one.
        query = "SELECT term FROM temp.lexical_rows WHERE term > ? AND term < ? ORDER BY doc DESC, term LIMIT ?"
        return [row[0] for row in self._connection.execute(query, (prefix, prefix + "\U0010ffff", most))]

    def holding(self, part: str, most: int) -> list[str]:
        """Words of the index that hold `part`; none in a large index, where reading all words takes too long."""
        if self._layout is None or len(self._layout) > _SCANNED:
            return []
        query = "SELECT term FROM temp.lexical_rows WHERE instr(term, ?) ORDER BY doc DESC, term LIMIT ?"
        return [row[0] for row in self._connection.execute(query, (part, most))]

    def known(self, terms: Iterable[str]) -> set[str]:
        """Which of these stems of words any passage holds."""
        self._prepare()
        found: set[str] = set()
        for some in _batches(terms):
            words = ", ".join(["(?)"] * len(some))
            # Of the instances the first one is enough; the table of rows would count all passages of a term.
            held = "EXISTS (SELECT 1 FROM temp.lexical_terms WHERE term = word)"
            query = f"WITH wanted (word) AS (VALUES {words}) SELECT word FROM wanted WHERE {held}"
            found.update(row[0] for row in self._connection.execute(query, some))
        return found

    def _prepare(self) -> None:
        if not self._ready:
            self._connection.executescript(_TEMPORARY)
            self._ready = True


def _batches(terms: Iterable[str]) -> Iterator[list[str]]:
    every = list(dict.fromkeys(terms))
    return (every[start : start + _AT_ONCE] for start in range(0, len(every), _AT_ONCE))
