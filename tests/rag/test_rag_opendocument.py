"""OpenDocument, RTF and the Office formats before 2007."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.extras import installed
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.office import legacy, word_binary
from kaggle_magics.rag.readers.reading import Reading

SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in [("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"),
                         ("draw", "drawing"), ("presentation", "presentation"), ("fo", "xsl-fo-compatible"),
                         ("meta", "meta")]
) + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip
OFFICE = shutil.which("soffice")
with_xml = pytest.mark.skipif(not installed("defusedxml"), reason="defusedxml is not installed")
with_office = pytest.mark.skipif(OFFICE is None, reason="needs LibreOffice (soffice)")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def opendocument(kind: str, body: str, styles: str = "", **more: str) -> bytes:
    """A minimal file: `kind` is "text", "spreadsheet" or "presentation"."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr(
            "content.xml",
            f"<office:document-content {SPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        )
        for name, content in more.items():
            archive.writestr(name.replace("_", "."), content.replace("SPACES", SPACES))
    return buffer.getvalue()


def read(data: bytes, name: str) -> tuple[Document, Reading]:
    reading = Reading(name)
    return assemble(find_reader(name)(data, reading), reading.metadata), reading


def shown(document: Document) -> list[tuple[str, str]]:
    return [(f"{span.kind}{span.level or ''}", document.text[span.start : span.end]) for span in document.spans]


@with_xml
def test_a_text_comes_in_order_with_lists_tables_and_notes() -> None:
    document, reading = read(
        opendocument(
            "text",
            '<text:p text:style-name="Title">The\n  plan</text:p><text:h text:outline-level="1">First</text:h>'
            "<text:p>One <text:span>two</text:span><text:s/>three<text:tab/>four<text:line-break/>five"
            '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>'
            "<text:p>Below.</text:p></text:note-body></text:note></text:p>"
            '<text:list text:style-name="L"><text:list-item><text:p>a</text:p><text:list><text:list-item><text:p>deep'
            "</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>b</text:p></text:list-item>"
            "</text:list><table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>x</text:p>"
            '</table:table-cell><table:table-cell table:number-columns-repeated="2"><text:p>y</text:p>'
            "</table:table-cell>"
            "</table:table-row></table:table-header-rows><table:table-row>"
            '<table:table-cell table:number-rows-spanned="2">'
            '<text:p>tall</text:p></table:table-cell><table:table-cell table:number-columns-spanned="2"><text:p>wide'
            "</text:p></table:table-cell><table:covered-table-cell/></table:table-row><table:table-row>"
            "<table:covered-table-cell/><table:table-cell><text:p>1</text:p></table:table-cell><table:table-cell>"
            "<text:p>2</text:p></table:table-cell></table:table-row></table:table>"
            "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
            "<text:p><office:annotation><dc:creator>Ann</dc:creator><text:p>Really?</text:p></office:annotation>"
            "Yes.</text:p>",
            '<text:list-style style:name="L"><text:list-level-style-number style:num-format="1"/></text:list-style>',
            meta_xml="<office:document-meta SPACES><dc:title>T</dc:title></office:document-meta>",
        ),
        "a.odt",
    )
    assert shown(document) == [
        ("heading1", "The plan"),
        ("heading2", "First"),
        ("paragraph", "One two three\tfour\nfive"),
        ("paragraph", "Footnote: Below."),
        ("list", "1. a\n  1. deep\n2. b"),
        ("table", "x | y | y\ntall | wide | \ntall | 1 | 2"),
        ("paragraph", "Yes."),
        ("paragraph", "Comment by Ann: Really?"),
    ]
    assert reading.metadata == {"title": "T"}


