"""XML: feeds as their items, documents as headings and paragraphs, anything else as `path: value` lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block, Place
from kaggle_magics.rag.readers.library import attribute, local, parse_xml
from kaggle_magics.rag.readers.markup.html import parse_page
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.tables import table_block

_PARAGRAPHS = {"p", "para", "simpara", "ab", "abstract", "l", "quote", "blockquote", "note", "caption"}
_RUNNING = {"p", "para", "simpara", "ab"}
"""Those that no list of records has."""
_TITLES = {"title", "head", "heading", "article-title", "subtitle"}
_SECTIONS = set(
    re.findall(
        r"\w+", "sec section chapter part div div1 div2 div3 article book body text front back sect1 sect2 sect3"
    )
)
_WHEN = ("pubDate", "published", "updated", "date", "lastBuildDate")
_CONTENT = ("encoded", "content", "description", "summary")
_DEEPEST = 100


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield a feed's items (RSS, RDF, Atom: title as heading, date, author, link, text), a document's blocks (DocBook,
    JATS, TEI), or a block of `path: value` lines for each of the root's children, which `place.row` counts.

    Raises `DocumentError`: not well-formed, or with entities, which may be a bomb. Needs defusedxml.
    """
    if not data.strip():
        raise DocumentError("the file is empty")
    root = parse_xml(data, "the XML")
    name = local(root.tag)
    if name == "html":
        from kaggle_magics.rag.readers.markup import html

        yield from html.read(data, reading)
    elif name in ("rss", "feed", "RDF") and any(local(one.tag) in ("item", "entry") for one in root.iter()):
        yield from _feed(root, reading)
    elif _is_document(root):
        yield from _document(root, 0, 0)
    else:
        yield from _records(root)


def _feed(root: Element, reading: Reading) -> Iterator[Block]:
    channel = next((one for one in root.iter() if local(one.tag) in ("channel", "feed")), root)
    title = _child_text(channel, ("title",))
    if title:
        reading.metadata["title"] = title
        yield Block(title, "heading", 1)
    about = _child_text(channel, ("description", "subtitle"))
    if about:
        yield from _markup(about, Place())
    number = 0
    for item in root.iter():
        if local(item.tag) not in ("item", "entry"):
            continue
        number += 1
        place = Place(row=number)
        heading = _child_text(item, ("title",))
        if heading:
            yield Block(_plain(heading), "heading", 2, place)
        facts = [
            _child_text(item, _WHEN),
            _child_text(item, ("creator",)) or _child_text(item, ("author",)),
            _link(item),
            ", ".join(filter(None, (_category(one) for one in item if local(one.tag) == "category"))),
        ]
        words = [
            f"{label}: {fact}"
            for label, fact in zip(("Date", "Author", "Link", "Categories"), facts, strict=True)
            if fact
        ]
        if words:
            yield Block("\n".join(words), "list", place=place)
        for name in _CONTENT:
            text = _child_text(item, (name,), markup=True)
            if text:
                yield from _markup(text, place)
                break


def _category(element: Element) -> str:
    return (element.text or "").strip() or attribute(element, "term")


def _link(item: Element) -> str:
    for one in item:
        if local(one.tag) == "link" and attribute(one, "rel", "alternate") == "alternate":
            return (one.text or "").strip() or attribute(one, "href")
    return ""


def _child_text(element: Element, names: tuple[str, ...], markup: bool = False) -> str:
    """The text of the first child of one of these names, in the names' order; with the tags inside it as markup."""
    for name in names:
        for child in element:
            if local(child.tag) == name:
                inner = "".join(child.itertext()).strip()
                if markup and len(child):  # Atom's xhtml
                    return " ".join(_flat(one) for one in child)
                if inner:
                    return inner if markup else " ".join(inner.split())
    return ""


def _markup(text: str, place: Place) -> Iterator[Block]:
    """The blocks of an HTML fragment; headings in it stand below those of the feed."""
    for block in parse_page(text).blocks:
        yield Block(block.text, block.kind, block.level + 2 if block.kind == "heading" else 0, place)


def _plain(text: str) -> str:
    """A title in which markup or character references were escaped twice."""
    return " ".join(block.text for block in parse_page(text).blocks) if re.search(r"&\w+;|</?\w+>|&#", text) else text


def _is_document(root: Element) -> bool:
    """Whether it holds running text: paragraphs or sections with titles, not records."""
    names = Counter(local(one.tag) for one in root.iter())
    paragraphs = sum(names[name] for name in _RUNNING)
    return paragraphs > 2 or (paragraphs > 0 and any(names[name] for name in _SECTIONS))


def _document(element: Element, level: int, depth: int) -> Iterator[Block]:
    """Titles get the level of the section they stand in."""
    if depth > _DEEPEST:
        raise DocumentError("the XML is nested too deeply")
    for child in element:
        name = local(child.tag)
        words = _flat(child)
        if not name or not words:
            continue
        if name in _TITLES:
            yield Block(words, "heading", max(1, level))
        elif name in ("table", "informaltable") and any(local(one.tag) in ("tr", "row") for one in child.iter()):
            rows = [
                [_flat(cell) for cell in row if local(cell.tag) in ("td", "th", "entry", "cell")]
                for row in child.iter()
                if local(row.tag) in ("tr", "row")
            ]
            block = table_block(rows)
            if block is not None:
                yield block
        elif name in ("list", "itemizedlist", "orderedlist", "ul", "ol"):
            items = [_flat(item) for item in child]
            yield Block("\n".join(f"- {item}" for item in items if item), "list")
        elif name in ("programlisting", "code", "screen", "preformat", "pre"):
            yield Block("".join(child.itertext()).strip("\n"), "code")
        elif name in _PARAGRAPHS and not any(local(one.tag) in _PARAGRAPHS for one in child):
            yield Block(words)
        elif len(child):
            yield from _document(child, level + (name in _SECTIONS), depth + 1)
        else:
            yield Block(words)


def _flat(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _records(root: Element) -> Iterator[Block]:
    """Each child of the root is a record; a lone child that holds many is looked through."""
    path = local(root.tag)
    while len(root) == 1 and len(root[0]) > 1:
        root = root[0]
        path = local(root.tag)
    own = [f"{path}.{local(key)}: {value}" for key, value in root.attrib.items() if value.strip()]
    if not len(root) and (root.text or "").strip():
        own.append(f"{path}: {(root.text or '').strip()}")
    if own:
        yield Block("\n".join(own), "list")
    number = 0
    for child in root:
        name = local(child.tag)
        if name:
            number += 1
            lines = list(_values(child, name, 0))
            if lines:
                yield Block("\n".join(lines), "list", place=Place(row=number) if len(root) > 1 else Place())


def _values(element: Element, path: str, depth: int) -> Iterator[str]:
    """`path: value` for each text and each attribute below an element, numbered where names repeat."""
    if depth > _DEEPEST:
        raise DocumentError("the XML is nested too deeply")
    for key, value in element.attrib.items():
        if value.strip():
            yield f"{path}.{local(key)}: {value.strip()}"
    children = [child for child in element if local(child.tag)]
    if (element.text or "").strip() and any((child.tail or "").strip() for child in children):
        yield f"{path}: {_flat(element)}"  # a text with marked words
        return
    if (element.text or "").strip():
        yield f"{path}: {' '.join((element.text or '').split())}"
    times = Counter(local(child.tag) for child in children)
    seen: Counter[str] = Counter()
    for child in children:
        name = local(child.tag)
        seen[name] += 1
        yield from _values(child, f"{path}.{name}" + (f"[{seen[name]}]" if times[name] > 1 else ""), depth + 1)
