"""What a session answers from its collections."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kaggle_magics import wording
from kaggle_magics.errors import ReplayMiss
from kaggle_magics.generation.answer import InThread
from kaggle_magics.generation.conversation import Thread, Turn, TurnKey, says_nothing
from kaggle_magics.generation.history.rows import Asked
from kaggle_magics.generation.preview import Own, Preview, Spans
from kaggle_magics.generation.prompt import not_empty
from kaggle_magics.generation.waiting import in_line, shortened
from kaggle_magics.generation.worker import OnText
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Filled, Message, Request, Sampling
from kaggle_magics.session.conversations import ConversationCalls, key_of
from kaggle_magics.session.searching import SearchingCalls

if TYPE_CHECKING:
    from kaggle_magics.rag.answering.answer import GroundedAnswer
    from kaggle_magics.rag.answering.evidence import Evidence
    from kaggle_magics.rag.answering.found import Found
    from kaggle_magics.rag.answering.request import Grounded, Said
    from kaggle_magics.rag.collection import Collection
    from kaggle_magics.rag.finding.options import SearchOptions
    from kaggle_magics.rag.passages import Hit

_TOO_SMALL = 300_000_000
"""Models with fewer parameters are not asked to rewrite a question."""
_REMEMBERED = 3
"""So many earlier questions a rewriting looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """A question on its way: what it became, and what was found for it."""

    question: str
    searched: str
    target: Collection
    hits: list[Hit]
    pool: list[Hit]
    evidence: Evidence
    seconds: float


