"""Grammars on real vocabularies: a token's bytes, which tokens may come next, and what cannot be a grammar."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kaggle_magics
from kaggle_magics.errors import MissingExtra, OptionError
from kaggle_magics.models import grammar
from kaggle_magics.models.constraint import Vocabulary
from kaggle_magics.models.engines.transformers.vocabulary import token_bytes
from kaggle_magics.models.grammar.grammar import GrammarMatcher, grammar_of
from kaggle_magics.models.grammar.tokenizers import tokenizer_for

pytest.importorskip("llguidance", reason="llguidance is not installed")
transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed")

POCKET = Path(kaggle_magics.__file__).parent / "models" / "pocket"
TEXT = 'The café sells "Käse" for 5 €, 日本 and 🙂.\n\tdef area(r):  return 3.14 * r ** 2  # {"a": [1]}\n\n  end'
SHARED = ("cardputer-chat-3m", "stories260k", "tinystories-656k")


def written(tokenizer: Any, text: str) -> tuple[list[int], list[bytes]]:
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tokens, token_bytes(tokenizer, len(tokenizer) + 7)


def check_bytes(tokenizer: Any) -> None:
    """The bytes of the tokens of a text are those of the text that the tokenizer decodes them to."""
    tokens, known = written(tokenizer, TEXT)
    decoded = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    ours = b"".join(known[token] for token in tokens).decode("utf-8")
    # A decoder may take the space away that a SentencePiece tokenizer puts before a text.
    assert ours.removeprefix(" ") == decoded.removeprefix(" ")
    assert not any(known[token] for token in tokenizer.all_special_ids) and known[-7:] == [b""] * 7


def test_bytes_of_the_bundled_models_tokens() -> None:
    check_bytes(transformers.AutoTokenizer.from_pretrained(POCKET))


def test_bytes_of_byte_level_tokens(tiny_llama: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    check_bytes(tokenizer)
    known = token_bytes(tokenizer, len(tokenizer))
    # Every byte is a token, named by a printable character.
    assert {bytes([byte]) for byte in range(256)} <= set(known)
    tokenizer.add_tokens(["<tool> é"])
    assert token_bytes(tokenizer, len(tokenizer))[-1] == "<tool> é".encode()


@pytest.mark.parametrize("name", SHARED)
def test_bytes_of_other_tokenizers(shared: Path, name: str) -> None:
    if not (shared / "models" / name).is_dir():
        pytest.skip(f"needs {name}")
    check_bytes(transformers.AutoTokenizer.from_pretrained(shared / "models" / name))


def test_bytes_of_wordpiece_are_found_by_decoding(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "play", "##ing", "cat", "."]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    known = token_bytes(tokenizer, len(tokenizer))
    assert known[words.index("play")] == b" play" and known[words.index("##ing")] == b"ing"
    assert known[words.index("[CLS]")] == b""


@pytest.mark.gguf
def test_bytes_are_the_same_on_both_engines() -> None:
    from kaggle_magics.session import Session

    session = Session()
    try:
        gguf = session.load(POCKET / "pocket-Q8_0.gguf").engine._model  # type: ignore[attr-defined]
        folder = session.load(POCKET).engine._model  # type: ignore[attr-defined]
        assert gguf.token_bytes() == folder.token_bytes()
        tokens = gguf.encode(TEXT, add_special=False)
        assert b"".join(gguf.token_bytes()[token] for token in tokens).decode().strip() == TEXT.strip()
    finally:
        session.close()


# -- which tokens may come next --------------------------------------------------------------------------------


class Words:
    """A vocabulary of all bytes and some words; its last two tokens end an answer."""

    tokenizer = None

    def __init__(self, *words: str) -> None:
        self.known = [bytes([byte]) for byte in range(256)] + [word.encode() for word in words] + [b"<s>", b"</s>"]
        self.size = len(self.known)
        self.asked = 0

    def is_end(self, token: int) -> bool:
        return token >= self.size - 2

    def token_text(self, token: int) -> str:
        return self.known[token].decode("utf-8", "replace")

    def token_bytes(self) -> list[bytes]:
        self.asked += 1
        return self.known

    def read(self, matcher: GrammarMatcher, text: str) -> bool:
        """Whether the matcher takes a text byte by byte."""
        for byte in text.encode():
            if not matcher.allows(byte):
                return False
            matcher.advance(byte)
        return True


@pytest.fixture(scope="module")
def words() -> Words:
    return Words(' {"', '":', " true", "hello", "日", "9", "00", '"}')


def fits(words: Words, described: dict[str, Any], text: str) -> bool:
    """Whether the grammar takes the whole text, and lets it end there."""
    matcher = grammar_of(described).begin(words)
    return words.read(matcher, text) and matcher.allows(words.size - 1)


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0, "maximum": 130}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
NODE = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
            "required": ["v", "next"],
            "additionalProperties": False,
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (PERSON, ['{"name": "Ann", "age": 3}', ' {"name":"é日","age":130}'], ['{"name": "Ann"}', '{"age": 3}']),
        (PERSON, [], ['{"name": "A", "age": 131}', '{"name":  "A"}', '{ "name"', '{\n"name"', '{"name": "A", "x": 1}']),
        (NODE, ['{"v": 1, "next": {"v": 2, "next": null}}'], ['{"v": 1}', '{"v": 1, "next": 2}']),
        ({"type": "object", "properties": {}, "additionalProperties": False}, ["{}"], ['{"a": 1}', "{ }"]),
        ({"enum": ["a", 2, None, "ü"]}, ['"a"', "2", "null", '"ü"'], ['"b"', "a", "3"]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ["-7", "null"], ["1.5", "true", "01"]),
        ({"type": "string", "pattern": "^[a-c]{2}$"}, ['"ab"'], ['"a"', '"abc"', '"xy"']),
        ({"type": "string", "format": "date"}, ['"2024-02-01"'], ['"2024-13-01"', '"today"']),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2}, ["[true, false]"], ["[]"]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, ['{"x": 1, "y": 2}'], ['{"x": "a"}']),
        ({"type": "string", "minLength": 1, "maxLength": 2}, ['"é"', '"日本"'], ['""', '"abc"']),
    ],
)
def test_json_schemas(words: Words, schema: dict[str, Any], good: list[str], bad: list[str]) -> None:
    for text in good:
        assert fits(words, {"schema": schema}, text), text
    for text in bad:
        assert not fits(words, {"schema": schema}, text), text


def test_choices_and_expressions(words: Words) -> None:
    choices = {"choices": ["yes", "yes and no", 'the "end"', "日本", "a|b", "line\nbreak"]}
    assert all(fits(words, choices, text) for text in [*choices["choices"], " yes"])
    assert not any(fits(words, choices, text) for text in ("y", "yes and", "  yes", "no", "日"))
    expression = {"regex": r"\d{2}/\w+|é*"}
    assert all(fits(words, expression, text) for text in ("12/ab", "", "éé"))
    assert not any(fits(words, expression, text) for text in ("1", " 12/a", "12/", "e"))


def test_an_answer_is_finished_as_soon_as_nothing_can_follow(words: Words) -> None:
    matcher = grammar_of({"choices": ["yes", "yes sir"]}).begin(words)
    assert words.read(matcher, "yes") and not matcher.finished and matcher.allows(words.size - 2)
    assert words.read(matcher, " sir") and matcher.finished
    assert np.flatnonzero(matcher.mask()).tolist() == [words.size - 2, words.size - 1]
    assert not any(matcher.allows(token) for token in range(words.size - 2))
    matcher.advance(words.size - 1)


def test_the_mask_is_what_is_allowed_one_by_one(words: Words) -> None:
    """Along random walks through a grammar: also within characters, and with tokens that span several of its parts."""
    chooser = random.Random(3)
    for described in (
        {"schema": PERSON},
        {"schema": NODE},
        {"choices": ["日本", "日曜日"]},
        {"regex": "(?:hello|é|9){3}"},
    ):
        matcher = grammar_of(described).begin(words)
        for _ in range(40):
            mask = matcher.mask()
            assert mask.shape == (words.size,) and mask.any()
            assert mask.tolist() == [matcher.allows(token) for token in range(words.size)]
            token = chooser.choice(np.flatnonzero(mask).tolist())
            matcher.advance(token)
            if words.is_end(token) or matcher.finished:
                break


def test_answers_of_one_constraint_do_not_disturb_each_other(words: Words) -> None:
    one = grammar_of({"choices": ["ab", "cd"]})
    first, second = one.begin(words), one.begin(words)
    assert words.read(first, "ab") and words.read(second, "cd") and first.finished and second.finished


def test_a_vocabulary_is_read_once() -> None:
    fresh = Words("x")
    made = tokenizer_for(fresh)
    assert tokenizer_for(fresh) is made and fresh.asked == 1 and made.ends == [257, 258]
    grammar_of({"regex": "x"}).begin(fresh)
    assert fresh.asked == 1


class Endless(Words):
    """A model that names no end of an answer."""

    def is_end(self, token: int) -> bool:
        return False


def test_a_vocabulary_without_an_end(words: Words) -> None:
    endless: Vocabulary = Endless("x")
    matcher = grammar_of({"regex": "x*"}).begin(endless)
    assert matcher.mask().shape == (endless.size,) and np.flatnonzero(matcher.mask()).tolist() == [ord("x"), 256]


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"schema": {"not": {"type": "string"}}}, "uses not, which an answer cannot be held to"),
        ({"schema": {"type": "array", "uniqueItems": True, "contains": {}}}, "uses contains, uniqueItems|uniqueItems"),
        ({"schema": {"oneOf": [{"type": "integer"}, {"type": "number"}]}}, "oneOf whose parts may overlap"),
        ({"schema": {"type": "string", "format": "shape"}}, "not known: shape"),
        ({"schema": {"type": "integer", "minimum": 5, "maximum": 3}}, "No answer can fit"),
        ({"schema": {"enum": []}}, "No answer can fit"),
        ({"schema": {"type": "string", "pattern": "^(?!a)b"}}, "pattern in the schema .*look-around"),
        ({"regex": r"(a)\1"}, "expression cannot be used: backreferences"),
        ({"regex": r"\bword\b"}, "lookarounds not supported"),
    ],
)
def test_what_cannot_be_a_grammar_says_why(words: Words, described: dict[str, Any], said: str) -> None:
    for use in (lambda made: made.begin(words), lambda made: made.check()):
        with pytest.raises(OptionError, match=said) as caught:
            use(grammar_of(described))
        assert "\n" not in str(caught.value)


def test_many_choices_and_large_schemas(words: Words) -> None:
    choices = [f"the choice number {number} of many" for number in range(3000)]
    assert fits(words, {"choices": choices}, choices[-1])
    properties = {f"field_{number}": {"enum": [f"a{number}", "b"]} for number in range(300)}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    assert fits(words, {"schema": schema}, json.dumps({name: "b" for name in properties}))


def test_without_the_library_the_error_names_the_extra(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    from kaggle_magics import extras

    monkeypatch.setattr(extras, "installed", lambda module: module != "llguidance")
    with pytest.raises(MissingExtra, match=r"needs llguidance.*kaggle-magics\[structured\]"):
        grammar_of({"choices": ["a"]}).begin(Words("unseen"))


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The library writes nothing of its own into a notebook."""
    yield
    assert "llguidance" not in capfd.readouterr().err
    assert grammar.__doc__