@with_xml
def test_sheets_have_rows_and_what_is_hidden_or_repeated_for_looks_is_left_out() -> None:
    def cell(text: str, **attributes: str) -> str:
        given = " ".join(f'{name.replace("__", ":").replace("_", "-")}="{value}"' for name, value in attributes.items())
        return f"<table:table-cell {given}>{f'<text:p>{text}</text:p>' if text else ''}</table:table-cell>"

    def row(*cells: str, attributes: str = "") -> str:
        return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"

    rest = cell("", table__number_columns_repeated="1020")
    document, _ = read(
        opendocument(
            "spreadsheet",
            '<table:table table:name="Shop"><table:table-column table:number-columns-repeated="2"/>'
            '<table:table-column table:visibility="collapse"/>'
            + row(cell("item"), cell("price"), cell("secret"), rest)
            + row(cell("tea"), cell("1,234.50", office__value_type="float", office__value="1234.5"), cell("s"), rest)
            + row(cell("milk"), cell("12,00 €", office__value_type="currency", office__value="12"), cell("s"), rest)
            + row(cell("hid"), cell("1"), attributes='table:visibility="collapse"')
            + row(cell("day"), cell("1.3.26", office__value_type="date", office__date_value="2026-03-01T00:00:00"))
            + row(rest, attributes='table:number-rows-repeated="1048000"')
            + '</table:table><table:table table:name="Sheet2">'
            + row(cell("", table__number_columns_repeated="3"), attributes='table:number-rows-repeated="9"')
            + row(cell("a"), cell("b"))
            + row(cell("x", table__number_columns_repeated="2"), attributes='table:number-rows-repeated="2"')
            + "</table:table>",
        ),
        "a.ods",
    )
    assert [(str(span.place), document.text[span.start : span.end]) for span in document.spans] == [
        ("sheet Shop", "Shop"),
        ("sheet Shop, rows 1-5", "item | price\ntea | 1234.5\nmilk | 12,00 €\n\nday | 2026-03-01"),
        ("sheet Sheet2, rows 10-12", "a | b\nx | x\nx | x"),
    ]


@with_xml
def test_slides_have_their_number_titles_first_and_notes_last() -> None:
    def frame(kind: str, text: str) -> str:
        box = f"<draw:text-box><text:p>{text}</text:p></draw:text-box>"
        return f'<draw:frame presentation:class="{kind}">{box}</draw:frame>'

    document, _ = read(
        opendocument(
            "presentation",
            f"<draw:page>{frame('title', 'Deck')}</draw:page><draw:page>{frame('outline', 'words')}"
            f"{frame('title', 'Two')}{frame('page-number', '2')}"
            f"<presentation:notes>{frame('notes', 'Slowly.')}</presentation:notes></draw:page>",
        ),
        "a.odp",
    )
    assert [(span.place.slide, span.level, document.text[span.start : span.end]) for span in document.spans] == [
        (1, 1, "Deck"), (2, 2, "Two"), (2, 0, "words"), (2, 0, "Notes: Slowly."),
    ]  # fmt: skip


@with_xml
def test_entities_locked_and_wrong_files_are_refused() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w") as archive:
        archive.writestr("content.xml", '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>')
    locked = opendocument("text", "", **{"META-INF/manifest_xml": "<m><encryption-data/></m>"})
    for data, reason in [(bomb.getvalue(), "entities"), (locked, "password"), (b"x", "not an OpenDocument"),
                         (opendocument("text", "")[:100], "damaged")]:  # fmt: skip
        with pytest.raises(DocumentError, match=reason):
            read(data, "a.odt")


RTF = (
    r"{\rtf1\ansi\uc1{\fonttbl{\f0 Arial;}}{\stylesheet{\s0 Normal;}{\s1\sbasedon0\b heading 1;}{\s9 Title;}}"
    r"{\info{\title T\'fcr}{\author Ann}}\pard\plain\s9\f0 The plan\par\pard\plain\s1\b First\par"
    r"\pard\plain\s0 Gr\'f6\'dfe \u26085?.\par {\pntext\'b7\tab}one\par"
    r"\trowd\pard\intbl a\cell b\cell\row\trowd\pard\intbl 1\cell 2\cell\row"
    r"\pard\outlinelevel1 Second\par\pard End.\par}"
)


def test_rtf_has_headings_tables_and_every_letter() -> None:
    pytest.importorskip("striprtf")
    document, reading = read(RTF.encode(), "a.rtf")
    assert shown(document) == [
        ("heading1", "The plan"),
        ("heading2", "First"),
        ("paragraph", "Größe 日."),
        ("list", "- one"),
        ("table", "a | b\n1 | 2"),
        ("heading3", "Second"),
        ("paragraph", "End."),
    ]
    assert reading.metadata == {"title": "Tür", "author": "Ann"}
    with pytest.raises(DocumentError, match="not an RTF"):
        read(b"PK", "a.rtf")


def test_old_formats_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DocumentError, match="needs LibreOffice"):
        read(OLE + bytes(600), "a.ppt")
    with pytest.raises(DocumentError, match="password"):
        read(OLE + "EncryptedPackage".encode("utf-16-le"), "a.ppt")
    pytest.importorskip("olefile", reason="olefile is not installed")
    with pytest.raises(DocumentError, match="not a Word document"):
        read(OLE + bytes(600), "a.doc")
    with pytest.raises(DocumentError, match="not a Word document"):
        read(b"x", "a.doc")


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "soffice"
    program.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "soffice" else None)
    monkeypatch.setattr(legacy, "SECONDS", 0.3)
    with pytest.raises(DocumentError, match="took more than"):
        read(OLE + bytes(600), "a.doc")


