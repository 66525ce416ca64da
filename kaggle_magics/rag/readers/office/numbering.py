"""The numbers Word writes before list items and headings: they are not in the text but follow from numbering.xml."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.rag.readers.library import local

_BULLET = "-"
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
          (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Level:
    format: str
    text: str
    start: int


@dataclass(slots=True)
class Numbering:
    """The lists of one document and how far each has counted."""

    root: Any = None
    """The `w:numbering` element (lxml); None for a document without lists."""
    _lists: dict[str, tuple[str, dict[int, _Level]]] = field(default_factory=dict)
    _counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def mark(self, number_id: str, depth: int) -> str:
        """What stands before the next item of a list at `depth` (from 0): "-", "3.", "2.1", "b)"; "" for nothing.

        Counts on, so it is asked once an item, in order.
        """
        key, levels = self._levels_of(number_id)
        level = levels.get(depth)
        if level is None or level.format == "none":
            return _BULLET if not levels else ""
        counts = self._counts.setdefault(key, {})
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        if level.format == "bullet":
            return _BULLET

        def written(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            other = levels.get(at, level)
            return _number(counts.get(at, other.start), other.format)

        return re.sub(r"%(\d)", written, level.text).strip()

    def _levels_of(self, number_id: str) -> tuple[str, dict[int, _Level]]:
        if number_id not in self._lists:
            self._lists[number_id] = self._read(number_id)
        return self._lists[number_id]

    def _read(self, number_id: str) -> tuple[str, dict[int, _Level]]:
        number = self._child("num", "numId", number_id)
        abstract = None
        if number is not None:
            target = next((_value(child) for child in number if local(child.tag) == "abstractNumId"), "")
            abstract = self._child("abstractNum", "abstractNumId", target)
        if number is None or abstract is None:
            return number_id, {}
        levels = {}
        for child in abstract:
            if local(child.tag) == "lvl":
                levels[_whole(_attribute(child, "ilvl"))] = _level(child)
        overridden = False
        for child in number:
            if local(child.tag) != "lvlOverride":
                continue
            depth = _whole(_attribute(child, "ilvl"))
            for one in child:
                if local(one.tag) == "lvl":
                    levels[depth] = _level(one)
                elif local(one.tag) == "startOverride":
                    overridden = True
                    old = levels.get(depth, _Level("decimal", f"%{depth + 1}.", 1))
                    levels[depth] = _Level(old.format, old.text, _whole(_value(one), 1))
        # Lists of one abstract list count on together, unless a list says that it begins anew.
        return (number_id if overridden else f"abstract {target}"), levels

    def _child(self, name: str, key: str, value: str) -> Any:
        if self.root is not None:
            for child in self.root:
                if local(child.tag) == name and _attribute(child, key) == value:
                    return child
        return None


def _level(element: Any) -> _Level:
    values = {local(child.tag): _value(child) for child in element}
    return _Level(values.get("numFmt", "decimal"), values.get("lvlText", ""), _whole(values.get("start", ""), 1))


def _attribute(element: Any, name: str) -> str:
    return next((value for key, value in element.attrib.items() if local(key) == name), "")


def _value(element: Any) -> str:
    return _attribute(element, "val")


def _whole(text: str, default: int = 0) -> int:
    return int(text) if text.isascii() and text.isdigit() else default


def _number(count: int, form: str) -> str:
    if form in ("lowerLetter", "upperLetter") and count > 0:
        letter = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letter.upper() if form == "upperLetter" else letter
    if form in ("lowerRoman", "upperRoman") and 0 < count < 4000:
        roman = ""
        for value, mark in _ROMAN:
            while count >= value:
                roman += mark
                count -= value
        return roman.upper() if form == "upperRoman" else roman
    return f"{count:02}" if form == "decimalZero" else str(count)
