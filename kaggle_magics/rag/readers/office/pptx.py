"""PowerPoint (.pptx, .pptm, .ppsx, .potx) with python-pptx: what a slide shows, and its notes, on `place.slide`."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.library import library, local, parse_xml, refusing
from kaggle_magics.rag.readers.numbers import number_text
from kaggle_magics.rag.readers.office.equations import equation_text
from kaggle_magics.rag.readers.office.package import checked_package, take_properties
from kaggle_magics.rag.readers.office.pictures import Pictures
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import Cell, spread, table_block

_BAD = (KeyError, ValueError, AttributeError, TypeError, IndexError, SyntaxError)
_WRONG = "the file is not a PowerPoint presentation: damaged, or another type under this name"
_DEEPEST = 30
_PAGE_MARKS = {"SLIDE_NUMBER", "DATE", "FOOTER", "HEADER"}


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield each slide's title as a heading, then its texts, lists, tables, charts and pictures from top to bottom.

    The first slide's title is level 1, the others are level 2 below it. Notes come last, behind "Notes:". Page numbers,
    dates and footers are left out. Raises `DocumentError`. Needs python-pptx.
    """
    pptx = library("pptx", "Reading PowerPoint presentations")
    package = checked_package(data, "a PowerPoint presentation (.pptx)")
    with refusing(_WRONG):
        presentation = pptx.Presentation(io.BytesIO(package))
        take_properties(presentation.core_properties, reading)
        pictures = Pictures(reading)
        for number, slide in enumerate(presentation.slides, start=1):
            yield from _Slide(slide, Place(slide=number), pictures).blocks()
        pictures.finish()


class _Slide:
    def __init__(self, slide: Any, place: Place, pictures: Pictures) -> None:
        self._slide = slide
        self._place = place
        self._pictures = pictures

    def blocks(self) -> Iterator[Block]:
        title = self._slide.shapes.title
        words = _one_line(title.text_frame.text) if title is not None and title.has_text_frame else ""
        if words:
            yield Block(words, "heading", 1 if self._place.slide == 1 else 2, self._place)
        skipped = title._element if words and title is not None else None
        yield from self._shapes(self._slide.shapes, skipped)
        if self._slide.has_notes_slide:
            frame = self._slide.notes_slide.notes_text_frame
            notes = "\n".join(_lines(frame)) if frame is not None else ""
            if notes.strip():
                yield Block(f"Notes: {notes.strip()}", place=self._place)

    def _shapes(self, shapes: Iterable[Any], skipped: Any = None, depth: int = 0) -> Iterator[Block]:
        for shape in sorted(shapes, key=_position):
            if shape._element is skipped:
                continue
            if hasattr(shape, "shapes"):  # a group
                if depth < _DEEPEST:
                    yield from self._shapes(shape.shapes, None, depth + 1)
                continue
            yield from self._shape(shape)

    def _shape(self, shape: Any) -> Iterator[Block]:
        kind = shape.placeholder_format.type if shape.is_placeholder else None
        if kind is not None and kind.name in _PAGE_MARKS:
            return
        if getattr(shape, "has_table", False) and shape.has_table:
            block = table_block(spread(list(_cells(shape.table))), self._place)
            if block is not None:
                yield block
        elif getattr(shape, "has_chart", False) and shape.has_chart:
            yield from self._chart(shape.chart)
        elif shape.has_text_frame:
            yield from self._text(shape)
        elif local(shape._element.tag) == "graphicFrame":
            yield from self._diagram(shape)
        yield from self._picture(shape)

    def _text(self, shape: Any) -> Iterator[Block]:
        """A body placeholder of several paragraphs is a list, as it shows bullets; other texts are paragraphs."""
        lines = list(_lines(shape.text_frame))
        if shape.is_placeholder and len(lines) > 1:
            yield Block("\n".join(re.sub(r"^( *)", r"\1- ", line) for line in lines), "list", place=self._place)
        elif lines:
            yield Block("\n".join(line.strip() for line in lines), place=self._place)

    def _chart(self, chart: Any) -> Iterator[Block]:
        try:
            if chart.has_title and chart.chart_title.has_text_frame:
                words = _one_line(chart.chart_title.text_frame.text)
                if words:
                    yield Block(words, place=self._place)
            for plot in chart.plots:
                categories = [" ".join(map(str, labels)) for labels in plot.categories.flattened_labels]
                series = [(_one_line(one.name or ""), list(one.values)) for one in plot.series]
                length = max([len(categories), *(len(values) for _, values in series)], default=0)
                rows = [["category", *(name for name, _ in series)]]
                for at in range(length):
                    label = categories[at] if at < len(categories) else str(at + 1)
                    values = [values[at] if at < len(values) else None for _, values in series]
                    rows.append([label, *("" if value is None else number_text(value) for value in values)])
                block = table_block(rows, self._place)
                if block is not None:
                    yield block
        except _BAD as error:
            self._pictures.reading.warnings.append(f"a chart on slide {self._place.slide} not read ({error})"[:120])

    def _diagram(self, shape: Any) -> Iterator[Block]:
        """The texts of SmartArt, which stand in a part of their own."""
        for element in shape._element.iter("{*}relIds"):
            relation = next((value for key, value in element.attrib.items() if local(key) == "dm"), "")
            try:
                root = parse_xml(self._slide.part.related_part(relation).blob)
            except (KeyError, AttributeError, DocumentError):
                continue
            texts = []
            for point in root.iter():
                if local(point.tag) == "t" and point is not root:
                    words = _one_line("".join(one.text or "" for one in point.iter() if local(one.tag) == "t"))
                    if words and len(point):  # dgm:t holds a:p, a:t holds nothing
                        texts.append(f"- {words}")
            if texts:
                yield Block("\n".join(texts), "list", place=self._place)

    def _picture(self, shape: Any) -> Iterator[Block]:
        for properties in shape._element.iter("{*}cNvPr"):
            caption = _one_line(properties.get("descr") or "")
            if caption and not re.fullmatch(r"[\w-]+\.\w{2,4}", caption):
                yield Block(f"Picture: {caption}", place=self._place)
        for blip in shape._element.iter("{*}blip"):
            relation = next((value for key, value in blip.attrib.items() if local(key) == "embed"), "")
            try:
                data = self._slide.part.related_part(relation).blob
            except (KeyError, AttributeError):
                continue
            yield from self._pictures.blocks(data, self._place)


def _position(shape: Any) -> tuple[int, int]:
    return shape.top or 0, shape.left or 0


def _lines(frame: Any) -> Iterator[str]:
    """The paragraphs of a text frame, two spaces of indentation a level; a line break in one stays a break."""
    for paragraph in frame.paragraphs:
        parts = []
        for element in paragraph._p.iter():
            name = local(element.tag)
            if name == "oMath":
                parts.append(equation_text(element))
            elif name == "t" and not any(local(above.tag) == "oMath" for above in element.iterancestors()):
                parts.append(element.text or "")
            elif name == "br":
                parts.append(" ")
        words = _one_line("".join(parts))
        if words:
            yield "  " * paragraph.level + words


def _one_line(text: str) -> str:
    return " ".join(text.replace("\v", " ").split())


def _cells(table: Any) -> Iterator[list[Cell]]:
    for row in table.rows:
        yield [
            Cell(cell.text_frame.text, cell.span_width, cell.span_height)
            if cell.is_merge_origin
            else Cell(cell.text_frame.text)
            for cell in row.cells
            if not cell.is_spanned
        ]
