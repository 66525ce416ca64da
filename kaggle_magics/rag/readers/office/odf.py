"""OpenDocument texts, sheets and presentations (.odt, .ods, .odp; ISO 26300) by their XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.library import attribute, local, parse_xml
from kaggle_magics.rag.readers.numbers import number_text
from kaggle_magics.rag.readers.office.pictures import Pictures
from kaggle_magics.rag.readers.office.sheet_layout import is_default_name
from kaggle_magics.rag.readers.packed import Packed, open_packed
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import Cell, numbered_blocks, spread, table_block

_PROPERTIES = {"title": "title", "creator": "author", "initial-creator": "author", "subject": "subject",
               "creation-date": "created", "date": "modified", "keyword": "keywords"}  # fmt: skip
_LEFT_OUT = {"tracked-changes", "table-of-content", "alphabetical-index", "illustration-index", "table-index",
             "sequence-decls", "forms", "page-number", "page-count", "desc", "title", "notes", "animations",
             "soft-page-break"}  # fmt: skip
_MOST_REPEATED = 1000
"""A row or cell that is repeated more often is formatting up to the sheet's end."""
_MOST_COLUMNS = 1000
_DEEPEST = 60


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield headings, paragraphs, lists and tables in order; sheets with their rows, slides with their notes.

    Texts have no pages: programs store only some of their page breaks. Raises `DocumentError`: damaged, locked,
    entities. Needs defusedxml.
    """
    packed = open_packed(data, "an OpenDocument file")
    manifest = packed.read("META-INF/manifest.xml") if "META-INF/manifest.xml" in packed else b""
    if b"encryption-data" in manifest:
        raise DocumentError("it is protected with a password; save it without one")
    if "content.xml" not in packed:
        raise DocumentError("the file is not an OpenDocument file: damaged, or another type under this name")
    root = parse_xml(packed.read("content.xml"), "its content")
    if "meta.xml" in packed:
        _take_properties(parse_xml(packed.read("meta.xml"), "its description"), reading)
    styles = [root]
    if "styles.xml" in packed:
        styles.append(parse_xml(packed.read("styles.xml"), "its styles"))
    document = _OpenDocument(packed, Pictures(reading), styles)
    for body in root:
        if local(body.tag) == "body":
            for kind in body:
                yield from document.body(kind)
    document.pictures.finish()


def _take_properties(root: Element, reading: Reading) -> None:
    for element in root.iter():
        name = _PROPERTIES.get(local(element.tag))
        if name and (element.text or "").strip():
            reading.metadata.setdefault(name, (element.text or "").strip())


class _OpenDocument:
    def __init__(self, packed: Packed, pictures: Pictures, styles: Sequence[Element]) -> None:
        self.pictures = pictures
        self._packed = packed
        self._parents: dict[str, str] = {}
        self._numbered: set[str] = set()
        for element in (one for root in styles for one in root.iter()):
            name = attribute(element, "name")
            if local(element.tag) == "style":
                self._parents[name] = attribute(element, "parent-style-name")
            elif local(element.tag) == "list-style":
                first = next(iter(element), None)
                if (
                    first is not None
                    and local(first.tag) == "list-level-style-number"
                    and attribute(first, "num-format")
                ):
                    self._numbered.add(name)
        self._place = Place()
        self._titled = False

    def body(self, body: Element) -> Iterator[Block]:
        kind = local(body.tag)
        if kind == "spreadsheet":
            for table in body:
                if local(table.tag) == "table":
                    yield from self._sheet(table)
            return
        if kind == "presentation":
            number = 0
            for page in body:
                if local(page.tag) == "page":
                    number += 1
                    self._place = Place(slide=number)
                    yield from self._slide(page)
            return
        yield from self.blocks(body)

    def blocks(self, container: Element, depth: int = 0) -> Iterator[Block]:
        """The blocks of a text, a cell or a text box."""
        if depth > _DEEPEST:
            raise DocumentError("its parts are nested too deeply")
        for element in container:
            name = local(element.tag)
            if name in ("h", "p"):
                yield from self._paragraph(element, depth)
            elif name == "list" and any(local(one.tag) == "h" for one in element.iter()):
                yield from self.blocks(element, depth + 1)  # numbered headings
            elif name == "list":
                later: list[Element] = []
                place = self._place
                lines = list(self._items(element, 0, "", later))
                if lines:
                    yield Block("\n".join(lines), "list", place=place)
                yield from self._hanging(later, depth)
            elif name == "table":
                yield from self._table(element, depth)
            elif name in ("frame", "custom-shape", "g", "annotation", "note"):
                yield from self._hanging([element], depth)
            elif name not in _LEFT_OUT:
                yield from self.blocks(element, depth + 1)

    def _paragraph(self, element: Element, depth: int) -> Iterator[Block]:
        style = attribute(element, "style-name")
        later: list[Element] = []
        place = self._place
        words = self._words(element, later)
        level = attribute(element, "outline-level")
        if words and self._is_title(style):
            self._titled = True
            yield Block(words, "heading", 1, place)
        elif words and local(element.tag) == "h":
            yield Block(words, "heading", (int(level) if level.isdigit() else 1) + self._titled, place)
        elif words:
            yield Block(words, place=place)
        yield from self._hanging(later, depth)

    def _is_title(self, style: str) -> bool:
        seen: set[str] = set()
        while style and style not in seen:
            if style.lower() == "title":
                return True
            seen.add(style)
            style = self._parents.get(style, "")
        return False

    def _words(self, element: Element, later: list[Element]) -> str:
        """The text of a paragraph, blanks joined as the format says; notes and frames in it go to `later`."""
        return re.sub(
            r" *\n *| {2,}", lambda match: "\n" if "\n" in match[0] else " ", self._raw(element, later)
        ).strip()

    def _raw(self, element: Element, later: list[Element]) -> str:
        parts = [_blanks(element.text)]
        for child in element:
            name = local(child.tag)
            if name == "s":
                parts.append(" ")
            elif name == "tab":
                parts.append("\t")
            elif name == "line-break":
                parts.append("\n")
            elif name in ("note", "annotation", "frame", "custom-shape", "g"):
                later.append(child)
            elif name == "ruby":
                parts += [self._raw(base, later) for base in child if local(base.tag) == "ruby-base"]
            elif name not in _LEFT_OUT:
                parts.append(self._raw(child, later))
            parts.append(_blanks(child.tail))
        return "".join(parts)

    def _items(self, element: Element, depth: int, style: str, later: list[Element]) -> Iterator[str]:
        style = attribute(element, "style-name") or style
        number = 0
        for item in element:
            if local(item.tag) not in ("list-item", "list-header") or depth > _DEEPEST:
                continue
            texts = [self._words(one, later) for one in item if local(one.tag) in ("p", "h")]
            words = " ".join(filter(None, texts))
            if words:
                number += 1
                mark = f"{number}. " if style in self._numbered else "- "
                yield "  " * depth + (mark if local(item.tag) == "list-item" else "") + words
            for one in item:
                if local(one.tag) == "list":
                    yield from self._items(one, depth + 1, style, later)

    def _hanging(self, elements: Sequence[Element], depth: int) -> Iterator[Block]:
        for element in elements:
            name = local(element.tag)
            if name == "note":
                words = " ".join(
                    block.text
                    for one in element
                    if local(one.tag) == "note-body"
                    for block in self.blocks(one, depth + 1)
                )
                if words:
                    yield Block(
                        f"{attribute(element, 'note-class').capitalize() or 'Note'}: {words}", place=self._place
                    )
            elif name == "annotation":
                author = next((one.text or "" for one in element if local(one.tag) == "creator"), "")
                words = " ".join("".join(one.itertext()).strip() for one in element if local(one.tag) in ("p", "list"))
                if words.strip():
                    yield Block(f"Comment by {author}: {words}" if author else f"Comment: {words}", place=self._place)
            else:
                yield from self._frame(element, depth)

    def _frame(self, element: Element, depth: int) -> Iterator[Block]:
        caption = next((one.text or "" for one in element if local(one.tag) == "desc"), "")
        if caption.strip():
            yield Block(f"Picture: {' '.join(caption.split())}", place=self._place)
        for child in element:
            name = local(child.tag)
            if name == "image":
                path = attribute(child, "href").removeprefix("./")
                if path in self._packed and path.startswith("Pictures/"):
                    yield from self.pictures.blocks(self._packed.read(path), self._place)
            elif name == "object":
                yield from self._object(attribute(child, "href").removeprefix("./"))
                return  # what follows is a picture of it
            elif name == "table":
                yield from self._table(child, depth)
                return
            elif name in ("frame", "custom-shape", "g"):
                yield from self._frame(child, depth + 1)
            elif name in ("p", "h"):
                yield from self._paragraph(child, depth)
            elif name == "list":
                holder = Element("holder")
                holder.append(child)
                yield from self.blocks(holder, depth + 1)
            elif name == "text-box":
                yield from self.blocks(child, depth + 1)

    def _object(self, folder: str) -> Iterator[Block]:
        """A formula as its source, a chart as the table of its data."""
        path = f"{folder}/content.xml"
        if path not in self._packed:
            return
        root = parse_xml(self._packed.read(path), "an object in it")
        for element in root.iter():
            if local(element.tag) == "annotation" and (element.text or "").strip():
                yield Block((element.text or "").strip(), place=self._place)
            elif local(element.tag) == "table":
                yield from self._table(element, 0)

    def _slide(self, page: Element) -> Iterator[Block]:
        shapes = [one for one in page if local(one.tag) not in ("notes", "forms", "animations")]
        for shape in shapes:
            if attribute(shape, "class") == "title":
                words = " ".join(block.text for block in self._frame(shape, 0))
                if words:
                    yield Block(words, "heading", 1 if self._place.slide == 1 else 2, self._place)
        for shape in shapes:
            if attribute(shape, "class") not in ("title", "page-number", "date-time", "footer", "header"):
                yield from self._frame(shape, 0)
        for notes in page:
            if local(notes.tag) == "notes":
                frames = [one for one in notes if attribute(one, "class") == "notes"]
                words = "\n".join(block.text for one in frames for block in self._frame(one, 0))
                if words:
                    yield Block(f"Notes: {words}", place=self._place)

    def _table(self, table: Element, depth: int) -> Iterator[Block]:
        rows, later = [], []
        for row, _, _ in _rows_of(table):
            cells = []
            for cell, times in _cells_of(row):
                inside = list(self.blocks(cell, depth + 1))
                later += [block for block in inside if block.recognised]
                words = " ".join(block.text.replace(" | ", ", ") for block in inside if not block.recognised)
                if local(cell.tag) == "table-cell":
                    cells += [Cell(words, *_spans(cell))] * min(times, _MOST_COLUMNS if words else 20)
            rows.append(cells)
        if max(map(len, rows), default=0) == 1:
            for row, _, _ in _rows_of(table):
                for cell, _ in _cells_of(row):
                    yield from self.blocks(cell, depth + 1)
            return
        block = table_block(spread(rows), self._place)
        if block is not None:
            yield block
        yield from later

    def _sheet(self, table: Element) -> Iterator[Block]:
        self._place = Place(sheet=attribute(table, "name"))
        later: list[Block] = []
        blocks = list(numbered_blocks(self._sheet_rows(table, later), self._place))
        blocks += later
        for shapes in table:
            if local(shapes.tag) == "shapes":
                for shape in shapes:
                    blocks += self._frame(shape, 0)
        if blocks and not is_default_name(attribute(table, "name")):
            yield Block(attribute(table, "name"), "heading", 1, self._place)
        yield from blocks

    def _sheet_rows(self, table: Element, later: list[Block]) -> Iterator[tuple[int, Sequence[str]]]:
        hidden = {number for number, column in enumerate(_columns_of(table)) if column in ("collapse", "filter")}
        merged: dict[int, tuple[str, int]] = {}
        number = 0
        for row, times, shown in _rows_of(table):
            texts: list[str] = []
            for cell, repeated in _cells_of(row):
                text = self._cell_text(cell, number + 1, later)
                for _ in range(min(repeated, _MOST_COLUMNS if text else max(0, _MOST_COLUMNS - len(texts)))):
                    column = len(texts)
                    if local(cell.tag) == "covered-table-cell" and column in merged and not text:
                        texts.append(merged[column][0])
                    else:
                        texts.append(text)
                        spanned = _spans(cell)[1]
                        if spanned > 1:
                            merged[column] = (text, number + spanned)
            merged = {column: (text, last) for column, (text, last) in merged.items() if last > number + 1}
            visible = [text for column, text in enumerate(texts) if column not in hidden]
            filled = any(visible)
            for offset in range(min(times, _MOST_REPEATED if filled else 1)):
                if shown:
                    yield number + 1 + offset, visible
            number += times

    def _cell_text(self, cell: Element, row: int, later: list[Block]) -> str:
        words = []
        for child in cell:
            if local(child.tag) == "p":
                words.append(self._words(child, []))
            elif local(child.tag) in ("annotation", "frame", "custom-shape"):
                place = replace(self._place, row=row)
                later += [replace(block, place=place) for block in self._hanging([child], 0)]
        text = "\n".join(words).strip()
        kind, value = attribute(cell, "value-type"), attribute(cell, "value")
        if kind == "date":
            return re.sub(r"T00:00(:00)?(\.0+)?$", "", attribute(cell, "date-value")).replace("T", " ")
        if kind == "float" and not re.fullmatch(r"-?\d+(?:\.\d+)?", text):
            # What is shown has its thousands divided, or a comma as its point: the value itself is found by its digits.
            return number_text(float(value)) if _is_float(value) else text
        return text


def _blanks(text: str | None) -> str:
    return re.sub(r"[ \t\r\n]+", " ", text or "")


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _count(element: Element, name: str) -> int:
    text = attribute(element, name)
    return max(1, int(text)) if text.isdigit() else 1


def _spans(cell: Element) -> tuple[int, int]:
    return _count(cell, "number-columns-spanned"), _count(cell, "number-rows-spanned")


def _rows_of(table: Element) -> Iterator[tuple[Element, int, bool]]:
    """Each row, how often it is repeated, and whether it is shown; groups and header rows are looked through."""
    for element in table:
        name = local(element.tag)
        if name == "table-row":
            yield (
                element,
                _count(element, "number-rows-repeated"),
                attribute(element, "visibility") not in ("collapse", "filter"),
            )
        elif name in ("table-rows", "table-header-rows", "table-row-group"):
            yield from _rows_of(element)


def _cells_of(row: Element) -> Iterator[tuple[Element, int]]:
    for element in row:
        if local(element.tag) in ("table-cell", "covered-table-cell"):
            yield element, _count(element, "number-columns-repeated")


def _columns_of(table: Element) -> Iterator[str]:
    """The visibility of each column."""
    for element in table:
        name = local(element.tag)
        if name == "table-column":
            for _ in range(min(_count(element, "number-columns-repeated"), _MOST_COLUMNS)):
                yield attribute(element, "visibility")
        elif name in ("table-columns", "table-header-columns", "table-column-group"):
            yield from _columns_of(element)
