"""Outlook messages (.msg, [MS-OXMSG]) with olefile: made into an e-mail, which the mail reader reads."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any

from kaggle_magics.errors import DocumentError, MissingExtra
from kaggle_magics.extras import require
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.containers import Member, mail
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.reading import Reading

# Property ids of [MS-OXPROPS].
_SUBJECT, _SENDER, _SENDER_ADDRESS, _SENDER_SMTP, _TO, _CC = "0037", "0C1A", "0C1F", "5D01", "0E04", "0E03"
_BODY, _HTML = "1000", "1013"
_SUBMITTED, _DELIVERED = 0x0039, 0x0E06
_DATA, _LONG_NAME, _SHORT_NAME, _MIME, _SHOWN_NAME = "3701", "3707", "3704", "370E", "3001"
_UNICODE, _EIGHT_BIT, _BINARY, _OBJECT, _TIME = "001F", "001E", "0102", "000D", 0x0040
_MOST_DEPTH = 8


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """See `mail.read`. Raises `DocumentError` when it is no Outlook message, or a damaged one."""
    message = as_email(data)
    yield from mail.blocks_of(message, reading)
    if message.get_body(("plain", "html")) is None:
        reading.warnings.append("its body is kept only as RTF and was not read")


def members(data: bytes, name: str) -> Iterator[Member]:
    """The attachments, attached messages as `.eml`."""
    yield from mail.attachments(as_email(data))


def as_email(data: bytes) -> EmailMessage:
    """The message as the standard library knows e-mails, attachments with it.

    Raises `DocumentError` when `data` is damaged or no Outlook message, and without olefile.
    """
    try:
        olefile = require("olefile", "Reading Outlook messages")
    except MissingExtra as error:
        raise DocumentError(str(error)) from error
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as ole:
            if not ole.exists("__properties_version1.0"):
                raise DocumentError("the file is not an Outlook message")
            return _message(ole, [], 32)
    except DocumentError:
        raise
    except Exception as error:  # a damaged compound file raises OSError, IndexError, struct.error, ...
        raise DocumentError(f"the file is damaged, or not an Outlook message ({error})"[:200]) from error


def _message(ole: Any, path: list[str], header: int) -> EmailMessage:
    message = EmailMessage(policy=default)
    sender, address = _text(ole, path, _SENDER), _text(ole, path, _SENDER_SMTP) or _text(ole, path, _SENDER_ADDRESS)
    # An address of the form /O=EXCHANGE/... names a mailbox inside a company's server only.
    if "@" in address and address != sender:
        sender = f"{sender} <{address}>".strip()
    moment = _time(ole, path, header)
    headers = {
        "Subject": _text(ole, path, _SUBJECT),
        "From": sender,
        "To": _text(ole, path, _TO),
        "Cc": _text(ole, path, _CC),
        "Date": moment.strftime("%a, %d %b %Y %H:%M:%S +0000") if moment else "",
    }
    for name, value in headers.items():
        flat = " ".join(value.replace("\0", " ").split())
        if flat:
            _set_header(message, name, flat)
    body, page = _text(ole, path, _BODY), _stream(ole, path, _HTML + _BINARY)
    if body.strip():
        message.set_content(body)
    elif page:
        message.set_content(decode(page), subtype="html")
    for storage in _storages(ole, path, "__attach_version1.0_"):
        _attach(message, ole, [*path, storage])
    if message.is_multipart():
        # The library's own boundary is random, and the bytes of an attached message say whether it changed.
        known = "/".join(path) + body
        message.set_boundary("=_" + hashlib.blake2b(known.encode("utf-8", "replace"), digest_size=16).hexdigest())
    return message


def _attach(message: EmailMessage, ole: Any, path: list[str]) -> None:
    inner = [*path, f"__substg1.0_{_DATA}{_OBJECT}"]
    if ole.exists([*inner, "__properties_version1.0"]):
        if len(path) < _MOST_DEPTH:
            message.add_attachment(_message(ole, inner, 24))
        return
    content = _stream(ole, path, _DATA + _BINARY)
    name = _text(ole, path, _LONG_NAME) or _text(ole, path, _SHORT_NAME) or _text(ole, path, _SHOWN_NAME)
    kind, _, subtype = (_text(ole, path, _MIME) or "application/octet-stream").partition("/")
    if not subtype or kind in ("message", "multipart"):
        kind, subtype = "application", "octet-stream"
    message.add_attachment(content or b"", kind, subtype, filename=name.strip("\0") or "attachment")


def _set_header(message: EmailMessage, name: str, value: str) -> None:
    try:
        message[name] = value
        str(message[name])
    except Exception:  # a name that is no address by the standard's grammar
        del message[name]
        message[f"X-{name}"] = value


def _storages(ole: Any, path: list[str], prefix: str) -> list[str]:
    depth = len(path)
    names = {
        entry[depth]
        for entry in ole.listdir()
        if len(entry) > depth + 1 and entry[:depth] == path and entry[depth].startswith(prefix)
    }
    return sorted(names)


def _stream(ole: Any, path: list[str], tag: str) -> bytes | None:
    where = [*path, f"__substg1.0_{tag}"]
    if not ole.exists(where) or ole.get_type(where) != 2:  # 2: a stream
        return None
    content: bytes = ole.openstream(where).read()
    return content


def _text(ole: Any, path: list[str], tag: str) -> str:
    wide = _stream(ole, path, tag + _UNICODE)
    if wide is not None:
        return wide.decode("utf-16-le", "replace").rstrip("\0")
    narrow = _stream(ole, path, tag + _EIGHT_BIT)
    if not narrow or not narrow.strip(b"\0 \r\n"):
        return ""
    return decode(narrow.rstrip(b"\0"))


def _time(ole: Any, path: list[str], header: int) -> datetime | None:
    """When it was sent, else delivered: fixed-length properties are 16 bytes each (tag, flags, value)."""
    where = [*path, "__properties_version1.0"]
    table = ole.openstream(where).read() if ole.exists(where) else b""
    times = {}
    for start in range(header, len(table) - 15, 16):
        tag = int.from_bytes(table[start : start + 4], "little")
        if tag & 0xFFFF == _TIME:
            times[tag >> 16] = int.from_bytes(table[start + 8 : start + 16], "little")
    ticks = times.get(_SUBMITTED) or times.get(_DELIVERED)
    try:
        # FILETIME: tenths of microseconds since 1601.
        return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10) if ticks else None
    except OverflowError:
        return None
