"""Damaged office files, books and pages are refused with a reason; a run over a folder of them goes on."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.document import assemble
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading

Make = Callable[..., Collection]


def word() -> bytes:
    made: Any = pytest.importorskip("docx").Document()
    made.add_heading("Head", 1)
    made.add_paragraph("Item", style="List Number")
    made.add_table(2, 2).cell(0, 0).text = "cell"
    return _saved(made)


def slides() -> bytes:
    made: Any = pytest.importorskip("pptx").Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "Title"
    slide.notes_slide.notes_text_frame.text = "Notes"
    return _saved(made)


def workbook() -> bytes:
    made: Any = pytest.importorskip("openpyxl").Workbook()
    made.active.append(["a", "b"])
    made.active.append([1, 2.5])
    made.create_sheet("More")["A1"] = "words"
    return _saved(made)


def _saved(made: Any) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def damaged(data: bytes, choose: random.Random) -> bytes:
    """The package with one of its XML parts cut off, or with bytes of it changed, or with a part left out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        hurt = choose.choice([name for name in source.namelist() if name.endswith((".xml", ".rels"))])
        for name in source.namelist():
            content = bytearray(source.read(name))
            if name == hurt:
                way = choose.randrange(3)
                if way == 0:
                    continue
                if way == 1:
                    content = content[: choose.randrange(len(content))]
                else:
                    for _ in range(5):
                        content[choose.randrange(len(content))] = choose.randrange(256)
            target.writestr(name, bytes(content))
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "make_file"), [("a.docx", word), ("a.pptx", slides), ("a.xlsx", workbook)])
def test_damaged_packages_are_read_or_refused_and_raise_nothing_else(name: str, make_file: Callable[[], bytes]) -> None:
    data = make_file()
    choose = random.Random(7)
    refused = 0
    for _ in range(40):
        reading = Reading(name)
        try:
            assemble(find_reader(name)(damaged(data, choose), reading))
        except DocumentError as error:
            refused += 1
            assert len(str(error)) < 300 and "\n" not in error.message
    assert 0 < refused < 40


def test_one_bad_file_never_stops_the_others(make: Make, tmp_path: Path) -> None:
    data = word()
    (tmp_path / "cut.docx").write_bytes(data[: len(data) // 2])
    (tmp_path / "good.docx").write_bytes(data)
    (tmp_path / "locked.xlsx").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    )
    (tmp_path / "nothing.docx").write_bytes(_saved(pytest.importorskip("docx").Document()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(80 << 20))
    (tmp_path / "bomb.docx").write_bytes(buffer.getvalue())
    rows = {Path(row.source).name: (row.status, row.reason) for row in make().ingest(tmp_path).rows}
    assert rows["good.docx"] == ("added", "")
    for name, reason in [("cut.docx", "damaged"), ("locked.xlsx", "password"), ("nothing.docx", "no text"),
                         ("bomb.docx", "bomb")]:  # fmt: skip
        assert rows[name][0] == "skipped" and reason in rows[name][1], rows[name]
