"""Word (.docx, .docm, .dotx) with python-docx: blocks in the order of the file, pages as Word counted them last."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.library import library, local, refusing
from kaggle_magics.rag.readers.office.equations import equation_text
from kaggle_magics.rag.readers.office.numbering import Numbering
from kaggle_magics.rag.readers.office.package import checked_package, take_properties
from kaggle_magics.rag.readers.office.pictures import Pictures
from kaggle_magics.rag.readers.office.word_styles import Styles, attribute, child, value
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import table_block

_WRONG = "the file is not a Word document: damaged, or another type under this name"
_PAGE_FIELD = re.compile(r"[\s\d/|.,:-]*|(?:page|seite|p[áa]gina)\s*\d*(?:\s*(?:of|von|de|/)\s*\d*)?", re.IGNORECASE)
_LEFT_OUT = {"del", "moveFrom", "instrText", "delText", "delInstrText", "Fallback", "rPr", "pPr", "proofErr", "sdtPr"}
_DEEPEST = 60
_MOST_SPAN = 100


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield headings with their level, paragraphs, lists with their numbers, tables, text boxes, notes and comments.

    Text that was deleted with tracking is left out. Notes and comments follow the paragraph that they belong to;
    headers and footers come first. `place.page` is set where Word stored its page breaks. Raises `DocumentError`.
    Needs python-docx.
    """
    docx = library("docx", "Reading Word documents")
    package = checked_package(data, "a Word document (.docx)")
    with refusing(_WRONG):
        document = docx.Document(io.BytesIO(package))
        take_properties(document.core_properties, reading)
        word = _Word(document.part, Pictures(reading))
        yield from word.margins(document)
        if document.element.body is not None:
            yield from word.blocks(document.element.body)
        word.pictures.finish()


@dataclass(slots=True)
class _Found:
    """What hangs on a paragraph and is told after it."""

    boxes: list[Any] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    page: int | None = None
    """On which its first character stands."""


