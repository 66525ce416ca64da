"""Web pages: the text a reader came for, with its headings, lists and tables; nothing of what stands around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading


def read(page: str) -> tuple[Document, Reading]:
    reading = Reading("a.html")
    return assemble(find_reader("a.html")(page.encode(), reading), reading.metadata), reading


def shown(page: str) -> list[tuple[str, str]]:
    document, _ = read(page)
    return [(f"{span.kind}{span.level or ''}", document.text[span.start : span.end]) for span in document.spans]


LONG = "The words that a reader came for. " * 10


def test_menus_imprints_and_hidden_parts_are_left_out() -> None:
    page = f"""<title>Site</title><header>Logo</header><nav><ul><li>Home</ul></nav><div role="navigation">More</div>
    <main><h1>Page</h1><p>{LONG}</p><span style="display: none">twice</span><div hidden>x<div>y</div></div>
    <p>See<sup class="reference">[1]</sup> 10<sup>6</sup> and 1<sup>st</sup>.</p><nav>next</nav></main>
    <aside>Ads</aside><footer>Imprint</footer>"""
    assert shown(page) == [("heading1", "Page"), ("paragraph", LONG.strip()), ("paragraph", "See 10^6 and 1st.")]


def test_one_article_is_the_page_and_several_are_not() -> None:
    article = f"<article><h1>One</h1><p>{LONG}</p></article>"
    assert shown(f"<p>Skip</p>{article}<p>Newer</p>")[0] == ("heading1", "One")
    assert len(shown(f"<p>Intro</p>{article}{article}")) == 5


def test_a_page_that_is_only_a_menu_is_read_all_the_same() -> None:
    assert shown("<nav><ul><li>Home<li>About us</ul></nav>") == [("list", "- Home\n- About us")]
    assert shown(f"<main></main><p>{LONG}</p>") == [("paragraph", LONG.strip())]


def test_lists_keep_their_depth_and_numbers() -> None:
    assert shown("<ol start=3><li>a<ul><li>x</li><li>y</li></ul></li><li>b</ol><ul><li><p>p</p><p>q</p></ul>") == [
        ("list", "3. a\n  - x\n  - y\n4. b"), ("list", "- p q"),
    ]  # fmt: skip


def test_headings_inside_items_end_the_words_before_them() -> None:
    assert shown("<ul><li>before <h2>Title</h2> after</li></ul>") == [
        ("list", "- before"), ("heading2", "Title"), ("list", "after"),
    ]  # fmt: skip


def test_tables_span_and_layout_tables_are_looked_through() -> None:
    data = "<table><caption>Sales</caption><tr><th rowspan=2>Year</th><th colspan=2>Sold</th></tr><tr><th>a<th>b</tr>"
    data += "<tr><td>2026<td>1<td>2<br>3</table>"
    table = ("table", "Year | Sold | \nYear | a | b\n2026 | 1 | 2 3")
    assert shown(data) == [("paragraph", "Sales"), table]
    layout = f"<table><tr><td><h2>Left</h2><p>one</p><td>{data}</tr></table><p>End"
    assert shown(layout) == [
        ("heading2", "Left"), ("paragraph", "one"), ("paragraph", "Sales"), table, ("paragraph", "End"),
    ]  # fmt: skip


def test_a_box_of_names_and_values_is_a_list() -> None:
    box = "<table><tr><th colspan=2>ACME</th></tr><tr><th>Founded<td>1975</tr><tr><th>Sells"
    box += "<td><ul><li>a<li>b</ul></table>"
    assert shown(box) == [("paragraph", "ACME"), ("list", "Founded: 1975\nSells: a, b")]


def test_line_breaks_formulas_and_broken_markup() -> None:
    assert shown("<p>one<br>two<br><br>three</p>") == [("paragraph", "one\ntwo"), ("paragraph", "three")]
    assert shown('<p>E is <math alttext="mc^2"><mi>m</mi></math>.') == [("paragraph", "E is mc^2 .")]
    assert shown("<p>a</li></ul></table></pre></h1><td>b<table><tr><td>c") != []
    assert shown("<div>" * 5000 + "deep") == [("paragraph", "deep")]
    assert shown("<table><tr><td>" * 2000 + "deep") == [("paragraph", "deep")]


def test_what_the_page_says_of_itself_is_metadata() -> None:
    _, reading = read("<title>T</title><meta name=author content='Ann'><meta property='og:title' content=O><p>x")
    assert reading.metadata == {"title": "T", "author": "Ann"}


def test_samples(shared: Path) -> None:
    folder = shared / "data/documents/markitdown-samples"
    if not folder.is_dir():
        pytest.skip("needs documents")
    found = shown((folder / "test_wikipedia.html").read_text(encoding="utf-8"))
    words = "\n".join(text for _, text in found)
    assert found[0] == ("heading1", "Microsoft")
    assert ("heading3", "1972\u20131985: Founding") in found
    assert "Founders: Bill Gates, Paul Allen" in words
    assert "Region | Sales in billion $ | share\nUnited States | 106.7 | 50.4%" in words
    for noise in ("Jump to content", "Random article", "Afrikaans", "[2]", "Privacy policy", "edit source"):
        assert noise not in words, noise
    found = shown((folder / "test_blog.html").read_text(encoding="utf-8"))
    assert found[0][1].startswith("Does Model and Inference Parameter Matter")
    assert found[-1][1].startswith("Do you have any experience to share")
    assert any("1986: February" in text for _, text in shown((folder / "test_serp.html").read_text(encoding="utf-8")))
