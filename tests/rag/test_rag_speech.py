"""Speech and subtitles: times are kept and paragraphs are sane; the real path with a model of random weights."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from whisper_folder import write_whisper

from kaggle_magics.errors import DocumentError
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.passages import Place
from kaggle_magics.rag.readers import find_reader
from kaggle_magics.rag.readers.reading import Reading, ReadOptions
from kaggle_magics.rag.readers.recognising import speech
from kaggle_magics.rag.readers.recognising.speech import RATE, Samples, transcribed
from kaggle_magics.rag.readers.recognising.subtitles import Segment, spoken

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program is not installed")


def sound(seconds: float, rate: int = 8000) -> bytes:
    """A WAVE file of a tone."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        tone = np.sin(np.arange(int(seconds * rate)) * 440 * 2 * np.pi / rate)
        file.writeframes((tone * 9000).astype("<i2").tobytes())
    return buffer.getvalue()


def read(name: str, data: bytes, options: ReadOptions | None = None, reading: Reading | None = None) -> Document:
    reading = reading or Reading(name, options or ReadOptions())
    return assemble(find_reader(name)(data, reading), reading.metadata)


def hears(segments: list[Segment]) -> ReadOptions:
    """Options of an ingest whose model hears this in every stretch."""
    options = ReadOptions()
    options.resources["speech"] = lambda samples: list(segments)
    return options


@needs_ffmpeg
def test_what_is_heard_becomes_paragraphs_with_times() -> None:
    heard = [
        Segment(0.0, 2.5, " The ferry leaves at nine."),
        Segment(2.5, 4.0, " It returns at noon."),
        Segment(9.0, 10.5, " After a pause."),
        Segment(30.0, 31.0, " Heard in the silence behind the end."),
    ]
    document = read("tour.wav", sound(11), hears(heard))
    assert [(document.text[span.start : span.end], span.place) for span in document.spans] == [
        ("The ferry leaves at nine. It returns at noon.", Place(time=0.0, end_time=4.0)),
        ("After a pause.", Place(time=9.0, end_time=10.5)),
    ]
    assert document.recognised == 2
    assert document.metadata == {"duration": 11.0}


def test_a_word_at_the_end_of_a_stretch_is_heard_again_whole() -> None:
    stretches: list[Samples] = [np.zeros(10 * RATE, np.float32), np.zeros(5 * RATE, np.float32)]
    lengths = []

    def recognise(samples: Samples) -> list[Segment]:
        lengths.append(len(samples) / RATE)
        if len(lengths) == 1:
            return [Segment(0, 7, "First sentence."), Segment(8, 9.9, "Second sen")]
        return [Segment(0, 3, "Second sentence.")]

    assert list(transcribed(iter(stretches), recognise)) == [
        Segment(0, 7, "First sentence."),
        Segment(8, 11, "Second sentence."),
    ]
    assert lengths == [10, 7]


