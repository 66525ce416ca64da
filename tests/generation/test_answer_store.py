"""Records on disk: several writers, a kill, a full disk, damaged files, read-only places, a bound on size."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.generation.cache import store as answer_store
from kaggle_magics.generation.cache.store import AnswerStore, trim


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    store = AnswerStore([tmp_path / "new" / "place"])
    record = {"text": "¿Dónde? 🦊\n\u2028", "n": [1, 2.5, None, True], "inner": {"b": 1, "a": "x" * 10**6}}
    assert store.get("answer", "k") is None
    assert store.put("answer", "k", record) and store.get("answer", "k") == record
    assert list(store.all("answer")) == [record] and list(store.all("load")) == []
    assert AnswerStore([tmp_path / "new" / "place"]).get("answer", "k") == record


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe\x00", b"[" * 10**5, b"null", b'{"format": 1}'])
def test_a_damaged_file_is_set_aside_and_hurts_no_other(tmp_path: Path, damage: bytes) -> None:
    store = AnswerStore([tmp_path])
    store.put("answer", "a", {"n": 1})
    store.put("answer", "b", {"n": 2})
    (tmp_path / "answer-a.json").write_bytes(damage)
    assert store.get("answer", "a") is None and store.get("answer", "b") == {"n": 2}
    assert [file.name for file in tmp_path.glob("*.damaged")] == ["answer-a.damaged"]
    assert store.put("answer", "a", {"n": 3}) and store.get("answer", "a") == {"n": 3}


def test_a_changed_character_is_noticed_and_a_newer_release_is_not_touched(tmp_path: Path) -> None:
    store = AnswerStore([tmp_path])
    store.put("answer", "a", {"text": "Lima"})
    file = tmp_path / "answer-a.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({**whole, "format": 99}))
    assert store.get("answer", "a") is None and file.exists()
    file.write_text(json.dumps({**whole, "record": {"text": "Rima"}}))
    assert store.get("answer", "a") is None and not file.exists()


def test_the_first_place_that_can_be_written_takes_what_is_new(tmp_path: Path) -> None:
    attached, own = tmp_path / "attached", tmp_path / "own"
    AnswerStore([attached]).put("answer", "old", {"n": 1})
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, where a folder should be")
    store = AnswerStore([blocked, own, attached])
    assert store.get("answer", "old") == {"n": 1}
    assert store.put("answer", "new", {"n": 2}) and [file.name for file in own.iterdir()] == ["answer-new.json"]


def test_a_full_disk_is_said_once_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AnswerStore([tmp_path])

    def full(source: Any, target: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(answer_store.os, "replace", full)
    with pytest.warns(UserWarning, match="Answers are not kept: No space left on device") as said:
        assert not store.put("answer", "a", {"n": 1})
        assert not store.put("answer", "b", {"n": 1})
    assert len(said) == 1 and list(tmp_path.iterdir()) == []


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    store = AnswerStore([tmp_path])
    for number in range(6):
        store.put("answer", str(number), {"text": "x" * 1000})
        os.utime(tmp_path / f"answer-{number}.json", (number, number))
    store.put("load", "kept", {"n": 1})
    killed, running = tmp_path / ".answer-9.json.1-a.tmp", tmp_path / ".answer-8.json.1-a.tmp"
    killed.write_text("{")
    running.write_text("{")
    os.utime(killed, (1, 1))
    store.get("answer", "0")
    trim(tmp_path, 3400)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"answer-0.json", "answer-4.json", "answer-5.json", "load-kept.json", running.name}


def test_writing_keeps_the_folder_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_store, "_TRIM_AFTER", 5)
    store = AnswerStore([tmp_path], most_bytes=10_000)
    for number in range(41):
        store.put("answer", str(number), {"text": "x" * 1000})
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 16_000
    assert store.get("answer", "40") is not None and store.get("answer", "0") is None


_WRITER = """
import sys
from pathlib import Path
from kaggle_magics.generation.cache.store import AnswerStore
store = AnswerStore([Path(sys.argv[1])])
print("ready", flush=True)
number = 0
while True:
    store.put("answer", str(number % 7), {"text": "x" * 200_000, "by": sys.argv[2], "number": number})
    number += 1
"""


@pytest.mark.slow
def test_two_kernels_that_write_and_are_killed_leave_only_whole_records(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), name], env=environment, stdout=subprocess.PIPE)
        for name in ("one", "two")
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        store, seen, until = AnswerStore([tmp_path]), 0, time.monotonic() + 1.5
        while time.monotonic() < until:
            for number in range(7):
                record = store.get("answer", str(number))
                seen += record is not None and len(record["text"]) == 200_000
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    assert seen > 20 and not list(tmp_path.glob("*.damaged"))
    assert all(len(record["text"]) == 200_000 for record in store.all("answer"))
