"""Questions are read and placed, rankings and answers judged, settings compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kaggle_magics
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.tables.rows import rows_of
from kaggle_magics.rag.answering.answer import Citation, GroundedAnswer
from kaggle_magics.rag.evaluation.evaluation import Evaluation, Judged
from kaggle_magics.rag.evaluation.judging import held, judge_answer, judge_hits, word_f1
from kaggle_magics.rag.evaluation.making import asked, candidates, keywords
from kaggle_magics.rag.evaluation.questions import Question, QuestionSet, Reference, questions_of
from kaggle_magics.rag.evaluation.settings import settings_of
from kaggle_magics.rag.passages import Hit, Passage
from kaggle_magics.session import Session

TEXTS = {
    "lib/opening.md": "The reading room opens at nine.\nIt closes at six in the evening, except on Sundays.",
    "lib/boats.md": "The archive keeps a boat called Maren.\nShe was built in 1912 by two brothers from Varde.",
}


def read(rows: list[dict[str, Any]]) -> QuestionSet:
    return questions_of(rows_of(rows), name="questions", sources=list(TEXTS), text_of=TEXTS.__getitem__)


def hit(source: str, start: int, end: int, rank: int = 1) -> Hit:
    text = TEXTS[source][start:end]
    return Hit(Passage(f"{source}:{start}", source, source, start, end, text), rank, {"dense": 1.0 / rank})


def test_each_way_to_say_what_should_be_found() -> None:
    boat = TEXTS["lib/boats.md"].index("a boat called Maren")
    span = Reference("lib/boats.md", boat, boat + 19)
    rows = [
        {"question": "Which boat?", "source": "boats.md", "start": boat, "end": boat + 19},
        {"question": "Which boat?", "quote": "a boat  called\nMaren"},
        {
            "question": "Which boat?",
            "references": json.dumps([{"content": "a boat called Maren", "start_index": boat, "end_index": boat + 19}]),
            "corpus_id": "boats",
        },
        {"question": "Which boat?", "source": "lib/boats.md"},
        {"question": "Which boat?", "answer": "Maren; the Maren"},
        {"question": "Which plane?", "answerable": "no"},
        {"question": "Which plane?", "is_impossible": True},
        {"question": "Which plane?", "answer": None, "answerable": "no"},
    ]
    found = [read([row]).questions[0] for row in rows]
    assert [question.references for question in found[:3]] == [(span,)] * 3
    assert [question.kind for question in found] == ["spans"] * 3 + ["sources", "answers"] + ["none"] * 3
    assert found[3].sources == ("lib/boats.md",)
    assert found[4].answers == ("Maren", "the Maren")


def test_a_row_that_says_nothing_of_an_answer_has_none() -> None:
    answerable, without = read([{"question": "Boat?", "answer": "Maren"}, {"question": "?", "answer": None}]).questions
    assert answerable.answerable and not without.answerable
    with pytest.raises(OptionError, match="no row says where"):
        read([{"question": "Boat?", "answer": None}])


def test_wrong_offsets_are_mended_by_the_words_they_should_hold() -> None:
    row = {
        "question": "?",
        "source": "boats",
        "references": [{"content": "built in 1912", "start_index": 0, "end_index": 13}],
    }
    reference = read([row]).questions[0].references[0]
    assert TEXTS[reference.source][reference.start : reference.end] == "built in 1912"


def test_questions_without_a_place_are_left_out_and_told() -> None:
    found = read(
        [
            {"question": "Which boat?", "quote": "Maren"},
            {"question": "Which sea?", "quote": "the North Sea"},
            {"question": "", "quote": "Maren"},
            {"question": "Where?", "source": "missing.md"},
        ]
    )
    assert [(question.text, question.row) for question in found.questions] == [("Which boat?", 1)]
    (note,) = found.notes
    assert "row 2" in note and "North Sea" in note and "row 3 has no question" in note and "missing.md" in note


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"questoin": "?", "quote": "x"}], "no column question.*Did you mean"),
        ([{"question": "?", "note": "x"}], "no column to judge by"),
        ([{"question": "?", "quote": "not there at all"}], "can be judged"),
        ([{"question": "?", "references": "{not json"}], "can be judged.*JSON"),
        ([{"question": "?", "source": "boats", "start": 5, "end": 500}], "no stretch"),
    ],
)
def test_a_table_that_cannot_be_judged_says_why(rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        read(rows)


def test_spans_are_judged_by_characters_and_ranks() -> None:
    question = Question("?", (Reference("lib/boats.md", 10, 20), Reference("lib/opening.md", 0, 10)))
    found = judge_hits(
        question, [hit("lib/boats.md", 0, 15), hit("lib/opening.md", 20, 30), hit("lib/boats.md", 12, 25)]
    )
    # Found: 25 + 10 characters; of the 20 known ones 10 are in them.
    assert found["recall"] == 10 / 20
    assert found["precision"] == 10 / 35
    assert found["iou"] == 10 / (20 + 35 - 10)
    assert found["complete"] == 0.0
    assert found["mrr"] == 1.0
    assert 0 < found["ndcg"] < 1
    whole = judge_hits(question, [hit("lib/boats.md", 5, 25), hit("lib/opening.md", 0, 12)])
    assert whole["recall"] == whole["complete"] == whole["ndcg"] == 1.0
    assert judge_hits(question, [])["ndcg"] == 0.0


def test_sources_are_judged_once_each() -> None:
    question = Question("?", sources=("lib/boats.md",))
    found = judge_hits(question, [hit("lib/opening.md", 0, 5), hit("lib/boats.md", 0, 5), hit("lib/boats.md", 5, 9)])
    assert found == {"recall": 1.0, "precision": 2 / 3, "mrr": 0.5, "ndcg": pytest.approx(0.6309, abs=1e-4)}


def test_answers_are_looked_for_as_whole_words() -> None:
    assert held("The Maren", "a boat called Maren.") and held("1912", "in 1912, by")
    assert not held("ten", "often") and not held("", "anything")
    assert held("東京", "首都は東京です。") and not held("京東", "首都は東京です。")
    assert word_f1("two brothers", "built by two old brothers") == pytest.approx(2 * 2 / (2 + 5))
    question = Question("?", answers=("Maren",))
    found = judge_hits(question, [hit("lib/opening.md", 0, 31), hit("lib/boats.md", 0, 39)])
    assert found["recall"] == 1.0 and found["precision"] == 0.5 and found["mrr"] == 0.5


def grounded(session_answer: Answer, text: str, passages: list[Passage], *, refused: bool = False) -> GroundedAnswer:
    cited = tuple(Citation(number, passage) for number, passage in enumerate(passages, start=1))
    return GroundedAnswer(**{**session_answer.fields(), "text": text}, citations=cited, refused=refused)


@pytest.fixture
def plain(make: Callable[..., Any]) -> Answer:
    session = Session()
    session.ingest(TEXTS, store="numpy", embedder=None)
    try:
        return session.ask("Which boat does the archive keep?", extract=True)
    finally:
        session.close()


def test_answers_and_their_citations_are_judged(plain: Answer) -> None:
    right, wrong = hit("lib/boats.md", 0, 39).passage, hit("lib/opening.md", 0, 31).passage
    question = Question("?", (Reference("lib/boats.md", 0, 39),), answers=("Maren",))
    good = judge_answer(question, grounded(plain, "It is Maren [1].", [right]))
    assert good == {"wrong refusal": 0.0, "answer": 1.0, "f1": pytest.approx(0.4), "citation": 1.0}
    half = judge_answer(question, grounded(plain, "It is the Anna.", [right, wrong]))
    assert (half["answer"], half["citation"]) == (0.0, 0.5)
    silent = judge_answer(question, grounded(plain, "Maren?", [], refused=True))
    assert (silent["wrong refusal"], silent["answer"]) == (1.0, 0.0) and "citation" not in silent
    none = Question("?", answerable=False)
    assert judge_answer(none, grounded(plain, "The documents do not say.", [], refused=True)) == {"refusal": 1.0}
    assert judge_answer(none, grounded(plain, "Blue.", [right])) == {"refusal": 0.0}


def test_settings_are_a_grid_that_is_checked() -> None:
    found = settings_of({"mode": ["lexical", "hybrid"], "passages": (3, 5), "where": None, "collection": "c"})
    assert list(found) == [
        "mode lexical, passages 3",
        "mode lexical, passages 5",
        "mode hybrid, passages 3",
        "mode hybrid, passages 5",
    ]
    assert settings_of({"passages": 3}) == {"as given": {"passages": 3}}
    for options, words in (
        ({"mode": []}, "no values"),
        ({"mode": ["lexical", "lexical"]}, "twice"),
        ({"mode": ["semantic"]}, "semantic"),
        ({"colour": 3}, "colour"),
        ({"passages": list(range(1, 60))}, "too many"),
    ):
        with pytest.raises(OptionError, match=words):
            settings_of(options)


def test_the_best_setting_is_suggested_with_its_chance() -> None:
    def judged(setting: str, values: list[float]) -> list[Judged]:
        return [Judged(setting, Question("?", row=row), measures={"ndcg": v}) for row, v in enumerate(values, start=1)]

    clear = Evaluation(
        [*judged("a", [0.1, 0.2, 0.3, 0.1]), *judged("b", [0.6, 0.7, 0.9, 0.5])], settings={"a": {}, "b": {}}
    )
    assert clear.best == "b" and "b (+0.500" in clear.suggestion and "chance" not in clear.suggestion
    chance = Evaluation(
        [*judged("a", [0.1, 0.9, 0.3, 0.5]), *judged("b", [0.9, 0.2, 0.3, 0.5])], settings={"a": {}, "b": {}}
    )
    assert "within chance" in chance.suggestion
    # A question that one setting lacks (it was stopped) is left out of the comparison.
    partly = Evaluation([*judged("a", [0.1, 0.2]), *judged("b", [0.6])], settings={"a": {}, "b": {}})
    gain = partly.difference("a", "b", "ndcg")
    assert gain is not None and gain.count == 1 and gain.mean == pytest.approx(0.5)
    assert Evaluation([], settings={"a": {}}).suggestion == ""


@pytest.fixture
def session() -> Any:
    one = kaggle_magics.get_session()
    one.ingest(TEXTS, store="numpy")
    return one


def test_a_session_evaluates_settings_and_collections(session: Session) -> None:
    session.ingest({"other.md": "Nothing about ships here, only bread and salt."}, collection="small", store="numpy")
    questions = [
        {"question": "When does the reading room open?", "quote": "opens at nine", "answer": "nine"},
        {"question": "Who built the boat?", "quote": "two brothers from Varde", "answer": "two brothers"},
        {"question": "Who wrote the anthem of Peru?", "answerable": "no"},
    ]
    seen: list[int] = []
    found = session.evaluate_search(
        questions,
        mode=["lexical", "hybrid"],
        passages=2,
        answers=True,
        extract=True,
        on_judged=lambda p: seen.append(p.done),
    )
    assert list(found.settings) == ["mode lexical", "mode hybrid"]
    assert seen == list(range(6))
    recall = found.figure("mode lexical", "recall")
    assert recall is not None and recall.mean == 1.0 and recall.count == 2
    assert {"ndcg", "iou", "answer", "citation", "refusal", "wrong refusal"} <= set(found.measures)
    assert found.decides == "answer"
    with pytest.raises(OptionError, match="can be judged"):
        session.evaluate_search(questions[:2], collection=["default", "small"])


def test_questions_are_made_from_the_collection_itself(session: Session) -> None:
    made = session.make_questions(10, seed=3)
    assert made == session.make_questions(10, seed=3)
    for question in made:
        (reference,) = question.references
        sentence = TEXTS[reference.source][reference.start : reference.end].casefold()
        assert question.text and all(word in sentence for word in question.text.split())
    found = session.evaluate_search(make=4, mode="lexical", passages=1)
    recall = found.figure("as given", "recall")
    assert recall is not None and recall.mean > 0.5
    assert "flatters lexical search" in " ".join(found.notes)


def test_candidates_take_the_sources_in_turn_and_passages_once(session: Session) -> None:
    passages = session.collection().all_passages()
    found = list(candidates(passages, seed=1))
    assert len({each.passage.id for each in found}) == len(found)
    assert {found[0].passage.source, found[1].passage.source} == set(TEXTS)
    for each in found:
        assert each.sentence == TEXTS[each.passage.source][each.start : each.end]
        assert keywords(each) == keywords(each)


def test_a_models_question_is_taken_out_of_what_it_says() -> None:
    assert asked('Sure!\n1. "Who built the boat?"\nIt was ...') == "Who built the boat?"
    assert asked("Question: Wer baute es?") == "Wer baute es?"
    assert asked("The boat was built.") is None and asked("") is None


def test_options_that_do_not_fit_are_refused_before_searching(session: Session) -> None:
    rows = [{"question": "?", "quote": "nine"}]
    with pytest.raises(OptionError, match="temperature"):
        session.evaluate_search(rows, temperature=0.5)
    with pytest.raises(OptionError, match="colour"):
        session.evaluate_search(rows, answers=True, colour=3)
    with pytest.raises(CollectionError, match="missing"):
        session.evaluate_search(rows, collection="missing")
    with pytest.raises(OptionError, match="no file"):
        session.evaluate_search(Path("nowhere.csv"))


def test_a_stopped_evaluation_keeps_what_is_done(session: Session) -> None:
    def stop(progress: Any) -> None:
        if progress.done == 1:
            raise KeyboardInterrupt

    rows = [{"question": "When does it open?", "quote": "nine"}] * 3
    found = session.evaluate_search(rows, on_judged=stop)
    assert len(found) == 1 and "Stopped: 1 of 3" in found.notes[0]
