"""Word and PowerPoint before 2007 (.doc, .ppt): LibreOffice makes .docx and .pptx of them, which are read as such."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.passages import Block
from kaggle_magics.rag.readers.office import docx, pptx, word_binary
from kaggle_magics.rag.readers.packed import is_locked, is_ole
from kaggle_magics.rag.readers.plain import text
from kaggle_magics.rag.readers.reading import Reading

SECONDS = 120.0
"""Time limit of one conversion."""
_WORD_TOOLS = (("antiword", "-m", "UTF-8.txt", "-w", "0"), ("catdoc", "-d", "utf-8", "-w"))
"""What gives at least the text of a .doc file, where LibreOffice is not there."""


def read_doc(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield what the .docx reader yields of it; without LibreOffice its paragraphs and tables, with a warning.

    Raises `DocumentError`: locked, damaged, or neither a program nor olefile is there, with the line that installs it.
    """
    _refuse(data, "a Word document (.doc)")
    if _office() is not None:
        yield from docx.read(_converted(data, ".doc", ".docx"), reading)
        return
    for tool in _WORD_TOOLS:
        if shutil.which(tool[0]):
            output = _run(tool, data, ".doc")[1]
            reading.warnings.append(f"read with {tool[0]}, not LibreOffice: headings and tables are plain text")
            yield from text.read(output, reading)
            return
    yield from word_binary.blocks(data)
    reading.warnings.append("read without LibreOffice: headings are paragraphs")


def read_ppt(data: bytes, reading: Reading) -> Iterator[Block]:
    """Yield what the .pptx reader yields of it. Raises `DocumentError` as `read_doc`."""
    _refuse(data, "a PowerPoint presentation (.ppt)")
    if _office() is None:
        raise DocumentError("reading .ppt needs LibreOffice. Run: !apt-get install -y libreoffice-impress-nogui")
    yield from pptx.read(_converted(data, ".ppt", ".pptx"), reading)


def _refuse(data: bytes, kind: str) -> None:
    if is_locked(data):
        raise DocumentError("it is protected with a password; save it without one")
    if not is_ole(data):
        raise DocumentError(f"the file is not {kind}: damaged, or another type under this name")


def _office() -> str | None:
    return shutil.which("soffice") or shutil.which("libreoffice")


def _converted(data: bytes, suffix: str, wanted: str) -> bytes:
    """The file in another format, by LibreOffice with a profile of its own: one that a person has open is not
    disturbed, and nothing of theirs is read. Macros do not run in it."""
    office = _office() or "soffice"
    with tempfile.TemporaryDirectory(prefix="kaggle-magics-office-") as profile:
        where = f"-env:UserInstallation={Path(profile).as_uri()}"
        command = (office, "--headless", "--norestore", "--nolockcheck", where, "--convert-to", wanted[1:], "--outdir")
        made, _ = _run(command, data, suffix, wanted)
    if made is None:
        raise DocumentError("LibreOffice cannot open it: damaged, locked, or another type under this name")
    return made


def _run(command: Sequence[str], data: bytes, suffix: str, wanted: str = "") -> tuple[bytes | None, bytes]:
    """The file that a program made (None without one) and what it printed. Raises `DocumentError` after the limit."""
    with tempfile.TemporaryDirectory(prefix="kaggle-magics-office-") as folder:
        source = Path(folder) / f"document{suffix}"
        source.write_bytes(data)
        arguments = [*command, *([folder] if wanted else []), str(source)]
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise DocumentError(f"{command[0]} cannot be run ({error})") from error
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DocumentError(f"{Path(command[0]).name} took more than {SECONDS:.0f} seconds with it") from error
        finally:
            if process.poll() is None:  # too slow, or the cell was stopped: with all that it started
                _end(process)
        made = source.with_suffix(wanted) if wanted else None
        return made.read_bytes() if made is not None and made.is_file() else None, output


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (OSError, AttributeError):  # it ended meanwhile; Windows has no groups
        process.kill()
    process.wait()
