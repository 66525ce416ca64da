"""The decode loop on a model whose answers are written down: every way to stop, reuse, and what usage says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from kaggle_magics.errors import DoesNotFit, EngineError, OptionError
from kaggle_magics.models.constraint import Vocabulary
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.local_model import Interrupted, Row
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.text import ByteDecoder
from kaggle_magics.models.request import Message, Piece, Request, Sampling

END, BOS = 0, 1


class Scripted:
    """A model over bytes (token = byte + 2) that goes on with `script` after whatever prompt."""

    size = 258
    tokenizer = None

    def __init__(self, script: str = "", *, context: int = 4096, template: str | None = None) -> None:
        self.script = [byte + 2 for byte in script.encode()] + [END]
        self.facts = EngineFacts("scripted", "none", "cpu", "float32", context)
        self.template = template
        self.special_tokens = {"bos_token": "<s>"}
        self.croppable = True
        self.prompts: dict[int, int] = {}
        self.read: list[list[list[int]]] = []
        self.rows: list[Row] = []
        self.most_rows = 64
        self.stop_at: int | None = None
        self.fail_when: Callable[[int], BaseException | None] = lambda rows: None
        self.closed = False

    def is_end(self, token: int) -> bool:
        return token == END

    def token_text(self, token: int) -> str:
        return bytes([token - 2]).decode("utf-8", "replace") if token > 1 else ""

    def encode(self, text: str, *, add_special: bool) -> list[int]:
        head, text = ([BOS], text[3:]) if text.startswith("<s>") else ([], text)
        return [BOS] * add_special + head + [byte + 2 for byte in text.encode()]

    def decoder(self, prompt: Sequence[int]) -> ByteDecoder:
        return ByteDecoder(lambda token: bytes([token - 2]) if token > 1 else b"")

    def begin(self) -> Row:
        row = Row()
        self.rows.append(row)
        return row

    def crop(self, row: Row, length: int) -> None:
        if length < len(row.tokens):
            del row.tokens[length if self.croppable else 0 :]

    def fork(self, row: Row, length: int) -> Row:
        twin = self.begin()
        if self.croppable or length == len(row.tokens):
            twin.tokens = row.tokens[:length]
        return twin

    def park(self, row: Row) -> None:
        row.memory = "parked"

    def drop(self, row: Row) -> None:
        row.tokens = []
        if any(row is one for one in self.rows):
            self.rows = [one for one in self.rows if one is not row]

    def bytes_of(self, row: Row) -> int:
        return len(row.tokens)

    def rows_at_once(self, shared: int, own: Sequence[int]) -> int:
        return min(len(own), self.most_rows)

    def evaluate(
        self, rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event
    ) -> NDArray[np.float32]:
        assert all(tails) and len({id(row) for row in rows}) == len(rows)
        error = self.fail_when(len(rows))
        if error is not None:
            raise error
        self.read.append([list(tail) for tail in tails])
        logits = np.zeros((len(rows), self.size), np.float32)
        for place, (row, tail) in enumerate(zip(rows, tails, strict=True)):
            if self.stop_at is not None and len(row.tokens) + len(tail) >= self.stop_at:
                row.tokens.extend(tail[: self.stop_at - len(row.tokens)])
                stop.set()
                raise Interrupted
            row.tokens.extend(tail)
            answered = self.answered(row.tokens)
            logits[place, self.script[answered] if answered < len(self.script) else END] = 1.0
        return logits

    def answered(self, tokens: Sequence[int]) -> int:
        """How much of the script stands at the end of the tokens."""
        longest = min(len(self.script) - 1, len(tokens))
        return max(n for n in range(longest + 1) if list(tokens[len(tokens) - n :]) == self.script[:n])

    def close(self) -> None:
        self.closed = True


def run(engine: LocalEngine, text: str, event: threading.Event | None = None, **sampling: object) -> tuple[str, Piece]:
    request = Request.ask(text, template="none", sampling=Sampling(**sampling))  # type: ignore[arg-type]
    pieces = list(engine.stream(request, event or threading.Event()))
    return "".join(piece.text for piece in pieces), pieces[-1]


def test_an_answer_that_ends() -> None:
    text, last = run(LocalEngine(Scripted("Hé 😀")), "ab")
    assert (text, last.stop_reason) == ("Hé 😀", "end")
    assert last.usage is not None
    # BOS and two bytes; the end token is no part of the answer.
    assert (last.usage.prompt_tokens, last.usage.reused_tokens, last.usage.generated_tokens) == (3, 0, 8)
    assert 0 < last.usage.seconds_to_first_token <= last.usage.seconds


def test_max_tokens_and_the_rest_of_the_context() -> None:
    text, last = run(LocalEngine(Scripted("Hello")), "ab", max_tokens=3)
    assert (text, last.stop_reason) == ("Hel", "length")
    text, last = run(LocalEngine(Scripted("Hello", context=5)), "ab", max_tokens=100)
    assert (text, last.stop_reason) == ("He", "length")
    # Cut inside a character: what cannot be shown is shown as broken, not left out.
    assert run(LocalEngine(Scripted("é")), "ab", max_tokens=1)[0] == "\ufffd"


def test_a_prompt_that_is_too_long_names_both_numbers() -> None:
    with pytest.raises(OptionError, match=r"has 9 tokens; the model's context holds 9"):
        run(LocalEngine(Scripted("x", context=9)), "12345678")
    assert run(LocalEngine(Scripted("x", context=9)), "1234567")[0] == "x"


def test_stop_strings_that_span_tokens_are_never_shown() -> None:
    text, last = run(LocalEngine(Scripted("one END two")), "ab", stop=("END",))
    assert (text, last.stop_reason) == ("one ", "stop_sequence")
    text, last = run(LocalEngine(Scripted("one EN")), "ab", stop=("END",))
    assert (text, last.stop_reason) == ("one EN", "end")


def test_the_loop_stops_within_a_token() -> None:
    engine, stop = LocalEngine(Scripted("x" * 100)), threading.Event()
    seen = []
    for piece in engine.stream(Request.ask("ab", template="none"), stop):
        seen.append(piece)
        if len(seen) == 3:
            stop.set()
    assert "".join(piece.text for piece in seen) == "xxx"
    assert seen[-1].stop_reason == "interrupted"
    assert run(engine, "ab", max_tokens=5)[0] == "xxxxx"


def test_stopped_before_and_within_the_prompt() -> None:
    stop = threading.Event()
    stop.set()
    model = Scripted("x")
    text, last = run(LocalEngine(model), "ab", stop)
    assert (text, last.stop_reason, model.read) == ("", "interrupted", [])
    model = Scripted("x")
    engine, prompt = LocalEngine(model), "p" * 300
    model.stop_at = 210
    text, last = run(engine, prompt)
    assert (text, last.stop_reason) == ("", "interrupted")
    assert last.usage is not None and last.usage.generated_tokens == 0
    # What was read before the stop is not read again.
    model.stop_at = None
    text, last = run(engine, prompt)
    assert (text, last.stop_reason) == ("x", "end")
    assert last.usage is not None and last.usage.reused_tokens == 210
    assert [len(tails[0]) for tails in model.read] == [301, 301 - 210, 1]


def test_a_common_beginning_is_reused() -> None:
    model = Scripted("answer")
    engine = LocalEngine(model)
    run(engine, "The document. Question one?")
    text, last = run(engine, "The document. Question two?")
    assert text == "answer" and last.usage is not None
    assert last.usage.reused_tokens == 1 + len("The document. Question ")
    # The same prompt again: only its last token is read.
    _, last = run(engine, "The document. Question two?")
    assert last.usage is not None and last.usage.reused_tokens == last.usage.prompt_tokens - 1
    # The answer is part of the next prompt, as in a conversation.
    _, last = run(engine, "The document. Question two?answer. And?")
    assert last.usage is not None and last.usage.reused_tokens == 1 + len("The document. Question two?answer")


def test_an_abandoned_answer_leaves_the_engine_usable() -> None:
    engine = LocalEngine(Scripted("x" * 50))
    stream = engine.stream(Request.ask("ab", template="none"), threading.Event())
    next(stream)
    stream.close()
    assert run(engine, "ab", max_tokens=2)[0] == "xx"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("torch failed"), DoesNotFit("too much")])
def test_an_error_in_the_middle_leaves_the_engine_usable(error: BaseException) -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model)
    run(engine, "another prompt")
    model.fail_when = lambda rows: error if len(model.read) >= 6 else None
    with pytest.raises(type(error)):
        run(engine, "ab")
    model.fail_when = lambda rows: None
    assert run(engine, "ab")[0] == "xyz"
    # When memory runs out, nothing is kept for later.
    assert len(model.rows) == (1 if isinstance(error, DoesNotFit) else 2)


def test_bos_is_written_once() -> None:
    own = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    model = Scripted("x", template=own)
    engine = LocalEngine(model)
    list(engine.stream(Request.ask("ab"), threading.Event()))
    assert model.read[0] == [[BOS, ord("a") + 2, ord("b") + 2]]
    assert engine.render(Request.ask("ab")) == "<s>ab"
    assert engine.render(Request.ask("ab", template="none")) == "<s>ab"
    assert engine.render(Request.ask("ab", template="chatml")).startswith("<s><|im_start|>")
    assert engine.render(Request.ask("ab", template="mistral")).count("<s>") == 1


def test_white_space_after_a_template_is_no_answer() -> None:
    model = Scripted(" \n Hello ", template="{% for m in messages %}{{ m.content }}{% endfor %}:")
    request = Request((Message("user", "hi"),))
    text = "".join(piece.text for piece in LocalEngine(model).stream(request, threading.Event()))
    assert text == "Hello "
    assert run(LocalEngine(Scripted(" \n Hello ")), "hi")[0] == " \n Hello "


def test_closed_twice_and_used_after() -> None:
    model = Scripted("x")
    engine = LocalEngine(model)
    engine.close()
    engine.close()
    assert model.closed
    with pytest.raises(EngineError, match="unloaded"):
        run(engine, "ab")
    with pytest.raises(EngineError, match="unloaded"):
        engine.count_tokens("ab")


def test_tokens_of_a_text() -> None:
    assert LocalEngine(Scripted()).count_tokens("abc") == 3
    assert LocalEngine(Scripted()).count_tokens("") == 0


def used(engine: LocalEngine, text: str) -> tuple[int, int]:
    """Tokens of the prompt, and how many of them were reused."""
    _, last = run(engine, text, max_tokens=3)
    assert last.usage is not None
    return last.usage.prompt_tokens, last.usage.reused_tokens


A, B, C, D = ("A" * 90, "B" * 90, "C" * 90, "D" * 90)


def test_four_contexts_in_turn_are_all_kept() -> None:
    engine = LocalEngine(Scripted("xyz"), kept_bytes=1000)
    for context in (A, B, C, D):
        # Only the BOS is known, which is not worth a copy.
        assert used(engine, context + " first?") == (98, 0)
    for question in (" second?", " third?"):
        for context in (A, B, C, D):
            assert used(engine, context + question)[1] >= 92


def test_the_context_used_longest_ago_goes_first_when_bytes_run_out() -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model, kept_bytes=250)
    for context in (A, B, A, C):
        used(engine, context)
    assert used(engine, A)[1] == 90
    assert used(engine, B)[1] == 0
    assert sum(len(row.tokens) for row in model.rows) <= 250
    # The latest one stays, whatever the bound.
    engine.kept_bytes = 0
    used(engine, C)
    assert [len(row.tokens) for row in model.rows] == [93] and used(engine, C)[1] == 90
    assert engine.forget() == 1 and not model.rows


def test_what_two_prompts_share_is_copied_when_the_rest_is_worth_keeping() -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model, kept_bytes=1000)
    system = "System text. "
    used(engine, system + A)
    assert used(engine, system + B)[1] == 1 + len(system)
    # Both are whole: the first was not cut for the second.
    assert used(engine, system + A + "?")[1] == 1 + len(system + A)
    assert used(engine, system + B + "?")[1] == 1 + len(system + B)
    # A follow-up replaces what it goes on from.
    assert len(model.rows) == 2


def test_a_memory_that_cannot_be_cut_is_copied_where_prompts_part() -> None:
    model = Scripted("xyz")
    model.croppable = False
    engine = LocalEngine(model, kept_bytes=5000)
    assert used(engine, A + " one?") == (96, 0)
    # The same prompt, and a conversation that goes on.
    assert used(engine, A + " one?")[1] == 95
    assert used(engine, A + " one?xyz and then?")[1] >= 95
    # The second question shows where the context ends, the third one gains from it.
    assert used(engine, A + " two?")[1] == 0
    assert used(engine, A + " six?")[1] >= 1 + len(A)
    run(engine, B + B)
    assert used(engine, A + " ten?")[1] >= 1 + len(A)


def test_an_interrupted_answer_leaves_what_was_read() -> None:
    engine, stop = LocalEngine(Scripted("x" * 50)), threading.Event()
    pieces = []
    for piece in engine.stream(Request.ask(A, template="none"), stop):
        pieces.append(piece)
        stop.set()
    assert pieces[-1].stop_reason == "interrupted"
    assert used(engine, A + "?")[1] == 91


# -- tables ----------------------------------------------------------------------------------------------------


def table(
    engine: LocalEngine, texts: Sequence[str], stop: threading.Event | None = None, **sampling: object
) -> dict[int, tuple[str, Piece]]:
    requests = [
        Request.ask(text, template="none", sampling=Sampling(**sampling))  # type: ignore[arg-type]
        for text in texts
    ]
    rows: dict[int, tuple[str, Piece]] = {}
    for index, piece in engine.stream_many(requests, stop or threading.Event()):
        assert index not in rows or rows[index][1].stop_reason is None, "nothing comes after a last piece"
        rows[index] = (rows.get(index, ("", piece))[0] + piece.text, piece)
    return rows


def test_a_table_reads_what_is_common_once_and_the_rest_together() -> None:
    model = Scripted("xyz")
    engine = LocalEngine(model)
    questions = ["one?", "three?", "seventeen?", "two?"]
    rows = table(engine, [A + question for question in questions])
    assert [rows[index][0] for index in range(4)] == ["xyz"] * 4
    assert [len(tails) for tails in model.read] == [1, 4, 4, 4, 4]
    assert model.read[0][0] == model.encode(A, add_special=True)
    # Sorted by length; each row reads only its own.
    assert [len(tail) for tail in model.read[1]] == [10, 6, 4, 4]
    usages = [rows[index][1].usage for index in range(4)]
    assert [usage.prompt_tokens for usage in usages if usage] == [95, 97, 101, 95]
    # Reused is what did not have to be read: the first row in the batch paid for the common beginning.
    assert [usage.reused_tokens for usage in usages if usage] == [91, 91, 0, 91]
    # A second table finds it in memory; so does a single question.
    model.read.clear()
    rows = table(engine, [A + "new?", A + "other?"])
    assert len(model.read[0]) == 2
    assert used(engine, A + "?")[1] == 91
    # Nothing is left over but the context.
    assert len(model.rows) == 1


def test_rows_that_have_ended_leave_the_batch() -> None:
    model = Scripted("abcdefgh")
    engine = LocalEngine(model)
    requests = [
        Request.ask(f"{A}{place}", template="none", sampling=Sampling(max_tokens=place)) for place in (5, 2, 8, 3)
    ]
    rows: dict[int, str] = {}
    for index, piece in engine.stream_many(requests, threading.Event()):
        rows[index] = rows.get(index, "") + piece.text
    assert rows == {0: "abcde", 1: "ab", 2: "abcdefgh", 3: "abc"}
    assert [len(tails) for tails in model.read] == [1, 4, 4, 3, 2, 2, 1, 1, 1]


def test_batches_are_as_large_as_memory_allows() -> None:
    model = Scripted("xy")
    model.most_rows = 3
    rows = table(LocalEngine(model), [f"{A} {place}" for place in range(7)])
    assert len(rows) == 7 and {text for text, _ in rows.values()} == {"xy"}
    assert max(len(tails) for tails in model.read) == 3


def test_a_batch_that_does_not_fit_is_halved() -> None:
    model = Scripted("xy")
    model.fail_when = lambda rows: DoesNotFit("too much") if rows > 2 else None
    rows = table(LocalEngine(model), [f"{A} {place}" for place in range(7)])
    assert [rows[index][0] for index in range(7)] == ["xy"] * 7
    model.fail_when = lambda rows: DoesNotFit("too much")
    rows = table(LocalEngine(model), [A + "1", A + "2"])
    assert {last.stop_reason for _, last in rows.values()} == {"error"}


def test_a_row_that_fails_fails_alone() -> None:
    rows = table(LocalEngine(Scripted("xy", context=60)), ["short", A, "", "also short"])
    assert [rows[index][1].stop_reason for index in range(4)] == ["end", "error", "end", "end"]
    assert "context holds 60" in rows[1][0] and rows[3][0] == "xy"
    model = Scripted("xy")
    model.fail_when = lambda rows: EngineError("torch failed") if len(model.read) == 2 else None
    rows = table(LocalEngine(model), [A + "1", A + "2"])
    assert [(text, last.stop_reason) for text, last in rows.values()] == [("xtorch failed", "error")] * 2
    assert table(LocalEngine(model), []) == {}


def test_a_stop_keeps_what_is_done_and_begins_no_more() -> None:
    model = Scripted("abcdef")
    model.most_rows = 2
    engine, stop = LocalEngine(model), threading.Event()
    requests = [
        Request.ask(f"{A}{place}", template="none", sampling=Sampling(max_tokens=most))
        for place, most in enumerate((1, 9, 9, 9))
    ]
    last: dict[int, Piece] = {}
    for index, piece in engine.stream_many(requests, stop):
        last[index] = piece
        if len(last) == 2 and piece.stop_reason is None:
            stop.set()
    assert {index: piece.stop_reason for index, piece in last.items()} == {0: "length", 1: "interrupted"}
    stop = threading.Event()
    model.stop_at = 50
    assert table(engine, [B + "1", B + "2"], stop) == {}
    model.stop_at = None
    assert table(engine, [B + "1", B + "2"], max_tokens=2)[1][0] == "ab"


def test_rows_draw_by_their_own_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scripted()

    def flat(rows: Sequence[Row], tails: Sequence[Sequence[int]], stop: threading.Event) -> NDArray[np.float32]:
        for row, tail in zip(rows, tails, strict=True):
            row.tokens.extend(tail)
        logits = np.zeros((len(rows), model.size), np.float32)
        logits[:, :67] = -np.inf
        return logits

    monkeypatch.setattr(model, "evaluate", flat)
    engine = LocalEngine(model)

    def draw(seed: int) -> Request:
        return Request.ask("ab", template="none", sampling=Sampling(max_tokens=8, temperature=1.0, seed=seed))

    alone = ["".join(piece.text for piece in engine.stream(draw(seed), threading.Event())) for seed in (1, 2, 1)]
    rows = {0: "", 1: "", 2: ""}
    for index, piece in engine.stream_many([draw(1), draw(2), draw(1)], threading.Event()):
        rows[index] += piece.text
    assert list(rows.values()) == alone and alone[0] == alone[2] != alone[1]


# -- constraints and probabilities -----------------------------------------------------------------------------


class Only:
    """Allows one text and then the end; counts what it is asked."""

    keeps_space = True
    finished = False

    def __init__(self, text: str) -> None:
        self.tokens = [byte + 2 for byte in text.encode()] + [END]
        self.asked: list[int] = []
        self.masks = 0

    def begin(self, vocabulary: Vocabulary) -> Only:
        assert vocabulary.size == 258 and vocabulary.is_end(END) and vocabulary.token_text(67) == "A"
        self.place = 0
        return self

    def allows(self, token: int) -> bool:
        self.asked.append(token)
        return token == self.tokens[self.place]

    def mask(self) -> NDArray[np.bool_]:
        self.masks += 1
        mask = np.zeros(258, bool)
        mask[self.tokens[self.place : self.place + 1]] = True
        return mask

    def advance(self, token: int) -> None:
        assert token == self.tokens[self.place]
        self.place += 1


def test_a_constraint_decides_and_is_asked_little() -> None:
    likes = Only("xyz")
    [*_, last] = LocalEngine(Scripted("xyz")).stream(
        Request.ask("ab", template="none", constraint=likes), threading.Event()
    )
    assert last.stop_reason == "end" and len(likes.asked) == 4 and likes.masks == 0
    other = Only("no")
    pieces = list(
        LocalEngine(Scripted("xyz")).stream(Request.ask("ab", template="none", constraint=other), threading.Event())
    )
    assert "".join(piece.text for piece in pieces) == "no" and pieces[-1].stop_reason == "end"
    assert other.masks >= 1


def test_probabilities_come_with_the_pieces_and_none_is_lost() -> None:
    engine = LocalEngine(Scripted("Hé END"))
    request = Request.ask("ab", template="none", sampling=Sampling(stop=("END",)), logprobs=2)
    pieces = list(engine.stream(request, threading.Event()))
    tokens = [token for piece in pieces for token in piece.tokens]
    assert "".join(piece.text for piece in pieces) == "Hé "
    # Also those of half characters and of the stop string.
    assert [token.token - 2 for token in tokens] == list("Hé END".encode())
    assert tokens[0].text == "H" and tokens[1].text == "\ufffd"
    likely = 1 / (1 + 257 / np.e)
    for token in tokens:
        assert token.logprob == pytest.approx(np.log(likely), abs=1e-6)
        assert token.top[0] == (token.token, token.text, token.logprob) and len(token.top) == 2
        assert token.top[1][2] == pytest.approx(np.log(likely) - 1, abs=1e-6)
    assert not any(piece.tokens for piece in engine.stream(Request.ask("ab", template="none"), threading.Event()))
