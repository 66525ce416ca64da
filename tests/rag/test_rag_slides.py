"""Presentations: every text is on its slide, titles are headings, tables and charts are tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading

pptx = pytest.importorskip("pptx")
from pptx.chart.data import CategoryChartData, XyChartData  # noqa: E402
from pptx.enum.chart import XL_CHART_TYPE  # noqa: E402
from pptx.util import Inches  # noqa: E402

TITLE, TITLE_AND_BODY, TITLE_ONLY, BLANK = 0, 1, 5, 6


def saved(made: Any) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def read(data: bytes, name: str = "a.pptx") -> Document:
    reading = Reading(name)
    return assemble(find_reader(name)(data, reading), reading.metadata)


def shown(document: Document) -> list[tuple[int | None, str, int, str]]:
    return [(span.place.slide, span.kind, span.level, document.text[span.start : span.end]) for span in document.spans]


def add(made: Any, layout: int) -> Any:
    return made.slides.add_slide(made.slide_layouts[layout])


def test_titles_lists_groups_tables_and_notes_come_from_top_to_bottom() -> None:
    made = pptx.Presentation()
    add(made, TITLE).shapes.title.text = "The deck"
    slide = add(made, TITLE_AND_BODY)
    slide.shapes.title.text = "Points"
    frame = slide.placeholders[1].text_frame
    frame.text = "first"
    frame.add_paragraph().text = "second"
    frame.paragraphs[1].level = 1
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    slide = add(made, TITLE_ONLY)
    slide.shapes.title.text = "Parts"
    slide.shapes.add_textbox(0, Inches(5), Inches(1), Inches(1)).text_frame.text = "below"
    group = slide.shapes.add_group_shape()
    inner = group.shapes.add_group_shape()
    inner.shapes.add_textbox(0, Inches(2), Inches(1), Inches(1)).text_frame.text = "in a group"
    table = slide.shapes.add_table(3, 2, 0, Inches(3), Inches(4), Inches(1)).table
    for number, words in enumerate(["item", "price", "tea", "3", "", "4"]):
        table.cell(number // 2, number % 2).text = words
    table.cell(1, 0).merge(table.cell(2, 0))
    assert shown(read(saved(made))) == [
        (1, "heading", 1, "The deck"),
        (2, "heading", 2, "Points"),
        (2, "list", 0, "- first\n  - second"),
        (2, "paragraph", 0, "Notes: Say it slowly."),
        (3, "heading", 2, "Parts"),
        (3, "paragraph", 0, "in a group"),
        (3, "table", 0, "item | price\ntea | 3\ntea | 4"),
        (3, "paragraph", 0, "below"),
    ]


def test_charts_are_tables_of_their_data() -> None:
    made = pptx.Presentation()
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("2025", (1.5, 2))
    data.add_series("2026", (0.1 + 0.2, None))
    chart = add(made, BLANK).shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Sales"
    points = XyChartData()
    series = points.add_series("curve")
    series.add_data_point(1, 4)
    series.add_data_point(2, 8.5)
    add(made, BLANK).shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, 0, 0, Inches(4), Inches(3), points)
    found = shown(read(saved(made)))
    assert found[:2] == [
        (1, "paragraph", 0, "Sales"),
        (1, "table", 0, "category | 2025 | 2026\nNorth | 1.5 | 0.3\nSouth | 2 |"),
    ]
    assert "4" in found[2][3] and "8.5" in found[2][3]


def test_shows_and_templates_are_read_as_well() -> None:
    made = pptx.Presentation()
    add(made, TITLE).shapes.title.text = "A show"
    made.part._content_type = "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml"
    assert read(saved(made), "a.ppsx").text == "A show"


def test_what_is_no_presentation_says_what_it_is() -> None:
    data = saved(pptx.Presentation())
    for wrong, reason in [
        (data[: len(data) // 2], "not a PowerPoint"),
        (b"{\\rtf1}", "an RTF"),
        (b"x", "not a PowerPo"),
    ]:
        with pytest.raises(DocumentError, match=reason):
            read(wrong)


def test_sample(shared: Path) -> None:
    path = shared / "data/documents/markitdown-samples/test.pptx"
    if not path.is_file():
        pytest.skip("needs documents")
    document = read(path.read_bytes())
    slides = {text: slide for slide, _, _, text in shown(document)}
    assert slides["2cdda5c8-e50e-4db4-b5f0-9722a649f455"] == 2
    for words in ("04191ea8-5c73-4215-a1d3-1cfb43aaaf12", "44bf7d06-5e7a-4a40-a2e1-a2e42ef28c8a", "2003 | 2003",
                  "1b92870d-e3b5-4e65-8153-919f4ff45592", "a3f6004b-6f4f-4ea8-bee3-3741f4dc385f"):  # fmt: skip
        assert words in document.text
