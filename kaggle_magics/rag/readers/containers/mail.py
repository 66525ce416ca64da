"""E-mail (RFC 5322 and MIME) with the standard library: headers, the body, and the attachments as members."""

from __future__ import annotations

import email
import email.policy
import email.utils
import mimetypes
import re
from collections.abc import Iterator
from email.message import EmailMessage, Message
from functools import partial
from typing import Any, cast

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.containers import Member
from kaggle_magics.rag.readers.decoding import decode
from kaggle_magics.rag.readers.markup import html
from kaggle_magics.rag.readers.plain.text import paragraphs
from kaggle_magics.rag.readers.reading import Reading

_SHOWN = ("From", "To", "Cc", "Date")
_FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\d\d:\d\d[^\n]*\n")
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_LOCKED = ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted", "application/pgp-encrypted")


def read(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield the subject as a heading, sender, receivers and date as one paragraph, then the body's blocks.

    `reading.metadata` gets subject, from, to, cc and date (ISO 8601). Raises `DocumentError` when it is no e-mail.
    """
    yield from blocks_of(parse(data), reading)


def members(data: bytes, name: str) -> Iterator[Member]:
    """The attachments of an e-mail, pictures within its text and attached messages too."""
    # Most messages have none, and finding that out need not cost a parse.
    if b"multipart/" in data.lower():
        yield from attachments(parse(data))


def mailbox_members(data: bytes, name: str) -> Iterator[Member]:
    """The messages of a mailbox in the mbox format, each as an `.eml`."""
    starts = [
        match.start() for match in re.finditer(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\d\d:\d\d[^\n]*\n", data)
    ]
    if not starts:
        raise DocumentError("the file is not a mailbox (no line begins a message in it)")
    seen: dict[str, int] = {}
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        message = data[data.index(b"\n", start) + 1 : end]
        # ">From" at a line's beginning is how the format writes "From" there.
        message = re.sub(rb"(?m)^>(>*From )", rb"\1", message)
        subject = _header(parse(message), "Subject")
        yield Member(_free(f"{_file_name(subject) or 'message'}.eml", seen), partial(bytes, message), len(message))


def parse(data: bytes) -> EmailMessage:
    """The message in `data`. Raises `DocumentError` when it has none of the headers of one."""
    try:
        message = email.message_from_bytes(data.lstrip(b"\xef\xbb\xbf\r\n"), policy=email.policy.default)
    except Exception as error:  # the parser's own mistakes with malformed headers
        raise DocumentError(f"the e-mail is damaged ({type(error).__name__}: {error})") from error
    if not any(_header(message, name) for name in ("From", "To", "Subject", "Date", "Message-ID", "Received")):
        raise DocumentError("the file is not an e-mail (no sender, subject or date found in it)")
    return message


def blocks_of(message: EmailMessage, reading: Reading) -> Iterator[Block]:
    """See `read`."""
    headers = {name: _header(message, name) for name in ("Subject", *_SHOWN)}
    for name, value in headers.items():
        if value:
            reading.metadata[name.lower()] = value
    date = _date(headers["Date"])
    if date:
        reading.metadata["date"] = date
    if headers["Subject"]:
        yield Block(headers["Subject"], "heading", 1)
    told = [f"{name}: {headers[name]}" for name in _SHOWN if headers[name]]
    if told:
        yield Block("\n".join(told))
    yield from _body(message, reading)


def attachments(message: EmailMessage) -> Iterator[Member]:
    """Every part of a message that is not its body, in order, each under a name of its own."""
    bodies = [part for part in (_part(message, kind) for kind in ("plain", "html")) if part is not None]
    seen: dict[str, int] = {}
    for part in _leaves(message):
        if part in bodies or part.get_content_type() in _SIGNATURES:
            continue
        name = _file_name(_attachment_name(part))
        # Another text without a name is a further part of the body (see _body).
        if not name and part.get_content_maintype() == "text":
            continue
        if not name:
            kind = part.get_content_type()
            name = "attachment" + (mimetypes.guess_extension(kind) or "")
        yield Member(_free(name, seen), partial(_content, part))


def _leaves(message: Message[Any, Any]) -> Iterator[EmailMessage]:
    """The parts that hold content, in order; an attached message is one part."""
    if message.is_multipart() and message.get_content_maintype() != "message":
        for part in cast("list[EmailMessage]", message.get_payload()):
            yield from _leaves(part)
    else:
        yield cast(EmailMessage, message)


def _body(message: EmailMessage, reading: Reading) -> Iterator[Block]:
    if message.get_content_type() in _LOCKED and "signed" not in str(message.get("Content-Type", "")):
        raise DocumentError("the e-mail is encrypted")
    plain, page = _part(message, "plain"), _part(message, "html")
    text = _text(plain) if plain is not None else ""
    markup = _text(page) if page is not None else ""
    if text.strip():
        yield from (Block(paragraph) for paragraph in paragraphs(text.rstrip() + "\n\n"))
    elif markup.strip():
        yield from html.read(markup.encode("utf-8", "replace"), Reading("body.html", reading.options))
    for part in _leaves(message):
        # Mailing lists and some programs append nameless texts: footers, answers below a picture.
        if part not in (plain, page) and part.get_content_type() == "text/plain" and not _attachment_name(part):
            yield from (Block(paragraph) for paragraph in paragraphs(_text(part).rstrip() + "\n\n"))


def _part(message: EmailMessage, kind: str) -> EmailMessage | None:
    try:
        found = message.get_body((kind,))
    except Exception:  # a content type that the library cannot parse
        return None
    return cast("EmailMessage | None", found)


def _text(part: EmailMessage) -> str:
    payload = cast("bytes | None", part.get_payload(decode=True)) or b""
    charset = part.get_content_charset()
    try:
        text = payload.decode(charset or "ascii")
    except (LookupError, UnicodeDecodeError):
        try:
            text = decode(payload)
        except DocumentError:
            text = ""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _content(part: EmailMessage) -> bytes:
    if part.get_content_maintype() == "message" and part.is_multipart():
        inner = cast("list[EmailMessage]", part.get_payload())
        return inner[0].as_bytes() if inner else b""
    return cast("bytes | None", part.get_payload(decode=True)) or b""


def _attachment_name(part: EmailMessage) -> str:
    try:
        name = part.get_filename() or ""
    except Exception:  # a malformed header
        name = ""
    if not name and part.get_content_type() == "message/rfc822" and part.is_multipart():
        inner = cast("list[EmailMessage]", part.get_payload())
        name = (_header(inner[0], "Subject") if inner else "") or "message"
    if part.get_content_type() == "message/rfc822" and not name.lower().endswith(".eml"):
        name += ".eml"
    return name


def _file_name(name: str) -> str:
    """A header's text as a name without folders and line breaks."""
    return " ".join(re.sub(r"[/\\\0-\x1f!]+", " ", name).split()).strip(". ")[:120]


def _free(name: str, seen: dict[str, int]) -> str:
    """`name`, numbered when it was used before: "image.png", "image (2).png"."""
    seen[name] = seen.get(name, 0) + 1
    if seen[name] == 1:
        return name
    stem, dot, suffix = name.rpartition(".")
    return _free(f"{stem} ({seen[name]}).{suffix}" if dot else f"{name} ({seen[name]})", seen)


def _header(message: Message[Any, Any], name: str) -> str:
    try:
        value = message.get(name)
        text = str(value) if value is not None else ""
    except Exception:  # the library's parsers of malformed headers raise IndexError and more
        text = next((str(raw) for key, raw in getattr(message, "_headers", []) if key.lower() == name.lower()), "")
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _date(text: str) -> str:
    try:
        return email.utils.parsedate_to_datetime(text).isoformat() if text else ""
    except (ValueError, TypeError, IndexError):
        return ""
