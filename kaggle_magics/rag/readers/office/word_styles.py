"""What a paragraph of a Word document is by its style: a title, a heading of some level, an item of a list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.rag.readers.library import local

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_BODY_TEXT = 9
"""The outline level of text that is no heading."""


@dataclass(frozen=True, slots=True)
class ParagraphStyle:
    """`level` is 0 for what is no heading; `number` is (list, depth from 0) of a numbered or bulleted paragraph."""

    level: int = 0
    title: bool = False
    contents: bool = False
    """A line of a table of contents: it repeats headings."""
    number: tuple[str, int] | None = None


@dataclass(slots=True)
class Styles:
    """The paragraph styles of one document by id."""

    elements: dict[str, Any] = field(default_factory=dict)
    default: str = ""

    @classmethod
    def of(cls, root: Any) -> Styles:
        """From the `w:styles` element (lxml), or from None."""
        styles = cls()
        for child in root if root is not None else ():
            if local(child.tag) == "style" and attribute(child, "type") in ("paragraph", ""):
                identity = attribute(child, "styleId")
                styles.elements[identity] = child
                if attribute(child, "default") in ("1", "true", "on"):
                    styles.default = identity
        return styles

    def of_paragraph(self, paragraph: Any) -> ParagraphStyle:
        """What a `w:p` is. Its own properties go before its style's, these before those of the style it is based on."""
        own = child(paragraph, "pPr")
        chain = list(self._chain(value(own, "pStyle") or self.default))
        names = [value(style, "name").lower() for style in chain]
        levels = [match for name in names if (match := _HEADING.fullmatch(name))]
        properties = [own, *(child(style, "pPr") for style in chain)]
        outline = next((text for one in properties if (text := value(one, "outlineLvl"))), "")
        level = int(levels[0][1]) if levels else 0
        if outline.isdigit():
            level = int(outline) + 1 if int(outline) < _BODY_TEXT else 0
        contents = any(name.startswith("toc ") and name != "toc heading" for name in names[:1])
        return ParagraphStyle(level, "title" in names, contents, _number(properties))

    def _chain(self, identity: str) -> Iterator[Any]:
        seen: set[str] = set()
        while identity in self.elements and identity not in seen:
            seen.add(identity)
            style = self.elements[identity]
            yield style
            identity = value(style, "basedOn")


def _number(properties: list[Any]) -> tuple[str, int] | None:
    depth = ""
    for one in properties:
        numbering = child(one, "numPr")
        if numbering is None:
            continue
        depth = depth or value(numbering, "ilvl")
        identity = value(numbering, "numId")
        if identity:
            return (identity, int(depth) if depth.isdigit() else 0) if identity != "0" else None
    return None


def child(element: Any, name: str) -> Any:
    """The first child of that local name; None without it, or without an element."""
    if element is not None:
        for one in element:
            if local(one.tag) == name:
                return one
    return None


def value(element: Any, name: str) -> str:
    """`w:val` of the child of that name; "" without it."""
    one = child(element, name)
    return "" if one is None else attribute(one, "val")


def attribute(element: Any, name: str) -> str:
    """The attribute of that local name; "" without it."""
    return next((text for key, text in element.attrib.items() if local(key) == name), "")
