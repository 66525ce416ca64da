"""The context within its budget, the request, checked citations, support, and answers without a model."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest

from kaggle_magics import wording
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.models.request import Message, Sampling, Usage
from kaggle_magics.rag.answering.answer import extractive, finish
from kaggle_magics.rag.answering.context import fill
from kaggle_magics.rag.answering.evidence import Evidence, weigh
from kaggle_magics.rag.answering.request import TEMPLATE_TOKENS, Grounded, Said, grounded_request
from kaggle_magics.rag.passages import Hit, Passage, Place

SAMPLING = Sampling(max_tokens=20)


def hits(*texts: str, context: str = "") -> list[Hit]:
    return [
        Hit(Passage(f"p{n}", f"d{n}", f"s{n}.md", 10, 10 + len(text), text, context), n, {"dense": 1.0})
        for n, text in enumerate(texts, start=1)
    ]


def slices(document: str, *spans: tuple[int, int], page: int | None = None, id: str = "d") -> list[Hit]:
    return [
        Hit(Passage(f"{id}:{n}", id, f"{id}.md", start, end, document[start:end], "", Place(page)), n, {"dense": 1.0})
        for n, (start, end) in enumerate(spans, start=1)
    ]


def count(text: str) -> int:
    return len(text.split())


def ask(found: list[Hit], budget: int, question: str = "Where is it?", **options: Any) -> Grounded:
    documents = options.pop("documents", {})
    return grounded_request(
        question, found, sampling=SAMPLING, count_tokens=count, budget=budget, document=documents.get, **options
    )


def answer(text: str) -> Answer:
    card = RunCard("m", "s", "e", "l", "cpu", "float32", (), "auto", SAMPLING, "0", "now")
    return Answer(text=text, stop_reason="end", usage=Usage(1, 0, 1, 0.1, 0.2), card=card)


def test_the_request_is_exactly_the_wording() -> None:
    found = hits("One.", "Two.", context="Head")
    grounded = ask(found, 1000)
    assert list(grounded.given) == found and grounded.request.sampling is SAMPLING and not grounded.continues
    assert [(turn.role, turn.content) for turn in grounded.request.messages] == [
        ("system", wording.GROUNDED_SYSTEM),
        ("user", "[1] (Head) One.\n\n[2] (Head) Two.\n\nQuestion: Where is it?"),
    ]
    assert [name for name, _ in grounded.parts] == ["system text", "passage [1]", "passage [2]", "question"]


def test_the_budget_holds_and_smaller_passages_still_fit() -> None:
    budget = 130
    grounded = ask(hits("short one", "long " * 200, "short two", "short one"), budget)
    # Too long and repeated ones are left out.
    assert [hit.passage.text for hit in grounded.given] == ["short one", "short two"]
    assert [hit.rank for hit in grounded.context.left_out] == [2]
    total = sum(count(turn.content) for turn in grounded.request.messages)
    assert total + TEMPLATE_TOKENS + SAMPLING.max_tokens <= budget


def test_a_best_passage_that_does_not_fit_is_cut_at_a_sentence_with_its_offsets() -> None:
    text = " ".join(f"Sentence number {number} is here." for number in range(100))
    grounded = ask(hits(text), 120)
    (hit,) = grounded.given
    assert grounded.context.cut and hit.passage.text.endswith("is here.")
    assert text.startswith(hit.passage.text) and len(hit.passage.text) < len(text)
    assert (hit.passage.start, hit.passage.end) == (10, 10 + len(hit.passage.text))
    (hit,) = ask(hits("word " * 500), 120).given
    assert 1 < count(hit.passage.text) < 100


def test_no_room_and_no_hits_are_errors() -> None:
    with pytest.raises(OptionError, match="no room"):
        ask(hits("One."), 100, "word " * 200)
    with pytest.raises(CollectionError, match="Nothing was found"):
        ask([], 100)


def test_passages_of_one_document_that_touch_become_one_at_the_place_of_the_best() -> None:
    document = "First sentence. Second sentence.\n\nThird sentence. Far away, the end."
    a, b, c = (0, 15), (16, 32), (34, 49)
    found = [*slices(document, c, a), *hits("Other."), *slices(document, b)]
    context = fill(found, lambda chosen: True, document={"d": document}.__getitem__)
    assert [hit.passage.text for hit in context.given] == [document[:49], "Other."] and context.joined == 2
    assert context.given[0].passage.start == 0 and context.given[0].rank == 1


def test_a_text_that_was_joined_or_cut_has_no_marks_of_another() -> None:
    document = "First sentence. Second sentence.\n\nFar away, the end."
    one, two, far = (replace(hit, matches=((0, 5),)) for hit in slices(document, (16, 32), (0, 15), (34, 52)))
    context = fill([one, two, far], lambda chosen: len(chosen) < 3, document={"d": document}.__getitem__)
    assert [hit.matches for hit in context.given] == [()]
    context = fill([one, replace(far, passage=replace(far.passage, document_id="e"))], lambda _: True, document=str)
    assert [hit.matches for hit in context.given] == [((0, 5),), ((0, 5),)]
    (long,) = (replace(hit, matches=((0, 8),)) for hit in hits("Sentence. " * 200))
    assert ask([long], 120).given[0].matches == ()


def test_passages_of_different_pages_stay_apart_so_that_a_citation_names_one() -> None:
    document = "First page. Second page."
    found = slices(document, (0, 11), page=1) + slices(document, (12, 24), page=2)
    context = fill(found, lambda chosen: True, document={"d": document}.__getitem__)
    assert [hit.passage.page for hit in context.given] == [1, 2] and context.joined == 0


def test_neighbours_come_in_where_the_budget_allows() -> None:
    document = "Before it. The answer. After it."
    before, found, after = slices(document, (0, 10), (11, 22), (23, 32))
    beside = {found.passage.id: [after.passage, before.passage]}
    get = {"d": document}.__getitem__
    context = fill([found], lambda chosen: True, beside=lambda p: beside[p.id], document=get)
    assert context.given[0].passage.text == document and context.widened == 1

    def tight(chosen: Any) -> bool:
        return sum(len(hit.passage.text) for hit in chosen) < 20

    context = fill([found], tight, beside=lambda p: beside[p.id], document=get)
    assert context.given[0].passage.text == "The answer." and context.widened == 0


@pytest.mark.parametrize("seed", range(60))
def test_what_is_given_is_always_a_slice_of_its_document_and_fits(seed: int) -> None:
    """Whatever the documents, passages, budget: exact slices, no text twice within a document's place, room kept."""
    draw = random.Random(seed)
    alphabet = "ab \n.é漢𝔘" + "\u0301"
    documents = {f"d{n}": "".join(draw.choices(alphabet, k=draw.randint(1, 400))) for n in range(draw.randint(1, 3))}
    found, beside = [], {}
    for id, text in documents.items():
        cuts = sorted(draw.sample(range(len(text) + 1), k=min(len(text) + 1, draw.randint(2, 9))))
        spans = [(max(0, low - draw.choice((0, 0, 3))), high) for low, high in itertools.pairwise(cuts) if low < high]
        made = [replace_page(hit, draw.choice((None, 1))) for hit in slices(text, *spans, id=id)]
        for at, hit in enumerate(made):
            beside[hit.passage.id] = [made[near].passage for near in (at + 1, at - 1) if 0 <= near < len(made)]
        found += made
    draw.shuffle(found)
    found = found[: draw.randint(1, 8)]
    budget = draw.randint(1, 900)
    if not found:
        return

    def fits(chosen: Any) -> bool:
        return sum(len(hit.passage.text) + 8 for hit in chosen) <= budget

    try:
        context = fill(found, fits, beside=lambda p: beside[p.id], document=documents.__getitem__)
    except OptionError:
        assert not any(fits([hit]) for hit in found)
        return
    assert context.given and fits(context.given)
    for hit in context.given:
        passage = hit.passage
        assert documents[passage.document_id][passage.start : passage.end] == passage.text
    done = extractive("a b 漢?", context.given, embedder=None)
    for citation in done.citations:
        for low, high in citation.spans:
            at = citation.passage.start
            assert citation.passage.text[low:high] == documents[citation.passage.document_id][at + low : at + high]


