"""PDF: tables in rows, pages in order, scans and pictures by OCR with their pages, and what is said without OCR."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pdf_files import drawn, pdf_of

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers.pdf import pdf
from kaggle_magics.rag.readers.pdf import scans as pdf_scans
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.recognising import ocr

pytest.importorskip("pypdf", reason="pypdf is not installed")
needs_ocr = pytest.mark.skipif(
    shutil.which("tesseract") is None or ocr.missing() is not None, reason="the tesseract program is not installed"
)
PROSE = "The harbour office opens at nine on weekdays and at ten on Saturdays"
TABLE = [
    (72, 700, "Inventory of the northern store", 18),
    *((x, 660, text) for x, text in ((72, "Code"), (160, "Place"), (240, "Expected"), (330, "Found"))),
    *((x, 645, text) for x, text in ((72, "SKU-1"), (160, "A-12"), (240, "450"))),
    *((x, 630, text) for x, text in ((72, "SKU-2"), (240, "780"), (330, "778"))),
    *((x, 615, text) for x, text in ((160, "C-15"), (330, "15"))),
    (72, 580, PROSE),
]


def read(data: bytes, reading: Reading | None = None) -> Document:
    reading = reading or Reading("a.pdf")
    return assemble(pdf.read(data, reading), reading.metadata)


def parts(document: Document) -> list[tuple[int | None, str, str]]:
    return [(span.place.page, span.kind, document.text[span.start : span.end]) for span in document.spans]


def test_a_table_without_lines_is_read_row_by_row() -> None:
    assert parts(read(pdf_of([TABLE]))) == [
        (1, "heading", "Inventory of the northern store"),
        (
            1,
            "table",
            "Code | Place | Expected | Found\nSKU-1 | A-12 | 450 |\nSKU-2 |  | 780 | 778\n| C-15 |  | 15",
        ),
        (1, "paragraph", PROSE),
    ]


def test_a_page_of_cells_is_read_from_top_to_bottom_whatever_its_files_order() -> None:
    shuffled = [TABLE[index] for index in (5, 1, 13, 12, 9, 3, 0, 7, 2, 11, 4, 8, 6, 10)]
    assert read(pdf_of([shuffled])).text == read(pdf_of([TABLE])).text


def test_columns_of_prose_stay_columns() -> None:
    left = [(72, 700 - 14 * line, f"left column line {line} of the long report") for line in range(12)]
    right = [(320, 700 - 14 * line, f"right column line {line} of the same report") for line in range(12)]
    text = read(pdf_of([left + right])).text
    assert text.index("left column line 11") < text.index("right column line 0")


def test_numbers_of_a_list_are_no_column() -> None:
    words = [(72.0, 700.0 - 40 * number, f"{number}.") for number in range(1, 6)]
    words += [(100.0, 700.0 - 40 * number, f"Sentence {number} of the list") for number in range(1, 6)]
    assert " | " not in read(pdf_of([words])).text


def test_what_the_file_says_of_itself_is_kept() -> None:
    info = "/Title (Tides of the Delta) /Author (A. Nakamura) /CreationDate (D:20260301120000Z)"
    document = read(pdf_of([[(72, 700, PROSE)]], info=info))
    assert document.metadata == {
        "title": "Tides of the Delta",
        "author": "A. Nakamura",
        "date": "2026-03-01T12:00:00+00:00",
    }
    assert read(pdf_of([[(72, 700, PROSE)]], info="/Title () /CreationDate (yesterday)")).metadata == {}


def scanned(text: str) -> tuple[Any, float, float, float, float]:
    return drawn(text, 36), 36, 400, 540, 540 * drawn(text, 36).height / drawn(text, 36).width


@needs_ocr
def test_scanned_pages_are_read_between_others_and_keep_their_numbers() -> None:
    pages = [[(72, 700, PROSE)], [], [], [(72, 700, "The last page is text again, as the first one is")]]
    document = read(pdf_of(pages, [[], [scanned("Lease of pier four")], [], []]))
    assert [(page, text) for page, _, text in parts(document)] == [
        (1, PROSE),
        (2, "Lease of pier four"),
        (4, "The last page is text again, as the first one is"),
    ]
    assert (document.pages, document.empty_pages, document.recognised) == (4, (3,), 1)


@needs_ocr
def test_a_scan_is_read_without_pypdfium2_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_scans, "installed", lambda name: False)
    assert read(pdf_of([[]], [[scanned("Lease of pier four")]])).text == "Lease of pier four"


@needs_ocr
def test_pictures_between_text_stand_where_they_are_drawn_and_repeated_ones_once() -> None:
    above, below = "The text above the picture is a sentence", "The text below the picture is another one"
    picture = scanned("WARNING: fragile")
    page = [(72, 760, above), (72, 300, below)]
    document = read(pdf_of([page, page], [[picture], []]))
    assert [text for page, _, text in parts(document) if page == 1] == [above, "WARNING: fragile", below]
    assert document.recognised == 1
    logo = drawn("Marwen Institute", 30)
    reading = Reading("a.pdf")
    both = read(pdf_of([page, page], [[(logo, 72, 500, 300, 80)], [(logo, 72, 500, 300, 80)]]), reading)
    assert both.text.count("Marwen Institute") == 2  # two copies in the file are two pictures
    assert reading.warnings == []


@needs_ocr
def test_a_scan_with_a_layer_of_text_is_not_read_again() -> None:
    text = [(40.0, 700.0 - 14 * line, f"{PROSE} {line}") for line in range(10)]
    document = read(pdf_of([text], [[(drawn("Lease of pier four"), 0, 0, 612, 792)]]))
    assert "Lease" not in document.text and document.recognised == 0


@needs_ocr
def test_a_stamp_on_a_scan_does_not_make_it_text() -> None:
    from PIL import Image

    stamp = [(40.0, 20.0, "Downloaded from the archive on 3 March 2026")]
    paper = drawn("Lease of pier four", 60)
    page = Image.new("L", (paper.width, int(paper.width * 792 / 612)), 255)
    page.paste(paper, (0, 0))
    document = read(pdf_of([stamp], [[(page, 0, 0, 612, 792)]]))
    assert "Lease of pier four" in document.text and document.recognised == 1


def test_without_ocr_the_scans_are_counted_and_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL", reason="pillow is not installed")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    scan = scanned("Lease of pier four")
    with pytest.raises(
        DocumentError, match=r"none of its 2 pages holds text; 2 of 2 pages are scans, not read: OCR needs "
    ):
        read(pdf_of([[], []], [[scan], [scan]]))
    reading = Reading("a.pdf")
    document = read(pdf_of([[(72, 700, PROSE)], []], [[], [scan]]), reading)
    assert document.text == PROSE and document.empty_pages == (2,)
    assert reading.warnings == [
        "1 of 2 pages is a scan, not read: OCR needs the tesseract program. Run: !apt-get install -y tesseract-ocr"
    ]
    reading = Reading("a.pdf")
    read(pdf_of([[(72, 700, PROSE)]], [[scan]]), reading)
    assert reading.warnings[0].startswith("1 picture between the text, not read: OCR needs the tesseract program.")


@needs_ocr
def test_a_page_that_takes_too_long_is_named_and_the_others_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ocr.recognise
    calls = []

    def slow(image: Any, language: str | None, seconds: float) -> str:
        calls.append(image)
        return real(image, language, 0.001 if len(calls) == 1 else seconds)

    monkeypatch.setattr(ocr, "recognise", slow)
    monkeypatch.setattr(ocr.os, "sched_getaffinity", lambda pid: {0}, raising=False)
    reading = Reading("a.pdf")
    document = read(pdf_of([[], []], [[scanned("First page")], [scanned("Second page")]]), reading)
    assert (document.text.strip(), document.empty_pages) == ("Second page", (1,))
    assert reading.warnings == ["not all on page 1 was read: reading the picture took too long and was stopped"]


@needs_ocr
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "MEDRPT-2024-PAT-3847_medical_report_scan.pdf",
            ["COMPREHENSIVE MEDICAL REPORT", "Lisinopril 10mg", "Page 3 of 3"],
        ),
        ("ocr/pdf_scanned_invoice.pdf", ["INV-2024-001", "TOTAL AMOUNT DUE: $5,000.00"]),
        ("ocr/pdf_image_middle.pdf", ["introductory text.\n\nMIDDLE: Product Code: ABC-12345\n\nSection 2"]),
        (
            "ocr/pdf_multiple_images.pdf",
            ["Image 1: Serial Number SN-001\n\nText between", "Image 2: Model Number M-2024"],
        ),
        ("SPARSE-2024-INV-1234_borderless_table.pdf", ["| B-07 |  | 289 | -23 |", "SKU-9201 |  | 780 | 778 |  | OK"]),
        ("REPAIR-2022-INV-001_multipage.pdf", ["Claim # | SF-1008 | Make | Jeep", "Body Labor | 2 | 150 | 300"]),
    ],
)
def test_documents_of_other_projects(shared: Path, name: str, words: list[str]) -> None:
    file = shared / "data/documents/markitdown-samples" / name
    if not file.is_file():
        pytest.skip(f"needs {file}")
    text = read(file.read_bytes()).text
    assert [word for word in words if word not in text] == []
