"""What Word, PowerPoint and Excel files have in common: Office Open XML packages."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime
from typing import Any

from kaggle_magics.rag.readers.packed import open_packed
from kaggle_magics.rag.readers.reading import Reading

_TYPES = "[Content_Types].xml"
_MAIN = rb"application/vnd\.%s\.main\+xml"
_WORD = rb"(?:ms-word\.(?:document|template)\.macroEnabled(?:Template)?|%s\.template)"
_SLIDES = rb"(?:ms-powerpoint\.(?:presentation|slideshow|template)\.macroEnabled|%s\.(?:slideshow|template))"
_OPEN = b"openxmlformats-officedocument."
_VARIANTS = tuple(
    (_MAIN % (others % re.escape(_OPEN + kind)), b"application/vnd." + _OPEN + kind + b"." + plain + b".main+xml")
    for others, kind, plain in (
        (_WORD, b"wordprocessingml", b"document"),
        (_SLIDES, b"presentationml", b"presentation"),
    )
)


_MADE_BY = ("python-docx", "openpyxl")
"""What libraries write for an author."""


def checked_package(data: bytes, kind: str) -> bytes:
    """The package within the limits of `open_packed`; templates, shows and files with macros become plain documents,
    the only ones that python-docx and python-pptx open. Raises `DocumentError`."""
    packed = open_packed(data, kind)
    types = packed.read(_TYPES) if _TYPES in packed else b""
    changed = types
    for variant, main in _VARIANTS:
        changed = re.sub(variant, main, changed)
    if changed == types:
        return data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in packed.names:
            archive.writestr(name, changed if name == _TYPES else packed.read(name))
    return buffer.getvalue()


def take_properties(properties: Any, reading: Reading) -> None:
    """Title, author, subject, keywords and dates of a python-docx, python-pptx or openpyxl properties object."""
    for name in ("title", "author", "creator", "subject", "keywords", "created", "modified"):
        try:
            value = getattr(properties, name, None)
        except (ValueError, TypeError, AttributeError):  # a date that is none
            continue
        if isinstance(value, datetime):
            value = value.replace(tzinfo=None).isoformat(" ", "seconds")
        if isinstance(value, str) and value.strip() and value not in _MADE_BY:
            reading.metadata.setdefault("author" if name == "creator" else name, value.strip())
