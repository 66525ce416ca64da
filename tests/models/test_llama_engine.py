"""The llama.cpp engine says what `create_completion` says, stops in the middle, and fails in one line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.checkpoint import read_checkpoint
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.engines.registry import load_engine
from kaggle_magics.models.fit.plan import make_plan
from kaggle_magics.models.request import Request

pytestmark = pytest.mark.gguf

SHARED = [
    "stories260k/stories260K-F32.gguf",
    "stories260k/stories260K-Q8_0.gguf",
    "tinystories-656k/TinyStories-656K-F32.gguf",
    "tinystories-656k/TinyStories-656K-Q8_0.gguf",
]
PROMPTS = ["Once upon a time", "The cat said: ", "a, b, and 😀"]


def check(engine: Engine, path: Path, ask: Any, tokens: int = 60) -> None:
    import llama_cpp

    library = llama_cpp.Llama(str(path), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)
    for prompt in PROMPTS:
        if "TinyStories" in path.name and not prompt.isascii():
            continue  # its vocabulary has no byte tokens, and the library ends the process
        library.reset()
        wanted = library.create_completion(prompt, temperature=0, max_tokens=tokens)["choices"][0]["text"]
        # create_completion leaves bytes out that are no characters; the engine shows them as broken.
        assert ask(engine, prompt, max_tokens=tokens)[0].replace("\ufffd", "") == wanted
    library.close()


@pytest.mark.parametrize("name", SHARED)
def test_greedy_text_is_that_of_create_completion_on_real_models(
    name: str, shared: Path, open_engine: Callable[..., Engine], ask: Any
) -> None:
    path = shared / "models" / name
    check(open_engine(path), path, ask)


def test_greedy_text_is_that_of_create_completion(
    tiny_gguf: Path, open_engine: Callable[..., Engine], ask: Any
) -> None:
    check(open_engine(tiny_gguf), tiny_gguf, ask)


def test_the_same_weights_say_the_same_in_both_engines(
    shared: Path, open_engine: Callable[..., Engine], ask: Any
) -> None:
    folder = shared / "models" / "stories260k"
    texts = [ask(open_engine(path), "Once upon a time", max_tokens=60)[0] for path in (folder, folder / SHARED[0][12:])]
    assert texts[0] == texts[1]


def test_a_vocabulary_without_byte_tokens_does_not_end_the_process(
    shared: Path, open_engine: Callable[..., Engine], ask: Any
) -> None:
    engine = open_engine(shared / "models" / SHARED[3])
    text, last = ask(engine, "a 😀😀 é\n\t日", max_tokens=5)
    assert text and last.stop_reason == "length"
    assert engine.count_tokens("😀😀😀") <= 2


class AtCall(threading.Event):
    """An event that acts when it is asked for the nth time."""

    def __init__(self, count: int, error: type[BaseException] | None = None) -> None:
        super().__init__()
        self.left, self.error = count, error

    def is_set(self) -> bool:
        self.left -= 1
        if self.left == 0 and self.error is not None:
            raise self.error
        return self.left <= 0 and self.error is None


def test_a_prompt_is_broken_off_in_the_middle_of_a_chunk(
    tiny_gguf: Path, open_engine: Callable[..., Engine], ask: Any
) -> None:
    engine, prompt = open_engine(tiny_gguf), "The library opens at nine. " * 20
    whole, _ = ask(engine, prompt, max_tokens=10)
    ask(engine, "x")
    stop = AtCall(20)
    [last] = engine.stream(Request.ask(prompt, template="none"), stop)
    assert last.stop_reason == "interrupted" and last.usage is not None and last.usage.generated_tokens == 0
    # Asked once by the loop, and then by llama.cpp between the nodes of its graph until it gave up.
    assert -20 < stop.left <= 0
    assert ask(engine, prompt, max_tokens=10)[0] == whole


def test_a_keyboard_interrupt_inside_llama_cpp_is_not_lost(
    tiny_gguf: Path, open_engine: Callable[..., Engine], ask: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    engine, prompt = open_engine(tiny_gguf), "The library opens at nine. " * 20
    whole, _ = ask(engine, prompt, max_tokens=10)
    ask(engine, "x")
    with pytest.raises(KeyboardInterrupt):
        list(engine.stream(Request.ask(prompt, template="none"), AtCall(20, KeyboardInterrupt)))
    assert ask(engine, prompt, max_tokens=10)[0] == whole
    assert capfd.readouterr().err == ""


def test_loading_is_quiet(tiny_gguf: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_engine(make_plan(read_checkpoint(tiny_gguf))).close()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_engine(make_plan(read_checkpoint(path)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_architecture_llama_cpp_does_not_know(tmp_path: Path, write_gguf: Callable[..., Path]) -> None:
    path = write_gguf(tmp_path / "neo.gguf", {"general.architecture": "gptneo"}, {"w": np.zeros((2, 2), "f4")})
    assert "does not know 'gptneo', which neo is" in refused(path)


def test_a_file_without_what_its_architecture_needs(tmp_path: Path, write_gguf: Callable[..., Path]) -> None:
    path = write_gguf(tmp_path / "bare.gguf", {"general.architecture": "llama"}, {"w": np.zeros((2, 2), "f4")})
    assert "llama.cpp cannot load bare. It says: " in refused(path)


def test_a_file_cut_short(tmp_path: Path, tiny_gguf: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(tiny_gguf.read_bytes()[:-1000])
    assert "short.gguf is cut short" in refused(path)


def test_a_damaged_tail_after_the_header_was_read(tmp_path: Path, tiny_gguf: Path) -> None:
    path = tmp_path / "gone.gguf"
    path.write_bytes(tiny_gguf.read_bytes())
    plan = make_plan(read_checkpoint(path))
    path.unlink()
    with pytest.raises(CheckpointError, match=r"llama\.cpp cannot load gone"):
        load_engine(plan)
