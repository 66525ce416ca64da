"""What the notebook already holds answers as it would by itself, is neither copied nor freed, and may change."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

PROMPT = "What is the capital of Peru?"


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


@pytest.fixture(scope="module")
def pair(tiny_llama: Path) -> tuple[Any, Any]:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    return model, transformers.AutoTokenizer.from_pretrained(tiny_llama)


def ask(session: Session, **options: Any) -> str:
    return session.prompt(PROMPT, max_tokens=12, **options).text


def test_a_model_and_its_tokenizer_in_any_order(session: Session, pair: tuple[Any, Any], tiny_llama: Path) -> None:
    session.load(tiny_llama, name="loaded")
    expected = ask(session)
    first = session.adopt(*pair)
    assert ask(session) == expected and first.facts.engine == "transformers" and first.name == "tiny-llama"
    assert session.adopt(*pair) is first, "the same again is nothing new"
    assert session.adopt(pair[1], pair[0], name="turned").engine is not first.engine
    assert ask(session) == expected
    weights = pair[0].get_input_embeddings().weight
    assert first.engine._model._model.get_input_embeddings().weight is weights  # type: ignore[attr-defined]


def test_a_pipeline(session: Session, pair: tuple[Any, Any]) -> None:
    from transformers import pipeline

    session.adopt(pipeline("text-generation", model=pair[0], tokenizer=pair[1]), name="pipe", context=100)
    assert ask(session) and session.current is not None and session.current.facts.context_length == 100


def test_unloading_lets_go_and_frees_nothing(session: Session, tiny_llama: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    loaded = session.adopt(model, tokenizer)
    ask(session)
    session.unload()
    ids = tokenizer(PROMPT, return_tensors="pt")
    assert model.generate(**ids, max_new_tokens=2, pad_token_id=0).shape[1] > 2
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None and loaded.name


def test_a_model_that_was_trained_meanwhile_answers_with_its_new_weights(
    session: Session, pair: tuple[Any, Any]
) -> None:
    torch = pytest.importorskip("torch")
    model = copy.deepcopy(pair[0])
    session.adopt(model, pair[1], name="trained")
    before = ask(session)
    model.train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(torch.linspace(0.2, 1.8, parameter.shape[-1]))
    after = ask(session)
    assert not model.training
    session.adopt(copy.deepcopy(model), pair[1], name="fresh")
    assert after == ask(session) != before


def test_an_adapted_model_of_peft(session: Session, pair: tuple[Any, Any]) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    torch = pytest.importorskip("torch")
    session.adopt(*pair, name="plain")
    plain = ask(session)
    config = peft.LoraConfig(r=2, lora_alpha=64, target_modules=["v_proj", "down_proj"], init_lora_weights=False)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        tuned = peft.get_peft_model(copy.deepcopy(pair[0]), config)
    session.adopt(tuned, pair[1], name="tuned")
    assert ask(session) != plain
    with tuned.disable_adapter():
        pass
    assert ask(session, model="plain") == plain


def test_an_engine_is_taken_as_it_is_and_closed(session: Session) -> None:
    engine = ScriptedEngine(["Yes."])
    model = session.adopt(engine)
    assert model.name == "scripted" and model.engine is engine and ask(session) == "Yes."
    session.unload()
    assert engine.closed


@pytest.mark.gguf
def test_a_llama(session: Session, tiny_gguf: Path) -> None:
    import llama_cpp

    session.load(tiny_gguf, name="loaded", context=512)
    expected = ask(session)
    llama = llama_cpp.Llama(str(tiny_gguf), n_ctx=512, verbose=False)
    model = session.adopt(llama)
    assert model.facts.context_length == 512 and model.facts.dtype == "F32"
    assert ask(session) == expected
    # It still answers by itself, before and after.
    own = llama.create_completion(PROMPT, max_tokens=4, temperature=0)["choices"][0]["text"]
    assert ask(session) == expected
    session.unload()
    assert llama.create_completion(PROMPT, max_tokens=4, temperature=0)["choices"][0]["text"] == own
    session.adopt(llama)
    llama.close()
    with pytest.raises(EngineError, match="has been closed"):
        ask(session)
    session.unload()
    with pytest.raises(OptionError, match="This Llama is closed"):
        session.adopt(llama)


@pytest.mark.gguf
def test_a_llama_lives_as_long_as_it_is_adopted(session: Session, tiny_gguf: Path) -> None:
    import llama_cpp

    llama = llama_cpp.Llama(str(tiny_gguf), n_ctx=256, verbose=False)
    session.adopt(llama, name="only")
    gone = weakref.ref(llama)
    del llama
    gc.collect()
    assert ask(session)
    session.unload("only")
    gc.collect()
    assert gone() is None


def wrong_things(pair: tuple[Any, Any], tiny_llama: Path) -> dict[str, tuple[tuple[Any, ...], str]]:
    import torch
    from transformers import AutoModelForCausalLM, BertConfig, BertModel

    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=600
    )
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(pair[0].config)
    small = copy.deepcopy(pair[0])
    small.resize_token_embeddings(64)
    return {
        "nothing": ((), "Nothing was given"),
        "None": ((None,), "None cannot be adopted"),
        "text": (("gemma",), "'gemma' is text, not a model"),
        "number": ((7,), "A int cannot be adopted"),
        "class": ((AutoModelForCausalLM,), "is a class"),
        "engine class": ((ScriptedEngine,), "is a class"),
        "model alone": ((pair[0],), "LlamaForCausalLM alone reads no text"),
        "tokenizer alone": ((pair[1],), "A tokenizer alone"),
        "two models": ((pair[0], pair[0]), "Two models"),
        "three": ((*pair, pair[1]), "3 objects"),
        "model and text": ((pair[0], "tokenizer"), "'tokenizer' is text"),
        "encoder": ((BertModel(config), pair[1]), "A BertModel answers nothing"),
        "meta": ((empty, pair[1]), "has no weights"),
        "base model": ((pair[0].model, pair[1]), "LlamaModel answers nothing"),
        "tokenizer of another": ((small, pair[1]), "belongs to another model"),
        "engine and text": ((ScriptedEngine(), "x"), "A ScriptedEngine cannot be adopted"),
    }


def test_what_cannot_be_adopted_is_one_line_and_changes_nothing(
    session: Session, pair: tuple[Any, Any], tiny_llama: Path
) -> None:
    kept = session.adopt(ScriptedEngine(["kept"]), name="kept")
    for kind, (things, said) in wrong_things(pair, tiny_llama).items():
        with pytest.raises(OptionError) as caught:
            session.adopt(*things)
        line = str(caught.value)
        assert said in line and "\n" not in line, f"{kind}: {line}"
    for context in (0, -1, 10**9):
        with pytest.raises(OptionError, match="context must be between"):
            session.adopt(*pair, context=context)
    assert session.current is kept and list(session.loaded) == ["kept"]
