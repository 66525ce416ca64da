"""What a file really is, by its first bytes: a wrong name neither hides a text nor lets another reader stumble."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import PurePath

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", ".png", "a PNG picture"),
    (b"\xff\xd8\xff", ".jpg", "a JPEG picture"),
    (b"GIF87a", ".gif", "a GIF picture"),
    (b"GIF89a", ".gif", "a GIF picture"),
    (b"II*\0", ".tif", "a TIFF picture"),
    (b"MM\0*", ".tif", "a TIFF picture"),
    (b"{\\rtf", ".rtf", "an RTF document"),
    (b"fLaC\0", ".flac", "a FLAC recording"),
    (b"OggS\0", ".ogg", "an Ogg recording"),
    (b"\x1aE\xdf\xa3", ".mkv", "a Matroska or WebM video"),
    (b"\x1f\x8b\x08", ".gz", "a gzip file"),
    (b"BZh", ".bz2", "a bzip2 file"),
    (b"\xfd7zXZ\0", ".xz", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "", "a RAR archive"),
    (b"SQLite format 3\0", "", "an SQLite database"),
    (b"PAR1", "", "a Parquet table"),
    (b"ARROW1\0\0", "", "an Arrow table"),
    (b"\x89HDF\r\n\x1a\n", "", "an HDF5 file"),
    (b"\x93NUMPY", "", "a NumPy array"),
    (b"GGUF", "", "a GGUF model"),
    (b"\x7fELF", "", "a program"),
    (b"MZ\x90\0", "", "a Windows program"),
    (b"\x78\x9f\x3e\x22", "", "an attachment in Outlook's TNEF format (winmail.dat)"),
    (b"%!PS", "", "a PostScript file"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("WordDocument", ".doc", "a Word document"),
    ("Workbook", ".xls", "an Excel workbook"),
    ("PowerPoint Document", ".ppt", "a PowerPoint presentation"),
    ("__properties_version1.0", ".msg", "an Outlook message"),
)
_ZIP_FOLDERS = (
    ("word/", ".docx", "a Word document"),
    ("xl/", ".xlsx", "an Excel workbook"),
    ("ppt/", ".pptx", "a PowerPoint presentation"),
)
_ZIP_MIMES = (
    ("application/epub+zip", ".epub", "an EPUB book"),
    ("application/vnd.oasis.opendocument.text", ".odt", "an OpenDocument text"),
    ("application/vnd.oasis.opendocument.spreadsheet", ".ods", "an OpenDocument table"),
    ("application/vnd.oasis.opendocument.presentation", ".odp", "an OpenDocument presentation"),
)
# Suffixes of binary formats, under which tables and pages that are text are often exported.
_BINARY = {".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".pdf", ".rtf", ".odt"}


def suffix_of(name: str) -> str:
    """A file's suffix in lower case; ".tgz" for ".tar.gz" and its like, "" for a name without one."""
    path = PurePath(name.lower())
    if len(path.suffixes) > 1 and path.suffixes[-2] == ".tar" and path.suffix in (".gz", ".bz2", ".xz"):
        return ".tgz"
    return path.suffix


def sniff(data: bytes) -> tuple[str, str] | None:
    """The suffix that fits the content and what it is in words; ("", words) for a kind that is none to read.

    None where the first bytes tell nothing: text, and formats without a mark. Needs the whole file.
    """
    if data.startswith(b"PK\x03\x04"):
        return _zip_kind(data)
    if data.startswith(_OLE):
        for stream, suffix, words in _OLE_STREAMS:
            if stream.encode("utf-16-le") in data:
                return suffix, words
        return None
    if re.match(rb"%PDF-\d", data) and b"endobj" in data:
        return ".pdf", "a PDF document"
    if data[:4] == b"RIFF" and data[8:12] in (b"WAVE", b"WEBP"):
        return (".wav", "a WAVE recording") if data[8:12] == b"WAVE" else (".webp", "a WebP picture")
    if data[4:8] == b"ftyp" and data[:2] == b"\0\0":
        return (".m4a", "an MPEG-4 recording") if data[8:11] == b"M4A" else (".mp4", "an MPEG-4 video")
    if data[:3] == b"ID3" and len(data) > 10 and data[3] < 16 and data[4] < 16:
        return ".mp3", "an MP3 recording"
    if data[:2] == b"BM" and int.from_bytes(data[2:6], "little") == len(data):
        return ".bmp", "a BMP picture"
    return next(((suffix, words) for mark, suffix, words in _MAGIC if data.startswith(mark)), None)


def sniff_text(name: str, data: bytes) -> tuple[str, str] | None:
    """What a file is that bears the suffix of a binary format and holds text: a web page, XML, a table; else None."""
    if suffix_of(name) not in _BINARY:
        return None
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"\0" in head:
        return None
    if re.match(rb"<!doctype html|<html|<table|<head|<body", head) or (head.startswith(b"<") and b"<html" in head):
        return ".html", "a web page"
    if suffix_of(name) in (".xls", ".xlsx") and re.match(rb"[^\n]*[\t,;][^\n]*\n", head):
        return (".tsv" if b"\t" in head.split(b"\n")[0] else ".csv"), "a table as text"
    return None


def _zip_kind(data: bytes) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                mime = archive.read("mimetype").decode("ascii", "replace").strip()
                for known, suffix, words in _ZIP_MIMES:
                    if mime == known:
                        return suffix, words
    except Exception:  # damaged: the reader of zip archives says how
        return ".zip", "a zip archive"
    if "[Content_Types].xml" in names:
        for folder, suffix, words in _ZIP_FOLDERS:
            if any(name.startswith(folder) for name in names):
                return suffix, words
    return ".zip", "a zip archive"
