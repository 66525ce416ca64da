"""The session: the one object with state, and the Python API of all the magics do.

One per process, as `get_ipython()` is: `get_session()`. It owns what is loaded, the collections, and the last answer;
everything below it is functions and frozen data. Each part of it is a file of this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kaggle_magics import extras, memory, wording
from kaggle_magics.chains.parse import parse
from kaggle_magics.chains.run import ChainResult, StepResult
from kaggle_magics.chains.run import run as run_chain
from kaggle_magics.code.check import CodeAnswer, check_code
from kaggle_magics.code.extract import extract_code
from kaggle_magics.errors import ChainError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.conversation import Thread
from kaggle_magics.generation.history.rows import Asked
from kaggle_magics.generation.preview import Own, Preview, Spans
from kaggle_magics.generation.prompt import not_empty
from kaggle_magics.generation.worker import OnText
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Filled, Request, Sampling
from kaggle_magics.session.batches import BatchCalls
from kaggle_magics.session.evaluating import EvaluatingCalls
from kaggle_magics.session.judging import JudgingCalls
from kaggle_magics.session.library import LibraryCalls
from kaggle_magics.session.verifying import VerifyingCalls

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from kaggle_magics.rag.collection import CollectionFacts


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """What the session holds right now."""

    models: tuple[LoadedModel, ...]
    current: str | None
    collections: Mapping[str, CollectionFacts]
    threads: Mapping[str, Thread]
    process_bytes: int
    """Resident memory of this process."""


class Session(BatchCalls, EvaluatingCalls, LibraryCalls, VerifyingCalls, JudgingCalls):
    """Loaded models, the current one, collections and the last answer."""

    def status(self) -> SessionStatus:
        """What is loaded, ingested and used right now."""
        collections = {name: collection.facts() for name, collection in self.collections.items()}
        current = self.current.name if self.current else None
        return SessionStatus(
            tuple(self.loaded.values()), current, collections, dict(self.threads), memory.process_bytes()
        )

    def close(self) -> None:
        """Free all models and close all collections; temporary ones are deleted. The session can be used again."""
        for name in list(self.loaded):
            self.unload(name)
        self._shelf.close()
        self._answered.clear()
        self._history.close()
        self.said.clear()
        self.last = self.several = self.compared = None
        self._forget_threads()

    def chain(
        self,
        text: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        namespace: Mapping[str, Any] | None = None,
        model: str | None = None,
        system: str | None = None,
        template: str = "auto",
        cache: bool | None = None,
        on_step: Callable[[StepResult], None] | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        **sampling: Any,
    ) -> ChainResult:
        """Run named prompts one after the other; see `chains.parse` for the text and `chains.run` for the fields.

        A failing step ends the chain; its error is in the result beside the finished steps. Raises `ChainError` for a
        text or a field that cannot be used, before anything is asked.
        """
        steps = parse(text)
        options = Sampling.of(sampling)
        self.model(model)

        def generate(prompt: str, filled: Filled) -> Answer:
            request = Request.ask(
                prompt, system=system, sampling=options, template=template, filled=filled, cache=cache
            )
            return self.generate(request, model=model, on_text=on_text, on_reasoning=on_reasoning, asked=Asked("chain"))

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
        filled: Filled = (),
        cache: bool | None = None,
        on_text: OnText | None = None,
        on_reasoning: OnText | None = None,
        **sampling: Any,
    ) -> CodeAnswer:
        """Have code written: `.code` is only the code, `.checks` what was found without running it."""
        request = replace(_code_request(task, language, template, sampling), filled=filled, cache=cache)
        answer = self.generate(request, model=model, on_text=on_text, on_reasoning=on_reasoning)
        code = extract_code(answer.text, language)
        checks = check_code(code, language)
        made = CodeAnswer(**answer.fields(), code=code, language=language, checks=checks)
        return self._keep(made, Asked("codegen", task))

    def preview_codegen(
        self,
        task: str,
        *,
        language: str = "Python",
        model: str | None = None,
        template: str = "auto",
        spans: Spans = (),
        **sampling: Any,
    ) -> Preview:
        """What `codegen` would send; `spans` tells where in the task values of variables stand."""
        return self._preview(_code_request(task, language, template, sampling), Own(task, spans), model=model)

    def as_langchain(self, *, model: str | None = None, system: str | None = None, **sampling: Any) -> BaseChatModel:
        """A LangChain chat model on a loaded model (the current one at the time of each call by default)."""
        extras.require("langchain_core", "A LangChain model")
        from kaggle_magics.interop.langchain import SessionChatModel

        return SessionChatModel(session=self, model=model, system=system, sampling=Sampling.of(sampling))


def _code_request(task: str, language: str, template: str, sampling: Mapping[str, Any]) -> Request:
    return Request.ask(
        not_empty(task, "task"),
        system=wording.code_system(language),
        sampling=Sampling.of(sampling),
        template=template,
    )


_session: Session | None = None


def get_session() -> Session:
    """The session of this process, made when it is first asked for."""
    global _session
    if _session is None:
        _session = Session()
    return _session
