"""A grammar in llguidance's notation, and its matcher for one answer.

llguidance (https://github.com/guidance-ai/llguidance, docs/syntax.md) takes a variant of Lark's notation in which
`%json {...}` is a rule made from a JSON schema. It parses Earley over lexemes whose automata are built as they are
needed, and walks the trie of tokens for a mask; whether a single token is allowed costs about a microsecond.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.extras import require
from kaggle_magics.models.constraint import Vocabulary
from kaggle_magics.models.grammar.tokenizers import PURPOSE, Tokenizer, tokenizer_for

# The model chooses how forced text is split into tokens: a mask then allows exactly the tokens that are allowed alone.
_HEAD = '%llguidance {"no_forcing": true}\n'
# SentencePiece models begin an answer with a token that has a space in it.
_SPACE = '" "? '
_JSON_FORM = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
"""No white space but one space after a comma and a colon: there is no place in which a model could loop on it."""


class Grammar:
    """What texts are allowed. Compiled once for each model, by the first answer that needs it."""

    def __init__(self, source: str, what: str) -> None:
        """`source` is llguidance's Lark, `what` it is made from: "schema", "choices", "regex"."""
        self._source, self._what = _HEAD + source, what
        self._compiled: WeakKeyDictionary[Tokenizer, Any] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise `OptionError` when no model could be held to this: it says why."""
        library: Any = require("llguidance", PURPOSE)
        failed, said = library.LLMatcher.validate_grammar_with_warnings(self._source)
        if failed:
            raise self._refused(said[0])

    def begin(self, vocabulary: Vocabulary) -> GrammarMatcher:
        """A matcher at the beginning of an answer. Raises `OptionError`, `MissingExtra`."""
        tokenizer = tokenizer_for(vocabulary)
        with self._lock:
            if (compiled := self._compiled.get(tokenizer)) is None:
                library: Any = require("llguidance", PURPOSE)
                compiled = library.LLMatcher(tokenizer.trie, self._source, log_level=0)
                if compiled.is_error():
                    raise self._refused(compiled.get_error())
                self._compiled[tokenizer] = compiled
            return GrammarMatcher(compiled.deep_copy(), tokenizer)

    def _refused(self, said: str) -> OptionError:
        from kaggle_magics.models.grammar.refusals import explain

        return explain(said, self._what)


def grammar_of(described: Mapping[str, Any]) -> Grammar:
    """The grammar of {"schema": ...}, {"choices": [...]} or {"regex": ...} (`generation.structured`).

    JSON and choices may begin with a space. A regular expression has Rust's syntax, which is nearly Python's.
    """
    [(kind, given)] = described.items()
    if kind == "schema":
        rule = json.dumps({**given, "x-guidance": _JSON_FORM})
        return Grammar(f"start: {_SPACE}value\nvalue: %json {rule}\n", kind)
    if kind == "choices":
        texts = " | ".join(json.dumps(choice, ensure_ascii=False) for choice in given)
        return Grammar(f"start: {_SPACE}CHOICE\nCHOICE: {texts}\n", kind)
    library: Any = require("llguidance", PURPOSE)
    return Grammar(f"start: TEXT\nTEXT: /{library.regex_to_lark(given, use_ascii='')}/\n", kind)


class GrammarMatcher:
    """Follows one answer; see `models.constraint.Matcher`."""

    def __init__(self, matcher: Any, tokenizer: Tokenizer) -> None:
        self._matcher, self._tokenizer = matcher, tokenizer
        self._ends = frozenset(tokenizer.ends)

    @property
    def finished(self) -> bool:
        return bool(self._matcher.is_stopped())

    def allows(self, token: int) -> bool:
        if token in self._ends:
            return bool(self._matcher.is_accepting())
        return token < self._tokenizer.size and self._matcher.validate_tokens([token]) == 1

    def mask(self) -> NDArray[np.bool_]:
        size = self._tokenizer.size
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check()
        mask = np.unpackbits(bits, count=size, bitorder="little").astype(np.bool_)
        mask[self._tokenizer.ends] = self._matcher.is_accepting()
        return mask

    def advance(self, token: int) -> None:
        if token not in self._ends:
            self._matcher.consume_token(token)
            self._check()

    def _check(self) -> None:
        # A matcher in error says that the answer may end.
        if self._matcher.is_error():
            said = str(self._matcher.get_error()).strip().splitlines()
            raise EngineError(
                f"The structure of this answer became too complex to follow: {said[0][:200] if said else 'no reason'}.",
                "Ask for a simpler schema or expression.",
            )
