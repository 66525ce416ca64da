"""What a page's text is collected in: a flow of blocks, and tables whose cells hold flows of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.tables import Cell, spread, table_block


@dataclass(slots=True)
class Flow:
    """The blocks of a page or of a cell, the words of the present one, and the items of the present list."""

    blocks: list[Block] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    in_item: bool = False
    _items: list[str] = field(default_factory=list)
    _lists: list[int | None] = field(default_factory=list)
    """Of each open list the number of the next item; None for bullets."""
    _mark: str = ""
    _code: int = 0

    def taken(self) -> str:
        """The words so far, blanks joined as a browser does; a line break is "\\n"."""
        text = re.sub(r"[ \t\n\r\f\u200b]+", " ", "".join(self.words))
        self.words = []
        return re.sub(r" ?\v ?", "\n", text).strip()

    def end_block(self) -> None:
        """A paragraph ends; in an item of a list its words go on."""
        if self._code:
            return
        if self.in_item:
            self.words.append(" ")
            return
        for words in re.split(r"\n{2,}", self.taken()):
            if words.strip():
                self._end_items()
                self.blocks.append(Block(words.strip()))

    def begin_list(self, number: int | None) -> None:
        self._put_item()
        if not self._lists:
            self.end_block()
        self._lists.append(number)

    def begin_item(self) -> None:
        self._put_item()
        if not self._lists:
            self.end_block()
        self.in_item = True
        self._mark = "- "
        if self._lists and self._lists[-1] is not None:
            self._mark = f"{self._lists[-1]}. "
            self._lists[-1] += 1

    def end_item(self) -> None:
        self._put_item()
        self.in_item = bool(self._lists[1:])

    def end_list(self, levels: int | None = None) -> None:
        """End the innermost list, or all of them and the present block."""
        self._put_item()
        if levels is None:
            self._lists.clear()
        elif self._lists:
            self._lists.pop()
        if not self._lists:
            self.in_item = False
            self.end_block()
            self._end_items()

    def _put_item(self) -> None:
        if self.in_item:
            words = self.taken().replace("\n", " ")
            if words:
                self._items.append("  " * max(0, len(self._lists) - 1) + (self._mark or "  ") + words)
                self._mark = ""

    def _end_items(self) -> None:
        if self._items:
            self.blocks.append(Block("\n".join(item.rstrip() for item in self._items), "list"))
            self._items = []

    def begin_heading(self) -> None:
        self._put_item()
        self.end_block()
        self._end_items()

    def end_heading(self, level: int) -> None:
        words = self.taken().replace("\n", " ")
        if words:
            self._end_items()
            self.blocks.append(Block(words, "heading", level))

    def begin_code(self) -> None:
        self._put_item()
        self.end_block()
        self._end_items()
        self.words = []
        self._code += 1

    def end_code(self) -> None:
        if not self._code:
            return
        self._code -= 1
        text = "".join(self.words).replace("\v", "\n").strip("\n")
        self.words = []
        if text.strip():
            self.blocks.append(Block(text, "code"))


@dataclass(slots=True)
class TableCell:
    """A cell of a page's table: `tag` is "td", "th" or "caption"."""

    tag: str
    columns: int = 1
    rows: int = 1
    blocks: list[Block] = field(default_factory=list)

    @property
    def text(self) -> str:
        parts = []
        for block in self.blocks:
            if block.kind == "list":
                parts.append(", ".join(re.sub(r"^\s*(?:- )?", "", line) for line in block.text.split("\n")))
            else:
                parts.append(block.text)
        return " ".join(" ".join(parts).split())


@dataclass(slots=True)
class Table:
    """A table of a page; `layout` when it only arranges things."""

    layout: bool = False
    rows: list[list[TableCell]] = field(default_factory=list)
    captions: list[TableCell] = field(default_factory=list)
    open: TableCell | None = None

    def close_cell(self) -> None:
        if self.open is not None:
            if self.open.tag == "caption":
                self.captions.append(self.open)
            else:
                if not self.rows:
                    self.rows.append([])
                self.rows[-1].append(self.open)
            self.open = None

    def blocks(self) -> Iterator[Block]:
        """A table of data as one block, its caption and rows of one cell above it before it; else the cells' blocks.

        Rows of a name and a value each (the box beside an article) are a list of `name: value`.
        """
        for caption in self.captions:
            if caption.text:
                yield Block(caption.text)
        rows = [row for row in self.rows if any(cell.text for cell in row)]
        width = max((len(row) for row in rows), default=0)
        inside = [block for row in rows for cell in row for block in cell.blocks]
        if self.layout or width <= 1 or any(block.kind in ("table", "heading", "code") for block in inside):
            yield from inside
        elif width == 2 and all([cell.tag for cell in row] == ["th", "td"] for row in rows if len(row) == 2):
            yield from self._named(rows)
        else:
            while len(rows) > 1 and len(rows[0]) == 1:
                yield from (Block(cell.text) for cell in rows.pop(0) if cell.text)
            block = table_block(spread([[Cell(cell.text, cell.columns, cell.rows) for cell in row] for row in rows]))
            if block is not None:
                yield block

    @staticmethod
    def _named(rows: list[list[TableCell]]) -> Iterator[Block]:
        lines: list[str] = []
        for row in rows:
            if len(row) == 2:
                lines.append(": ".join(filter(None, (cell.text for cell in row))))
                continue
            if lines:
                yield Block("\n".join(lines), "list")
                lines = []
            yield from (Block(cell.text) for cell in row if cell.text)
        if lines:
            yield Block("\n".join(lines), "list")
