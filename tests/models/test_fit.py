"""What is planned on the machines that notebooks have: on fake ones, as nothing is loaded."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from kaggle_magics.errors import DoesNotFit, OptionError
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.dimensions import Dimensions
from kaggle_magics.models.fit import choices as choosing
from kaggle_magics.models.fit import devices
from kaggle_magics.models.fit.choices import best, choices, gguf_siblings
from kaggle_magics.models.fit.hardware import Speed, gpu_speed
from kaggle_magics.models.fit.machine import Gpu, Machine
from kaggle_magics.models.fit.placing import MARGIN, room
from kaggle_magics.models.fit.plan import Plan, fits, make_plan
from kaggle_magics.models.fit.quants import GGUF_TYPES, checked
from kaggle_magics.models.fit.remedies import as_hint, remedies

GiB = 2**30


def model(
    billions: float, *, name: str = "", layers: int = 32, hidden: int = 4096, kv_heads: int = 8, dtype: str = "bfloat16"
) -> Checkpoint:
    """A Llama of about that size in safetensors."""
    vocabulary = 32_000
    table = vocabulary * hidden
    parameters = int(billions * 1e9)
    return Checkpoint(
        name=name or f"llama-{billions:g}b",
        path=Path(name or f"llama-{billions:g}b"),
        format="safetensors",
        architecture="LlamaForCausalLM",
        parameters=parameters,
        bytes=2 * parameters,
        dtype=dtype,
        context_length=8192,
        has_chat_template=True,
        dimensions=Dimensions(
            layers=layers,
            hidden=hidden,
            kv_heads=kv_heads,
            head_dim=128,
            vocabulary=vocabulary,
            heads=hidden // 128,
            intermediate=11_008,
            cache=layers * 2 * kv_heads * 128,
            linear=parameters - 2 * table,
            embedding=table,
            embedding_bytes=2 * table,
            read=1 - table / parameters,
        ),
    )


def as_gguf(checkpoint: Checkpoint, kind: str, bits: float) -> Checkpoint:
    size = replace(checkpoint.dimensions, embedding_bytes=int(checkpoint.dimensions.embedding * bits / 8))
    path = Path(f"{checkpoint.name}-{kind}.gguf")
    return replace(checkpoint, name=path.stem, path=path, format="gguf", architecture="llama", dtype=kind,
                   bytes=int((checkpoint.parameters or 0) * bits / 8), dimensions=size)  # fmt: skip


def card(name: str, gib: float, capability: tuple[int, int], index: int = 0, *, usable: bool = True) -> Gpu:
    return Gpu(index, name, int(gib * GiB), int(gib * GiB * 0.97), capability, usable, gpu_speed(name))


def machine(*gpus: Gpu, memory: float = 30, disk: float = 60, **more: object) -> Machine:
    cpu = Speed(20e9, 150e9, measured=True)
    return Machine(int(memory * GiB), int(memory * GiB), 4, gpus, disk=int(disk * GiB), speed=cpu, **more)  # type: ignore[arg-type]


def t4(index: int = 0) -> Gpu:
    return card("Tesla T4", 15, (7, 5), index)


P100 = card("Tesla P100-PCIE-16GB", 16, (6, 0), usable=False)
L4 = card("NVIDIA L4", 22, (8, 9))
A100 = card("NVIDIA A100-SXM4-40GB", 40, (8, 0))
H100 = card("NVIDIA H100 80GB HBM3", 80, (9, 0))

SEVEN = model(7)
ONE = model(1.1, layers=22, hidden=2048)


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them installed, llama.cpp without CUDA."""
    monkeypatch.setattr(choosing, "installed", lambda module: True)
    monkeypatch.setattr(choosing, "at_hand", lambda: True)
    monkeypatch.setattr("kaggle_magics.models.fit.plan.installed", lambda module: True)
    monkeypatch.setattr(devices, "llama_uses_gpus", lambda: False)


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ((), ("cpu", "float32", 1)),
        ((t4(),), ("cuda:0", "float16", 1)),
        ((t4(), t4(1)), ("cuda:0", "float16", 1)),
        ((P100,), ("cpu", "float32", 1)),
        ((L4,), ("cuda:0", "bfloat16", 1)),
        ((A100,), ("cuda:0", "bfloat16", 1)),
        ((H100,), ("cuda:0", "bfloat16", 1)),
    ],
)
def test_a_small_model_lies_on_one_device_in_its_dtype(gpus: tuple[Gpu, ...], expected: tuple[str, str, int]) -> None:
    plan = make_plan(ONE, machine=machine(*gpus))
    assert (plan.device, plan.dtype, len(plan.bytes_on)) == expected
    assert plan.split is None and plan.gpu_layers is None
    assert plan.tokens_per_second and plan.prompt_tokens_per_second


