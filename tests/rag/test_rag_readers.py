"""One file a format: what each yields, where it says it stands, and what it refuses with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import READERS, find_reader
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading


def read(name: str, data: str | bytes) -> Document:
    return assemble(find_reader(name)(data.encode() if isinstance(data, str) else data, Reading(name)))


def parts(document: Document) -> list[tuple[str, str]]:
    return [(span.kind, document.text[span.start : span.end]) for span in document.spans]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_encodings_are_found(encoding: str) -> None:
    text = "Größe und Höhe der Küste über dem Meer, gemäß der Übersicht für Österreich"
    assert decode(text.encode(encoding)) == text


def test_line_ends_become_one_kind() -> None:
    assert decode(b"a\r\nb\rc\n") == "a\nb\nc\n"


def test_a_file_cut_inside_a_character_is_still_utf8() -> None:
    assert decode("Küste und Meer ü".encode()[:-1]).startswith("Küste und Meer ")


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b" \n\t", "empty"), (b"\x00\x01\x02abc", "binary"), (bytes(range(1, 32)) * 9, "binary")],
)
def test_empty_and_binary_files_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        decode(data)


def test_a_type_without_reader_is_named() -> None:
    with pytest.raises(DocumentError, match=r"no reader for \.xyz"):
        find_reader("photo.xyz")


def test_every_registered_reader_exists() -> None:
    for suffix in READERS:
        assert callable(find_reader(f"a{suffix}"))


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py", "README"])
def test_the_stored_text_of_a_text_file_is_the_file(name: str) -> None:
    text = "\n\n  Title\n=====\n\nOne *two*.\n\n\n- a\n- b\n\n```\ncode\n\ncode\n```\n"
    text += "\n| a | b |\n|---|---|\n| 1 | 2 |\nend"
    assert read(name, text).text == text


def test_markdown_blocks() -> None:
    document = read(
        "a.md",
        "---\ntitle: x\n---\n# A\n\ntext\n\nB\n---\n\n1. x\n2. y\n\n```py\n# no heading\n```\n\n|a|b|\n|-|-|\n|1|2|\n",
    )
    assert [(span.kind, span.level) for span in document.spans] == [
        ("code", 0), ("heading", 1), ("paragraph", 0), ("heading", 2), ("list", 0), ("code", 0), ("table", 0),
    ]  # fmt: skip


def test_underlined_titles_of_plain_text_and_rest() -> None:
    document = read("a.rst", "=====\nTitle\n=====\n\nPart\n----\nText here.\n\nNext\n----\n\n- item\n\na - b\n")
    assert [(span.kind, span.level) for span in document.spans] == [
        ("heading", 1), ("heading", 2), ("paragraph", 0), ("heading", 2), ("list", 0), ("paragraph", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.csv", "|")])
def test_tables_find_their_delimiter_and_keep_quoted_line_breaks_in_a_row(name: str, mark: str) -> None:
    text = (
        mark.join(["id", "name, first"])
        + "\n"
        + mark.join(["1", '"Ann\nLee"'])
        + "\n\n"
        + mark.join(["2", "Bo"])
        + "\n"
    )
    text = text.replace("name, first", '"name, first"')
    assert parts(read(name, text)) == [("table", "id | name, first\n1 | Ann Lee\n2 | Bo")]


def test_html_without_scripts_styles_and_markup() -> None:
    page = """<html><head><title>Site</title><style>p{}</style><script>alert("x")</script></head><body>
    <h2>Rooms &amp; more</h2><p>One <b>bold</b> word.</p><ul><li>a<li>b <i>c</i></ul>
    <table><tr><th>n</th><th>m</th></tr><tr><td></td><td>2</td></tr></table><pre>x
  y</pre><noscript>no</noscript><p>End</body>"""
    assert parts(read("a.html", page)) == [
        ("heading", "Site"), ("heading", "Rooms & more"), ("paragraph", "One bold word."), ("list", "- a\n- b c"),
        ("table", "n | m\n | 2"), ("code", "x\n  y"), ("paragraph", "End"),
    ]  # fmt: skip


def test_json_values_stand_behind_their_paths() -> None:
    value = {"room": {"seats": 12, "tags": ["a", "b"]}, "people": [{"name": "Ü"}], "none": None}
    assert parts(read("a.json", json.dumps(value))) == [
        ("list", "room.seats: 12\nroom.tags: a, b"),
        ("list", "people[0].name: Ü"),
    ]


def test_json_lines_have_line_numbers_and_name_the_bad_one() -> None:
    document = read("a.jsonl", '{"a": 1}\n\n{"a": 2}\n')
    assert [span.place.row for span in document.spans] == [1, 3]
    reading = Reading("a.jsonl")
    document = assemble(find_reader("a.jsonl")(b'{"a": 1}\n{"a": \n{"a": 2}\n', reading))
    assert [span.place.row for span in document.spans] == [1, 3]
    assert reading.warnings == ["not JSON and left out: line 2"]
    with pytest.raises(DocumentError, match="line 2"):
        read("a.jsonl", '{"a": 1}\n{"a": \n')


def test_a_list_of_objects_under_a_key_is_a_record_each() -> None:
    document = read("a.json", '{"v": 1, "items": [{"id": 1, "t": "one"}, {"id": 2, "t": "two"}]}')
    assert parts(document) == [
        ("list", "v: 1"), ("list", "items[0].id: 1\nitems[0].t: one"), ("list", "items[1].id: 2\nitems[1].t: two"),
    ]  # fmt: skip
    assert [span.place.row for span in document.spans] == [None, 1, 2]


def test_literal_blocks_of_rest_are_code_and_still_add_up() -> None:
    text = "Part\n----\n\nSo::\n\n  x = 1\n\n  y = 2\n\nThen.\n\n.. note::\n\n   Words.\n\n"
    text += ".. code-block:: py\n   :linenos:\n\n   f()\n"
    document = read("a.rst", text)
    assert document.text == text
    assert [kind for kind, _ in parts(document)] == [
        "heading", "paragraph", "code", "paragraph", "paragraph", "paragraph", "paragraph", "code",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{", "[1, 2", "[" * 100_000])
def test_broken_json_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="JSON"):
        read("a.json", text)


def test_notebook_cells_keep_their_numbers_and_headings() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Words"]},
        {"cell_type": "code", "source": "x = 1\n", "outputs": [{"text": "secret"}]},
        {"cell_type": "code", "source": "  "},
        {"cell_type": "raw", "source": "raw text"},
    ]
    document = read("a.ipynb", json.dumps({"cells": cells, "nbformat": 4}))
    assert [(span.kind, span.place.cell) for span in document.spans] == [
        ("heading", 1),
        ("paragraph", 1),
        ("code", 2),
        ("paragraph", 4),
    ]
    assert "secret" not in document.text
    with pytest.raises(DocumentError, match="not a notebook"):
        read("a.ipynb", '{"a": 1}')


def test_code_blocks_start_at_top_level() -> None:
    document = read("a.py", "import os\n\ndef f():\n    a = 1\n\n    return a\n\n@x\nclass C:\n    pass\n")
    assert [text.split("\n")[0] for _, text in parts(document)] == ["import os", "def f():", "@x"]


def test_null_characters_and_lone_surrogates_never_reach_the_records() -> None:
    assert read("a.json", '{"a": "x\\u0000y\\ud800z"}').text == "a: xy?z"


# PDF


def test_pdf_pages_headings_and_paragraphs(root: Path) -> None:
    pytest.importorskip("pypdf")
    document = read("a.pdf", (root / "examples/handbook/fieldwork.pdf").read_bytes())
    assert document.pages == 2 and document.empty_pages == ()
    headings = [(span.level, document.text[span.start : span.end]) for span in document.spans if span.kind == "heading"]
    assert headings[:3] == [(1, "Fieldwork and boats"), (2, "Planning a trip"), (2, "The boats")]
    source = (root / "examples/handbook_source/fieldwork.md").read_text("utf-8")
    wanted = [part.lstrip("# ") for part in source.strip().split("\n\n")]
    assert [document.text[span.start : span.end] for span in document.spans] == wanted


def test_the_handbook_pdf_is_what_its_script_writes(root: Path) -> None:
    script = root / "examples/handbook_source/make_pdf.py"
    names: dict[str, object] = {"__file__": str(script), "__name__": "make_pdf"}
    exec(compile(script.read_text("utf-8"), str(script), "exec"), names)
    built = names["build"]((script.parent / "fieldwork.md").read_text("utf-8"))  # type: ignore[operator]
    assert built == (root / "examples/handbook/fieldwork.pdf").read_bytes()


def test_pdfs_that_cannot_be_read_say_why(root: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    import io

    good = (root / "examples/handbook/fieldwork.pdf").read_bytes()
    for damaged in (b"%PDF-1.4\nnothing", good[: len(good) // 3], b"not a pdf at all", b""):
        with pytest.raises(DocumentError, match=r"damaged|holds text|0 pages"):
            read("a.pdf", damaged)
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    blank = io.BytesIO()
    writer.write(blank)
    with pytest.raises(DocumentError, match="its page holds no text"):
        read("a.pdf", blank.getvalue())
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(good))
    writer.encrypt("secret", algorithm="RC4-128")
    locked = io.BytesIO()
    writer.write(locked)
    with pytest.raises(DocumentError, match="encrypted"):
        read("a.pdf", locked.getvalue())


def test_real_files_yield_text_and_honest_reasons(shared: Path) -> None:
    pytest.importorskip("pypdf")
    folder = shared / "data/documents"
    good = [
        "haystack-samples/pdf/sample_pdf_1.pdf",
        "markitdown-samples/test_wikipedia.html",
        "markitdown-samples/test_notebook.ipynb",
    ]
    for name in good:
        document = read(name, (folder / name).read_bytes())
        assert document.spans and all(document.text[span.start : span.end].strip() for span in document.spans)
    assert read("a.pdf", (folder / good[0]).read_bytes()).empty_pages == (3,)
    assert "名前 | 年齢 | 住所" in read("a.csv", (folder / "markitdown-samples/test_mskanji.csv").read_bytes()).text
