"""The transformers engine says what `generate` says, and refuses in one line what it cannot run."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CheckpointError, OptionError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.engines.transformers import loading
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.request import Message

pytest.importorskip("transformers", reason="transformers is not installed")

SHARED = ["stories260k", "tinystories-656k", "cardputer-chat-3m"]
PROMPTS = ["Once upon a time", "The cat said: ", "a, b, and 😀"]


def check(engine: Engine, path: Path, ask: Any, library_answer: Any, tokens: int = 60) -> None:
    for prompt in PROMPTS:
        assert ask(engine, prompt, max_tokens=tokens)[0] == library_answer(path, prompt, tokens)


@pytest.mark.parametrize("name", SHARED)
def test_greedy_text_is_that_of_generate_on_real_models(
    name: str, shared: Path, open_engine: Callable[..., Engine], ask: Any, library_answer: Any
) -> None:
    path = shared / "models" / name
    check(open_engine(path), path, ask, library_answer)


def test_greedy_text_is_that_of_generate(
    tiny_llama: Path, open_engine: Callable[..., Engine], ask: Any, library_answer: Any
) -> None:
    check(open_engine(tiny_llama), tiny_llama, ask, library_answer)


def test_with_a_sentencepiece_vocabulary(
    sentencepiece_llama: Path, open_engine: Callable[..., Engine], ask: Any, library_answer: Any
) -> None:
    check(open_engine(sentencepiece_llama), sentencepiece_llama, ask, library_answer)


def test_a_sentencepiece_vocabulary_keeps_spaces_and_characters(
    sentencepiece_llama: Path, open_engine: Callable[..., Engine]
) -> None:
    model: Any = open_engine(sentencepiece_llama)._model  # type: ignore[attr-defined]
    for text in ("the cat, an ant.", "  two  spaces ", "a 😀😀👩‍👩‍👧 b", "日本語", "line\nline"):
        decoder = model.decoder(model.encode("x", add_special=True))
        pieces = [decoder.feed(token) for token in model.encode(text, add_special=False)]
        # The tokenizer puts a space before every text.
        assert "".join(pieces) + decoder.flush() == " " + text
        assert not any("\ufffd" in piece for piece in pieces)


def test_chat_is_that_of_the_template(
    shared: Path, open_engine: Callable[..., Engine], ask: Any, library_answer: Any
) -> None:
    path = shared / "models" / "cardputer-chat-3m"
    wanted = library_answer(path, [{"role": "user", "content": "Hello, how are you?"}], 40)
    text, last = ask(open_engine(path), "Hello, how are you?", template="auto", max_tokens=40)
    assert text == wanted.lstrip() and last.stop_reason == "end"


def test_half_precision(tiny_llama: Path, ask: Any) -> None:
    for dtype in ("bfloat16", "float16"):
        engine = load_engine(make_plan(read_checkpoint(tiny_llama), dtype=dtype))
        assert engine.facts.dtype == dtype
        assert ask(engine, "The library", max_tokens=5)[0]
        engine.close()


def test_a_shorter_context_is_kept(tiny_llama: Path, ask: Any) -> None:
    engine = load_engine(make_plan(read_checkpoint(tiny_llama), context=16))
    assert ask(engine, "What", max_tokens=100)[1].stop_reason in ("length", "end")
    with pytest.raises(OptionError, match="context holds 16"):
        ask(engine, "What is the capital of Peru? " * 10)
    engine.close()


def test_loading_is_quiet(
    tiny_llama: Path, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    load_engine(make_plan(read_checkpoint(tiny_llama))).close()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert not recwarn.list


def copy(folder: Path, tmp_path: Path, **config: Any) -> Path:
    target = tmp_path / "copy"
    shutil.copytree(folder, target)
    file = target / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return target


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_engine(make_plan(read_checkpoint(path)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_cut_short(tiny_llama: Path, tmp_path: Path) -> None:
    path = copy(tiny_llama, tmp_path)
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "cut short" in refused(path)


def test_weights_that_are_missing(tiny_llama: Path, tmp_path: Path) -> None:
    assert "lacks" in refused(copy(tiny_llama, tmp_path, num_hidden_layers=3))


def test_an_architecture_nobody_knows(tiny_llama: Path, tmp_path: Path) -> None:
    path = copy(tiny_llama, tmp_path, model_type="quux", architectures=["QuuxForCausalLM"])
    assert "does not know the QuuxForCausalLM" in refused(path)


def test_code_of_the_checkpoint_is_not_run_unasked(tiny_llama: Path, tmp_path: Path) -> None:
    path = copy(
        tiny_llama,
        tmp_path,
        model_type="quux",
        auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    )
    marker = tmp_path / "was-run"
    (path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Config: ...\nclass Model: ...\n")
    assert "--trust-remote-code" in refused(path)
    assert not marker.exists()


def test_a_missing_tokenizer(tiny_llama: Path, tmp_path: Path) -> None:
    path = copy(tiny_llama, tmp_path)
    for file in path.glob("tokenizer*"):
        file.unlink()
    assert "has no tokenizer" in refused(path)


def test_a_folder_that_vanished(tmp_path: Path, tiny_llama: Path) -> None:
    plan = make_plan(replace(read_checkpoint(tiny_llama), path=tmp_path / "gone"))
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_engine(plan)


def test_system_text_reaches_a_model_whose_template_has_no_place_for_it(
    shared: Path, open_engine: Callable[..., Engine]
) -> None:
    from kaggle_magics.models.request import Request

    engine = open_engine(shared / "models" / "cardputer-chat-3m")
    messages = (Message("system", "Be kind."), Message("user", "Hello"))
    assert engine.render(Request(messages)) == "User: Be kind.\n\nHello\nBot:"


def test_a_stop_ends_a_pass_between_two_layers(tiny_llama: Path, open_engine: Callable[..., Engine], ask: Any) -> None:
    from kaggle_magics.models.request import Request

    class SetAtCall(threading.Event):
        """Is set when it is asked for the nth time."""

        left = 3

        def is_set(self) -> bool:
            self.left -= 1
            return self.left <= 0

    engine, prompt = open_engine(tiny_llama), "The library opens at nine. " * 20
    whole, _ = ask(engine, prompt, max_tokens=10)
    engine.forget()  # type: ignore[attr-defined]
    stop = SetAtCall()
    # Asked by the loop, before the pass and by the first layer of two.
    [last] = engine.stream(Request.ask(prompt, template="none"), stop)
    assert last.stop_reason == "interrupted" and stop.left == 0
    text, last = ask(engine, prompt, max_tokens=10)
    assert text == whole and last.usage.reused_tokens == 0


def test_two_threads_load_one_after_the_other(tiny_llama: Path, ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers has settings of the whole process while it loads: with two at once, weights can be missing."""
    plan, inside, most = make_plan(read_checkpoint(tiny_llama)), [], []
    real = loading.load_weights

    def watched(*given: Any) -> Any:
        inside.append(given)
        most.append(len(inside))
        # Long enough for the others to come in as well, if they could.
        time.sleep(0.1)
        try:
            return real(*given)
        finally:
            inside.pop()

    monkeypatch.setattr(loading, "load_weights", watched)
    with ThreadPoolExecutor(3) as threads:
        engines = list(threads.map(lambda _: load_engine(plan), range(3)))
    said = {ask(engine, "Once upon a time", max_tokens=8)[0] for engine in engines}
    for engine in engines:
        engine.close()
    assert most == [1, 1, 1] and len(said) == 1
