"""Nothing of a model outlives its unloading: not in errors that were shown, not in what the shell keeps."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import KaggleMagicsError, OptionError


class Part:
    """Stands for a layer or a tensor; unlike these it can be made without torch."""


def failing_code(module: str) -> str:
    return (
        "import types, weakref, sys\n"
        f"fake = types.ModuleType({module!r})\n"
        "exec('def forward(part):\\n    state = [part]\\n    raise RuntimeError(len(state))', fake.__dict__)\n"
        "fake.forward(Part())\n"
    )


@pytest.mark.parametrize("module", ["transformers.models.llama.modeling_llama", "kaggle_magics.models.pool"])
def test_the_shown_error_is_let_go_and_can_still_be_shown(shell: Any, script: Any, module: str) -> None:
    parts: list[weakref.ref[Part]] = []

    class Watched(Part):
        def __init__(self) -> None:
            parts.append(weakref.ref(self))

    shell.user_ns["Part"] = Watched
    script("hello", name="one")
    with pytest.raises(RuntimeError):
        shell.run(failing_code(module))
    # pytest's own hold on the error is gone here; the shell's is not.
    assert parts[0]() is not None, "the shell keeps the frames: that is what this is about"
    shell.run("%llm_unload one")
    assert parts[0]() is None
    assert shell.InteractiveTB is not None and "Error" in repr(sys.last_value)


def test_an_error_of_the_person_s_own_is_left_for_the_debugger(shell: Any, script: Any) -> None:
    script("hello", name="one")
    with pytest.raises(ZeroDivisionError):
        shell.run("def mine():\n    kept = 7\n    return kept / 0\nmine()")
    shell.run("%llm_unload one")
    trace = sys.last_value.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert trace.tb_frame.f_locals["kept"] == 7


def parts_of(model: Any) -> list[weakref.ref[Any]]:
    """All that a transformers engine is made of: the module, every layer, every weight, the tokenizer."""
    local = model.engine._model
    module = local._model
    return [weakref.ref(each) for each in (local.tokenizer, *module.modules(), *module.parameters())]


@pytest.mark.parametrize("way", ["answered", "answer failed", "load failed after it", "replaced"])
def test_nothing_of_a_transformers_model_stays(
    shell: Any, session: Any, tiny_llama: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    shell.run(f"%llm_load {tiny_llama} --name tiny")
    parts = parts_of(session.model())
    shell.run("%prompt --max-tokens 3 Hello")
    if way == "answer failed":

        def fail(*given: Any, **options: Any) -> Any:
            hidden = [given, options, torch.ones(3)]
            raise RuntimeError(f"something is wrong with {len(hidden)}")

        monkeypatch.setattr(session.model().engine._model._model.model.layers[1].mlp, "forward", fail)
        with pytest.raises(KaggleMagicsError):
            shell.run("%prompt --max-tokens 3 Other")
        # In plain Python the whole traceback is kept.
        with pytest.raises(KaggleMagicsError):
            shell.run("import kaggle_magics\nkaggle_magics.get_session().prompt('Third', max_tokens=3)")
        monkeypatch.undo()
    if way == "load failed after it":
        with pytest.raises(KaggleMagicsError):
            shell.run("%llm_load no-such-model-at-all")
        with pytest.raises(OptionError):
            shell.run(f"%llm_load {tiny_llama} --name tiny --context 999999")
    if way == "replaced":
        shell.run(f"%llm_load {tiny_llama} --name tiny --context 64")
    else:
        shell.run("%llm_unload tiny")
    alive = [part() for part in parts if part() is not None]
    assert not alive, f"{len(alive)} of {len(parts)} parts are alive, such as {type(alive[0]).__name__}"


@pytest.mark.gguf
def test_a_llama_cpp_model_is_freed_once(shell: Any, session: Any, monkeypatch: Any) -> None:
    import llama_cpp

    freed: list[Any] = []
    for name in ("llama_free", "llama_model_free"):
        real = getattr(llama_cpp, name)
        monkeypatch.setattr(llama_cpp, name, lambda pointer, real=real, name=name: (freed.append(name), real(pointer)))
    shell.run("%llm_load pocket.gguf --name tiny")
    shell.run("%prompt --max-tokens 3 Hello")
    local = session.model().engine._model
    with pytest.raises(KaggleMagicsError):
        shell.run("%prompt --max-tokens 3 " + "word " * 3000)
    assert freed == []
    shell.run("%llm_unload tiny")
    assert freed == ["llama_free", "llama_model_free"] and local._model is None


def test_unloading_what_was_adopted_says_that_it_stays(shell: Any, session: Any, tiny_llama: Path) -> None:
    transformers = pytest.importorskip("transformers")
    shell.user_ns["model"] = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    shell.user_ns["tok"] = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    assert "mine is the current model" in shell.run("%llm_load --adopt model,tok --name mine")
    assert "adopted: a LlamaForCausalLM" in shell.run("%llm_status")
    assert "stays in memory as long as a variable holds it" in shell.run("%llm_unload")
    for line, said in (
        ("%llm_load --adopt modle,tok", "no variable 'modle'. Did you mean model"),
        ("%llm_load --adopt model", "alone reads no text"),
        ("%llm_load this --adopt model,tok", "--adopt and REF do not go together"),
        ("%llm_load --adopt model,tok --device cpu", "--adopt and --device do not go together"),
        ("%llm_load --adopt model,", "--adopt needs the name of a variable"),
    ):
        with pytest.raises(OptionError, match=said):
            shell.run(line)
    del shell.user_ns["model"]


def test_swap_by_magic(shell: Any, session: Any, tiny_llama: Path) -> None:
    shell.run("%llm_load pocket")
    shell.run(f"%llm_load {tiny_llama} --swap")
    assert list(session.loaded) == [tiny_llama.name]
    with pytest.raises(KaggleMagicsError):
        shell.run("%llm_load pocket --swap --dtype int3")
    assert list(session.loaded) == [tiny_llama.name]
