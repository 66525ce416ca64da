"""Text in pictures: drawn, turned, small, transparent, several pages; and what is said when there is none."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pdf_files import drawn

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading, ReadOptions
from kaggle_magics.rag.readers.recognising import ocr
from kaggle_magics.rag.readers.recognising.languages import tesseract_languages, whisper_language

Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="the tesseract program is not installed")
SENTENCE = "The harbour office opens at nine on weekdays"


def saved(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(name: str, data: bytes, language: str | None = None) -> Document:
    reading = Reading(name, ReadOptions(language))
    return assemble(find_reader(name)(data, reading), reading.metadata)


def flat(text: str) -> str:
    return " ".join(text.split())


@needs_tesseract
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [(".png", "PNG"), (".jpg", "JPEG"), (".bmp", "BMP"), (".gif", "GIF"), (".webp", "WEBP"), (".tif", "TIFF")],
)
def test_every_kind_of_picture_is_read(suffix: str, kind: str) -> None:
    document = read(f"sign{suffix}", saved(drawn(SENTENCE), kind))
    assert flat(document.text) == SENTENCE
    assert (document.recognised, document.pages) == (1, None)


@needs_tesseract
def test_the_pages_of_a_tiff_keep_their_numbers() -> None:
    pages = [drawn("First page of the lease"), Image.new("L", (600, 200), 255), drawn("Third page of the lease")]
    document = read("lease.tiff", saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert [(span.place.page, document.text[span.start : span.end]) for span in document.spans] == [
        (1, "First page of the lease"),
        (3, "Third page of the lease"),
    ]
    assert (document.pages, document.empty_pages, document.recognised) == (3, (2,), 2)


@needs_tesseract
@pytest.mark.parametrize("change", ["small", "exif", "transparent", "dark", "sixteen bit", "palette"])
def test_pictures_that_are_not_black_on_white_and_upright(change: str) -> None:
    image, options = drawn(SENTENCE), {}
    if change == "small":
        image = drawn(SENTENCE, size=9)
    elif change == "exif":
        image = image.rotate(90, expand=True)
        options = {"exif": Image.Exif()}
        options["exif"][274] = 6  # "turn a quarter clockwise to see it upright"
    elif change == "transparent":
        image = image.convert("L").point(lambda value: 255 - value)
        clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
        clear.putalpha(image)
        image = clear
    elif change == "dark":
        image = drawn(SENTENCE, fore="white", back="#202030")
    elif change == "sixteen bit":
        image = image.convert("L").convert("I;16").point(lambda value: value * 200)
    elif change == "palette":
        image = image.quantize(4)
    assert flat(ocr.recognise(Image.open(io.BytesIO(saved(image, **options))))) == SENTENCE


@needs_tesseract
@pytest.mark.slow
@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_page_is_turned_back(angle: int) -> None:
    if "osd" not in subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True).stdout.split():
        pytest.skip("Tesseract's pack for orientation is not installed")
    text = "\n".join(f"{SENTENCE}, and the ferry leaves from pier {number} in the north" for number in "12345678")
    found = flat(ocr.recognise(drawn(text, 20).rotate(angle, expand=True)))
    assert found.count("harbour office") >= 7


@needs_tesseract
def test_a_picture_without_text_says_so() -> None:
    with pytest.raises(DocumentError, match="no text was found in the picture"):
        read("photo.png", saved(Image.effect_noise((500, 400), 60)))


@needs_tesseract
def test_a_language_that_has_no_pack_is_named_with_the_line_that_installs_it() -> None:
    with pytest.raises(DocumentError, match=r"no language pack tlh\. Run: !apt-get install -y tesseract-ocr-tlh"):
        read("sign.png", saved(drawn(SENTENCE)), "tlh")


@needs_tesseract
def test_a_picture_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(DocumentError, match="took too long"):
        ocr.recognise(drawn(SENTENCE), seconds=0.001)


@needs_tesseract
def test_several_pictures_are_read_side_by_side_in_their_order() -> None:
    words = ["first", "second", "third", "fourth", "fifth"]
    assert list(ocr.recognise_all(drawn(f"the {word} one") for word in words)) == [f"the {word} one" for word in words]


@needs_tesseract
@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\nnothing", b"", b"GIF89a", saved(drawn(SENTENCE))[:300]])
def test_a_damaged_picture_says_so(data: bytes) -> None:
    with pytest.raises(DocumentError, match="the picture is damaged"):
        read("a.png", data)


@needs_tesseract
def test_a_picture_in_a_document_gives_its_text() -> None:
    reading = Reading("report.docx")
    assert flat(ocr.text_of_image(saved(drawn(SENTENCE)), reading)) == SENTENCE
    assert ocr.text_of_image(b"no picture", reading) == ocr.text_of_image(b"no picture", reading) == ""
    assert reading.warnings == ["pictures in it were not read: the picture is damaged, or of an unknown kind"]


def test_without_tesseract_the_line_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DocumentError, match="Run: !apt-get install -y tesseract-ocr"):
        read("sign.png", saved(drawn(SENTENCE)))
    reading = Reading("report.docx")
    assert ocr.text_of_image(saved(drawn(SENTENCE)), reading) == ""
    assert "apt-get install -y tesseract-ocr" in reading.warnings[0]


@needs_tesseract
def test_what_was_stored_without_ocr_is_read_again_when_it_has_come(
    make: Callable[..., Collection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docx = pytest.importorskip("docx", reason="python-docx is not installed")
    document = docx.Document()
    document.add_paragraph("The sign at the door says:")
    document.add_picture(io.BytesIO(saved(drawn(SENTENCE))))
    document.save(tmp_path / "sign.docx")
    (tmp_path / "plain.txt").write_text("No picture here.", encoding="utf-8")
    collection = make()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda name: None)
        first, again = collection.ingest(tmp_path), collection.ingest(tmp_path)
    assert "tesseract" in first.rows[1].reason and again.count("unchanged") == 2
    now = collection.ingest(tmp_path)
    assert {row.source.split("/")[-1]: row.status for row in now.rows} == {
        "plain.txt": "unchanged",
        "sign.docx": "updated",
    }
    assert SENTENCE in flat(collection.source_text(now.rows[1].source))
    assert collection.ingest(tmp_path).count("unchanged") == 2


def test_languages_are_named_as_iso_639_names_them() -> None:
    assert tesseract_languages(None) == "eng"
    assert tesseract_languages("de+EN") == "deu+eng"
    assert tesseract_languages("ger") == tesseract_languages("deu") == "deu"
    assert tesseract_languages("zh") == "chi_sim"
    assert tesseract_languages("zh-TW") == tesseract_languages("zh_Hant") == "chi_tra"
    assert tesseract_languages("pt-BR") == "por"
    assert tesseract_languages("chi_tra_vert") == "chi_tra_vert"
    assert [whisper_language(name) for name in (None, "deu", "fr", "zh-TW", "en+ja")] == [None, "de", "fr", "zh", "en"]


@pytest.mark.parametrize("name", ["q", "en; rm", "-x", "eng --psm 0", ""])
def test_what_is_no_language_is_refused(name: str) -> None:
    if name:
        with pytest.raises(DocumentError, match="no language"):
            tesseract_languages(name)
    with pytest.raises(DocumentError, match="no language"):
        tesseract_languages(f"en+{name}")


@needs_tesseract
@pytest.mark.slow
def test_pictures_of_other_projects(shared: Path) -> None:
    folder = shared / "data/documents/markitdown-samples"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    assert '"5bda1dd6"' in read("test_llm.jpg", (folder / "test_llm.jpg").read_bytes()).text
    paper = flat(read("test.jpg", (folder / "test.jpg").read_bytes()).text)
    assert "AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation" in paper
