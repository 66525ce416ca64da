"""GGUF files from GGUF files: whole or not at all, made once, refused when they do not agree."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import CheckpointError, OptionError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.headers.gguf import read_header
from kaggle_magics.models.quantize import disk
from kaggle_magics.models.quantize import quantize as module
from kaggle_magics.models.quantize.agreement import Answers, agreement, answers_of_gguf
from kaggle_magics.models.quantize.child import Stopped
from kaggle_magics.models.quantize.disk import NoSpace
from kaggle_magics.models.quantize.for_plan import convert_for
from kaggle_magics.models.quantize.gguf_types import NUMBERS, bound_of, type_named
from kaggle_magics.models.quantize.quantize import estimate, quantize
from kaggle_magics.models.quantize.quantizer import quantize_gguf, quantized_bytes

pytestmark = pytest.mark.gguf


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".part" in path.name]


def test_a_file_is_made_checked_and_found_again(tiny_gguf: Path) -> None:
    checkpoint, told = read_checkpoint(tiny_gguf), []
    made = quantize(checkpoint, "q8_0", on_progress=told.append)
    assert made.path.is_file() and made.path.is_relative_to(os.environ["KAGGLE_MAGICS_CACHE"])
    assert read_checkpoint(made.path).dtype == "Q8_0" and made.bytes == made.path.stat().st_size < checkpoint.bytes
    assert made.agreement and made.agreement.kl < 0.05 and made.agreement.against == "llama.cpp"
    assert made.seconds > 0 and not made.found
    assert any("%" in line for line in told) and "agrees" in told[-1]
    time_made = made.path.stat().st_mtime_ns
    again = quantize(checkpoint, "Q8_0")
    assert again.found and replace(again, found=False) == made and made.path.stat().st_mtime_ns == time_made
    assert os.fspath(made) == str(made.path) == str(made)
    assert not left_behind(Path(os.environ["KAGGLE_MAGICS_CACHE"]))


def test_another_content_is_another_file(tiny_gguf: Path, tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    source.write_bytes(tiny_gguf.read_bytes())
    first = quantize(read_checkpoint(source), "q8_0")
    os.utime(source, ns=(1, 1))
    second = quantize(read_checkpoint(source), "q8_0")
    assert not second.found and second.path != first.path


def test_a_result_that_was_damaged_is_made_anew(tiny_gguf: Path) -> None:
    checkpoint = read_checkpoint(tiny_gguf)
    made = quantize(checkpoint, "q5_1")
    made.path.write_bytes(made.path.read_bytes()[:1000])
    again = quantize(checkpoint, "q5_1")
    assert not again.found and again.path == made.path and again.path.stat().st_size == made.bytes


@pytest.mark.parametrize("to", ["f16", "bf16", "q8_0", "q5_k_m", "q4_0", "iq4_nl", "q2_k"])
def test_the_size_is_known_before(tiny_gguf: Path, tmp_path: Path, to: str) -> None:
    quantize_gguf(tiny_gguf, tmp_path / "out.gguf", to, key="k" * 32)
    assert 0 <= quantized_bytes(tiny_gguf, to) - (tmp_path / "out.gguf").stat().st_size < 64


def test_an_estimate_writes_nothing(tiny_gguf: Path, tmp_path: Path) -> None:
    found = estimate(read_checkpoint(tiny_gguf), "q4_k_m", path=tmp_path)
    assert found.path == tmp_path / "tiny-llama-F32-Q4_K_M.gguf" and not list(tmp_path.iterdir())
    made = quantize(read_checkpoint(tiny_gguf), "q4_k_m", path=tmp_path)
    assert made.path == found.path and 0 <= found.bytes - made.bytes < 64


def test_every_type_has_a_bound_and_unknown_ones_a_hint() -> None:
    for name in NUMBERS:
        assert bound_of(name).kl > 0
    assert type_named(" Q4-K ") == "q4_k_m"
    with pytest.raises(OptionError, match="Did you mean q4_k_m"):
        type_named("q4km")
    with pytest.raises(OptionError, match="importance matrix"):
        type_named("iq2_xxs")
    with pytest.raises(OptionError, match="not 4"):
        type_named(4)  # type: ignore[arg-type]


def test_what_is_quantised_is_quantised_again_only_by_name(tiny_gguf: Path) -> None:
    small = read_checkpoint(quantize(read_checkpoint(tiny_gguf), "q8_0").path)
    with pytest.raises(OptionError, match=r"Q8_0 already.*--requantize"):
        quantize(small, "q5_1")
    assert quantize(small, "q5_1", requantize=True).requantized


def test_what_exists_is_replaced_only_by_name(tiny_gguf: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.gguf"
    target.write_bytes(b"mine")
    with pytest.raises(OptionError, match=r"exists already.*--overwrite"):
        quantize(read_checkpoint(tiny_gguf), "q8_0", path=target)
    assert target.read_bytes() == b"mine"
    assert quantize(read_checkpoint(tiny_gguf), "q8_0", path=target, overwrite=True).path == target
    assert quantize(read_checkpoint(tiny_gguf), "q8_0", path=target).found
    with pytest.raises(OptionError, match="the source itself"):
        quantize(read_checkpoint(tiny_gguf), "q8_0", path=tiny_gguf, overwrite=True)
    (tmp_path / "folder.gguf").mkdir()
    assert quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path / "folder.gguf").path.parent.name == "folder.gguf"


def test_a_result_in_the_cache_is_copied_where_it_is_wanted(tiny_gguf: Path, tmp_path: Path) -> None:
    made = quantize(read_checkpoint(tiny_gguf), "q8_0")
    told: list[str] = []
    copied = quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path / "neu" / "größe.gguf", on_progress=told.append)
    assert copied.found and not told and copied.path.read_bytes() == made.path.read_bytes()


def test_names_and_paths_of_any_script(tiny_gguf: Path, tmp_path: Path) -> None:
    source = tmp_path / "模型 модель.gguf"
    source.write_bytes(tiny_gguf.read_bytes())
    made = quantize(read_checkpoint(source), "q8_0", path=tmp_path / "größe [1] 'x'")
    assert made.path.name == "模型 модель-Q8_0.gguf" and read_checkpoint(made.path).dtype == "Q8_0"


def test_a_stop_leaves_nothing(tiny_gguf: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    with pytest.raises(Stopped, match="stopped"):
        quantize(read_checkpoint(tiny_gguf), "q4_k_m", path=tmp_path, on_progress=lambda line: stop.set(), stop=stop)
    assert not list(tmp_path.iterdir())
    assert quantize(read_checkpoint(tiny_gguf), "q4_k_m", path=tmp_path).path.is_file()


@pytest.mark.parametrize("at", ["Quantising", "0%", "Checking"])
def test_an_interrupt_leaves_nothing(tiny_gguf: Path, tmp_path: Path, at: str) -> None:
    def on_progress(line: str) -> None:
        if at in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize(read_checkpoint(tiny_gguf), "q4_k_m", path=tmp_path, on_progress=on_progress)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_taken_away(tiny_gguf: Path, tmp_path: Path) -> None:
    left = tmp_path / ".out.gguf.123-456.part"
    left.mkdir()
    (left / "source.gguf").write_bytes(b"half")
    quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path / "out.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def test_a_disk_without_room_is_seen_before(tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 70 * 2**20

    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: Usage)
    told: list[str] = []
    with pytest.raises(NoSpace, match=r"GB are free.*--path"):
        quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path, on_progress=told.append)
    assert not told and not list(tmp_path.iterdir())


def test_a_disk_that_becomes_full_is_said_and_nothing_kept(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp returns success when a write failed: the file is then shorter than its header says."""

    def cut(command: list[str], **options: Any) -> None:
        run(command, **options)
        if '"dry_run": false' in command[-1]:
            (output,) = tmp_path.rglob("*Q8_0.gguf")
            os.truncate(output, output.stat().st_size // 2)

    run = module_of_quantizer().run_child
    monkeypatch.setattr(module_of_quantizer(), "run_child", cut)
    with pytest.raises(NoSpace, match="became full"):
        quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path)
    assert not list(tmp_path.iterdir())


