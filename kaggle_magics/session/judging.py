"""How a session measures what its collections find and answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_magics import wording
from kaggle_magics.errors import CollectionError, KaggleMagicsError, OptionError
from kaggle_magics.generation.attachments.description import counted
from kaggle_magics.generation.tables.rows import rows_of
from kaggle_magics.models.request import Request, Sampling
from kaggle_magics.session.asking import AskingCalls

if TYPE_CHECKING:
    from kaggle_magics.rag.evaluation.evaluation import Evaluation, Judged
    from kaggle_magics.rag.evaluation.questions import Question, QuestionSet


@dataclass(frozen=True, slots=True)
class JudgingProgress:
    """How far an evaluation is."""

    done: int
    of: int
    setting: str


OnJudged = Callable[[JudgingProgress], None]


class JudgingCalls(AskingCalls):
    """The part of a `Session` that evaluates collections."""

    def evaluate_search(
        self,
        questions: Any = None,
        *,
        collection: str | Sequence[str] = "default",
        make: int = 30,
        answers: bool = False,
        extract: bool = False,
        model: str | None = None,
        name: str | None = None,
        seed: int = 0,
        on_judged: OnJudged | None = None,
        **options: Any,
    ) -> Evaluation:
        """Search for every question under every setting, and measure what was found.

        `questions` is a table (a DataFrame, a list of dicts, a .csv or .jsonl file; `rag.evaluation.questions` says
        which columns), or `Question`s; None makes up to `make` of them from the collection (`make_questions`).
        `options` are those of `search`: a list makes several settings, and so does a list of collections. With
        `answers` each question is answered too, by `model`, or by extracts (`extract`, or where no model is loaded),
        and answer, citations and refusals are judged; sampling options go to the model. The stop button keeps what is
        done.

        Raises `OptionError` for a table that cannot be read or judged, before anything is searched.
        """
        from kaggle_magics.rag.evaluation.evaluation import Evaluation
        from kaggle_magics.rag.evaluation.settings import settings_of
        from kaggle_magics.rag.finding.options import SearchOptions

        names = [collection] if isinstance(collection, str) else list(collection)
        finding = {key: options.pop(key) for key in list(options) if key in SearchOptions.__dataclass_fields__}
        if options and not answers:
            raise OptionError(f"{next(iter(options))} is for answers, and none are asked for.", "Give answers=True.")
        Sampling.of(options)
        settings = settings_of({"collection": names, **finding})
        sets = {each: self._question_set(each, questions, name, make, model, seed) for each in names}
        total = sum(len(sets[setting["collection"]].questions) for setting in settings.values())
        judged: list[Judged] = []
        notes = [note for each in sets.values() for note in each.notes]
        try:
            for label, setting in settings.items():
                for question in sets[setting["collection"]].questions:
                    if on_judged is not None:
                        on_judged(JudgingProgress(len(judged), total, label))
                    ask = {"model": model, "extract": extract, **options} if answers else None
                    judged.append(self._judged(label, question, setting, ask))
        except KeyboardInterrupt:
            notes.append(f"Stopped: {len(judged)} of {total} were judged.")
        return Evaluation(judged, settings=settings, collection=", ".join(names), notes=list(dict.fromkeys(notes)))

    def make_questions(
        self, count: int = 30, *, collection: str = "default", model: str | None = None, seed: int = 0
    ) -> list[Question]:
        """Questions about sentences of the collection's passages, at most `count`; the same ones for the same `seed`.

        A loaded model words them; without one they are words of the sentences. Raises `CollectionError` where the
        collection holds no sentence to ask about.
        """
        from kaggle_magics.rag.evaluation.making import asked, candidates, keywords

        found: list[Question] = []
        worded = model is not None or self.current is not None
        for candidate in candidates(self.collection(collection).all_passages(), seed):
            text: str | None = keywords(candidate, seed)
            if worded:
                request = Request.ask(
                    wording.question_about(candidate.sentence, candidate.passage.context),
                    sampling=Sampling(max_tokens=60, temperature=0.0),
                )
                text = asked(self.generate(request, model=model).text)
            if text:
                found.append(candidate.question(text, len(found) + 1))
            if len(found) >= count:
                break
        if not found:
            raise CollectionError(f"The collection {collection!r} holds no sentence to ask about.")
        return found

    def _question_set(
        self, collection: str, questions: Any, name: str | None, make: int, model: str | None, seed: int
    ) -> QuestionSet:
        from kaggle_magics.rag.evaluation.questions import Question, QuestionSet, questions_of

        target = self.collection(collection)
        if questions is None:
            by = (
                "by the model"
                if model or self.current
                else "from words of its sentences, which flatters lexical search"
            )
            made = self.make_questions(make, collection=collection, model=model, seed=seed)
            return QuestionSet(tuple(made), (f"{counted(len(made), 'question')} about the collection, made {by}.",))
        given = [questions] if isinstance(questions, Question) else questions
        if isinstance(given, list | tuple) and given and all(isinstance(each, Question) for each in given):
            return QuestionSet(tuple(replace(each, row=row) for row, each in enumerate(given, start=1)))
        called = name or (Path(given).name if isinstance(given, str | PathLike) else "the table of questions")
        sources = [facts.source for facts in target.facts().sources]
        return questions_of(rows_of(given, name=called), name=called, sources=sources, text_of=target.source_text)

    def _judged(
        self, label: str, question: Question, setting: Mapping[str, Any], ask: Mapping[str, Any] | None
    ) -> Judged:
        from kaggle_magics.rag.evaluation.evaluation import Judged
        from kaggle_magics.rag.evaluation.judging import judge_answer, judge_hits

        begin = time.perf_counter()
        try:
            hits = self.search(question.text, **setting)
            seconds = time.perf_counter() - begin
            answer = self.ask(question.text, **setting, **ask) if ask is not None else None
        except KaggleMagicsError as error:
            return Judged(label, question, error=error.message, seconds=time.perf_counter() - begin)
        measures = judge_hits(question, hits) | (judge_answer(question, answer) if answer is not None else {})
        return Judged(label, question, tuple(hits), measures, answer, seconds=seconds)