class _Word:
    """Walks the XML of one document; python-docx opened it and knows its parts."""

    def __init__(self, part: Any, pictures: Pictures) -> None:
        self.pictures = pictures
        self._part = part
        self._related = self._by_type(part)
        self._styles = Styles.of(self._root("styles"))
        self._numbering = Numbering(self._root("numbering"))
        self._notes: dict[tuple[str, str], Any] = {}
        for kind in ("footnote", "endnote", "comment"):
            root = self._root(f"{kind}s")
            for note in root if root is not None else ():
                if local(note.tag) == kind and attribute(note, "type") not in ("separator", "continuationSeparator"):
                    self._notes[kind, attribute(note, "id")] = note
        paged = any(True for _ in part.element.iter("{*}lastRenderedPageBreak"))
        self._page: int | None = 1 if paged else None
        self._titled = False

    @staticmethod
    def _by_type(part: Any) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for relation in part.rels.values():
            if not relation.is_external:
                parts.setdefault(relation.reltype.rpartition("/")[2], relation.target_part)
        return parts

    def _root(self, kind: str) -> Any:
        """The root element of a related part; None without it."""
        part = self._related.get(kind)
        if part is None:
            return None
        root = getattr(part, "element", None)
        if root is None:
            from docx.oxml import parse_xml

            try:
                root = parse_xml(part.blob)
            except (SyntaxError, ValueError):
                return None
        return root

    @property
    def _place(self) -> Place:
        return Place(page=self._page)

    def margins(self, document: Any) -> Iterator[Block]:
        """Headers and footers, each text once; page numbers alone are left out."""
        seen: set[str] = set()
        for section in document.sections:
            for one in (section.first_page_header, section.header, section.first_page_footer, section.footer):
                if one.is_linked_to_previous:
                    continue
                for block in _Word(one.part, self.pictures).blocks(one.part.element):
                    if block.text not in seen and not _PAGE_FIELD.fullmatch(block.text.strip()):
                        seen.add(block.text)
                        yield Block(block.text, "table" if block.kind == "table" else "paragraph", place=self._place)

    def blocks(self, container: Any, depth: int = 0) -> Iterator[Block]:
        """The blocks of a body, a cell, a text box or a note; neighbouring list items are one block."""
        items: list[str] = []
        place = self._place
        for block in self._each(container, depth):
            if block.kind == "item":
                place = block.place if not items else place
                if items and block.place != place:
                    yield Block("\n".join(items), "list", place=place)
                    items, place = [], block.place
                items.append(block.text)
                continue
            if items:
                yield Block("\n".join(items), "list", place=place)
                items = []
            yield block
        if items:
            yield Block("\n".join(items), "list", place=place)

    def _each(self, container: Any, depth: int) -> Iterator[Block]:
        if depth > _DEEPEST:
            raise DocumentError("its tables or text boxes are nested too deeply")
        for part in container:
            name = local(part.tag)
            if name == "p":
                yield from self._paragraph(part, depth)
            elif name == "tbl":
                yield from self._table(part, depth)
            elif name in ("oMathPara", "oMath"):
                yield Block(equation_text(part), place=self._place)
            elif name not in _LEFT_OUT and name not in ("sectPr", "tcPr"):
                yield from self._each(part, depth + 1)

    def _paragraph(self, paragraph: Any, depth: int) -> Iterator[Block]:
        found = _Found()
        text = re.sub(r"[ \u00a0]{2,}", " ", "".join(self._words(paragraph, found))).strip()
        place = Place(page=found.page if text else self._page)
        style = self._styles.of_paragraph(paragraph)
        mark = self._numbering.mark(*style.number) if style.number and text else ""
        if not text or style.contents:
            pass
        elif style.title:
            self._titled = True
            yield Block(text, "heading", 1, place)
        elif style.level:
            numbered = f"{mark} {text}" if mark not in ("", "-") else text
            yield Block(numbered, "heading", style.level + self._titled, place)
        elif style.number:
            indent = "  " * style.number[1]
            yield Block(f"{indent}{mark} {text}" if mark else f"{indent}{text}", "item", place=place)
        else:
            yield Block(text, place=place)
        yield from self._hanging(found, depth)

    def _table(self, table: Any, depth: int) -> Iterator[Block]:
        rows = list(_rows_of(table))
        place = self._place
        if max((len(cells) for cells in rows), default=0) <= 1:  # a frame around text
            for cells in rows:
                for cell in cells:
                    yield from self.blocks(cell, depth + 1)
            return
        texts: list[list[str]] = []
        later: list[Block] = []
        for cells in rows:
            above = texts[-1] if texts else []
            row: list[str] = []
            page, ends = self._page, [self._page]
            for cell in cells:
                self._page = page  # a row that goes over a page's end does so in each of its cells
                properties = child(cell, "tcPr")
                merged = child(properties, "vMerge")
                inside = list(self.blocks(cell, depth + 1))
                later += [block for block in inside if block.recognised]
                text = " ".join(_in_cell(block) for block in inside if not block.recognised)
                if merged is not None and attribute(merged, "val") != "restart":
                    text = text or (above[len(row)] if len(row) < len(above) else "")
                span = value(properties, "gridSpan")
                row += [text] + [""] * (min(int(span), _MOST_SPAN) - 1 if span.isdigit() else 0)
                ends.append(self._page)
            self._page = max((end for end in ends if end is not None), default=None)
            texts.append(row)
        block = table_block(texts, place)
        if block is not None:
            yield block
        yield from later

    def _hanging(self, found: _Found, depth: int) -> Iterator[Block]:
        for box in found.boxes:
            yield from self.blocks(box, depth + 1)
        for caption in found.captions:
            yield Block(f"Picture: {caption}", place=self._place)
        for relation in found.pictures:
            part = self._part.related_parts.get(relation)
            if part is not None:
                yield from self.pictures.blocks(part.blob, self._place)
        for kind, identity in found.notes:
            note = self._notes.pop((kind, identity), None)
            if note is not None:
                words = " ".join(block.text for block in self.blocks(note, depth + 1))
                author = attribute(note, "author")
                before = f"Comment by {author}" if kind == "comment" and author else kind.capitalize()
                if words.strip():
                    yield Block(f"{before}: {words.strip()}", place=self._place)

    def _words(self, element: Any, found: _Found) -> Iterator[str]:
        for part in element:
            name = local(part.tag)
            if name == "t":
                if found.page is None and (part.text or "").strip():
                    found.page = self._page
                yield part.text or ""
            elif name in ("oMath", "oMathPara"):
                yield f" {equation_text(part)} "
            elif name in ("ptab", "tab"):
                yield "\t"
            elif name in ("br", "cr"):
                yield "" if attribute(part, "type") == "page" else "\n"
            elif name == "noBreakHyphen":
                yield "-"
            elif name == "lastRenderedPageBreak":
                if self._page is not None:
                    self._page += 1
            elif name == "ruby":
                for base in part:
                    if local(base.tag) == "rubyBase":  # what is read, without how it is read
                        yield from self._words(base, found)
            elif name == "txbxContent":
                found.boxes.append(part)
            elif name in ("footnoteReference", "endnoteReference", "commentReference"):
                found.notes.append((name.removesuffix("Reference"), attribute(part, "id")))
            elif name in ("blip", "imagedata"):
                found.pictures.append(attribute(part, "embed") or attribute(part, "id"))
            elif name == "docPr":
                caption = attribute(part, "descr").strip()
                if caption and not re.fullmatch(r"[\w-]+\.\w{2,4}", caption):
                    found.captions.append(" ".join(caption.split()))
            elif name not in _LEFT_OUT:
                yield from self._words(part, found)


def _rows_of(table: Any) -> Iterator[list[Any]]:
    """The cells of each row; content controls around rows and cells are looked through, deleted rows left out."""
    for row in _inside(table, "tr"):
        properties = child(row, "trPr")
        if child(properties, "del") is None:
            yield list(_inside(row, "tc"))


def _inside(element: Any, name: str) -> Iterator[Any]:
    for one in element:
        if local(one.tag) == name:
            yield one
        elif local(one.tag) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _inside(one, name)


def _in_cell(block: Block) -> str:
    """A block as a part of a cell: the cells of a table in it are divided by commas, its rows by semicolons."""
    return block.text.replace(" | ", ", ").replace("\n", "; ") if block.kind == "table" else block.text