def replace_page(hit: Hit, page: int | None) -> Hit:
    passage = hit.passage
    return Hit(
        Passage(
            passage.id, passage.document_id, passage.source, passage.start, passage.end, passage.text, "", Place(page)
        ),
        hit.rank,
        hit.scores,
    )


def test_a_follow_up_goes_on_behind_what_was_said_and_gives_only_what_is_new() -> None:
    first = ask(hits("One.", "Two."), 1000)
    said = Said((*first.request.messages, Message("assistant", "It is [1].")), first.given)
    further = ask(hits("One.", "Two.", "Three."), 1000, "And then?", said=said)
    assert further.continues and further.request.messages[:3] == said.messages
    assert further.request.messages[3].content == "[3] Three.\n\nQuestion: And then?"
    assert [hit.passage.text for hit in further.given] == ["One.", "Two.", "Three."]
    nothing_new = ask(hits("One."), 1000, "And then?", said=said)
    assert nothing_new.request.messages[3].content == "Question: And then?"


def test_a_conversation_without_room_begins_anew_with_all_that_was_found() -> None:
    first = ask(hits("One."), 1000)
    said = Said((*first.request.messages, Message("assistant", "word " * 100)), first.given)
    further = ask(hits("One.", "Two."), 160, "And then?", said=said)
    assert not further.continues and [hit.passage.text for hit in further.given] == ["One.", "Two."]
    assert further.request.messages[0].content == wording.GROUNDED_SYSTEM and len(further.request.messages) == 2


