"""The real all-MiniLM-L6-v2 on the example handbook: what is there is found, what is not is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.extras import installed
from kaggle_magics.rag.answering.answer import extractive
from kaggle_magics.rag.answering.evidence import POOL, weigh
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.embedding.models import PACKAGE, find_embedder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (installed(PACKAGE) and installed("sentence_transformers")), reason="all-MiniLM-L6-v2 is not installed"
    ),
    pytest.mark.skipif(not installed("pypdf"), reason="pypdf is not installed"),
]


@pytest.fixture(scope="module")
def handbook(root: Path) -> Iterator[Collection]:
    collection = Collection(None, name="handbook", embedder="all-MiniLM-L6-v2", store="numpy")
    report = collection.ingest(root / "examples/handbook")
    assert report.count("added") == 6 and report.count("skipped") == 0
    yield collection
    collection.close()


@pytest.fixture(scope="module")
def questions(root: Path) -> list[dict[str, Any]]:
    lines = (root / "examples/handbook_source/questions.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def right(hit: Any, question: dict[str, Any]) -> bool:
    text = " ".join(hit.passage.text.split()).lower()
    page = question.get("page")
    named = hit.passage.source.endswith(question["source"]) and page in (None, hit.passage.page)
    return bool(named and question["answer"].lower() in text)


@pytest.mark.parametrize(("mode", "least"), [("hybrid", 0.95), ("dense", 0.9), ("lexical", 0.9)])
def test_the_answer_is_among_the_first_five(
    handbook: Collection, questions: list[dict[str, Any]], mode: str, least: float
) -> None:
    asked = [question for question in questions if question["source"]]
    found = [
        any(right(hit, question) for hit in handbook.search(question["question"], mode=mode)) for question in asked
    ]
    assert len(asked) >= 25 and sum(found) / len(found) >= least


def test_extracts_answer_what_is_there_and_refuse_what_is_not(
    handbook: Collection, questions: list[dict[str, Any]]
) -> None:
    answered, refused = [], []
    for question in questions:
        text, embedder = question["question"], handbook.embedder
        pool = handbook.search(text, passages=POOL)
        evidence = weigh(text, pool, embedder)
        done = extractive(text, handbook.search(text), embedder=embedder, evidence=evidence, pool=pool)
        if question["source"]:
            answered.append(not done.refused and question["answer"].lower() in done.text.lower())
        else:
            refused.append(done.refused)
        for citation in done.citations:
            assert (
                handbook.document_text(citation.passage.document_id)[citation.passage.start : citation.passage.end]
                == citation.passage.text
            )
    assert sum(answered) / len(answered) >= 0.9 and sum(refused) / len(refused) >= 0.8


def test_the_model_loads_quietly_and_gives_unit_vectors(capfd: pytest.CaptureFixture[str]) -> None:
    embedder = find_embedder("sentence-transformers/all-MiniLM-L6-v2")
    assert embedder is not None and (embedder.name, embedder.dimension) == ("all-MiniLM-L6-v2", 384)
    vectors = embedder.embed_documents(["The library opens at nine.", "", "Das Meer 🐟"])
    assert vectors.shape == (3, 384) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    query = embedder.embed_query("When does the library open?")
    assert query.shape == (384,) and query @ vectors[0] > 0.6 > query @ vectors[2]
    assert embedder.max_tokens == 256
    assert capfd.readouterr() == ("", "")
