"""Office files, books and feeds that others made: all of them are read, and answers stand where they say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kaggle_magics.rag.collection import Collection

Make = Callable[..., Collection]
TYPES = (".docx", ".pptx", ".xlsx", ".xls", ".rtf", ".epub", ".xml", ".json", ".ipynb", ".csv", ".html")


@pytest.fixture
def samples(shared: Path) -> Path:
    folder = shared / "data/documents/markitdown-samples"
    if not folder.is_dir():
        pytest.skip("needs documents")
    for module in ("docx", "pptx", "openpyxl", "xlrd", "striprtf", "defusedxml"):
        pytest.importorskip(module)
    return folder


def test_every_sample_is_read(make: Make, samples: Path) -> None:
    files = sorted(path for path in samples.iterdir() if path.suffix in TYPES)
    assert len(files) >= 14
    collection = make()
    report = collection.ingest(files)
    assert [(row.source, row.reason) for row in report.rows if row.status != "added"] == []
    for question, name, place in [
        ("49e168b7-d2ae-407f-a055-2167576f39a1", "test.docx", "page 2"),
        ("1b92870d-e3b5-4e65-8153-919f4ff45592", "test.pptx", "slide 3"),
        ("affc7dad-52dc-4b98-9b5d-51e65d8a8ad0", "test.xls", "sheet 09060124-b5e7-4717-9d07-3c046eb, rows 2-5"),
        ("6ff4173b-42a5-4784-9b19-f49caff4d93d", "test.xls", "sheet Sheet1, rows 2-24"),
    ]:
        hits = collection.search(question, passages=5, mode="lexical")
        # The two workbooks hold the same words, of which a search gives one.
        found = {
            Path(hit.passage.source).name.replace(".xlsx", ".xls"): str(hit.passage.place)
            for hit in hits
            if question in hit.passage.text
        }
        assert found.get(name) == place, (question, found)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="needs tesseract")
def test_pictures_in_office_files_are_read_in_their_place(make: Make, samples: Path) -> None:
    pytest.importorskip("PIL")
    collection = make()
    report = collection.ingest(sorted(path for path in (samples / "ocr").iterdir() if path.suffix in TYPES))
    assert report.count("skipped") == 0
    for question, name, place in [
        ("Document ID: DOC-2024-001", "docx_image_end.docx", ""),
        ("Contact: info@techcorp.com", "pptx_image_end.pptx", "slide 2"),
        ("KPI: 95% Success Rate", "xlsx_multiple_images.xlsx", "sheet Overview"),
    ]:
        hits = collection.search(question, passages=5, mode="lexical")
        found = [hit.passage for hit in hits if question in hit.passage.text]
        assert found and Path(found[0].source).name == name and str(found[0].place).startswith(place)
