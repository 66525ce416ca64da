"""What a model thinks is told apart from what it answers, however the text is cut into pieces."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.reasoning import ReasoningSplitter
from kaggle_magics.generation.worker import Generation, TableGeneration
from kaggle_magics.models.request import Message, Piece, Request, Sampling, TokenProbability, Usage
from kaggle_magics.testing import ScriptedEngine

CASES = [
    # what comes, what the prompt ends with, the thoughts, the answer
    ("<think>\nPeru, hm.\n</think>\n\nLima.", "", "Peru, hm.", "Lima."),
    (" \n<think>hm</think>Lima", "", "hm", "Lima"),
    ("<thinking>hm</thinking> Lima", "", "hm", "Lima"),
    ("[THINK]a[/b][/THINK]Lima", "", "a[/b]", "Lima"),
    ("<think>\n\n</think>\n\nLima", "", "", "Lima"),
    # The template has opened the block already.
    ("hm, Peru.\n</think>\n\nLima", "<|im_start|>assistant\n<think>\n", "hm, Peru.", "Lima"),
    ("a < b </thin k></think>Lima", "<think>", "a < b </thin k>", "Lima"),
    # Never ended.
    ("<think>hm, </thi", "", "hm, </thi", ""),
    ("hm", "<think>\n", "hm", ""),
    # OpenAI's channels, special tokens left out and written out.
    ("analysisWe need Lima.assistantfinalLima.", "<|start|>assistant", "We need Lima.", "Lima."),
    (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Lima",
        "<|start|>assistant",
        "hm",
        "Lima",
    ),
    # Marks anywhere else are the answer's own.
    ("The tag <think>is</think> used so.", "", "", "The tag <think>is</think> used so."),
    ("Lima</think>", "", "", "Lima</think>"),
    ("<think>a</think>b <think>c</think>", "", "a", "b <think>c</think>"),
    ("analysis of assistantfinal", "", "", "analysis of assistantfinal"),
    ("<thin", "", "", "<thin"),
    ("<b>bold</b>", "", "", "<b>bold</b>"),
    ("  indented", "", "", "  indented"),
    ("", "<think>", "", ""),
    ("hm</think>", "say <think> please", "", "hm</think>"),
]


@pytest.mark.parametrize(("said", "prompt", "thoughts", "answer"), CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_however_the_text_is_cut_into_pieces(said: str, prompt: str, thoughts: str, answer: str, size: int) -> None:
    splitter = ReasoningSplitter(lambda: prompt)
    parts = [splitter.feed(said[at : at + size]) for at in range(0, len(said), size)]
    parts.append(splitter.flush())
    assert "".join(text for text, _ in parts) == answer
    assert "".join(thought for _, thought in parts).strip() == thoughts


def test_text_is_held_back_no_longer_than_it_must() -> None:
    splitter = ReasoningSplitter(lambda: "")
    assert [splitter.feed(piece) for piece in ("<", "b>", "x <", "think>")] == [
        ("", ""),
        ("<b>", ""),
        ("x <", ""),
        ("think>", ""),
    ]
    splitter = ReasoningSplitter(lambda: "")
    assert [splitter.feed(piece) for piece in ("<think>a", "b</", "c", "</think>", "\n", "\nd", " e")] == [
        ("", "a"),
        ("", "b"),
        ("", "</c"),
        ("", ""),
        ("", ""),
        ("d", ""),
        (" e", ""),
    ]


def test_the_prompt_is_asked_for_once_and_only_when_there_is_text() -> None:
    asked: list[int] = []

    def prompt() -> str:
        asked.append(1)
        return ""

    splitter = ReasoningSplitter(prompt)
    splitter.feed("")
    assert asked == []
    for piece in ("<", "thi", "nk>x"):
        splitter.feed(piece)
    assert asked == [1]


def test_a_generation_streams_thoughts_and_answer_apart() -> None:
    texts: list[str] = []
    thoughts: list[str] = []
    generation = Generation(ScriptedEngine(["<think> two words </think> Lima it is."]), Request.ask("x"))
    generation.run(texts.append, thoughts.append)
    assert "".join(texts) == generation.text == "Lima it is."
    assert "".join(thoughts).strip() == generation.reasoning == "two words"
    assert len(thoughts) >= 2


def test_iterating_gives_the_answer_alone() -> None:
    generation = Generation(ScriptedEngine(["<think> hm </think> Lima it is."]), Request.ask("x"))
    assert "".join(generation) == "Lima it is."


def test_thoughts_that_were_cut_off_are_no_answer() -> None:
    engine = ScriptedEngine(["<think> one two three four </think> Lima"])
    generation = Generation(engine, Request.ask("x", sampling=Sampling(max_tokens=4)))
    generation.run()
    assert (generation.text, generation.reasoning, generation.stop_reason) == ("", "one two three", "length")


def test_a_prompt_that_opens_the_block() -> None:
    generation = Generation(ScriptedEngine(["hm </think> Lima"]), Request.ask("Why? <think>"))
    generation.run()
    assert (generation.text, generation.reasoning) == ("Lima", "hm")


def test_thoughts_go_on_where_an_answer_is_continued() -> None:
    request = Request((Message("user", "Why?"), Message("assistant", "<think>")))
    generation = Generation(ScriptedEngine(["hm </think> Lima"]), request)
    generation.run()
    assert (generation.text, generation.reasoning) == ("Lima", "hm")


def test_a_table_splits_each_row_for_itself() -> None:
    engine = ScriptedEngine(["<think> a </think> b", "c", OptionError("<think> broken")])
    seen: list[tuple[int, Piece]] = []
    table = TableGeneration(engine, [Request.ask(text) for text in "xyz"])
    table.run(seen.append)
    assert [(row.text, row.reasoning) for row in table.answers[:2]] == [("b", "a"), ("c", "")]
    # The text of an error is its reason, whatever it begins with.
    assert table.answers[2].stop_reason == "error" and "<think> broken" in table.answers[2].text
    assert "".join(piece.text for index, piece in seen if index == 0) == "b"


def test_a_constrained_answer_is_left_as_it_is() -> None:
    class Anything:
        def begin(self, vocabulary: object) -> None: ...

    generation = Generation(ScriptedEngine(["<think> a </think> b"]), Request.ask("x", constraint=Anything()))  # type: ignore[arg-type]
    generation.run()
    assert (generation.text, generation.reasoning) == ("<think> a </think> b", "")


class Pieces(ScriptedEngine):
    """Yields given pieces; `broken` makes `render` fail."""

    def __init__(self, *pieces: Piece, broken: bool = False) -> None:
        super().__init__()
        self.pieces, self.broken = pieces, broken

    def stream(self, request: Request, stop: threading.Event) -> Iterator[Piece]:
        yield from self.pieces
        yield Piece("", "end", Usage(1, 0, 1, 0.0, 0.0))

    def render(self, request: Request) -> str:
        if self.broken:
            raise NotImplementedError
        return super().render(request)


def test_an_engine_that_tells_thoughts_apart_itself_is_believed() -> None:
    generation = Generation(Pieces(Piece("", reasoning="hm"), Piece("<think>x</think>")), Request.ask("x"))
    generation.run()
    assert (generation.text, generation.reasoning) == ("<think>x</think>", "hm")


def test_an_engine_that_cannot_tell_its_prompt_answers_all_the_same() -> None:
    generation = Generation(Pieces(Piece("Lima"), broken=True), Request.ask("x"))
    generation.run()
    assert generation.text == "Lima"


def test_no_token_is_lost() -> None:
    tokens = [TokenProbability(n, text, -0.1) for n, text in enumerate(["<think>", "a", "</think>", "b"])]
    generation = Generation(Pieces(*(Piece(token.text, tokens=(token,)) for token in tokens)), Request.ask("x"))
    generation.run()
    assert generation.text == "b" and generation.tokens == tokens
