"""The session: the one object with state, and the Python API of all the magics do.

One per process, as `get_ipython()` is: `get_session()`. It owns what is loaded, the collections, and the last answer;
everything below it is functions and frozen data.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from kaggle_magics import extras, memory, wording
from kaggle_magics.chains.parse import parse
from kaggle_magics.chains.run import ChainResult, StepResult
from kaggle_magics.chains.run import run as run_chain
from kaggle_magics.code.check import CodeAnswer, check_code
from kaggle_magics.code.extract import extract_code
from kaggle_magics.errors import ChainError, DoesNotFit, OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.running import Running, answer_of
from kaggle_magics.generation.worker import Generation, TableGeneration, Worker
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Piece, Request, Sampling
from kaggle_magics.rag.shelf import Shelf
from kaggle_magics.session.models import ModelCalls

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from kaggle_magics.rag.answer import GroundedAnswer
    from kaggle_magics.rag.collection import Collection, CollectionFacts
    from kaggle_magics.rag.ingestion import IngestReport
    from kaggle_magics.rag.passages import Hit
    from kaggle_magics.rag.search import Mode

OnText = Callable[[str], None]
OnPiece = Callable[[int, Piece], None]


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """What the session holds right now."""

    models: tuple[LoadedModel, ...]
    current: str | None
    collections: Mapping[str, CollectionFacts]
    process_bytes: int
    """Resident memory of this process."""


class Session(ModelCalls):
    """Loaded models, the current one, collections and the last answer."""

    def __init__(self) -> None:
        super().__init__()
        self._shelf = Shelf()
        self.last: Answer | None = None

    def status(self) -> SessionStatus:
        """What is loaded, ingested and used right now."""
        collections = {name: collection.facts() for name, collection in self.collections.items()}
        current = self.current.name if self.current else None
        return SessionStatus(tuple(self.loaded.values()), current, collections, memory.process_bytes())

    def close(self) -> None:
        """Free all models and close all collections; temporary ones are deleted. The session can be used again."""
        for name in list(self.loaded):
            self.unload(name)
        self._shelf.close()
        self.last = None

    # -- asking ------------------------------------------------------------------------------------------------

    def prompt(
        self,
        text: str,
        *,
        model: str | None = None,
        system: str | None = None,
        template: str = "auto",
        on_text: OnText | None = None,
        **sampling: Any,
    ) -> Answer:
        """Ask a loaded model. `sampling` are the fields of `models.request.Sampling`.

        `on_text` gets each new piece of text, in this thread. The notebook's stop button ends the answer early: its
        `stop_reason` is then "interrupted".
        """
        request = Request.ask(
            _not_empty(text, "prompt"), system=system, sampling=Sampling.of(sampling), template=template
        )
        return self._keep(self.generate(request, model=model, on_text=on_text))

    def chain(
        self,
        text: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        namespace: Mapping[str, Any] | None = None,
        model: str | None = None,
        system: str | None = None,
        template: str = "auto",
        on_step: Callable[[StepResult], None] | None = None,
        on_text: OnText | None = None,
        **sampling: Any,
    ) -> ChainResult:
        """Run named prompts one after the other; see `chains.parse` for the text and `chains.run` for the fields.

        A failing step ends the chain; its error is in the result beside the finished steps. Raises `ChainError` for a
        text or a field that cannot be used, before anything is asked.
        """
        steps = parse(text)
        options = Sampling.of(sampling)
        self.model(model)

        def generate(prompt: str) -> Answer:
            request = Request.ask(prompt, system=system, sampling=options, template=template)
            return self.generate(request, model=model, on_text=on_text)

        result = run_chain(steps, generate, inputs=inputs or {}, namespace=namespace, on_step=on_step)
        if result.answer:
            self._keep(result.answer)
        return result

    def chain_over(
        self, text: str, rows: Iterable[Mapping[str, Any]], *, inputs: Mapping[str, Any] | None = None, **options: Any
    ) -> list[ChainResult]:
        """Run a chain for each mapping of inputs, in order. A failing row does not stop the others; a stop does."""
        results: list[ChainResult] = []
        for row in rows:
            results.append(self.chain(text, inputs={**(inputs or {}), **row}, **options))
            if not results[-1].complete and results[-1].error is None:
                break
        if not results:
            raise ChainError("There is nothing to run the chain over: the list is empty.")
        return results

    def codegen(
        self,
        task: str,
        *,
        language: str = "Python",
        model: str | None = None,
        template: str = "auto",
        on_text: OnText | None = None,
        **sampling: Any,
    ) -> CodeAnswer:
        """Have code written: `.code` is only the code, `.checks` what was found without running it."""
        request = Request.ask(
            _not_empty(task, "task"),
            system=wording.code_system(language),
            sampling=Sampling.of(sampling),
            template=template,
        )
        answer = self.generate(request, model=model, on_text=on_text)
        code = extract_code(answer.text, language)
        written = CodeAnswer(**answer.fields(), code=code, language=language, checks=check_code(code, language))
        self._keep(written)
        return written

    def generate(self, request: Request, *, model: str | None = None, on_text: OnText | None = None) -> Answer:
        """Run one request on a loaded model; the calls above are made of this one."""
        with self.generating(request, model=model) as running:
            running.generation.run(on_text)
        return running.answer()

    def generate_many(
        self, requests: Sequence[Request], *, model: str | None = None, on_piece: OnPiece | None = None
    ) -> list[Answer]:
        """Run many requests on a loaded model in as few passes as it can: their answers, in the requests' order.

        `on_piece` gets (index of the request, piece) as they come, in this thread; rows may alternate. A request that
        fails is an answer with `stop_reason` "error" and the reason as its text. The stop button keeps what is done:
        answers on their way and those not begun are then "interrupted".
        """
        loaded = self.model(model)
        requests = [_complete(request, loaded) for request in requests]
        table = TableGeneration(loaded.engine, requests)
        with self._alone(loaded, table):
            table.run(None if on_piece is None else lambda shown: on_piece(*shown))
        return [answer_of(loaded, request, row) for request, row in zip(requests, table.answers, strict=True)]

    @contextmanager
    def generating(self, request: Request, *, model: str | None = None) -> Iterator[Running]:
        """A request that is about to run, alone on its model, and that `stop` can reach."""
        loaded = self.model(model)
        request = _complete(request, loaded)
        running = Running(loaded, request, Generation(loaded.engine, request))
        with self._alone(loaded, running.generation):
            yield running

    @contextmanager
    def _alone(self, loaded: LoadedModel, work: Worker[Any]) -> Iterator[None]:
        with loaded.lock:
            self._running.add(work)
            try:
                yield
            except DoesNotFit as error:
                trouble = error
            else:
                return
            finally:
                self._running.discard(work)
        raise self._pool.out_of_memory(loaded, trouble)

    # -- documents ---------------------------------------------------------------------------------------------

    @property
    def collections(self) -> Mapping[str, Collection]:
        """The open collections by name."""
        return self._shelf.collections

    def ingest(
        self,
        paths: Any,
        *,
        collection: str = "default",
        path: str | PathLike[str] | None = None,
        chunk_size: int | None = None,
        chunk_overlap: int | None = None,
        embedder: str | None = None,
        store: str | None = None,
        on_progress: Callable[..., None] | None = None,
    ) -> IngestReport:
        """Read documents into a collection: files, folders, globs, a `{name: text}` mapping, or LangChain documents.

        Running it again on the same files embeds nothing. `path` is the folder that keeps the collection; without it
        the collection is temporary. `chunk_size` and `chunk_overlap` are in characters.
        """
        target = self._shelf.get_or_open(path, name=collection, embedder=embedder, store=store)
        return target.ingest(paths, chunk_size=chunk_size, chunk_overlap=chunk_overlap, on_progress=on_progress)

    def open_collection(
        self,
        path: str | PathLike[str] | None,
        *,
        collection: str = "default",
        embedder: str | None = None,
        store: str | None = None,
    ) -> Collection:
        """Open (or begin) a collection in the folder `path`, or a temporary one; it replaces one of the same name."""
        return self._shelf.open(path, name=collection, embedder=embedder, store=store)

    def collection(self, name: str = "default") -> Collection:
        """The open collection of that name; `CollectionError` where there is none."""
        return self._shelf.get(name)

    def close_collection(self, name: str = "default") -> None:
        """Close a collection; a temporary one is deleted."""
        self._shelf.close(name)

    def search(
        self,
        question: str,
        *,
        collection: str = "default",
        passages: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The passages nearest to a question, best first. `mode` is "hybrid", "vector" or "lexical"."""
        return self.collection(collection).search(
            _not_empty(question, "question"), passages=passages, mode=mode, where=where
        )

    def ask(
        self,
        question: str,
        *,
        collection: str = "default",
        passages: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        model: str | None = None,
        extract: bool = False,
        on_text: OnText | None = None,
        **sampling: Any,
    ) -> GroundedAnswer:
        """Answer from the collection only, with citations, or refuse.

        Without any model, or with `extract`, the answer is the best sentences of the documents, word for word.
        """
        from kaggle_magics.rag import answer as grounded

        options = Sampling.of(sampling)
        hits = self.search(question, collection=collection, passages=passages, mode=mode, where=where)
        # With nothing found there is nothing to ask a model about: the extract of nothing is the refusal.
        if extract or not hits or (model is None and self.current is None):
            sentences = grounded.extractive(question, hits, embedder=self.collection(collection).embedder)
            self._keep(sentences)
            return sentences
        loaded = self.model(model)
        request, used = grounded.grounded_request(
            question, hits, sampling=options, count_tokens=loaded.count_tokens, budget=loaded.facts.context_length
        )
        finished = grounded.finish(self.generate(request, model=loaded.name, on_text=on_text), used)
        self._keep(finished)
        return finished

    # -- other frameworks --------------------------------------------------------------------------------------

    def as_langchain(self, *, model: str | None = None, system: str | None = None, **sampling: Any) -> BaseChatModel:
        """A LangChain chat model on a loaded model (the current one at the time of each call by default)."""
        extras.require("langchain_core", "A LangChain model")
        from kaggle_magics.interop.langchain import SessionChatModel

        return SessionChatModel(session=self, model=model, system=system, sampling=Sampling.of(sampling))

    # -- inside ------------------------------------------------------------------------------------------------

    def _keep(self, answer: Answer) -> Answer:
        self.last = answer
        return answer


def _complete(request: Request, loaded: LoadedModel) -> Request:
    """The request as it will run: the model's template, and a seed, so that the run card can say how to get the same
    answer again."""
    if request.template == "auto":
        request = replace(request, template=loaded.template)
    if request.sampling.seed is None:
        request = replace(request, sampling=replace(request.sampling, seed=secrets.randbelow(2**32)))
    return request


def _not_empty(text: str, what: str) -> str:
    if not isinstance(text, str):
        raise OptionError(f"The {what} must be text, not {type(text).__name__}.")
    if not text.strip():
        raise OptionError(f"The {what} is empty.", "Write it in the cell's body.")
    return text


_session: Session | None = None


def get_session() -> Session:
    """The session of this process, made when it is first asked for."""
    global _session
    if _session is None:
        _session = Session()
    return _session
