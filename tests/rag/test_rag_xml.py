"""XML of any kind, feeds and books."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading

pytest.importorskip("defusedxml", reason="defusedxml is not installed")


def read(data: str | bytes, name: str = "a.xml") -> tuple[Document, Reading]:
    reading = Reading(name)
    content = data.encode() if isinstance(data, str) else data
    return assemble(find_reader(name)(content, reading), reading.metadata), reading


def shown(document: Document) -> list[tuple[str, str]]:
    return [(f"{span.kind}{span.level or ''}", document.text[span.start : span.end]) for span in document.spans]


def test_records_are_lines_of_paths_and_values() -> None:
    document, _ = read(
        '<?xml version="1.0" encoding="latin-1"?><catalog><book id="7"><title>Küste</title><author>Ann</author>'
        "<author>Bo</author><note>A <b>bold</b> word</note><!-- no --></book><book><title>Two</title></book></catalog>"
        .encode("latin-1")
    )  # fmt: skip
    assert shown(document) == [
        ("list", "book.id: 7\nbook.title: Küste\nbook.author[1]: Ann\nbook.author[2]: Bo\nbook.note: A bold word"),
        ("list", "book.title: Two"),
    ]
    assert [span.place.row for span in document.spans] == [1, 2]
    assert shown(read("<a><b><c>1</c><c>2</c></b></a>")[0]) == [("list", "c: 1"), ("list", "c: 2")]
    assert shown(read("<a>word</a>")[0]) == [("list", "a: word")]
    assert not read("<a/>")[0].spans


RSS = """<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:c="http://purl.org/rss/1.0/modules/content/">
<channel><title>News</title><link>http://x</link><description>All of it</description>
<item><title>One &amp;amp; two</title><link>http://x/1</link><dc:creator>Ann</dc:creator><pubDate>1 Mar 2026</pubDate>
<category>a</category><category>b</category><description>short</description>
<c:encoded><![CDATA[<p>Long <b>text</b>.</p><script>no</script><h2>Part</h2>]]></c:encoded></item>
<item><title>Two</title><description>Words.</description></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title><entry><title>One</title>
<link rel="self" href="http://no"/><link href="http://x/1"/><updated>2026-03-01</updated><author><name>Ann</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Words.</p></div></content></entry></feed>"""


def test_feeds_are_their_items() -> None:
    document, reading = read(RSS)
    assert shown(document) == [
        ("heading1", "News"), ("paragraph", "All of it"), ("heading2", "One & two"),
        ("list", "Date: 1 Mar 2026\nAuthor: Ann\nLink: http://x/1\nCategories: a, b"),
        ("paragraph", "Long text."), ("heading4", "Part"), ("heading2", "Two"), ("paragraph", "Words."),
    ]  # fmt: skip
    assert [span.place.row for span in document.spans] == [None, None, 1, 1, 1, 1, 2, 2]
    assert reading.metadata == {"title": "News"}
    assert shown(read(ATOM, "a.atom")[0]) == [
        ("heading1", "Blog"), ("heading2", "One"), ("list", "Date: 2026-03-01\nAuthor: Ann\nLink: http://x/1"),
        ("paragraph", "Words."),
    ]  # fmt: skip


def test_documents_have_headings_paragraphs_and_tables() -> None:
    text = (
        "<article><front><title>Paper</title></front><body><sec><title>Methods</title><p>We <i>did</i> it.</p>"
        "<list><item>a</item><item>b</item></list><table><tr><th>x</th><th>y</th></tr><tr><td>1</td><td>2</td></tr></table>"
        "<sec><title>Deeper</title><p>More.</p></sec></sec></body></article>"
    )
    assert shown(read(text)[0]) == [
        ("heading1", "Paper"), ("heading2", "Methods"), ("paragraph", "We did it."), ("list", "- a\n- b"),
        ("table", "x | y\n1 | 2"), ("heading3", "Deeper"), ("paragraph", "More."),
    ]  # fmt: skip


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [(BOMB, "entities"), (OUTSIDE, "entities"), ("<a><b></a>", "not well-formed"), ("", "empty"), ("words", "not well"),
     ("<a>" * 200 + "x" + "</a>" * 200, "nested too deeply")],
)  # fmt: skip
def test_bombs_and_broken_files_are_refused(data: str, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read(data)


def book(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", '<c><rootfile full-path="B/x.opf"/></c>')
        archive.writestr(
            "B/x.opf",
            '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book</dc:title><dc:creator>Ann</dc:creator>'
            '<item id="n" href="nav.html" properties="nav"/>'
            '<item id="b" href="b%20b.html"/><item id="a" href="../a.html"/>'
            '<item id="z" href="gone.html"/><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/>'
            '<itemref idref="z"/></spine></package>',
        )
        for name, content in {"a.html": "<h1>One</h1><p>First.</p>", "B/b b.html": "<h1>Two</h1><p>Last.</p>",
                              "B/nav.html": "<p>Contents</p>", **files}.items():  # fmt: skip
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_book_is_its_chapters_in_the_order_of_the_spine() -> None:
    document, reading = read(book(), "a.epub")
    assert shown(document) == [
        ("heading1", "Book"), ("heading2", "One"), ("paragraph", "First."), ("heading2", "Two"), ("paragraph", "Last."),
    ]  # fmt: skip
    assert reading.metadata == {"title": "Book", "author": "Ann"}
    assert reading.warnings == ["B/gone.html not read: the file is damaged (B/gone.html is missing in it)"]


def test_a_protected_book_is_refused_and_hidden_fonts_are_no_protection() -> None:
    fonts = '<e><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/></e>'
    assert read(book(**{"META-INF/encryption.xml": fonts}), "a.epub")[0].spans
    with pytest.raises(DocumentError, match="copy-protected"):
        read(book(**{"META-INF/encryption.xml": fonts.replace("idpf", "w3")}), "a.epub")
    with pytest.raises(DocumentError, match="not an EPUB"):
        read(b"x", "a.epub")


def test_samples(shared: Path) -> None:
    folder = shared / "data/documents/markitdown-samples"
    if not folder.is_dir():
        pytest.skip("needs documents")
    document, reading = read((folder / "test.epub").read_bytes(), "test.epub")
    assert ("heading2", "Chapter 2: More Content") in shown(document) and reading.metadata["author"] == "Test Author"
    document, _ = read((folder / "test_rss.xml").read_bytes())
    assert shown(document)[1][1] == "Ignite 2024: Why nearly 70% of the Fortune 500 now use Microsoft 365 Copilot"
    assert "<p>" not in document.text and "Frank X. Shaw" in document.text
