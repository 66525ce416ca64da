"""The figures evidence is made of, by an embedder whose tokens are its words: what each tells, and its limits."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from kaggle_magics.rag.answering.evidence import weigh
from kaggle_magics.rag.answering.words import content_tokens
from kaggle_magics.rag.embedding.protocol import Vectors, unit
from kaggle_magics.rag.passages import Hit, Passage

BACKGROUND = [
    "Boats are red.",
    "The library has maps. Tea is served on Friday.",
    "The ferry leaves in the evening. It is slow.",
    "A lamp hangs over the desk.",
]
ANSWER = "The harbour library lends books. It opens at nine in the morning."
QUESTION = "When does the harbour library open in the morning?"


def direction(word: str) -> Vectors:
    row: Vectors = np.random.default_rng(list(word.lower().removesuffix("s").encode())).normal(size=256)
    return unit(row.astype(np.float32))


class WordEmbedder:
    """Tells a vector for each word: equal words have cosine 1, others about 0; a text is the mean of its words."""

    name = identity = "words@test"
    dimension, max_tokens = 256, 512

    def embed_tokens(self, texts: Sequence[str]) -> list[tuple[list[tuple[int, int]], Vectors]]:
        found = []
        for text in texts:
            spans = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
            rows = [direction(text[low:high]) for low, high in spans]
            found.append((spans, np.array(rows, np.float32).reshape(-1, self.dimension)))
        return found

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        return unit(self.embed_tokens([text])[0][1].sum(axis=0) + np.float32(1e-3))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(each) for each, _ in self.embed_tokens(texts)]


def hits(*texts: str) -> list[Hit]:
    return [
        Hit(Passage(f"p{n}", f"d{n}", f"s{n}.md", 0, len(text), text), n, {}) for n, text in enumerate(texts, start=1)
    ]


def figures(question: str, *texts: str) -> dict[str, float]:
    evidence = weigh(question, hits(*texts), WordEmbedder())
    assert evidence.kind == "tokens" and 0 <= evidence.score <= 1
    return dict(evidence.features)


def test_the_passage_with_the_answer_leads_and_is_not_beaten_at_any_word() -> None:
    there, gone = figures(QUESTION, ANSWER, *BACKGROUND), figures(QUESTION, *BACKGROUND)
    assert there["window lead"] > gone["window lead"] + 0.2
    assert there["words matched elsewhere"] < 0.02 < 0.1 < gone["words matched elsewhere"]
    assert there["bm25"] > gone["bm25"] > 0
    both = [weigh(QUESTION, hits(*texts), WordEmbedder()).score for texts in ([ANSWER, *BACKGROUND], BACKGROUND)]
    assert both[0] > both[1] + 0.2


def test_a_window_is_two_neighbouring_sentences() -> None:
    near = figures(QUESTION, ANSWER, *BACKGROUND)
    far = figures(QUESTION, ANSWER.replace(". It", ". Boats are red. Tea is hot. It"), *BACKGROUND)
    one = figures(QUESTION, ANSWER.replace(". It", " and it"), *BACKGROUND)
    assert near["window"] > far["window"] + 0.1
    assert near["window"] == pytest.approx(one["window"], abs=0.05)


def test_small_collections_have_no_background_and_are_not_blamed_for_it() -> None:
    alone = figures(QUESTION, ANSWER)
    assert alone["words matched elsewhere"] == 0 and alone["window lead"] > 0.2
    assert weigh(QUESTION, hits(ANSWER), WordEmbedder()).enough


def test_order_and_repetition_of_the_background_change_nothing() -> None:
    there = figures(QUESTION, ANSWER, *BACKGROUND)
    assert figures(QUESTION, *BACKGROUND[::-1], ANSWER) == pytest.approx(there)
    assert figures(QUESTION, ANSWER, *BACKGROUND) == there


@pytest.mark.parametrize("texts", [("",), ("", ANSWER), ("...",), ("\u200b", "🐟"), (ANSWER,) * 30])
@pytest.mark.parametrize("question", ["", "?", "the", QUESTION, "図書館は何時に開きますか"])
def test_every_figure_is_finite(question: str, texts: tuple[str, ...]) -> None:
    assert np.isfinite(list(figures(question, *texts).values())).all()


def test_content_tokens_are_pieces_of_words_that_say_something() -> None:
    text = "When is the harbour open?"
    spans = [(0, 4), (5, 7), (8, 11), (12, 16), (16, 19), (20, 24), (24, 25)]
    assert [text[slice(*spans[at])] for at in content_tokens(text, spans)] == ["harb", "our", "open"]
    assert content_tokens("of the", [(0, 2), (3, 6)]) == [0, 1] and content_tokens("", []) == []