def test_long_talk_is_cut_where_sentences_end() -> None:
    sentence = "This sentence has sixty characters, which is what it was for."
    segments = [Segment(number * 4.0, number * 4.0 + 4, sentence) for number in range(20)]
    blocks = list(spoken(segments))
    assert all(block.text.endswith(".") and len(block.text) < 500 for block in blocks)
    assert [block.place.time for block in blocks[1:]] == [block.place.end_time for block in blocks[:-1]]
    assert " ".join(block.text for block in blocks) == " ".join([sentence] * 20)
    endless = [Segment(number * 1.0, number + 1.0, "and so on without an end") for number in range(200)]
    assert max(len(block.text) for block in spoken(endless)) < 1000


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "m4a", "mp4", "mkv", "webm"])
def test_every_kind_of_recording_is_decoded(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.wav").write_bytes(sound(2))
    picture = ["-f", "lavfi", "-i", "color=size=64x64:duration=2"] if kind in ("mp4", "mkv") else []
    command = ["ffmpeg", "-v", "error", "-i", "a.wav", *picture, "-shortest", f"b.{kind}"]
    if subprocess.run(command, cwd=tmp_path, capture_output=True).returncode:
        pytest.skip(f"this ffmpeg writes no {kind}")
    (samples,) = speech.stretches((tmp_path / f"b.{kind}").read_bytes(), f".{kind}")
    assert abs(len(samples) / RATE - 2) < 0.2
    assert 0.1 < np.abs(samples).max() <= 1


@needs_ffmpeg
def test_recordings_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    options = hears([])
    with pytest.raises(DocumentError, match="no speech was found"):
        read("a.wav", sound(1), options)
    for data in (b"", b"no recording at all", sound(1)[:20]):
        with pytest.raises(DocumentError, match=r"the recording is (damaged|empty)"):
            read("a.wav", data, options)
    silent = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=size=64x64:duration=1", "silent.mkv"]
    if subprocess.run(silent, cwd=tmp_path, capture_output=True).returncode == 0:
        with pytest.raises(DocumentError, match="it has no sound track"):
            read("a.mkv", (tmp_path / "silent.mkv").read_bytes(), options)


@needs_ffmpeg
def test_a_playlist_under_the_name_of_a_recording_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "private.wav").write_bytes(sound(1))
    playlist = f"#EXTM3U\n#EXTINF:1,\n{(tmp_path / 'private.wav').as_posix()}\n#EXT-X-ENDLIST\n".encode()
    with pytest.raises(DocumentError):
        read("a.mp3", playlist, hears([Segment(0, 1, "private")]))


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(DocumentError, match=r"needs a Whisper model, and none is attached.*--speech-model hub:open"):
        read("a.wav", sound(1))
    with pytest.raises(DocumentError, match="nowhere-to-be-found"):
        read("a.wav", sound(1), ReadOptions(speech_model="nowhere-to-be-found"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DocumentError, match=r"needs the ffmpeg program\. Run: !apt-get install -y ffmpeg"):
        read("a.wav", sound(1))


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers", reason="transformers is not installed")
    return write_whisper(tmp_path_factory.mktemp("models") / "whisper-tiny")


@pytest.fixture
def quiet_path(whisper: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KAGGLE_MAGICS_INPUT", str(whisper.parent))
    yield whisper


@needs_ffmpeg
@pytest.mark.slow
def test_an_attached_whisper_writes_down_a_recording(quiet_path: Path) -> None:
    reading = Reading("a.wav", ReadOptions(language="de"))
    document = read("a.wav", sound(40), reading=reading)
    assert document.recognised == len(document.spans) > 0
    for span in document.spans:
        assert span.place.time is not None and span.place.end_time is not None
        assert 0 <= span.place.time <= span.place.end_time <= 40
    assert document.metadata["duration"] == 40.0
    again = read("a.wav", sound(40), ReadOptions(language="de", speech_model=str(quiet_path)))
    assert again.text == document.text


@needs_ffmpeg
@pytest.mark.slow
def test_the_model_is_loaded_once_for_all_recordings(quiet_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = speech.Whisper

    def counting(folder: Path, language: str | None) -> speech.Whisper:
        made.append(folder)
        return real(folder, language)

    monkeypatch.setattr(speech, "Whisper", counting)
    options = ReadOptions()
    for _ in range(2):
        read("a.wav", sound(3), options)
    assert made == [quiet_path]


@needs_ffmpeg
def test_a_model_of_another_kind_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(DocumentError, match="is no Whisper model"):
        read("a.wav", sound(1), ReadOptions(speech_model=str(tiny_llama)))


SRT = """1
00:00:01,000 --> 00:00:03,500
<i>The ferry leaves at nine.</i>

2
00:00:03,500 --> 00:00:05,000
{\\an8}It returns
at noon.

3
01:02:03,250 --> 01:02:05,000
After an hour.
"""
VTT = """WEBVTT - a tour

NOTE nobody reads this

intro
00:01.000 --> 00:03.500 align:start
<v Ann>The ferry leaves at nine.

00:03.500 --> 00:05.000
It returns <00:04.000><c>at noon.</c>

01:02:03.250 --> 01:02:05.000
After an hour.
"""


@pytest.mark.parametrize(("name", "text"), [("a.srt", SRT), ("a.vtt", VTT), ("b.srt", SRT.replace("\n", "\r\n"))])
def test_subtitles_keep_their_times(name: str, text: str) -> None:
    document = read(name, text.encode())
    assert [(document.text[span.start : span.end], span.place) for span in document.spans] == [
        ("The ferry leaves at nine. It returns at noon.", Place(time=1.0, end_time=5.0)),
        ("After an hour.", Place(time=3723.25, end_time=3725.0)),
    ]
    assert document.recognised == 0
    assert str(document.spans[1].place) == "1:02:03-1:02:05"


def test_a_file_without_times_holds_no_subtitles() -> None:
    with pytest.raises(DocumentError, match="holds no subtitles"):
        read("a.srt", b"just words\n\nand more\n")


def test_reading_without_sound_imports_no_transformers() -> None:
    reader = "kaggle_magics.rag.readers.recognising.speech"
    code = f"import sys, {reader}; sys.exit(bool({{'torch', 'transformers'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("audio/jfk/jfk.flac", 11.0),
        ("documents/markitdown-samples/test.m4a", 6.44),
        ("documents/markitdown-samples/test.mp3", 6.44),
    ],
)
def test_recordings_of_other_projects_are_decoded(shared: Path, name: str, seconds: float) -> None:
    file = shared / "data" / name
    if not file.is_file():
        pytest.skip(f"needs {file}")
    document = read(file.name, file.read_bytes(), hears([Segment(0, 5, "Something.")]))
    assert abs(float(document.metadata["duration"]) - seconds) < 0.2