def module_of_quantizer() -> Any:
    from kaggle_magics.models.quantize import quantizer

    return quantizer


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tiny_gguf: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OptionError, match=r"cannot be written to.*--path"):
            quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_made(tiny_gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"cannot be written to.*--path"):
        quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path / "file" / "out.gguf")


def test_two_processes_make_it_once(tiny_gguf: Path, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from kaggle_magics.models.checkpoint import read_checkpoint\n"
        "from kaggle_magics.models.quantize.quantize import quantize\n"
        "print(quantize(read_checkpoint(sys.argv[1]), 'q8_0', path=sys.argv[2]).found)\n"
    )
    words = [sys.executable, "-c", program, str(tiny_gguf), str(tmp_path)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate() for process in both]
    assert sorted(out.strip() for out, _ in said) == ["False", "True"], said
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_source_is_one_line(tiny_gguf: Path, tmp_path: Path, make_gguf: Any) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(tiny_gguf.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="cut short"):
        read_checkpoint(broken)
    strange = make_gguf(tmp_path / "strange.gguf", "no-such-architecture")
    with pytest.raises(CheckpointError, match="does not know the architecture") as error:
        quantize(read_checkpoint(strange), "q8_0", path=tmp_path / "out")
    assert "\n" not in str(error.value) and not left_behind(tmp_path)


