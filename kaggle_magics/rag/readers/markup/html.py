"""HTML with the standard library's parser: the text that a reader of the page came for, never scripts or styles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.markup.flow import Flow, Table, TableCell
from kaggle_magics.rag.readers.reading import Reading

_SILENT = set(re.findall(r"\w+", "script style noscript template svg iframe object select button datalist annotation"))
_AROUND = {"nav", "footer", "dialog"}
"""What stands around the text of a page: ways to other pages, imprints."""
_AROUND_ROLES = {"navigation", "search", "dialog", "banner"}
_CAN_HIDE = set(
    re.findall(r"\w+", "div span section aside table ul ol nav footer header form dialog sup a h1 h2 h3 details figure")
)
_NOT_TEXT = re.compile(
    r"\b(?:mw-editsection|mw-portlet|mw-cite-backlink|vector-dropdown|navbox|catlinks|printfooter|skip-?link|sr-only|visually-hidden)\b"
)
_BREAKS = set(
    re.findall(
        r"\w+",
        "address article aside blockquote body dd details div dl dt fieldset figcaption figure footer form header hr "
        "html main nav p section summary caption",
    )
)
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_META = {"author": "author", "article:author": "author", "description": "description", "og:title": "title",
         "article:published_time": "created", "date": "created", "keywords": "keywords"}  # fmt: skip
_LEAST_SHARE = 0.2
"""The text without what stands around it is taken from this share of the page's text on: else the marks are wrong."""


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield headings, paragraphs, lists, code and tables (the first row is the header) of the page's main part.

    Menus, imprints and what is hidden are left out, unless that would leave next to nothing. The page's title is a
    level-1 heading where the text has none.
    """
    page = parse_page(decode(data))
    if page.title:
        reading.metadata.setdefault("title", page.title)
    for name, value in page.metadata.items():
        reading.metadata.setdefault(name, value)
    if page.title and not any(block.kind == "heading" and block.level == 1 for block in page.blocks):
        yield Block(page.title, "heading", 1)
    yield from page.blocks


def parse_page(text: str) -> Page:
    """The page's title and blocks."""
    page = Page(whole=False)
    page.parse(text)
    everything = Page(whole=True)
    everything.parse(text)
    return page if _length(page.blocks) >= _LEAST_SHARE * _length(everything.blocks) else everything


