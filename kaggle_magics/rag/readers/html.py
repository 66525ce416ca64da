"""HTML with the standard library's parser: text a reader of the page would see, never scripts or styles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import table_line

_SILENT = {"script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select", "button"}
_BREAKS = set(
    re.findall(
        r"\w+",
        "address article aside blockquote body dd details div dl dt fieldset figcaption figure footer form header hr "
        "html main nav ol p section summary ul caption br ",
    )
)
_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield headings, paragraphs, lists, preformatted text and tables (the first row is the header).

    The page's title is a level-1 heading where the body has none.
    """
    page = _Page()
    page.feed(decode(data))
    page.close()
    page.flush()
    if page.title and not any(block.kind == "heading" and block.level == 1 for block in page.blocks):
        yield Block(page.title, "heading", 1)
    yield from page.blocks


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.title = ""
        self._words: list[str] = []
        self._items: list[str] = []
        self._rows: list[list[str]] = []
        self._silent: list[str] = []
        self._tables = 0
        self._pre = 0
        self._in_title = False
        self._in_cell = False
        self._captions: list[str] = []
        self._in_item = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag == "title" and not self._silent:
            self._in_title = True
        elif tag == "table":
            self.flush()
            self._tables += 1
        elif self._tables:
            if tag == "tr" and self._tables == 1:
                self._cell()
                self._rows.append([])
            elif tag in ("td", "th") and self._tables == 1:
                self._cell()
                if not self._rows:
                    self._rows.append([])
                self._in_cell = True
            else:
                self._words.append(" ")
        elif tag == "li":
            self._item()
            self._in_item += 1
        elif tag == "pre":
            self.flush()
            self._pre += 1
        elif tag in _HEADINGS or (tag in _BREAKS and not self._in_item):
            self.flush()
        elif tag in _BREAKS:
            self._words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag == self._silent[-1]:
                self._silent.pop()
        elif tag == "title":
            self._in_title = False
        elif tag == "table" and self._tables:
            self._tables -= 1
            if not self._tables:
                self._table()
        elif self._tables:
            if tag in ("td", "th", "tr") and self._tables == 1:
                self._cell()
        elif tag in _HEADINGS:
            self._heading(_HEADINGS[tag])
        elif tag == "li":
            self._item()
            self._in_item = max(0, self._in_item - 1)
        elif tag == "pre" and self._pre:
            self._code()
        elif tag in _BREAKS and not self._in_item:
            self.flush()

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if self._in_title:
            self.title = f"{self.title} {' '.join(data.split())}".strip()
        else:
            self._words.append(data)

    def flush(self) -> None:
        """End the block that is being collected."""
        if self._tables:
            return
        if self._items:
            self._item()
            self.blocks.append(Block("\n".join(self._items), "list"))
            self._items = []
        words = self._taken()
        if words:
            self.blocks.append(Block(words, "paragraph"))

    def _taken(self) -> str:
        words = re.sub(r"\s+", " ", "".join(self._words)).strip()
        self._words = []
        return words

    def _item(self) -> None:
        words = self._taken()
        if words and self._in_item:
            self._items.append(f"- {words}")
        elif words:
            self.blocks.append(Block(words, "paragraph"))

    def _heading(self, level: int) -> None:
        words = self._taken()
        if words:
            self.blocks.append(Block(words, "heading", level))

    def _code(self) -> None:
        text = "".join(self._words).strip("\n")
        self._words = []
        self._pre -= 1
        if text.strip():
            self.blocks.append(Block(text, "code"))

    def _cell(self) -> None:
        words = self._taken()
        if self._in_cell:
            self._rows[-1].append(words)
        elif words:
            self._captions.append(words)
        self._in_cell = False

    def _table(self) -> None:
        self._cell()
        lines = [line for row in self._rows if (line := table_line(row))]
        self.blocks += [Block(caption) for caption in self._captions]
        self._rows, self._captions = [], []
        if lines:
            self.blocks.append(Block("\n".join(lines), "table" if len(lines) > 1 else "paragraph"))
