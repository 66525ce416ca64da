"""EPUB 2 and 3: the chapters in the order of the book's spine, each read as a web page."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.library import attribute, local, parse_xml
from kaggle_magics.rag.readers.markup.html import parse_page
from kaggle_magics.rag.readers.packed import Packed, open_packed
from kaggle_magics.rag.readers.reading import Reading

_PROPERTIES = {"title": "title", "creator": "author", "date": "created", "language": "language",
               "publisher": "publisher", "subject": "subject"}  # fmt: skip
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""What only hides fonts is no copy protection."""


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield the book's title (level 1) and its chapters' blocks, headings one level below it, without the page of
    contents. A chapter that is missing or damaged is a warning. Raises `DocumentError`: damaged, copy-protected.
    """
    packed = open_packed(data, "an EPUB book")
    _refuse_protected(packed)
    package = _package(packed)
    root = parse_xml(packed.read(package), "the book's description")
    for element in root.iter():
        name = _PROPERTIES.get(local(element.tag))
        words = " ".join((element.text or "").split())
        if name and words:
            reading.metadata.setdefault(name, words)
    title = str(reading.metadata.get("title", ""))
    if title:
        yield Block(title, "heading", 1)
    for path in _spine(root, posixpath.dirname(package)):
        try:
            page = parse_page(decode(packed.read(path)))
        except DocumentError as error:
            if "empty" not in str(error):
                reading.warnings.append(f"{path} not read: {error}")
            continue
        for block in page.blocks:
            if block.kind == "heading" and block.text != title:
                yield Block(block.text, "heading", block.level + bool(title))
            elif block.kind != "heading":
                yield block


def _refuse_protected(packed: Packed) -> None:
    path = "META-INF/encryption.xml"
    if path in packed:
        for element in parse_xml(packed.read(path), "its list of protected parts").iter():
            if local(element.tag) == "EncryptionMethod" and attribute(element, "Algorithm") not in _FONTS:
                raise DocumentError("the book is copy-protected (DRM)")


def _package(packed: Packed) -> str:
    """The path of the file that describes the book."""
    path = "META-INF/container.xml"
    if path in packed:
        for element in parse_xml(packed.read(path), "the book's container").iter():
            if local(element.tag) == "rootfile" and attribute(element, "full-path") in packed:
                return attribute(element, "full-path")
    found = next((name for name in packed.names if name.endswith(".opf")), None)
    if found is None:
        raise DocumentError("the file is not an EPUB book: it does not say what is in it")
    return found


def _spine(root: Element, folder: str) -> Iterator[str]:
    """Paths of the chapters in reading order, without the page of contents."""
    items = {}
    order = []
    for element in root.iter():
        if local(element.tag) == "item" and "nav" not in attribute(element, "properties").split():
            items[attribute(element, "id")] = attribute(element, "href")
        elif local(element.tag) == "itemref":
            order.append(attribute(element, "idref"))
    for identity in order:
        if identity in items:
            yield posixpath.normpath(posixpath.join(folder, unquote(items[identity].split("#")[0])))