def _length(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


class Page(HTMLParser):
    """Collects blocks. `whole`: also what stands around the text, and what is hidden."""

    def __init__(self, whole: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.metadata: dict[str, str] = {}
        self.blocks: list[Block] = []
        self._whole = whole
        self._flows = [Flow()]
        self._tables: list[Table] = []
        self._skipped = ""
        """The tag of the element that is left out, and how many of that tag are open in it."""
        self._open = 0
        self._in_title = False
        self._mains: list[tuple[str, int]] = []
        self._main: tuple[int, int] | None = None
        self._articles: list[tuple[int, int]] = []
        self._raised: list[int] = []

    def parse(self, text: str) -> None:
        """Read the page; afterwards `blocks` holds its main part, or all of it."""
        self.feed(text)
        self.close()
        while self._tables:
            self._end_table()
        flow = self._flows[0]
        flow.end_list()
        blocks = flow.blocks
        region = self._main or (self._articles[0] if len(self._articles) == 1 else None)
        if region is not None and not self._whole:
            blocks = blocks[slice(*region)]
        self.blocks = blocks

    @property
    def _flow(self) -> Flow:
        return self._flows[-1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped:
            self._open += tag == self._skipped
            return
        given = {name: value or "" for name, value in attrs}
        if tag in _SILENT or self._leaves_out(tag, given):
            self._skipped, self._open = tag, 1
        elif tag == "math" and given.get("alttext"):
            self._flow.words.append(f" {given['alttext']} ")
            self._skipped, self._open = tag, 1
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "meta":
            name = _META.get((given.get("name") or given.get("property") or "").lower())
            if name and given.get("content", "").strip():
                self.metadata.setdefault(name, " ".join(given["content"].split()))
        else:
            self._begin(tag, given)

    def _leaves_out(self, tag: str, given: dict[str, str]) -> bool:
        if self._whole or tag not in _CAN_HIDE:
            return False
        marks = f"{given.get('class', '')} {given.get('id', '')}"
        return (
            tag in _AROUND
            or given.get("role", "").lower() in _AROUND_ROLES
            or "hidden" in given
            or given.get("aria-hidden") == "true"
            or re.search(r"display:\s*none|visibility:\s*hidden", given.get("style", "")) is not None
            or _NOT_TEXT.search(marks) is not None
            or (tag == "sup" and "reference" in marks)  # [1] of an encyclopedia is no citation of ours
        )

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        flow = self._flow
        if tag in ("main", "article") or given.get("role") == "main":
            flow.end_block()
            if len(self._flows) == 1:
                kind = "article" if tag == "article" and given.get("role") != "main" else "main"
                self._mains.append((f"{tag} {kind}", len(flow.blocks)))
        elif tag == "table":
            flow.end_block()
            self._tables.append(Table(layout=given.get("role", "") in ("presentation", "none")))
        elif tag in ("tr", "td", "th", "caption") and self._tables:
            self._end_cell()
            if tag == "tr":
                self._tables[-1].rows.append([])
            else:
                self._tables[-1].open = TableCell(tag, _span(given, "colspan"), _span(given, "rowspan"))
                self._flows.append(Flow())
        elif tag in ("ul", "ol", "menu"):
            start = given.get("start", "1")
            flow.begin_list((int(start) if start.isdigit() else 1) if tag == "ol" else None)
        elif tag == "li":
            flow.begin_item()
        elif tag == "pre":
            flow.begin_code()
        elif tag in _HEADINGS:
            flow.begin_heading()
        elif tag == "br":
            flow.words.append("\v")
        elif tag == "sup":
            self._raised.append(len(flow.words))
        elif tag in _BREAKS:
            flow.end_block()

    def handle_endtag(self, tag: str) -> None:
        flow = self._flow
        if self._skipped:
            self._open -= tag == self._skipped
            if not self._open:
                self._skipped = ""
        elif tag == "title":
            self._in_title = False
        elif (
            self._mains
            and len(self._flows) == 1
            and self._mains[-1][0].split()[0] == tag
            and tag in ("main", "article")
        ):
            flow.end_list()
            kind, begin = self._mains.pop()
            if kind.endswith("main"):
                self._main = self._main or (begin, len(flow.blocks))
            elif not any(other.endswith("article") for other, _ in self._mains):
                self._articles.append((begin, len(flow.blocks)))
        elif tag == "table" and self._tables:
            self._end_table()
        elif tag in ("tr", "td", "th", "caption") and self._tables:
            self._end_cell()
        elif tag in _HEADINGS:
            flow.end_heading(_HEADINGS[tag])
        elif tag in ("ul", "ol", "menu"):
            flow.end_list(levels=1)
        elif tag == "li":
            flow.end_item()
        elif tag == "pre":
            flow.end_code()
        elif tag == "sup" and self._raised:
            begin = self._raised.pop()
            if re.fullmatch(r"[-+\u2212]?\d+", "".join(flow.words[begin:]).strip()):
                flow.words.insert(begin, "^")  # 10^6 is not 106
        elif tag in _BREAKS:
            flow.end_block()

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        if self._in_title:
            self.title = f"{self.title} {' '.join(data.split())}".strip()
        else:
            self._flow.words.append(data)

    def _end_cell(self) -> None:
        table = self._tables[-1]
        if table.open is not None:
            flow = self._flows.pop()
            flow.end_list()
            table.open.blocks = flow.blocks
            table.close_cell()
        else:  # text between cells, which browsers show before the table
            self._flow.end_list()

    def _end_table(self) -> None:
        self._end_cell()
        self._flow.blocks += self._tables.pop().blocks()


def _span(given: dict[str, str], name: str) -> int:
    text = given.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 1
