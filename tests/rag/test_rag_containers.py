"""Archives and e-mails: each file in them is a source with its own row; bombs, tricks and damage are rows, too."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path

import pytest

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers import packed
from kaggle_magics.rag.readers.containers import archives
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.sources import Source, find_sources


def zipped(entries: Mapping[str, str | bytes], compress: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def labels(path: Path) -> list[str]:
    return [source.label.removeprefix(f"{path.parent.as_posix()}/") for source in find_sources(path)]


def read(source: Source) -> Document:
    reading = Reading(source.name, metadata=dict(source.metadata))
    return assemble(source.read(source.load(), reading), reading.metadata)


def contents(path: Path) -> dict[str, str]:
    """Label -> text, or the reason."""
    found = {}
    for source in find_sources(path):
        label = source.label.removeprefix(f"{path.parent.as_posix()}/")
        try:
            found[label] = read(source).text.strip()
        except DocumentError as error:
            found[label] = f"({error})"
    return found


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_each_file_of_an_archive_is_a_source(tmp_path: Path) -> None:
    inner = zipped({"c.txt": "third"})
    data = zipped({"a.txt": "first", "folder/b.md": "# Second", "folder/inner.zip": inner, "d.xyz": b"\0\1\2\3"})
    assert contents(write(tmp_path / "all.zip", data)) == {
        "all.zip!a.txt": "first",
        "all.zip!folder/b.md": "# Second",
        "all.zip!folder/inner.zip!c.txt": "third",
        "all.zip!d.xyz": "(there is no reader for .xyz files)",
    }


def test_what_systems_leave_in_archives_is_left_out(tmp_path: Path) -> None:
    data = zipped(
        {"a.txt": "a", "__MACOSX/._a.txt": "x", ".DS_Store": "x", "b/.git/config": "x", "./c.txt": "c", "d/": ""}
    )
    assert labels(write(tmp_path / "a.zip", data)) == ["a.zip!a.txt", "a.zip!c.txt"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../etc/passwd.txt", "leads out of the archive"),
        ("a/../../b.txt", "leads out of the archive"),
        ("..\\b.txt", "leads out of the archive"),
        ("/etc/passwd.txt", "is absolute"),
        ("C:\\windows\\a.txt", "is absolute"),
    ],
)
def test_paths_that_leave_the_archive_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    found = contents(write(tmp_path / "a.zip", zipped({name: "secret", "good.txt": "good"})))
    assert found.pop("a.zip!good.txt") == "good"
    assert len(found) == 1 and reason in found.popitem()[1]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert reason in contents(write(tmp_path / "a.tar", buffer.getvalue())).popitem()[1]


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert contents(write(tmp_path / "a.zip", buffer.getvalue())) == {"a.zip!link.txt": "(it is a link)"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("link.txt")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    assert contents(write(tmp_path / "a.tar", buffer.getvalue())) == {"a.tar!link.txt": "(it is a link)"}


def test_encrypted_files_are_told_and_the_others_read(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": "one", "b.txt": "two"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    assert contents(write(tmp_path / "a.zip", bytes(data))) == {
        "a.zip!a.txt": "(it is encrypted with a password)",
        "a.zip!b.txt": "two",
    }


@pytest.mark.parametrize(
    ("name", "encoding"), [("Größe.txt", "cp437"), ("договор.txt", "cp866"), ("見積書の控え.txt", "cp932")]
)
def test_names_in_other_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    # zipfile writes such names as UTF-8, so the bytes of another encoding are put in the place of ASCII ones.
    raw = name.encode(encoding)
    data = zipped({"x" * len(raw): "text"}).replace(b"x" * len(raw), raw)
    assert labels(write(tmp_path / "a.zip", data)) == [f"a.zip!{name}"]


def test_a_bomb_is_one_loud_row(tmp_path: Path) -> None:
    bomb = zipped({"zeros.txt": bytes(64 << 20)})
    assert len(bomb) < 100_000
    (reason,) = contents(write(tmp_path / "a.zip", bomb)).values()
    assert "zip bomb" in reason
    # One inside another archive stops only itself.
    found = contents(write(tmp_path / "b.zip", zipped({"good.txt": "good", "bomb.zip": bomb})))
    assert found["b.zip!good.txt"] == "good" and "zip bomb" in found["b.zip!bomb.zip"]
    (reason,) = contents(write(tmp_path / "c.txt.gz", gzip.compress(bytes(64 << 20)))).values()
    assert "unpacks to more than 32 MiB" in reason


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    data = zipped({"deep.txt": "deep"})
    for level in range(6):
        data = zipped({f"{level}.zip": data})
    (reason,) = contents(write(tmp_path / "a.zip", data)).values()
    assert "more than 4 containers" in reason


def test_many_small_files_in_nested_archives_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaggle_magics.rag.sources.members._Budget.__init__.__defaults__", (10, 1 << 20))
    inner = zipped({f"{number}.txt": "x" for number in range(6)})
    found = contents(write(tmp_path / "a.zip", zipped({"1.zip": inner, "2.zip": inner, "3.zip": inner})))
    assert any("more than" in reason for reason in found.values())
    assert len(found) < 12


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.gz", "a.xz"])
@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 nothing", b"no archive at all" * 60, gzip.compress(b"x" * 5000)[:25]],
    ids=["empty", "begun", "text", "cut"],
)
def test_a_damaged_archive_is_one_loud_row(tmp_path: Path, name: str, data: bytes) -> None:
    found = contents(write(tmp_path / name, data))
    assert len(found) == 1
    assert found.popitem()[1].startswith("(")


def test_a_file_damaged_within_an_archive_does_not_stop_the_others(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": "aaaaaaaa", "b.txt": "bbbb"}, zipfile.ZIP_STORED))
    data[data.index(b"aaaaaaaa")] = 0x62
    found = contents(write(tmp_path / "a.zip", bytes(data)))
    assert "damaged" in found["a.zip!a.txt"] and found["a.zip!b.txt"] == "bbbb"


def test_an_empty_archive_says_so(tmp_path: Path) -> None:
    assert contents(write(tmp_path / "a.zip", zipped({}))) == {"a.zip": "(it holds no files)"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_tar_archives(tmp_path: Path, suffix: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode={".tar": "w", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}.get(suffix, "w:gz")
    ) as tar:
        for name, text in {"notes/a.txt": b"first", "b.md": b"second"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    assert contents(write(tmp_path / f"all{suffix}", buffer.getvalue())) == {
        f"all{suffix}!notes/a.txt": "first",
        f"all{suffix}!b.md": "second",
    }


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    assert contents(write(tmp_path / "notes.md.gz", gzip.compress(b"# Notes"))) == {"notes.md.gz!notes.md": "# Notes"}


def test_a_zip_archive_without_a_suffix_is_opened(tmp_path: Path) -> None:
    assert contents(write(tmp_path / "download", zipped({"a.txt": "text"}))) == {"download!a.txt": "text"}


def mail(subject: str = "Tender for the quay", **parts: bytes) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "José Núñez <jose@example.com>"
    message["To"] = "office@example.com"
    message["Date"] = "Tue, 03 Mar 2026 10:15:00 +0100"
    message.set_content("The tender closes on Friday.\n\nRegards\nJosé\n")
    for name, content in parts.items():
        message.add_attachment(content, "application", "octet-stream", filename=name.replace("__", "."))
    return message


def test_an_email_with_its_attachments(tmp_path: Path) -> None:
    message = mail("Tender: Größe des Kais", notes__txt=b"attached words", pack__zip=zipped({"in.txt": "packed words"}))
    message.add_attachment(mail("Earlier", plan__md=b"# Plan"))
    path = write(tmp_path / "m.eml", message.as_bytes())
    inner = ["notes.txt", "pack.zip!in.txt", "Earlier.eml", "Earlier.eml!plan.md"]
    assert labels(path) == ["m.eml", *(f"m.eml!{name}" for name in inner)]
    documents = [read(source) for source in find_sources(path)]
    assert documents[0].metadata == {
        "subject": "Tender: Größe des Kais",
        "from": "José Núñez <jose@example.com>",
        "to": "office@example.com",
        "date": "2026-03-03T10:15:00+01:00",
    }
    assert documents[0].text.startswith(
        "Tender: Größe des Kais\n\nFrom: José Núñez <jose@example.com>\nTo: office@example.com\n"
        "Date: Tue, 03 Mar 2026 10:15:00 +0100\n\nThe tender closes on Friday."
    )
    assert documents[0].spans[0].kind == "heading"
    assert [document.text.strip() for document in documents[1:3]] == ["attached words", "packed words"]
    assert documents[3].text.startswith("Earlier") and documents[4].text == "# Plan"


def test_a_body_in_html_and_attachments_of_one_name(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"] = "News"
    message.set_content("<h2>Ferry</h2><p>It leaves at <b>nine</b>.</p><script>x()</script>", subtype="html")
    for text in (b"first", b"second"):
        message.add_attachment(text, "text", "plain", filename="a.txt")
    found = contents(write(tmp_path / "m.eml", message.as_bytes()))
    assert found == {
        "m.eml": "News\n\nFerry\n\nIt leaves at nine.",
        "m.eml!a.txt": "first",
        "m.eml!a (2).txt": "second",
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: =?utf-8?q?broken\nFrom: \xff\xfe<\nContent-Type: text/plain; charset=none\n\nWords f\xfcr all.\n",
        b"Subject: a\nFrom: b@c\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nWords f",
        b"Subject: a\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nV29yZHMgZm9y!!\n",
        b'Subject: a\nFrom: <<>>;;,\nTo: "\nDate: yesterday\nContent-Type: ////\n\nWords for\n',
    ],
)
def test_malformed_mails_give_what_they_hold(tmp_path: Path, raw: bytes) -> None:
    assert "Words f" in contents(write(tmp_path / "m.eml", raw))["m.eml"]


def test_what_is_no_email_says_so(tmp_path: Path) -> None:
    assert contents(write(tmp_path / "m.eml", b"just some words\n")) == {
        "m.eml": "(the file is not an e-mail (no sender, subject or date found in it))"
    }
    locked = b"Subject: a\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nAAAA\n"
    assert contents(write(tmp_path / "l.eml", locked))["l.eml"] == "(the e-mail is encrypted)"


def test_a_mailbox_is_its_messages(tmp_path: Path) -> None:
    box = b"".join(
        b"From someone Tue Mar  3 10:15:00 2026\nSubject: %s\nFrom: a@b.c\n\n>From here on %s\n\n" % (word, word)
        for word in (b"first", b"second", b"second")
    )
    found = contents(write(tmp_path / "all.mbox", box))
    assert list(found) == ["all.mbox!first.eml", "all.mbox!second.eml", "all.mbox!second (2).eml"]
    assert found["all.mbox!second.eml"].endswith("From here on second")


def test_only_what_changed_in_an_archive_is_read_again(tmp_path: Path, make: Callable[..., Collection]) -> None:
    path = write(tmp_path / "a.zip", zipped({"a.txt": "alpha", "b.txt": "beta", "bad.txt": b"\0\1\2"}))
    collection = make()
    first = collection.ingest([path])
    assert [row.status for row in first.rows] == ["added", "added", "skipped"]
    assert first.rows[0].source.endswith("a.zip!a.txt")
    write(path, zipped({"new.txt": "gamma", "b.txt": "beta two", "a.txt": "alpha", "bad.txt": b"\0\1\2"}))
    again = {row.source.rpartition("!")[2]: row.status for row in collection.ingest([path]).rows}
    assert again == {"new.txt": "added", "b.txt": "updated", "a.txt": "unchanged", "bad.txt": "skipped"}


def test_an_archive_is_unpacked_twice_however_many_files_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = 0
    real = archives.open_packed

    def counted(data: bytes, *arguments: object) -> packed.Packed:
        nonlocal opened
        opened += 1
        return real(data)

    monkeypatch.setattr(archives, "open_packed", counted)
    for name in ("a.zip", "b.zip"):
        write(tmp_path / name, zipped({f"{number}.txt": "x" for number in range(50)}))
    for source in list(find_sources(tmp_path)):
        read(source)
    assert opened == 4


def test_an_outlook_message(shared: Path) -> None:
    pytest.importorskip("olefile", reason="olefile is not installed")
    file = shared / "data/documents/markitdown-samples/test_outlook_msg.msg"
    if not file.is_file():
        pytest.skip(f"needs {file}")
    (source,) = find_sources(file)
    document = read(source)
    assert document.metadata["subject"] == "Test Email Message"
    assert document.metadata["date"] == "2024-12-22T08:23:00+00:00"
    assert document.text.rstrip().endswith("This is the body of the test email message")


def test_a_damaged_outlook_message_says_so(tmp_path: Path) -> None:
    pytest.importorskip("olefile", reason="olefile is not installed")
    for data in (b"", b"words", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)):
        (reason,) = contents(write(tmp_path / "m.msg", data)).values()
        assert "damaged, or not an Outlook message" in reason
