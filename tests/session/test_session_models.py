"""The session on a real engine: loading, reuse, unloading, and the tour's calls in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kaggle_magics.errors import CheckpointError, DoesNotFit, ModelNotFound, OptionError
from kaggle_magics.session import Session

pytest.importorskip("transformers", reason="the extra `transformers` is not installed")


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def test_loading_twice_loads_once_and_another_context_replaces(session: Session, tiny_llama: Path) -> None:
    first = session.load(tiny_llama)
    assert session.load(tiny_llama) is first and list(session.loaded) == [first.name]
    assert first.checkpoint is not None and first.plan is not None and first.seconds > 0
    shorter = session.load(tiny_llama, context=256)
    assert shorter is not first and shorter.facts.context_length == 256
    assert list(session.loaded) == [first.name]
    beside = session.load(tiny_llama, name="beside")
    assert set(session.loaded) == {first.name, "beside"} and session.current is beside


def test_the_same_question_is_answered_the_same_and_its_prompt_is_reused(session: Session, tiny_llama: Path) -> None:
    session.load(tiny_llama)
    first = session.prompt("What is the capital of Peru?", max_tokens=12)
    again = session.prompt("What is the capital of Peru?", max_tokens=12)
    assert again.text == first.text
    assert again.usage.reused_tokens == again.usage.prompt_tokens - 1
    drawn = [session.prompt("Hello", max_tokens=12, temperature=1.0, seed=seed).text for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_recorded_seed_gets_a_sampled_answer_again(session: Session, tiny_llama: Path) -> None:
    session.load(tiny_llama)
    answer = session.prompt("Hello", max_tokens=12, temperature=1.0)
    assert answer.card.sampling.seed is not None
    again = session.prompt("Hello", max_tokens=12, temperature=1.0, seed=answer.card.sampling.seed)
    assert again.text == answer.text


def test_stopping_keeps_the_text_and_the_session(session: Session, tiny_llama: Path) -> None:
    session.load(tiny_llama)
    seen: list[str] = []

    def stop_after_three(text: str) -> None:
        seen.append(text)
        if len(seen) == 3:
            raise KeyboardInterrupt

    answer = session.prompt("Hello", max_tokens=1500, on_text=stop_after_three)
    assert answer.stop_reason == "interrupted"
    assert answer.text.startswith("".join(seen)) and answer.usage.generated_tokens < 1500
    assert session.prompt("Hello", max_tokens=5).stop_reason in {"length", "end"}


def test_what_cannot_be_loaded_leaves_what_is_loaded(session: Session, tiny_llama: Path, tmp_path: Path) -> None:
    model = session.load(tiny_llama)
    with pytest.raises(ModelNotFound):
        session.load("no-such-model-anywhere")
    (tmp_path / "cut").mkdir()
    for file in tiny_llama.iterdir():
        data = file.read_bytes()
        (tmp_path / "cut" / file.name).write_bytes(data[: len(data) // 2] if file.suffix == ".safetensors" else data)
    with pytest.raises(CheckpointError):
        session.load(tmp_path / "cut")
    with pytest.raises((DoesNotFit, OptionError)):
        session.load(tiny_llama, context=10**12)
    assert session.current is model and session.prompt("Hello", max_tokens=3).text is not None


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(session: Session, tiny_llama: Path) -> None:
    session.load(tiny_llama)
    with pytest.raises(OptionError, match="2048"):
        session.prompt("word " * 5000)


def test_unload_gives_back_memory_of_a_model_that_took_some(session: Session, tmp_path: Path, tiny_llama: Path) -> None:
    import shutil

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    big = tmp_path / "big"
    shutil.copytree(tiny_llama, big)
    config = LlamaConfig.from_pretrained(tiny_llama, hidden_size=512, intermediate_size=2048, num_hidden_layers=8)
    with torch.random.fork_rng():
        LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(big)
    weights = sum(parameter.numel() for parameter in LlamaForCausalLM(config).parameters()) * 4
    session.load(tiny_llama)
    session.load(big)  # bfloat16 on disk, float32 on a CPU: it has to be held in memory
    assert session.unload("big") > 0.5 * weights


def test_without_a_model_asking_documents_gives_extracts(session: Session, root: Path) -> None:
    session.ingest(root / "examples" / "handbook")
    question = "When does the library open?"
    answer = session.ask(question)
    assert answer.extractive and not answer.refused and answer.citations
    for citation in answer.citations:
        passage = citation.passage
        document = session.collection().document_text(passage.document_id)
        assert document[passage.start : passage.end] == passage.text


def test_a_kept_collection_can_be_opened_again_and_again(session: Session, tmp_path: Path) -> None:
    session.ingest({"note.txt": "The tower is 40 metres high."}, path=tmp_path / "kept")
    for _ in range(2):
        assert session.open_collection(tmp_path / "kept").facts().documents == 1
    session.open_collection(None)
    assert session.collection().facts().documents == 0
    assert session.open_collection(tmp_path / "kept", collection="other").facts().documents == 1


def test_a_question_with_no_hit_is_refused_without_asking_the_model(session: Session) -> None:
    from kaggle_magics.testing import ScriptedEngine

    engine = ScriptedEngine()
    session.adopt(engine, name="scripted")
    session.ingest({"note.txt": "The tower is 40 metres high."})
    answer = session.ask("zzz qqq", mode="lexical")
    assert answer.refused and not answer.citations and engine.requests == []


def test_an_extract_can_be_asked_for_where_a_model_is_loaded(session: Session) -> None:
    from kaggle_magics.testing import ScriptedEngine

    engine = ScriptedEngine(["Forty metres [1]."])
    session.adopt(engine, name="scripted")
    session.ingest({"note.txt": "The tower is 40 metres high. It was built in 1900."})
    question = "How high is the tower?"
    assert session.ask(question).text == "Forty metres [1]."
    extract = session.ask(question, extract=True)
    assert extract.extractive and "40 metres" in extract.text and len(engine.requests) == 1
