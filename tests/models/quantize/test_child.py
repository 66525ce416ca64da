"""Work in a process of its own: read, stopped, ended with us, without our secrets."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from kaggle_magics.models.quantize.child import ChildFailed, Stopped, progress_of, run_child


def python(program: str, *words: str) -> list[str]:
    return [sys.executable, "-c", program, *words]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone; the system needs a moment for it."""
    for _ in range(1000):
        if not alive(pid):
            return True
        threading.Event().wait(0.01)
    return False


def test_every_line_is_given_also_those_of_progress_bars() -> None:
    lines: list[str] = []
    run_child(python(r"print('one\rtwo\r\nthré', end='')"), on_line=lines.append)
    assert lines == ["one", "two", "thré"]


def test_a_failure_keeps_the_last_lines() -> None:
    with pytest.raises(ChildFailed) as error:
        run_child(python("import sys; print('@progress 1 2'); print('why'); sys.exit(3)"))
    assert error.value.code == 3 and error.value.lines == ("why",)


def test_a_stop_ends_it_and_its_children(tmp_path: Path) -> None:
    stop = threading.Event()
    pids: list[int] = []

    def on_line(line: str) -> None:
        pids.extend(map(int, line.split()))
        stop.set()

    program = (
        "import os, subprocess, sys, time\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(os.getpid(), other.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(Stopped):
        run_child(python(program), on_line=on_line, stop=stop)
    assert len(pids) == 2
    assert all(map(ends, pids))


def test_an_interrupt_ends_it() -> None:
    pids: list[int] = []

    def on_line(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(python("import os, time; print(os.getpid(), flush=True); time.sleep(600)"), on_line=on_line)
    assert ends(pids[0])


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError):
        run_child(python("import time; time.sleep(600)"), seconds=0.3)


def test_secrets_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USER_SECRETS_TOKEN", "s3cr3t-1")
    monkeypatch.setenv("HF_TOKEN", "s3cr3t-2")
    monkeypatch.setenv("OPENAI_API_KEY", "s3cr3t-3")
    lines: list[str] = []
    run_child(python("import os; [print(k, v) for k, v in os.environ.items()]"), on_line=lines.append)
    assert "s3cr3t" not in "\n".join(lines) and "HF_HUB_OFFLINE 1" in lines


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_child_does_not_outlive_us() -> None:
    inner = (
        "import os, time\n"
        "from kaggle_magics.models.quantize.child import die_with_parent\n"
        "die_with_parent()\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    outer = (
        "import subprocess, sys, os, signal\n"
        f"child = subprocess.Popen([sys.executable, '-c', {inner!r}], stdout=subprocess.PIPE, text=True)\n"
        "print(child.stdout.readline(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    lines: list[str] = []
    with pytest.raises(ChildFailed) as error:
        run_child(python(outer), on_line=lines.append)
    assert error.value.code == -9
    assert ends(int(lines[0]))


def test_progress_lines() -> None:
    assert progress_of("@progress 5 10") == 0.5
    assert progress_of("@progress 5 0") == 0.0
    assert progress_of("[ 5/ 10] blk.0") is None