def test_citations_are_checked_and_listed_once_in_their_order() -> None:
    found = hits("One.", "Two.", "Three.")
    done = finish(answer("It is two [2], one [1][2] and nine [9] or zero [0]."), found)
    assert [(citation.number, citation.passage.text) for citation in done.citations] == [(2, "Two."), (1, "One.")]
    assert done.unknown_citations == (9, 0) and not done.refused and not done.extractive
    assert done.hits == tuple(found) and done.usage.generated_tokens == 1


@pytest.mark.parametrize(
    "text", ["The documents do not say.", ' "the documents do not say"', "The documents do not say. [1]"]
)
def test_a_refusal_cites_nothing(text: str) -> None:
    done = finish(answer(text), hits("One."))
    assert done.refused and done.refused_by == "model" and done.citations == () and done.claims == ()


def test_an_answer_without_citations_is_neither_refused_nor_cited() -> None:
    done = finish(answer("It is two."), hits("One."))
    assert not done.refused and done.citations == () and done.unknown_citations == ()


def test_each_sentence_has_the_one_it_stands_on() -> None:
    text = "The tide is high. The library opens at nine in the morning."
    done = finish(answer("The library opens at nine. [1] It was founded by a queen [1]."), hits(text, "Boats are red."))
    first, second = done.claims
    assert first.supported and not second.supported and done.unsupported == ("It was founded by a queen [1].",)
    assert done.text[first.start : first.end] == "The library opens at nine. [1]"
    (citation,) = done.citations
    assert [text[low:high] for low, high in citation.spans] == ["The library opens at nine in the morning."]


@pytest.mark.parametrize("said", ["The library opens at ten [1].", "The library opens at 10 [1]."])
def test_a_number_that_is_not_there_is_without_support(said: str) -> None:
    supported = [claim.supported for claim in finish(answer(said), hits("The library opens at 9.")).claims]
    assert supported == ["ten" in said]  # in words it is one word of many