def test_two_cards_are_used_only_when_one_is_too_small() -> None:
    plan = make_plan(SEVEN, machine=machine(t4(), t4(1)))
    assert plan.split is not None and set(plan.split) == {"cuda:0", "cuda:1"}
    assert set(plan.bytes_on) == {"cuda:0", "cuda:1"}
    here = machine(t4(), t4(1))
    assert all(taken * MARGIN <= room(here, device) for device, taken in plan.bytes_on.items())
    # All weights go somewhere, and what each card may take leaves room for its part of the cache.
    assert sum(plan.split.values()) >= plan.memory["weights"]
    assert all(most * MARGIN < 15 * GiB for most in plan.split.values())
    assert "2 GPUs" in plan.why and plan.dtype == "float16"


def test_no_more_of_four_cards_than_it_takes_and_the_oldest_sets_the_dtype() -> None:
    four = [card("NVIDIA L4", 22, (8, 9), index) for index in range(4)]
    assert make_plan(SEVEN, machine=machine(*four)).split is None
    assert len(make_plan(model(13, layers=40, hidden=5120), machine=machine(*four)).split or {}) == 2
    mixed = machine(card("NVIDIA L4", 22, (8, 9)), t4(1))
    plan = make_plan(model(13, layers=40, hidden=5120, kv_heads=4), machine=mixed)
    assert plan.dtype == "float16" and len(plan.split or {}) == 2
    # The larger card takes more.
    assert plan.split is not None and plan.split["cuda:0"] > plan.split["cuda:1"]


def test_without_accelerate_nothing_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaggle_magics.models.fit.plan.installed", lambda module: module != "accelerate")
    assert make_plan(SEVEN, machine=machine(t4(), t4(1), memory=60)).device == "cpu"


def test_a_card_without_kernels_is_named() -> None:
    plan = make_plan(ONE, machine=machine(P100))
    assert "no kernels for Tesla P100-PCIE-16GB (sm_60)" in plan.why


def test_a_tpu_is_not_used_and_said_so() -> None:
    here = machine(unused="TPU v5e-8", memory=300)
    assert "TPU v5e-8 is not used" in make_plan(SEVEN, machine=here).why
    with pytest.raises(OptionError, match=r"No engine here runs on the TPU v5e-8"):
        make_plan(SEVEN, machine=here, device="tpu")


def test_bfloat16_on_a_card_that_emulates_it_is_not_offered_and_named_when_asked_for() -> None:
    assert "bfloat16" not in [way.name for way in choices(ONE, machine=machine(t4()))]
    assert "only emulates bfloat16" in make_plan(ONE, machine=machine(t4()), dtype="bfloat16").why


def test_a_cpu_that_computes_in_bfloat16_uses_it() -> None:
    assert make_plan(ONE, machine=machine(bfloat16=True)).dtype == "bfloat16"


def test_a_gguf_too_large_for_the_card_lies_on_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "llama_uses_gpus", lambda: True)
    large = as_gguf(model(32, layers=64, hidden=5120), "Q4_K_M", 4.85)
    here = machine(t4())
    plan = make_plan(large, machine=here)
    assert plan.device == "cuda:0" and plan.gpu_layers is not None and 8 <= plan.gpu_layers < 64
    assert set(plan.bytes_on) == {"cuda:0", "cpu"} and fits(plan, here)
    assert sum(plan.bytes_on.values()) == pytest.approx(plan.bytes, rel=0.05)
    # Slower than a card that holds it all, faster than the CPU alone.
    whole = make_plan(large, machine=machine(H100)).tokens_per_second
    alone = make_plan(large, machine=here, device="cpu").tokens_per_second
    assert whole and alone and plan.tokens_per_second and alone < plan.tokens_per_second < whole
    both = make_plan(large, machine=machine(t4(), t4(1)))
    assert both.gpu_layers is None and set(both.split or {}) == {"cuda:0", "cuda:1"}


