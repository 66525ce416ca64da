"""What readers need from outside: a library, or XML that is parsed without following entities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from kaggle_magics.errors import DocumentError, MissingExtra
from kaggle_magics.extras import require


def library(module: str, purpose: str) -> ModuleType:
    """Import an optional library; a `DocumentError` with the line that installs it where it is missing.

    An error of another kind would end the whole ingest, and the other files need other libraries.
    """
    try:
        return require(module, purpose)
    except MissingExtra as error:
        raise DocumentError(str(error)) from error


@contextmanager
def refusing(reason: str) -> Iterator[None]:
    """Whatever a library raises at a damaged file becomes a `DocumentError` with that reason."""
    try:
        yield
    except (DocumentError, MemoryError):
        raise
    except Exception as error:  # libraries raise nearly anything at a damaged file
        raise DocumentError(f"{reason} ({type(error).__name__}: {error})"[:200]) from error


def parse_xml(data: bytes, what: str = "the XML") -> Element:
    """The root element. Raises `DocumentError`: not well-formed (with line and column), or it defines entities.

    Entities can unpack to gigabytes ("billion laughs") or name files of this machine, so that none are followed.
    """
    parser = library("defusedxml.ElementTree", "Reading XML")
    refused: Any = library("defusedxml.common", "Reading XML").DefusedXmlException
    try:
        root: Element = parser.fromstring(data)
    except refused as error:
        raise DocumentError(f"{what} defines entities, which may be a bomb; it is not read") from error
    except (ParseError, ValueError, LookupError) as error:
        raise DocumentError(f"{what} is not well-formed ({error})") from error
    return root


def local(tag: object) -> str:
    """An element's name without its namespace; "" for comments and processing instructions."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str, default: str = "") -> str:
    """The attribute of that local name, whatever its namespace."""
    for key, value in element.attrib.items():
        if local(key) == name:
            return value
    return default
