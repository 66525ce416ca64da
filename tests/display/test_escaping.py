"""No text of a model or a document becomes anything but text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from kaggle_magics.display import escape, markdown

CORPUS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](//evil.example/a)",
    "[x](file:///etc/passwd)",
    "<javascript:alert(1)>",
    '[x](http://a.example "t\\" onmouseover=alert(1) x=\\"")',
    '![x](http://evil.example/a.png "t")',
    "![x][r]\n\n[r]: http://evil.example/a.png",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "[![x](http://evil.example/a.png)](http://b.example)",
    '```py"><script>alert(1)</script>\nx\n```',
    "~~~ <img src=x onerror=alert(1)>\nx\n~~~",
    "`<script>alert(1)</script>`",
    "|<b onclick=alert(1)>|\n|-|\n|<img src=x>|",
    "# <h1 onclick=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<style>*{display:none}</style>",
    "<a href='x' id='km-1' name='body'>clobber</a>",
    "</div></div><form action=http://evil.example><input name=q>",
    "\\(\\href{javascript:alert(1)}{x}\\)",
    "$$\\href{javascript:alert(1)}{x}$$",
    "\\begin{equation}\\href{javascript:alert(1)}{x}\\end{equation}",
    "\\(\\def\\a{\\href}\\a{javascript:alert(1)}{x}\\)",
    "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "<scr\x00ipt>alert(1)</script>",
]
SAFE_TAGS = {
    "p", "a", "span", "div", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "br", "hr",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
SAFE_ATTRIBUTES = {"href", "target", "rel", "class", "role", "aria-level", "style", "start"}


class Reader(HTMLParser):
    """What a browser would make of it: tags, their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", CORPUS)
def test_rendered_markdown_holds_only_harmless_elements(text: str) -> None:
    found = Reader(markdown.render(text))
    for tag, attributes in found.tags:
        assert tag in SAFE_TAGS, tag
        assert set(attributes) <= SAFE_ATTRIBUTES, attributes
        if "href" in attributes:
            assert str(attributes["href"]).startswith(("http://", "https://", "mailto:"))
            assert attributes["rel"] == "noopener noreferrer nofollow" and attributes["target"] == "_blank"
        if "style" in attributes:
            assert attributes["style"] in {"text-align:left", "text-align:right", "text-align:center"}


@pytest.mark.parametrize("text", CORPUS)
def test_escaped_text_is_that_text(text: str) -> None:
    for function in (escape.html, escape.code):
        found = Reader(function(text))
        assert {tag for tag, _ in found.tags} <= {"span"}
        assert found.text == escape.plain(text)
    assert Reader(f'<i title="{escape.attribute(text)}">').tags == [("i", {"title": escape.plain(text)})]


@pytest.mark.parametrize("text", CORPUS)
def test_markdown_text_has_no_html_image_or_unsafe_link(text: str) -> None:
    from markdown_it import MarkdownIt

    rendered = MarkdownIt("commonmark", {"html": True}).render(escape.markdown(text))
    for tag, attributes in Reader(rendered).tags:
        assert tag not in {"script", "img", "svg", "iframe", "style", "form", "input", "details", "b", "h1"} or (
            tag == "h1" and not attributes
        )
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("href", "http://")).startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("It costs $5 or $10.", "<p>It costs <span>$</span>5 or <span>$</span>10.</p>\n"),
        ("`$5`", "<p><code>$5</code></p>\n"),
        ("$$x_1^2 * y_1$$", "<p>$$x_1^2 * y_1$$</p>\n"),
        ("\\(a_1 * b_1\\)", "<p>\\(a_1 * b_1\\)</p>\n"),
        ("C:\\temp", "<p>C:<span>\\</span>temp</p>\n"),
        ("# Title", '<div class="km-heading" role="heading" aria-level="1">Title</div>\n'),
        ("**bold** *it*", "<p><strong>bold</strong> <em>it</em></p>\n"),
    ],
)
def test_what_is_drawn(text: str, html: str) -> None:
    assert markdown.render(text) == html


def test_a_link_shows_where_it_leads() -> None:
    assert "(b.example)" in Reader(markdown.render("[safe.example](https://b.example/x)")).text


def test_an_image_is_named_and_not_loaded() -> None:
    assert (
        Reader(markdown.render("![a cat](http://e.example/c.png)")).text.strip()
        == "[a cat: image not loaded from e.example]"
    )


def test_only_known_numbers_become_citations() -> None:
    html = markdown.render("One [1], two [2], `[1]`\n\n[1]: http://evil.example", {1: "<b>CHIP</b>"})
    assert html.count("<b>CHIP</b>") == 2 and "[2]" in html and "<code>[1]</code>" in html and "href" not in html


def test_terminals_get_no_control_sequences() -> None:
    assert escape.plain("\x1b[31mred\x1b[0m\x1b]0;title\x07 a\r\nb\rc\td\x00\u202e") == "red a\nb\nc\td"


@pytest.mark.parametrize("depth", [50, 5000])
def test_deep_nesting_is_drawn_quickly(depth: int) -> None:
    for text in (">" * depth + "x", "[" * depth, "*" * depth + "x", "- " * depth + "x", "`" * depth):
        assert Reader(markdown.render(text)).tags is not None


def test_file_names_that_are_no_text_can_be_sent() -> None:
    shown = (escape.plain("a\udcffb"), escape.html("a\udcffb"), escape.markdown_line("a\udcffb"))
    assert [text.encode("utf-8").decode("utf-8") for text in shown] == ["a\ufffdb"] * 3