def test_int8_needs_a_card_that_has_it() -> None:
    old = card("Tesla P100-PCIE-16GB", 16, (6, 0))
    assert make_plan(SEVEN, machine=machine(old), quant="nf4").device == "cuda:0"
    with pytest.raises(OptionError, match=r"no int8 for Tesla P100"):
        make_plan(SEVEN, machine=machine(old), quant="int8", device="cuda")


@pytest.mark.parametrize(
    ("word", "nearest"), [("q4_k_n", "q4_k_m"), ("nf5", "nf4"), ("int4", "int8"), ("q8", "q8_0"), ("atuo", "auto")]
)
def test_a_wrong_word_gets_the_nearest(word: str, nearest: str) -> None:
    with pytest.raises(OptionError, match=f"quant is one of .* not '{word}'.*{nearest}"):
        make_plan(SEVEN, machine=machine(), quant=word)


def test_words_for_quant() -> None:
    assert checked(None) is None and checked("none") is None and checked("Q4-K-M") == "q4_k_m"


def test_what_cannot_be_quantised_so() -> None:
    file = as_gguf(ONE, "Q8_0", 8.5)
    with pytest.raises(OptionError, match="is a GGUF file; nf4 is for safetensors"):
        make_plan(file, machine=machine(), quant="nf4")
    with pytest.raises(OptionError, match=r"%llm_quantize llama-1\.1b-Q8_0 --to q4_k_m"):
        make_plan(file, machine=machine(), quant="q4_k_m")
    assert make_plan(file, machine=machine(), quant="q8_0").convert_to is None
    with pytest.raises(OptionError, match="quant q4_k_m and dtype float16 exclude each other"):
        make_plan(ONE, machine=machine(), quant="q4_k_m", dtype="float16")


def test_without_quant_weights_stay_as_stored() -> None:
    for here in (machine(), machine(t4()), machine(H100)):
        plan = make_plan(ONE, machine=here)
        assert plan.quant is None and plan.convert_to is None
    with pytest.raises(DoesNotFit):
        make_plan(SEVEN, machine=machine(t4(), memory=20))


@pytest.mark.parametrize("quant", GGUF_TYPES)
def test_a_conversion_needs_disk(quant: str) -> None:
    plan = make_plan(ONE, machine=machine(), quant=quant)
    assert (plan.engine, plan.convert_to, plan.dtype, plan.device) == ("llama.cpp", quant, quant.upper(), "cpu")
    # float16 on the way and the result.
    assert plan.disk > 2.2e9 + plan.memory["weights"]
    with pytest.raises(DoesNotFit, match="GB to disk"):
        make_plan(ONE, machine=machine(disk=2), quant=quant)


# -- auto ------------------------------------------------------------------------------------------------------


def taken(checkpoint: Checkpoint, here: Machine, *siblings: Checkpoint) -> Plan:
    return best(checkpoint, machine=here, siblings=siblings)


def test_auto_on_a_cpu_is_a_gguf_of_four_bits_or_more() -> None:
    plan = taken(SEVEN, machine())
    assert plan.engine == "llama.cpp" and plan.convert_to in ("q4_k_m", "q5_k_s", "q5_k_m")
    stored = make_plan(SEVEN, machine=machine(memory=64))
    assert plan.tokens_per_second and stored.tokens_per_second
    assert plan.tokens_per_second > 4 * stored.tokens_per_second and plan.bytes < 0.35 * stored.bytes


def test_auto_on_a_gpu_is_as_stored_where_it_fits_else_nf4() -> None:
    plan = taken(SEVEN, machine(L4))
    assert (plan.device, plan.dtype, plan.quant, plan.convert_to) == ("cuda:0", "bfloat16", None, None)
    plan = taken(SEVEN, machine(t4()))
    assert (plan.device, plan.dtype, plan.quant) == ("cuda:0", "float16", "nf4")


def test_auto_leaves_a_model_alone_that_is_fast_already() -> None:
    assert taken(model(0.01, layers=2, hidden=128), machine()).convert_to is None


def test_auto_takes_a_file_that_is_there_before_making_one() -> None:
    four = as_gguf(SEVEN, "Q4_K_M", 4.85)
    plan = taken(SEVEN, machine(), four, as_gguf(ONE, "Q4_K_M", 4.85))
    assert plan.checkpoint.path in (four.path, SEVEN.path)
    # Without room for a conversion it is the only one.
    assert taken(SEVEN, machine(disk=1), four).checkpoint.path == four.path


