"""What fits is planned, what does not is refused with what would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kaggle_magics.errors import CheckpointError, DoesNotFit, OptionError
from kaggle_magics.models.checkpoint import Checkpoint, Dimensions
from kaggle_magics.models.fit import devices
from kaggle_magics.models.fit import machine as machines
from kaggle_magics.models.fit.machine import Gpu, Machine, default_dtype, has_kernels, this_machine
from kaggle_magics.models.fit.plan import make_plan

GiB = 2**30
QWEN = Checkpoint(
    name="qwen2.5-7b",
    path=Path("qwen"),
    format="safetensors",
    architecture="Qwen2ForCausalLM",
    parameters=7_615_616_512,
    bytes=15_231_233_024,
    dtype="bfloat16",
    context_length=32_768,
    has_chat_template=True,
    dimensions=Dimensions(
        layers=28,
        hidden=3584,
        kv_heads=4,
        head_dim=128,
        vocabulary=152_064,
        heads=28,
        intermediate=18_944,
        cache=28 * 2 * 4 * 128,
        linear=6_525_288_448,
        embedding=544_997_376,
        embedding_bytes=2 * 544_997_376,
        read=0.93,
    ),
)
GGUF = replace(
    QWEN,
    format="gguf",
    architecture="qwen2",
    bytes=4_683_074_240,
    dtype="Q4_K_M",
    dimensions=replace(QWEN.dimensions, embedding_bytes=306_561_024, read=0.935),
)
T4 = Gpu(0, "Tesla T4", 15 * GiB, 15 * GiB, (7, 5))
L4 = Gpu(0, "L4", 22 * GiB, 22 * GiB, (8, 9))
P100 = Gpu(0, "Tesla P100", 16 * GiB, 16 * GiB, (6, 0), usable=False)


def on(*gpus: Gpu, memory: int = 30) -> Machine:
    return Machine(memory * GiB, memory * GiB, 4, gpus)


def test_dtype_follows_the_device() -> None:
    assert default_dtype(None) == "float32"
    assert default_dtype(T4) == "float16"
    assert default_dtype(L4) == "bfloat16"


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ((7, 5), ["sm_75", "sm_80"], True),
        ((8, 9), ["sm_75", "sm_80", "sm_86"], True),
        ((6, 0), ["sm_70", "sm_75", "sm_90"], False),
        ((6, 0), ["sm_61"], False),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((12, 0), ["sm_90a", "sm_100"], False),
        ((7, 5), [], False),
    ],
)
def test_kernels_of_the_same_major_version(capability: tuple[int, int], architectures: list[str], runs: bool) -> None:
    assert has_kernels(capability, architectures) is runs


def test_memory_by_part() -> None:
    plan = make_plan(QWEN, machine=on(L4), context=8192)
    assert (plan.engine, plan.device, plan.dtype, plan.context_length) == ("transformers", "cuda:0", "bfloat16", 8192)
    assert plan.memory["weights"] == 7_615_616_512 * 2
    # Keys and values, 28 layers, 4 heads of 128, 2 bytes: 56 KiB a token.
    assert plan.memory["kv_cache"] == 8192 * 56 * 1024
    assert plan.bytes == sum(plan.memory.values())


def test_a_gguf_takes_its_file_and_a_float16_cache() -> None:
    plan = make_plan(GGUF, machine=on())
    assert (plan.engine, plan.device, plan.dtype, plan.threads) == ("llama.cpp", "cpu", "Q4_K_M", 4)
    # On a CPU the file is mapped, and of the input embeddings only the rows in use are read.
    assert plan.memory["weights"] == GGUF.bytes - 306_561_024 and plan.context_length == 8192


def test_the_cpu_needs_float32_and_says_what_would_fit() -> None:
    with pytest.raises(DoesNotFit) as caught:
        make_plan(QWEN, machine=on())
    assert "34." in str(caught.value) and "32.2 GB are free" in str(caught.value)
    assert "%llm_load qwen --quant" in str(caught.value)


def test_a_gpu_it_does_not_fit_on_is_passed_over() -> None:
    assert make_plan(QWEN, machine=on(T4, memory=60)).device == "cpu"


def test_an_unasked_context_shrinks_and_an_asked_one_does_not() -> None:
    machine = Machine(40 * GiB, int(32.4 * GiB), 4)
    assert make_plan(QWEN, machine=machine).context_length < 8192
    with pytest.raises(DoesNotFit, match=r"%llm_load qwen --context \d+ \(a context of"):
        make_plan(QWEN, machine=machine, context=32_768)


def test_the_fullest_gpu_is_not_taken() -> None:
    busy, free = replace(L4, free=17 * GiB), replace(L4, index=1)
    assert make_plan(QWEN, machine=on(busy, free)).device == "cuda:1"


def test_a_gpu_without_kernels_is_passed_over_and_named_when_asked_for() -> None:
    small = replace(QWEN, parameters=10**8, bytes=2 * 10**8)
    assert make_plan(small, machine=on(P100)).device == "cpu"
    with pytest.raises(OptionError, match=r"no kernels for Tesla P100 \(sm_60\)"):
        make_plan(small, machine=on(P100), device="cuda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float8"}, "dtype must be one of float64, float32"),
        ({"context": 40_000}, "between 1 and 32768"),
        ({"context": 0}, "between 1 and 32768"),
        ({"device": "gpu"}, "device must be cpu, cuda"),
        ({"device": "cuda:x"}, "device must be cpu, cuda"),
        ({"device": "cuda:3"}, r"no GPU cuda:3 here \(1 found\)"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make_plan(QWEN, machine=on(L4), **options)  # type: ignore[arg-type]


def test_a_gguf_has_the_dtype_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="GGUF file of type Q4_K_M"):
        make_plan(GGUF, machine=on(), dtype="float16")
    monkeypatch.setattr(devices, "llama_uses_gpus", lambda: False)
    with pytest.raises(OptionError, match="built for the CPU only"):
        make_plan(GGUF, machine=on(T4), device="cuda")
    assert make_plan(GGUF, machine=on(T4)).device == "cpu"
    monkeypatch.setattr(devices, "llama_uses_gpus", lambda: True)
    assert make_plan(GGUF, machine=on(T4)).device == "cuda:0"


def test_pickles_are_refused_until_they_are_allowed() -> None:
    with pytest.raises(CheckpointError, match=r"pickled weights.*run any code.*--allow-pickle"):
        make_plan(replace(QWEN, format="pickle"), machine=on())
    plan = make_plan(replace(QWEN, format="pickle"), machine=on(memory=64), allow_pickle=True)
    assert plan.engine == "transformers" and plan.memory["weights"] > 0


def test_this_machine_knows_a_container_s_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = this_machine()
    assert 0 < whole.available <= whole.memory and whole.cores >= 1
    (tmp_path / "memory.max").write_text(str(512 * 2**20))
    (tmp_path / "memory.current").write_text(str(200 * 2**20))
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {100 * 2**20}\n")
    (tmp_path / "cpu.max").write_text("150000 100000")
    monkeypatch.setattr(machines, "CGROUP", tmp_path)
    limited = this_machine()
    assert (limited.memory, limited.available, limited.cores) == (512 * 2**20, 412 * 2**20, 1)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000")
    assert this_machine().memory == whole.memory and this_machine().cores == whole.cores
