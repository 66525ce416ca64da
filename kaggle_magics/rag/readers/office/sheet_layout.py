"""What openpyxl leaves out when it reads row by row: hidden rows and columns, merged cells, pictures' anchors.

They are found in the sheet's own XML (ECMA-376 part 1, 18.3 and 20.5) by regular expressions over its bytes: a sheet
may be hundreds of megabytes, and only a few elements of it matter.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.readers.library import attribute, local, parse_xml
from kaggle_magics.rag.readers.packed import Packed

_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*\bref=[\"']([A-Z]+)(\d+):([A-Z]+)(\d+)[\"']")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']")
_UNCOMPUTED = re.compile(rb"</(?:\w+:)?f>\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>")
_DEFAULT_NAME = re.compile(
    r"(?:sheet|tabelle|feuil|hoja|planilha|foglio|blad|ark|лист|工作表|シート)\s*\d*", re.IGNORECASE
)
_MOST_MERGED = 100_000
_MOST_COLUMNS = 16_384


@dataclass(slots=True)
class Layout:
    """Of one sheet; rows and columns counted from 1."""

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merged: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """Row and column of a covered cell in the first column of a range -> row and column of the cell that it shows."""
    uncomputed: int = 0
    """Formulas without a stored value: a program wrote them, and no sheet program has computed them yet."""


def layout_of(xml: bytes) -> Layout:
    """The layout in the XML of a worksheet. Covered cells right of the first column of a range stay empty."""
    layout = Layout(uncomputed=sum(1 for _ in _UNCOMPUTED.finditer(xml)))
    data = xml.find(b"sheetData")
    for match in _COLUMN.finditer(xml, 0, data if data >= 0 else len(xml)):
        if _HIDDEN.search(match[1]):
            first, last = _number(match[1], b"min"), _number(match[1], b"max")
            layout.hidden_columns.update(range(first, min(last, _MOST_COLUMNS) + 1))
    at = 0
    for match in _ROW.finditer(xml):
        at = _number(match[1], b"r") or at + 1
        if _HIDDEN.search(match[1]):
            layout.hidden_rows.add(at)
    for top, left, bottom in _merged(xml):
        for row in range(top + 1, bottom + 1):
            if len(layout.merged) < _MOST_MERGED:
                layout.merged[row, left] = (top, left)
    return layout


def _merged(xml: bytes) -> Iterator[tuple[int, int, int]]:
    for match in _MERGED.finditer(xml):
        yield int(match[2]), column_number(match[1].decode()), int(match[4])


def column_number(letters: str) -> int:
    """A column's number from 1: "A" is 1, "AA" 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _number(attributes: bytes, name: bytes) -> int:
    match = re.search(rb"\b" + name + rb"=[\"'](\d+)[\"']", attributes)
    return int(match[1]) if match else 0


def pictures_of(packed: Packed, sheet: str) -> list[tuple[int, bytes]]:
    """The pictures on a sheet (its path in the package): the row each begins in and its bytes, from top to bottom."""
    found = []
    for drawing in related(packed, sheet, "drawing"):
        images = relations(packed, drawing)
        try:
            root = parse_xml(packed.read(drawing))
        except DocumentError:
            continue
        for anchor in root:
            row = next((one.text for one in anchor.iter() if local(one.tag) == "row"), None)
            for blip in anchor.iter():
                target = images.get(attribute(blip, "embed"), ("", ""))[1] if local(blip.tag) == "blip" else ""
                if target in packed:
                    found.append((int(row or 0) + 1, packed.read(target)))
    return sorted(found, key=lambda one: one[0])


def related(packed: Packed, part: str, kind: str) -> list[str]:
    """Paths of the parts that `part` is related to as `kind` ("drawing", "comments")."""
    return [target for found, target in relations(packed, part).values() if found == kind and target in packed]


def relations(packed: Packed, part: str) -> dict[str, tuple[str, str]]:
    """Relation id -> kind and path of a part's relations."""
    folder, name = posixpath.split(part)
    path = f"{folder}/_rels/{name}.rels"
    if path not in packed:
        return {}
    found = {}
    for relation in parse_xml(packed.read(path)):
        target = relation.get("Target", "")
        target = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        if relation.get("TargetMode") != "External":
            found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], target)
    return found


def is_default_name(sheet: str) -> bool:
    """Whether a sheet is named as the program names new ones ("Sheet1"), which tells nothing."""
    return bool(_DEFAULT_NAME.fullmatch(sheet.strip()))