def test_a_paraphrase_is_supported_by_its_cosine(embedder: Any) -> None:
    class Near:
        name = identity = "near"
        dimension, max_tokens = 2, 512

        def embed_documents(self, texts: Any) -> Any:
            import numpy as np

            return np.array([[1.0, 0.0]] * len(texts), np.float32)

        def embed_query(self, text: str) -> Any:
            return self.embed_documents([text])[0]

    found = hits("The building admits visitors from nine.")
    (claim,) = finish(answer("It opens for visitors early [1]."), found, embedder=Near()).claims
    assert claim.cosine == pytest.approx(1, abs=1e-3) and claim.supported
    assert not finish(answer("It opens for visitors early [1]."), found).claims[0].supported


@pytest.mark.parametrize("text", ["", "[1]", "```python\nx = 1\n```", "...", "[1] [2]\n\n[3]"])
def test_what_says_nothing_is_no_claim(text: str) -> None:
    assert finish(answer(text), hits("One.")).claims == ()


def test_extracts_are_the_nearest_sentences_with_their_numbers(embedder: Any) -> None:
    found = hits("The tide is high. The library opens at nine\nin the morning.", "Boats are red.")
    done = extractive("When opens the library in the morning?", found, embedder=embedder)
    assert done.text == "The library opens at nine in the morning. [1]"
    assert done.extractive and not done.refused and [citation.number for citation in done.citations] == [1]
    assert done.usage.generated_tokens == 0 and done.card.model == "extracts"
    (span,) = done.citations[0].spans
    assert found[0].passage.text[slice(*span)] == "The library opens at nine\nin the morning."


def test_extracts_of_nothing_and_below_the_threshold_refuse(embedder: Any) -> None:
    found = hits("The tide is high.", "Boats are red.")
    for one in (embedder, None):
        evidence = weigh("Who won the chess prize?", found, one)
        assert not evidence.enough
        for given in (found, []):
            done = extractive("Who won the chess prize?", given, embedder=one, evidence=evidence)
            assert done.refused and done.refused_by == "evidence" and done.text == wording.REFUSAL
            assert done.citations == () and done.extractive and done.evidence is evidence


def test_extracts_without_embedder_go_by_words_and_context() -> None:
    found = hits("009 | 12 | none", "010 | 120 | projector", context="Lecture hall: Room | Seats | Equipment")
    done = extractive("Which lecture hall has a projector?", found, embedder=None)
    assert done.text.startswith("010 | 120 | projector [2]")


def test_evidence_is_enough_where_the_answer_stands_also_in_a_collection_of_one(embedder: Any) -> None:
    question = "When does the library open in the morning?"
    there = hits("The library opens at nine in the morning.")
    for one in (embedder, None):
        evidence = weigh(question, there, one)
        assert evidence.enough and 0 <= evidence.score <= 1 and evidence.kind == ("sentences" if one else "words")
        assert weigh(question, there, one).score > weigh(question, hits("Boats are red."), one).score
    assert weigh(question, [], embedder) == Evidence(0.0, evidence_threshold("sentences"), "sentences")


def evidence_threshold(kind: str) -> float:
    from kaggle_magics.rag.answering.weights import FITTED

    return FITTED[kind].threshold


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("図書館は何時に開きますか", "図書館は九時に開きます。"),
        ("Wann öffnet der Lesesaal?", "Der Lesesaal öffnet um neun Uhr."),
        ("?", "Nothing."),
        ("🐟", "🐟 swim."),
    ],
)
def test_any_language_is_weighed_without_harm(question: str, text: str, embedder: Any) -> None:
    for one in (embedder, None):
        evidence = weigh(question, hits(text, "Boats are red."), one)
        assert 0 <= evidence.score <= 1
    if len(question) > 2:
        assert evidence.enough and evidence.score > weigh(question, hits("Boats are red."), None).score