def test_auto_takes_only_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "installed", lambda module: module != "llama_cpp")
    plan = taken(SEVEN, machine(memory=20))
    assert plan.engine == "transformers" and plan.convert_to is None
    assert fits(plan, machine(memory=20))


def test_auto_converts_only_where_the_converter_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "at_hand", lambda: False)
    assert taken(SEVEN, machine(memory=20)).convert_to is None
    assert taken(SEVEN, machine(), as_gguf(SEVEN, "Q4_K_M", 4.85)).checkpoint.format == "gguf"
    (way,) = [way for way in choices(SEVEN, machine=machine()) if way.name == "q4_k_m"]
    assert way.fits and "converter" in way.missing


def test_auto_that_finds_nothing_says_what_would_fit() -> None:
    with pytest.raises(DoesNotFit, match=r"needs about .* GB"):
        taken(model(70, layers=80, hidden=8192), machine(memory=8))


def test_siblings_are_the_same_model() -> None:
    others = [
        as_gguf(SEVEN, "Q8_0", 8.5),
        as_gguf(ONE, "Q8_0", 8.5),
        replace(as_gguf(SEVEN, "Q4_0", 4.5), name="other-7b"),
    ]
    assert [found.name for found in gguf_siblings(SEVEN, others)] == ["llama-7b-Q8_0"]


def test_every_choice_stands_in_the_list_and_one_is_taken() -> None:
    ways = choices(SEVEN, machine=machine(t4()), quant="nf4", siblings=[as_gguf(SEVEN, "Q4_K_M", 4.85)])
    names = [way.name for way in ways]
    assert names[0] == "as stored" and {"float16", "nf4", "int8", *GGUF_TYPES, "llama-7b-Q4_K_M"} <= set(names)
    assert [way.name for way in ways if way.taken] == ["nf4"]
    for way in ways:
        assert way.fits == fits(way.plan, machine(t4()))
        assert way.command.startswith("%llm_load llama-7b")
        assert way.fits or "needs about" in way.why
    none = choices(SEVEN, machine=machine(memory=1))
    assert not any(way.fits or way.taken for way in none)


# -- out of memory ---------------------------------------------------------------------------------------------


def test_the_cheapest_change_comes_first() -> None:
    here = machine(memory=34)
    with pytest.raises(DoesNotFit) as caught:
        make_plan(model(7, kv_heads=32), machine=here, context=8192)
    plan = caught.value.plan
    assert isinstance(plan, Plan)
    found = remedies(plan, here, held={"small": {"cpu": GiB}, "other": {"cpu": 20 * GiB}}, others=[ONE])
    assert [remedy.kind for remedy in found] == ["context", "unload", "quant", "quant", "model"]
    assert found[1].command == "%llm_unload other" and found[-1].command == "%llm_load llama-1.1b"
    # Each of them really fits.
    tokens = int(found[0].command.rpartition(" ")[2])
    assert fits(make_plan(plan.checkpoint, machine=here, context=tokens), here)
    assert make_plan(plan.checkpoint, machine=here, context=8192, quant=found[2].command.rpartition(" ")[2])
    assert as_hint(found).startswith("What would fit: %llm_load llama-7b --context ")


def test_several_models_are_unloaded_where_one_is_not_enough() -> None:
    plan = make_plan(SEVEN, machine=machine(memory=64))
    here = machine(memory=20)
    found = remedies(plan, here, held={"a": {"cpu": 9 * GiB}, "b": {"cpu": 10 * GiB}})
    assert "%llm_unload a and %llm_unload b" in [remedy.command for remedy in found]


def test_after_running_out_nothing_as_large_is_offered() -> None:
    here = machine(L4)
    plan = make_plan(model(7, kv_heads=32), machine=here)
    for remedy in remedies(plan, here, tried=True):
        if remedy.kind == "context":
            assert int(remedy.command.rpartition(" ")[2]) <= plan.context_length // 2
        assert remedy.kind != "model"


def test_a_plan_takes_no_time() -> None:
    here = machine(t4(), t4(1))
    started = time.process_time()
    for _ in range(20):
        make_plan(ONE, machine=here)
        choices(ONE, machine=here)
    # Generous: it takes some milliseconds.
    assert time.process_time() - started < 5
