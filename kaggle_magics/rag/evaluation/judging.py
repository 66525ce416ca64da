"""What one search, and one answer, is worth."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kaggle_magics.rag.evaluation.metrics import common, length, ndcg, reciprocal_rank
from kaggle_magics.rag.evaluation.questions import Question
from kaggle_magics.rag.passages import Hit, Passage

if TYPE_CHECKING:
    from kaggle_magics.rag.answering.answer import GroundedAnswer

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_MARKS = str.maketrans("", "", string.punctuation)
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\s{_IDEOGRAPHS}]+")
"""Chinese and Japanese have no spaces: each character is a word."""


def judge_hits(question: Question, hits: Sequence[Hit]) -> dict[str, float]:
    """Measures of a ranking, each between 0 and 1; empty for a question without anything to find.

    - "recall": the share of the known stretches' characters (of the known documents) that was found; where only the
      answer is known, whether any passage holds it;
    - "precision": the share of the found characters that belong to known stretches; of the passages that are from known
      documents, or hold the answer;
    - "iou": characters in both of found and known by characters in either (stretches only);
    - "complete": whether all known stretches were found whole (stretches only);
    - "mrr" and "ndcg": by the rank at which each known stretch, document or answer first appears.
    """
    if question.kind == "none":
        return {}
    if question.kind == "spans":
        return _by_spans(question, hits)
    if question.kind == "sources":
        ranked = list(dict.fromkeys(hit.passage.source for hit in hits))
        wanted = set(question.sources)
        fresh = [source in wanted for source in ranked]
        inside = sum(hit.passage.source in wanted for hit in hits)
        return {
            "recall": sum(fresh) / len(wanted),
            "precision": inside / len(hits) if hits else 0.0,
            "mrr": reciprocal_rank(fresh),
            "ndcg": ndcg(fresh, len(wanted)) if fresh else 0.0,
        }
    holds = [any(held(answer, hit.passage.text) for answer in question.answers) for hit in hits]
    first = [hold and not any(holds[:rank]) for rank, hold in enumerate(holds)]
    return {
        "recall": float(any(holds)),
        "precision": sum(holds) / len(holds) if holds else 0.0,
        "mrr": reciprocal_rank(first),
        "ndcg": ndcg(first, 1) if first else 0.0,
    }


def judge_answer(question: Question, answer: GroundedAnswer) -> dict[str, float]:
    """Measures of an answer, each 0 or 1 or between.

    - "refusal": whether a question without an answer was refused;
    - "wrong refusal": whether one that has an answer was;
    - "answer": whether the text holds one of the known answers (SQuAD's normalisation), and "f1" the best F1 of their
      words (Rajpurkar et al. 2016), a refusal being 0;
    - "citation": the share of the citations that point at a passage that is relevant; 0 for an answer without any.
    """
    if not question.answerable:
        return {"refusal": float(answer.refused)}
    found = {"wrong refusal": float(answer.refused)}
    if question.answers:
        text = "" if answer.refused else answer.text
        found["answer"] = float(any(held(known, text) for known in question.answers))
        found["f1"] = max(word_f1(known, text) for known in question.answers)
    if not answer.refused and question.kind != "none":
        right = [is_relevant(question, citation.passage) for citation in answer.citations]
        found["citation"] = sum(right) / len(right) if right else 0.0
    return found


def is_relevant(question: Question, passage: Passage) -> bool:
    """Whether a passage holds something of what should be found."""
    if question.kind == "spans":
        return any(
            each.source == passage.source and passage.start < each.end and each.start < passage.end
            for each in question.references
        )
    if question.kind == "sources":
        return passage.source in question.sources
    return any(held(answer, passage.text) for answer in question.answers)


def held(answer: str, text: str) -> bool:
    """Whether a text holds an answer as whole words, without regard to case, punctuation and articles."""
    known, words = _words(answer), _words(text)
    return bool(known) and f" {' '.join(known)} " in f" {' '.join(words)} "


def word_f1(answer: str, text: str) -> float:
    """F1 of the words two texts share."""
    known, words = _words(answer), _words(text)
    shared = sum((Counter(known) & Counter(words)).values())
    return 2 * shared / (len(known) + len(words)) if shared else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(_ARTICLE.sub(" ", text.casefold().translate(_MARKS)))


def _by_spans(question: Question, hits: Sequence[Hit]) -> dict[str, float]:
    known: dict[str, list[tuple[int, int]]] = {}
    for each in question.references:
        known.setdefault(each.source, []).append((each.start, each.end))
    found: dict[str, list[tuple[int, int]]] = {}
    for hit in hits:
        found.setdefault(hit.passage.source, []).append((hit.passage.start, hit.passage.end))
    covered = sum(common(spans, found.get(source, ())) for source, spans in known.items())
    wanted, read = _total(known), _total(found)
    whole = all(
        common([(each.start, each.end)], found.get(each.source, ())) == each.end - each.start
        for each in question.references
    )
    fresh, missed = _fresh(question, hits)
    return {
        "recall": covered / wanted,
        "precision": covered / read if read else 0.0,
        "iou": covered / (wanted + read - covered),
        "complete": float(whole),
        "mrr": reciprocal_rank(fresh),
        "ndcg": ndcg(fresh, sum(fresh) + missed) if fresh else 0.0,
    }


def _total(spans: Mapping[str, list[tuple[int, int]]]) -> int:
    return sum(map(length, spans.values()))


def _fresh(question: Question, hits: Sequence[Hit]) -> tuple[list[bool], int]:
    """For each rank whether it touches a known stretch that no earlier one touched, and how many are never touched.

    A rank that touches several at once counts once: a long passage is one thing to read.
    """
    left = set(question.references)
    marks = []
    for hit in hits:
        here = hit.passage
        touched = {
            each for each in left if each.source == here.source and here.start < each.end and each.start < here.end
        }
        left -= touched
        marks.append(bool(touched))
    return marks, len(left)
