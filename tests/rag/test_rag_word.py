"""Word documents: what is in them comes out in order, with its level, its number and its page."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading

docx = pytest.importorskip("docx")
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
MATH = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def read(data: bytes, name: str = "a.docx") -> tuple[Document, Reading]:
    reading = Reading(name)
    return assemble(find_reader(name)(data, reading), reading.metadata), reading


def shown(document: Document) -> list[tuple[str, int, str]]:
    return [(span.kind, span.level, document.text[span.start : span.end]) for span in document.spans]


def xml(text: str) -> Any:
    return docx.oxml.parse_xml(text.replace("<w:", "<w:", 1).replace(">", f' xmlns:w="{WORD}" xmlns:m="{MATH}">', 1))


def test_blocks_come_in_the_order_of_the_file_with_levels_and_numbers() -> None:
    made = docx.Document()
    made.add_heading("The Plan", 0)
    made.add_heading("First", 1)
    made.add_paragraph("Some text.")
    made.add_paragraph("one", style="List Bullet")
    made.add_paragraph("two", style="List Bullet")
    made.add_paragraph("a", style="List Number")
    made.add_paragraph("b", style="List Number")
    table = made.add_table(2, 2)
    for number, words in enumerate(["item", "price", "tea", "3"]):
        table.cell(number // 2, number % 2).text = words
    made.add_heading("Second", 2)
    made.add_paragraph("After the table.")
    document, _ = read(saved(made))
    assert shown(document) == [
        ("heading", 1, "The Plan"),
        ("heading", 2, "First"),
        ("paragraph", 0, "Some text."),
        ("list", 0, "- one\n- two\n1. a\n2. b"),
        ("table", 0, "item | price\ntea | 3"),
        ("heading", 3, "Second"),
        ("paragraph", 0, "After the table."),
    ]


def test_merged_and_nested_cells_leave_rows_that_can_be_read_alone() -> None:
    made = docx.Document()
    table = made.add_table(3, 3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(0, 2).text = "c"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "tall"
    table.cell(1, 1).text, table.cell(1, 2).text = "x", "1"
    inner = table.cell(2, 1).add_table(2, 2)
    for number, words in enumerate("abcd"):
        inner.cell(number // 2, number % 2).text = words
    document, _ = read(saved(made))
    # The frame's cell that holds a table shows its rows; the merged cell is in both rows.
    assert shown(document) == [("table", 0, "wide |  | c\ntall | x | 1\ntall | a, b; c, d |")]


def test_a_table_of_one_column_is_a_frame_around_text() -> None:
    made = docx.Document()
    cell = made.add_table(1, 1).cell(0, 0)
    cell.text = "In a box."
    cell.add_paragraph("Point", style="List Bullet")
    assert [kind for kind, _, _ in shown(read(saved(made))[0])] == ["paragraph", "list"]


def test_deleted_text_is_left_out_and_links_fields_and_tabs_are_kept() -> None:
    made = docx.Document()
    paragraph = made.add_paragraph("See ")
    paragraph._p.append(xml("<w:hyperlink><w:r><w:t>the site</w:t></w:r></w:hyperlink>"))
    paragraph._p.append(xml("<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"))
    paragraph._p.append(xml('<w:ins><w:r><w:t xml:space="preserve"> now</w:t><w:tab/><w:t>there</w:t></w:r></w:ins>'))
    paragraph._p.append(
        xml("<w:r><w:instrText>HYPERLINK x</w:instrText><w:noBreakHyphen/><w:br/><w:t>line</w:t></w:r>")
    )
    assert read(saved(made))[0].text.strip() == "See the site now\tthere-\nline"


def test_equations_are_one_line() -> None:
    made = docx.Document()
    made.add_paragraph("Let ")._p.append(
        xml(
            "<m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
            "<m:r><m:t>=</m:t></m:r><m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>n+1</m:t></m:r></m:sup></m:sSup>"
            '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub><m:r><m:t>i=1</m:t></m:r></m:sub>'
            "<m:sup><m:r><m:t>n</m:t></m:r></m:sup><m:e><m:rad><m:deg/><m:e><m:r><m:t>i</m:t></m:r></m:e></m:rad></m:e></m:nary>"
            "</m:oMath>"
        )
    )
    assert read(saved(made))[0].text.strip() == "Let (a+b)/2=x^(n+1)∑_(i=1)^n √(i)"


def test_text_boxes_comments_headers_and_properties_are_read() -> None:
    made = docx.Document()
    made.core_properties.title = "A title"
    made.core_properties.author = "Ann"
    made.sections[0].header.paragraphs[0].text = "ACME confidential"
    made.sections[0].footer.paragraphs[0].text = "Page 3 of 7"
    paragraph = made.add_paragraph("Before. ")
    paragraph.add_run()._r.append(
        xml("<w:pict><w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent></w:pict>")
    )
    run = made.add_paragraph("Disputed.").runs[0]
    if hasattr(made, "add_comment"):
        made.add_comment(run, "Is it so?", author="Bo")
    document, reading = read(saved(made))
    words = [text for _, _, text in shown(document)]
    assert words[:4] == ["ACME confidential", "Before.", "In the box.", "Disputed."]
    assert words[4:] == (["Comment by Bo: Is it so?"] if hasattr(made, "add_comment") else [])
    assert reading.metadata["title"] == "A title" and reading.metadata["author"] == "Ann"


def test_pages_are_those_that_word_stored() -> None:
    made = docx.Document()
    made.add_paragraph("one")
    made.add_paragraph()._p.append(xml("<w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r>"))
    made.add_paragraph("still ")._p.append(xml("<w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r>"))
    made.add_paragraph("three")
    document, _ = read(saved(made))
    assert [span.place.page for span in document.spans] == [1, 2, 2, 3]
    assert [span.place.page for span in read(saved(docx.Document()))[0].spans] == []


def test_templates_and_files_with_macros_are_read_as_well() -> None:
    made = docx.Document()
    made.add_paragraph("plain words")
    made.part._content_type = "application/vnd.ms-word.document.macroEnabled.main+xml"
    assert read(saved(made), "a.docm")[0].text.strip() == "plain words"


def test_what_is_no_word_document_says_what_it_is() -> None:
    pptx = pytest.importorskip("pptx").Presentation()
    made = docx.Document()
    made.add_paragraph("x")
    data = saved(made)
    for wrong, reason in [(saved(pptx), "not a Word document"), (data[: len(data) // 2], "damaged"),
                          (b"text", "not a Word document"), (b"", "empty"), (b"%PDF-1.5", "a PDF")]:  # fmt: skip
        with pytest.raises(DocumentError, match=reason):
            read(wrong)


def test_samples(shared: Path) -> None:
    folder = shared / "data/documents"
    if not folder.is_dir():
        pytest.skip("needs documents")
    document, reading = read((folder / "markitdown-samples/test.docx").read_bytes())
    assert [text for kind, _, text in shown(document) if kind == "heading"][1:3] == ["Abstract", "Introduction"]
    assert "49e168b7-d2ae-407f-a055-2167576f39a1" in next(t for kind, _, t in shown(document) if kind == "table")
    assert reading.metadata["author"] == "Adam Fourney"
    document, _ = read((folder / "markitdown-samples/test_with_comment.docx").read_bytes())
    assert "Comment by Unknown Author: This is a test comment. 12df-321a" in document.text
    document, _ = read((folder / "markitdown-samples/equations.docx").read_bytes())
    assert "a/λ=m/sinθ=1/(sin45.0^∘)=1.41" in document.text
    document, _ = read((folder / "haystack-samples/docx/sample_docx.docx").read_bytes())
    assert {document.text[s.start : s.end]: s.place.page for s in document.spans}[
        "Page 3 was empty this is page 4"
    ] == 4