def test_antiword_gives_the_text_where_libreoffice_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "antiword"
    program.write_text("#!/bin/sh\necho First paragraph.\necho\necho Second.\n")
    program.chmod(0o755)
    monkeypatch.setattr(legacy, "_WORD_TOOLS", ((str(program), "-m"), *legacy._WORD_TOOLS))
    monkeypatch.setattr(shutil, "which", lambda name: name if name == str(program) else None)
    document, reading = read(OLE + bytes(600), "a.doc")
    assert [text for _, text in shown(document)] == ["First paragraph.", "Second."]
    assert reading.warnings


def test_the_piece_table_of_an_old_word_file_gives_its_text() -> None:
    first = "A \x13 PAGE \x143\x15 b\r".encode("cp1252")
    second = "x\x07y\x07\x071\x07\x07\x07Größe 日\r hidden note".encode("utf-16-le")
    main = bytearray(0x400) + first + second
    counts = (0, len(first), len(first) + len(second) // 2)
    pieces = struct.pack("<3I", *counts)
    pieces += struct.pack("<HIH", 0, 0x40000000 | 2 * 0x400, 0) + struct.pack("<HIH", 0, 0x400 + len(first), 0)
    clx = b"\x01\x02\x00ab\x02" + struct.pack("<I", len(pieces)) + pieces
    struct.pack_into("<i", main, 0x4C, counts[2] - len(" hidden note"))
    struct.pack_into("<II", main, 0x01A2, 5, len(clx))
    text = word_binary._text(bytes(main), b"12345" + clx)
    assert [(block.kind, block.text) for block in word_binary._blocks(text)] == [
        ("paragraph", "A 3 b"), ("table", "x | y\n1 | "), ("paragraph", "Größe 日"),
    ]  # fmt: skip


@with_office
@pytest.mark.slow
def test_an_old_word_file_is_read_without_libreoffice(
    word_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("olefile")
    data = converted(word_file, ".docx", ".doc", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    document, reading = read(data, "a.doc")
    assert [text for _, text in shown(document)] == ["First", "Größe, 日本語.", "a | b\nc | d", "End."]
    assert reading.warnings == ["read without LibreOffice: headings are paragraphs"]


def converted(data: bytes, suffix: str, wanted: str, folder: Path) -> bytes:
    assert OFFICE is not None
    source = folder / f"made{suffix}"
    source.write_bytes(data)
    subprocess.run(
        [OFFICE, "--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--convert-to", wanted[1:],
         "--outdir", str(folder), str(source)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return source.with_suffix(wanted).read_bytes()


@pytest.fixture
def word_file() -> bytes:
    made: Any = pytest.importorskip("docx").Document()
    made.add_heading("First", 1)
    made.add_paragraph("Größe, 日本語.")
    table = made.add_table(2, 2)
    for number, words in enumerate("abcd"):
        table.cell(number // 2, number % 2).text = words
    made.add_paragraph("End.")  # LibreOffice loses a table at the end of a .doc file that it writes
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


@with_office
@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".doc", ".odt", ".rtf"])
def test_what_libreoffice_writes_of_a_text_is_read(suffix: str, word_file: bytes, tmp_path: Path) -> None:
    document, _ = read(converted(word_file, ".docx", suffix, tmp_path), f"a{suffix}")
    assert shown(document) == [
        ("heading1", "First"),
        ("paragraph", "Größe, 日本語."),
        ("table", "a | b\nc | d"),
        ("paragraph", "End."),
    ]


@with_office
@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".ppt", ".odp"])
def test_what_libreoffice_writes_of_slides_is_read(suffix: str, tmp_path: Path) -> None:
    made: Any = pytest.importorskip("pptx").Presentation()
    for title in ("Deck", "Points"):
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text_frame.text = title, f"about {title}"
    slide.notes_slide.notes_text_frame.text = "Slowly."
    buffer = io.BytesIO()
    made.save(buffer)
    document, _ = read(converted(buffer.getvalue(), ".pptx", suffix, tmp_path), f"a{suffix}")
    found = [(span.place.slide, document.text[span.start : span.end].removeprefix("- ")) for span in document.spans]
    assert found == [(1, "Deck"), (1, "about Deck"), (2, "Points"), (2, "about Points"), (2, "Notes: Slowly.")]
