"""What a model wants written before a question and before a passage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Pooling = Literal["mean", "cls", "lasttoken"]

_DOCUMENT = ("document", "passage", "corpus")
"""Names of a document's prompt, in sentence-transformers' order. Its own `encode_document` never comes to the second
name, as it gives every model an empty first one; models that were saved with the second mean it all the same."""
_SEARCH = "Represent this sentence for searching relevant passages: "


@dataclass(frozen=True, slots=True)
class Prompts:
    """Texts that go before a question and before a passage, as they are."""

    query: str = ""
    document: str = ""
    source: str = ""
    """Where they are from, for people; empty where there are none."""

    of_family: bool = False
    """Whether the model's own files say nothing, and its family's cards were believed."""

    @property
    def key(self) -> str:
        """A part of an embedder's identity."""
        return f"{self.query}\0{self.document}" if self.query or self.document else ""


@dataclass(frozen=True, slots=True)
class Family:
    """What the cards of a family's models say and their files may not."""

    name: str
    pattern: re.Pattern[str]
    """Of the model's name in lower case."""
    prompts: Prompts
    pooling: Pooling


def _family(name: str, pattern: str, query: str, document: str, pooling: Pooling) -> Family:
    source = f"as the cards of the {name} models say" if query or document else ""
    return Family(name, re.compile(pattern), Prompts(query, document, source, bool(source)), pooling)


FAMILIES = (
    # huggingface.co/intfloat/e5-base-v2, multilingual-e5-base: each text begins with one of the two.
    _family("E5", r"(^|[^a-z])e5-(small|base|large)(?!.*instruct)", "query: ", "passage: ", "mean"),
    # huggingface.co/BAAI/bge-base-en-v1.5, bge-base-zh-v1.5: the instruction is for questions only. bge-m3 has none.
    _family("BGE", r"bge-(small|base|large)-zh", "为这个句子生成表示以用于检索相关文章\uff1a", "", "cls"),
    _family("BGE", r"bge-(small|base|large)(-en)?", _SEARCH, "", "cls"),
    _family("BGE", r"bge-m3", "", "", "cls"),
    # huggingface.co/nomic-ai/nomic-embed-text-v1.5
    _family("nomic-embed-text", r"nomic-embed-text", "search_query: ", "search_document: ", "mean"),
    # huggingface.co/mixedbread-ai/mxbai-embed-large-v1
    _family("mxbai-embed", r"mxbai-embed", _SEARCH, "", "cls"),
    # huggingface.co/Snowflake/snowflake-arctic-embed-l-v2.0 and -m: the second generation has a shorter one.
    _family("snowflake-arctic-embed", r"snowflake-arctic-embed.*v2", "query: ", "", "cls"),
    _family("snowflake-arctic-embed", r"snowflake-arctic-embed", _SEARCH, "", "cls"),
    # huggingface.co/google/embeddinggemma-300m
    _family("EmbeddingGemma", r"embedding-?gemma", "task: search result | query: ", "title: none | text: ", "mean"),
    # huggingface.co/Qwen/Qwen3-Embedding-0.6B
    _family(
        "Qwen3-Embedding",
        r"qwen3-embedding",
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
        "",
        "lasttoken",
    ),
)
"""Families whose files often lack what their cards say; used only where the files say nothing."""


def family_of(name: str) -> Family | None:
    """The family that a model's name tells, or None."""
    text = name.casefold().replace("_", "-")
    return next((family for family in FAMILIES if family.pattern.search(text)), None)


def prompts_of(config: Mapping[str, Any], name: str) -> Prompts:
    """The prompts in `config_sentence_transformers.json`; where it names none, those of the model's family."""
    saved = config.get("prompts")
    texts = {key: text for key, text in saved.items() if isinstance(text, str)} if isinstance(saved, dict) else {}
    if any(texts.values()):
        document = next((texts[key] for key in _DOCUMENT if texts.get(key)), "")
        return Prompts(texts.get("query", ""), document, "as config_sentence_transformers.json says")
    family = family_of(name)
    return family.prompts if family is not None else Prompts()