def test_what_does_not_agree_is_not_kept(tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_weights(path: Path, stop: Any = None) -> Answers:
        true = answers_of_gguf(path)
        return Answers(true.against, true.tokens, np.roll(true.logits, 7, axis=1))

    monkeypatch.setattr(module, "answers_of_gguf", other_weights)
    with pytest.raises(CheckpointError, match=r"does not agree.*nats"):
        quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path)
    assert not list(tmp_path.iterdir())
    kept = quantize(read_checkpoint(tiny_gguf), "q8_0", path=tmp_path, check=False)
    assert kept.agreement is None and kept.path.is_file()


def test_agreement_sees_other_tokens_and_a_sharp_eye_for_floats(tiny_gguf: Path) -> None:
    true = answers_of_gguf(tiny_gguf)
    found = agreement(tiny_gguf, "f32", true)
    assert found.kl < 1e-6 and found.same_greedy == 1.0 and found.unrelated_kl > 0.5
    with pytest.raises(CheckpointError, match="other tokens"):
        agreement(tiny_gguf, "f32", replace(true, tokens=(*true.tokens[:-1], true.tokens[-1] + 1)))
    noise = np.random.default_rng(1).normal(0, 1.0, true.logits.shape).astype(np.float32)
    with pytest.raises(CheckpointError, match="does not agree"):
        agreement(tiny_gguf, "f16", replace(true, logits=true.logits + noise))
    with pytest.raises(CheckpointError, match="not numbers"):
        agreement(write_not_numbers(tiny_gguf), "q8_0", true)


def write_not_numbers(source: Path) -> Path:
    """The same file with a weight of the output norm that is no number."""
    header = read_header(source)
    data = bytearray(source.read_bytes())
    size = sum(-(-(tensor.bytes or 0) // 32) * 32 for tensor in header.tensors.values())
    at = len(data) - size
    for name, tensor in header.tensors.items():
        if name == "output_norm.weight":
            data[at : at + 4] = np.float32("nan").tobytes()
        at += -(-(tensor.bytes or 0) // 32) * 32
    path = source.with_name("not-numbers.gguf")
    path.write_bytes(data)
    return path


def test_a_plan_gets_its_conversion(tiny_gguf: Path) -> None:
    checkpoint = read_checkpoint(tiny_gguf)
    plan = make_plan(checkpoint)
    assert convert_for(plan) is checkpoint
    made = convert_for(replace(plan, convert_to="q8_0"))
    assert made.dtype == "Q8_0" and made.name == checkpoint.name and made.origin == checkpoint.origin


def test_pickles_and_adapters_are_refused(tiny_gguf: Path) -> None:
    checkpoint = read_checkpoint(tiny_gguf)
    with pytest.raises(CheckpointError, match="--allow-pickle"):
        quantize(replace(checkpoint, format="pickle"), "q8_0")
    with pytest.raises(CheckpointError, match="adapter"):
        quantize(replace(checkpoint, kind="adapter"), "q8_0")
