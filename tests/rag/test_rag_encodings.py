# ruff: noqa: RUF001
"""Texts in the encodings that old programs write, from a word to a page; files that are not what their name says."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import assemble
from kaggle_magics.rag.readers import choose_reader, refuse_unknown
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.sniffing import sniff, suffix_of
from kaggle_magics.rag.sources import find_sources

SAMPLES = {
    "cp932": [
        "名前,年齢,住所\n佐藤太郎,30,東京\n髙橋淳,35,名古屋",
        "カタカナの文書",
        "明日は雨が降るでしょう。傘を忘れないで。",
    ],
    "euc_jp": [
        "名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,25,大阪",
        "カタカナの文書",
        "明日は雨が降るでしょう。傘を忘れないで。",
    ],
    "gb18030": ["姓名,年龄,地址\n王小明,30,北京\n李华,25,上海", "你好", "图书馆早上九点开门，下午六点关门。"],
    "big5": ["姓名,年齡,地址\n王小明,30,臺北\n李華,25,高雄", "你好", "圖書館早上九點開門，下午六點關門。"],
    "euc_kr": ["이름,나이,주소\n김철수,30,서울", "안녕하세요", "도서관은 오전 아홉 시에 열고 닫습니다.", "대한민국"],
    "cp1251": ["Библиотека открывается в девять утра.", "Привет, мир", "имя,город\nИван,Москва", "Договор № 5"],
    "koi8-r": ["Библиотека открывается в девять утра.", "Привет, мир"],
    "cp1252": [
        "Größe und Höhe",
        "café",
        "naïve \u2013 \u201cquoted\u201d text\u2019s €5",
        "Señor Muñoz",
        "på Öland",
        "100 €",
    ],
    "latin-1": ["Größe und Höhe der Küste", "café", "Señor Muñoz vive en España"],
    "cp1250": ["Příliš žluťoučký kůň úpěl ďábelské ódy", "Zażółć gęślą jaźń, proszę"],
    "cp1253": ["Η βιβλιοθήκη ανοίγει στις εννέα", "Καλημέρα κόσμε"],
    "cp1254": ["Kütüphane sabah dokuzda açılır, akşam altıda kapanır."],
    "cp1255": ["הספרייה נפתחת בתשע בבוקר", "שלום עולם"],
    "cp1256": ["تفتح المكتبة في التاسعة صباحا", "مرحبا بالعالم"],
    "cp874": ["ห้องสมุดเปิดเวลาเก้าโมงเช้า", "สวัสดี"],
    "utf-16-le": ["Plain English text", "名前,年齢", "Größe, 5", "Привет, мир"],
    "utf-16-be": ["Plain English text", "名前,年齢", "Größe, 5", "Привет, мир"],
    "utf-16": ["Plain English text", "名前"],
    "utf-8": ["名前", "café", "Größe"],
}


@pytest.mark.parametrize("times", [1, 30])
@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in SAMPLES.items() for text in texts])
def test_encodings_are_found_in_a_word_as_in_a_page(encoding: str, text: str, times: int) -> None:
    whole = "\n".join([text] * times)
    assert decode(whole.encode(encoding)) == whole


def test_a_wrong_byte_does_not_turn_utf8_into_something_else() -> None:
    text = "Größe und Höhe der Küste über dem Meer, gemäß der Übersicht. " * 10
    data = text.encode() + b"\xff" + text.encode()
    assert decode(data).replace("\ufffd", "") == text * 2


def test_what_a_file_says_of_itself_is_believed_where_it_holds() -> None:
    page = '<html><meta charset="iso-8859-2"><p>Ő ł š</p></html>'
    assert decode(page.encode("iso-8859-2")) == page
    wrong = '<html><meta charset="shift_jis"><p>Größe und Höhe</p></html>'
    assert decode(wrong.encode("utf-8")) == wrong
    code = "# -*- coding: cp866 -*-\nname = 'Ж'\n"
    assert decode(code.encode("cp866")) == code


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_no_text(seed: int) -> None:
    with pytest.raises(DocumentError, match="binary"):
        decode(random.Random(seed).randbytes(1000))


def zipped(**entries: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in entries.items():
            archive.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(20)


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (PDF, ".pdf"),
        (JPEG, ".jpg"),
        (zipped(a="b"), ".zip"),
        (zipped(**{"[Content_Types]__xml": "x", "word/document__xml": "x"}), ".docx"),
        (zipped(**{"[Content_Types]__xml": "x", "xl/workbook__xml": "x"}), ".xlsx"),
        (zipped(mimetype="application/epub+zip", content="x"), ".epub"),
        (b"RIFF\x24\0\0\0WAVEfmt ", ".wav"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", ".m4a"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", ".mp4"),
        (b"SQLite format 3\0" + bytes(30), ""),
    ],
)
def test_files_are_known_by_their_first_bytes(data: bytes, suffix: str) -> None:
    found = sniff(data)
    assert found is not None and found[0] == suffix


@pytest.mark.parametrize("text", ["BMW builds", "%PDF-1.4 begins a PDF", "ID3 tags are old", "PK is short", ""])
def test_texts_that_begin_like_other_files_are_texts(text: str) -> None:
    assert sniff(text.encode()) is None


def test_a_wrong_name_does_not_keep_a_file_from_its_reader() -> None:
    reading = Reading("page.doc")
    page = b"<html><body><h1>Opening hours</h1><p>Nine to six.</p></body></html>"
    document = assemble(choose_reader("page.doc", page, reading)(page, reading))
    assert document.text == "Opening hours\n\nNine to six."
    assert reading.warnings == ["it is a web page under the name of a .doc file and was read as such"]
    reading = Reading("table.xls")
    table = b"town\tpeople\nLima\t10\n"
    document = assemble(choose_reader("table.xls", table, reading)(table, reading))
    assert "Lima | 10" in document.text


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.xyz", b"plain words\n", r"no reader for \.xyz files; it holds text: name it \.txt"),
        ("a.npz", zipped(a="b"), r"no reader for \.npz files$"),
        ("a.txt", zipped(a="b"), r"a zip archive under this name; name it \.zip"),
        ("a.txt", b"SQLite format 3\0" + bytes(30), "it is an SQLite database"),
        ("a.db", b"SQLite format 3\0" + bytes(30), r"no reader for \.db files \(an SQLite database\)"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(30), r"no reader for \.7z files \(a 7-Zip archive\)"),
        ("a.bin", random.Random(1).randbytes(1024), r"no reader for \.bin files$"),
        ("a.txt", random.Random(1).randbytes(1024), "binary"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, data: bytes, reason: str) -> None:
    reading = Reading(name)
    with pytest.raises(DocumentError, match=reason):
        refuse_unknown(name, data[:4096])
        list(choose_reader(name, data, reading)(data, reading))


def test_a_large_file_without_reader_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "weights.bin").open("wb") as file:
        file.write(b"\0\1\2\3")
        file.truncate(1 << 40)
    (source,) = find_sources(tmp_path / "weights.bin")
    with pytest.raises(DocumentError, match=r"no reader for \.bin"):
        source.load()


def test_suffixes() -> None:
    assert [suffix_of(name) for name in ("a.TXT", "a.tar.gz", "a.b.gz", "README", "a.tar.zip")] == [
        ".txt",
        ".tgz",
        ".gz",
        "",
        ".zip",
    ]


def test_a_table_that_excel_wrote_in_japan(shared: Path) -> None:
    file = shared / "data/documents/markitdown-samples/test_mskanji.csv"
    if not file.is_file():
        pytest.skip(f"needs {file}")
    assert decode(file.read_bytes()).splitlines()[-1] == "髙橋淳,35,名古屋"