class AskingCalls(SearchingCalls, ConversationCalls):
    """The part of a `Session` that answers from documents."""

    def ask(
        self,
        question: str,
        *,
        collection: str = "default",
        model: str | None = None,
        extract: bool = False,
        no_refusal: bool = False,
        thread: str | None = None,
        new: bool = False,
        turn: str | TurnKey | None = None,
        filled: Filled = (),
        cache: bool | None = None,
        on_found: Callable[[Found], None] | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        **options: Any,
    ) -> GroundedAnswer:
        """Answer from the collection only, with citations, or refuse.

        Where nothing found is good enough (`GroundedAnswer.evidence` holds the figures) no model is asked, unless
        `no_refusal`. Without any model, or with `extract`, the answer is the best sentences of the documents, word for
        word. `options` are those of `search` and of sampling, by name; `on_found` gets what was found before the first
        word of the answer.

        `thread`, `new` and `turn` are as for `prompt`: a follow-up question is made to stand alone before it is
        searched, passages that were given earlier in the conversation keep their numbers and are not sent again. Where
        one of those was changed or forgotten meanwhile, the model is asked without the conversation.
        """
        from kaggle_magics.rag.answering import answer as answers
        from kaggle_magics.rag.answering.found import Found
        from kaggle_magics.rag.finding.options import SearchOptions

        key = key_of(thread, turn, new=new)
        finding = SearchOptions.take(options)
        sampling = Sampling.of(options)
        not_empty(question, "question")
        target = self.collection(collection)
        loaded = None if extract or (model is None and self.current is None) else self.model(model)
        with self._conversation(thread, key, question, new=new) as (conversation, before):
            asking = self._found(question, target, finding, before, loaded)
            enough = bool(asking.hits) and (asking.evidence.enough or no_refusal)
            grounded = None
            if loaded is not None and enough:
                grounded = self._grounded(asking, sampling, loaded, before)
                request = replace(grounded.request, filled=filled, cache=cache)
            given = asking.hits if grounded is None else grounded.given
            if on_found is not None:
                on_found(
                    Found(
                        question=question,
                        searched=asking.searched,
                        hits=tuple(given),
                        evidence=asking.evidence,
                        refused=not enough,
                        grounded=grounded,
                        count_tokens=loaded.count_tokens if loaded else None,
                        preview=None
                        if grounded is None or loaded is None
                        else (lambda: self._preview(request, Own(asking.searched), model=loaded.name)),
                    )
                )
            place = None if conversation is None else _place(conversation, before, grounded, target, new=new)
            asked = Asked("ask", question, thread, key, before[-1].entry if before else None)
            about: dict[str, Any] = {
                "question": question,
                "searched": asking.searched if asking.searched != question else "",
                "evidence": asking.evidence,
            }
            if loaded is not None and grounded is not None:
                said = self.generate(
                    request, model=loaded.name, on_text=on_text, on_reasoning=on_reasoning, asked=asked, thread=place
                )
                about["left_out"] = len(grounded.context.left_out)
                answer = answers.finish(said, grounded.given, embedder=_embedder(target, finding), **about)
            else:
                if loaded is not None:
                    answer = answers.refusal(
                        asking.searched, asking.hits, embedder=target.embedder, seconds=asking.seconds, **about
                    )
                else:
                    about["evidence"] = replace(asking.evidence, threshold=0.0) if no_refusal else asking.evidence
                    answer = answers.extractive(
                        asking.searched, asking.hits, embedder=_embedder(target, finding), pool=asking.pool, **about
                    )
                answer = replace(answer, card=replace(answer.card, thread=place))
            self._keep(answer, asked)
            if conversation is not None and not says_nothing(answer):
                conversation.turns, conversation.restored = [*before, Turn(answer, key, self._entry_of(answer))], 0
                self.threads.put(conversation)
        return answer

    def preview_ask(
        self,
        question: str,
        *,
        collection: str = "default",
        model: str | None = None,
        thread: str | None = None,
        new: bool = False,
        turn: str | TurnKey | None = None,
        spans: Spans = (),
        **options: Any,
    ) -> Preview:
        """What `ask` would send to a model: the passages that fit, then the question. Nothing is evaluated.

        `spans` tells where in the question values of variables stand. It is shown also where the evidence is not good
        enough. Raises `CollectionError` where nothing is found.
        """
        from kaggle_magics.rag.finding.options import SearchOptions

        key = key_of(thread, turn, new=new)
        finding = SearchOptions.take(options)
        sampling = Sampling.of(options)
        not_empty(question, "question")
        loaded = self.model(model)
        with self._conversation(thread, key, question, new=new) as (_, before):
            asking = self._found(question, self.collection(collection), finding, before, None)
            grounded = self._grounded(asking, sampling, loaded, before)
        own = Own(question, spans) if asking.searched == question else Own(asking.searched)
        return self._preview(grounded.request, own, model=loaded.name)

    @contextlib.contextmanager
    def _conversation(
        self, thread: str | None, key: TurnKey | None, question: str, *, new: bool
    ) -> Iterator[tuple[Thread | None, list[Turn]]]:
        """The thread that is asked in, alone with it, and the turns before this one."""
        if thread is None:
            yield None, []
            return
        conversation = self._thread_to_ask(thread)
        with in_line(conversation.lock, f"thread {thread}", f"the answer to {shortened(question)}"):
            yield conversation, [] if new else conversation.before(key)

    def _found(
        self,
        question: str,
        target: Collection,
        finding: SearchOptions,
        before: Sequence[Turn],
        loaded: LoadedModel | None,
    ) -> _Asking:
        """Make the question stand alone, search it, and weigh what was found."""
        from kaggle_magics.rag.answering.evidence import POOL, weigh
        from kaggle_magics.rag.finding.options import SearchOptions

        begin = time.perf_counter()
        searched = self._standing_alone(question, before, loaded) if before else question
        hits = target.find(searched, finding)
        plain = SearchOptions(passages=max(POOL, finding.passages), mode=finding.mode, where=finding.where)
        pool = target.find(searched, plain) if hits else []
        evidence = weigh(searched, pool, _embedder(target, finding))
        return _Asking(
            question=question,
            searched=searched,
            target=target,
            hits=hits,
            pool=pool,
            evidence=evidence,
            seconds=time.perf_counter() - begin,
        )

    def _standing_alone(self, question: str, before: Sequence[Turn], loaded: LoadedModel | None) -> str:
        """A follow-up made to stand alone: by the model where it is able to, else by the words of the turn before."""
        from kaggle_magics.rag.answering.answer import GroundedAnswer
        from kaggle_magics.rag.answering.follow_up import depends, is_rewriting, stand_alone

        if not depends(question):
            return question
        # "Thanks." in a thread is nothing that a question about documents goes on from.
        asked = [turn for turn in before if isinstance(turn.answer, GroundedAnswer)] or before
        turns = [(_question(turn), turn.answer.text) for turn in asked[-_REMEMBERED:]]
        if loaded is not None and _is_able(loaded):
            request = Request.ask(
                wording.standalone_question(turns, question),
                system=wording.STANDALONE_SYSTEM,
                sampling=Sampling(max_tokens=80, temperature=0.0, seed=0),
            )
            text = ""
            # A replay does not know how large its model is; where nothing was recorded, none was asked.
            with contextlib.suppress(ReplayMiss), self._begun(request, loaded.name) as running:
                running.generation.run()
                if running.generation.stop_reason == "interrupted":
                    raise KeyboardInterrupt
                text = running.answer().text.strip().strip("\"'")
            if is_rewriting(text, question, [each for turn in turns for each in turn]):
                return text
        return stand_alone(question, turns[-1][0])

    def _grounded(self, asking: _Asking, sampling: Sampling, loaded: LoadedModel, before: Sequence[Turn]) -> Grounded:
        """The request for an answer from what was found."""
        from kaggle_magics.rag.answering.request import grounded_request

        return grounded_request(
            asking.searched,
            asking.hits,
            sampling=sampling,
            count_tokens=loaded.count_tokens,
            budget=loaded.facts.context_length,
            document=asking.target.document_text,
            beside=asking.target.beside,
            said=_said(before, asking.target),
        )


