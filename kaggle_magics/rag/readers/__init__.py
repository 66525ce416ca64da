"""One file a format. To add one: write `read(data, reading) -> Iterator[Block]` and add its suffixes here."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.containers import CONTAINERS
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.readers.sniffing import sniff, sniff_text, suffix_of

__all__ = ["READERS", "Reader", "choose_reader", "find_reader", "refuse_unknown", "suffix_of"]

Reader = Callable[[bytes, Reading], Iterator[Block]]
"""Takes a file's bytes and yields its blocks in order. Raises `DocumentError` with the reason when it cannot."""

_HERE = "kaggle_magics.rag.readers"
_XML = (".xml", ".rss", ".atom", ".rdf", ".nxml", ".dbk", ".opml", ".xsd", ".kml")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")

_CODE = re.findall(
    r"\S+",
    ".py .pyi .r .jl .c .h .cc .cpp .hpp .cs .java .kt .scala .go .rs .swift .js .jsx .ts .tsx .rb .php .pl .lua "
    ".sh .bash .sql .css .toml .yaml .yml .ini .cfg .conf .mk .cmake .m .hs .ml .clj .ex .erl .dart .proto ",
)

_SOUND = re.findall(
    r"\S+",
    ".wav .mp3 .m4a .m4b .aac .flac .ogg .oga .opus .wma .aif .aiff .amr .mp4 .m4v .mkv .webm .mov .avi .mpg .mpeg "
    ".wmv .flv .3gp ",
)

READERS: dict[str, str] = {
    **dict.fromkeys(("", ".txt", ".text", ".log", ".rst", ".rest", ".tex"), f"{_HERE}.plain.text:read"),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd"), f"{_HERE}.plain.markdown:read"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), f"{_HERE}.markup.html:read"),
    ".pdf": f"{_HERE}.pdf.pdf:read",
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), f"{_HERE}.office.docx:read"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"), f"{_HERE}.office.pptx:read"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx", ".xltm"), f"{_HERE}.office.xlsx:read"),
    ".xls": f"{_HERE}.office.xls:read",
    **dict.fromkeys((".odt", ".ods", ".odp", ".ott", ".ots", ".otp"), f"{_HERE}.office.odf:read"),
    ".rtf": f"{_HERE}.office.rtf:read",
    ".doc": f"{_HERE}.office.legacy:read_doc",
    ".dot": f"{_HERE}.office.legacy:read_doc",
    ".ppt": f"{_HERE}.office.legacy:read_ppt",
    ".pps": f"{_HERE}.office.legacy:read_ppt",
    **dict.fromkeys(
        (".xml", ".rss", ".atom", ".rdf", ".nxml", ".dbk", ".opml", ".xsd", ".kml"), f"{_HERE}.markup.xml:read"
    ),
    ".epub": f"{_HERE}.markup.epub:read",
    ".csv": f"{_HERE}.plain.delimited:read",
    ".tsv": f"{_HERE}.plain.delimited:read",
    ".json": f"{_HERE}.plain.json:read",
    **dict.fromkeys((".jsonl", ".ndjson"), f"{_HERE}.plain.json:read_lines"),
    ".ipynb": f"{_HERE}.plain.notebook:read",
    **dict.fromkeys(
        (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"), f"{_HERE}.recognising.image:read"
    ),
    **dict.fromkeys((".srt", ".vtt"), f"{_HERE}.recognising.subtitles:read"),
    **dict.fromkeys(_SOUND, f"{_HERE}.recognising.speech:read"),
    ".eml": f"{_HERE}.containers.mail:read",
    ".msg": f"{_HERE}.containers.outlook:read",
    **dict.fromkeys(_CODE, f"{_HERE}.plain.code:read"),
}
"""Suffix in lower case -> "module:function"; "" is a file without a suffix (README, LICENSE)."""

_ZIP_INSIDE = re.compile(r"\.(do[ct][xm]|pp[st][xm]|pot[xm]|xl[st][xm]|o[dt][tspg]|epub)")
"""Suffixes of formats that are zip archives inside: when one lacks what tells it, its reader knows why."""


def find_reader(name: str) -> Reader:
    """The reader for a file of this name. Raises `DocumentError` for a type that has none."""
    suffix = suffix_of(name)
    target = READERS.get(suffix)
    if target is None:
        raise DocumentError(f"there is no reader for {suffix} files")
    module, function = target.split(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader


def choose_reader(name: str, data: bytes, reading: Reading) -> Reader:
    """The reader that fits a file's content, which is told by its first bytes where they contradict its name.

    Then `reading.warnings` says so. Raises `DocumentError` that says what the file is when no reader fits.
    """
    suffix = suffix_of(name)
    known = suffix in READERS
    found = sniff(data) or sniff_text(name, data)
    if found is None:
        if not known and _is_text(data):
            raise DocumentError(f"there is no reader for {suffix} files; it holds text: name it .txt to have it read")
        return find_reader(name)
    fitting, words = found
    if known and fitting and READERS.get(fitting) == READERS[suffix]:
        return find_reader(name)
    if fitting == ".zip" and _ZIP_INSIDE.fullmatch(suffix):
        return find_reader(name)
    if fitting in CONTAINERS and fitting not in READERS:
        # Other formats are zip archives inside (.jar, .npz, .pages): a name that is unknown is believed.
        raise DocumentError(
            f"it is {words} under this name; name it {fitting} to have what is in it read"
            if known
            else f"there is no reader for {suffix} files"
        )
    if not fitting or fitting not in READERS:
        raise DocumentError(f"there is no reader for {suffix} files ({words})" if not known else f"it is {words}")
    if suffix:
        reading.warnings.append(f"it is {words} under the name of a {suffix} file and was read as such")
    return find_reader(f"a{fitting}")


def refuse_unknown(name: str, head: bytes) -> None:
    """Raise `DocumentError` for a suffix without reader, unless the file's first bytes promise something to read."""
    suffix = suffix_of(name)
    found = sniff(head)
    # These three are told apart by what stands further back.
    promising = head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF-"))
    promising = promising or (found is not None and found[0] != "" and found[0] in READERS)
    if suffix not in READERS and suffix not in CONTAINERS and not promising and not _is_text(head):
        raise DocumentError(f"there is no reader for {suffix} files" + (f" ({found[1]})" if found else ""))


def _is_text(data: bytes) -> bool:
    try:
        decode(data[:65536])
    except DocumentError:
        return False
    return True