def _said(before: Sequence[Turn], target: Collection) -> Said | None:
    """The conversation as it was last sent to a model about passages; None where one of them is not in the collection
    any longer, or was in another: what was forgotten is neither sent nor cited again."""
    from kaggle_magics.rag.answering.answer import GroundedAnswer
    from kaggle_magics.rag.answering.request import Said

    for turn in reversed(before):
        answer = turn.answer
        sent = answer.card.messages
        if isinstance(answer, GroundedAnswer) and sent and sent[0].content == wording.GROUNDED_SYSTEM:
            if not all(target.has(hit.passage) for hit in answer.hits):
                return None
            return Said((*sent, Message("assistant", answer.text)), answer.hits)
    return None


def _place(
    conversation: Thread, before: Sequence[Turn], grounded: Grounded | None, target: Collection, *, new: bool
) -> InThread:
    anew = grounded is not None and not grounded.continues and _said(before, target) is not None
    return InThread(
        conversation.name,
        turn=len(before) + 1,
        left_out=len(before) if anew else 0,
        replaced=not new and len(before) < len(conversation),
        cut=0 if new else max(0, len(conversation) - len(before) - 1),
        restored=min(conversation.restored, len(before)),
    )


def _question(turn: Turn) -> str:
    """What a turn asked, standing alone."""
    answer = turn.answer
    asked = getattr(answer, "searched", "") or getattr(answer, "question", "")
    return asked or turn.question.content


def _embedder(target: Collection, finding: SearchOptions) -> Any:
    return None if finding.mode == "lexical" else target.embedder


def _is_able(loaded: LoadedModel) -> bool:
    """Whether a model is large enough to rewrite a question; one whose size is not known is taken to be."""
    parameters = loaded.checkpoint.parameters if loaded.checkpoint else None
    return parameters is None or parameters >= _TOO_SMALL
