"""A request on its way on a loaded model, and the answer it becomes."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from kaggle_magics import __version__
from kaggle_magics.errors import EngineError, KaggleMagicsError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.card import RunCard, shortened
from kaggle_magics.generation.worker import Generated, Generation, OnText
from kaggle_magics.models.constraint import stable_form
from kaggle_magics.models.identity import identify, text_hash
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Request, StopReason, Usage
from kaggle_magics.models.templates.named import NAMED


class Recalled:
    """Stands in for a generation where the answer is known: iterate over its text, or `run` it, as there."""

    stop_reason: StopReason | None

    def __init__(self, answer: Answer) -> None:
        self.text, self.reasoning = answer.text, answer.reasoning
        self.stop_reason, self.usage = answer.stop_reason, answer.usage

    def __iter__(self) -> Iterator[str]:
        if self.text:
            yield self.text

    def run(self, on_text: OnText | None = None, on_reasoning: OnText | None = None) -> None:
        """All of it at once."""
        if on_reasoning and self.reasoning:
            on_reasoning(self.reasoning)
        if on_text and self.text:
            on_text(self.text)


@dataclass(frozen=True, slots=True)
class Running:
    """A request on its way, with all that its answer will have to tell."""

    model: LoadedModel
    request: Request
    generation: Generation | Recalled
    kept: Answer | None = None
    """The answer, where it was kept from an earlier time."""

    def answer(self) -> Answer:
        """The answer, once the generation has ended."""
        if self.kept is not None:
            return self.kept
        assert not isinstance(self.generation, Recalled)
        return answer_of(self.model, self.request, self.generation)


def answer_of(model: LoadedModel, request: Request, generated: Generated) -> Answer:
    """What came back for a request, with its run card. Raises `EngineError` while it has not ended."""
    text, stop_reason, usage = generated.text, generated.stop_reason, generated.usage
    if stop_reason is None or usage is None:
        raise EngineError("The answer is not finished yet.")
    card = card_of(model, request)
    return Answer(
        text=text,
        stop_reason=stop_reason,
        usage=usage,
        card=card,
        reasoning=generated.reasoning,
        tokens=tuple(generated.tokens),
        error=generated.error,
        progress=generated.progress,
    )


def failed(model: LoadedModel, request: Request, error: KaggleMagicsError) -> Answer:
    """The answer of a table's row that cannot be asked."""
    return Answer(text=str(error), stop_reason="error", usage=Usage(0, 0, 0, 0.0, 0.0), card=card_of(model, request))


def card_of(model: LoadedModel, request: Request) -> RunCard:
    """The run card of a request that runs on a loaded model."""
    facts, identity = model.facts, model.identity or identify(model)
    return RunCard(
        model=model.name,
        source=identity.source,
        engine=facts.engine,
        library=facts.library,
        device=facts.device,
        dtype=facts.dtype,
        messages=request.messages,
        template=request.template,
        sampling=request.sampling,
        version=__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        chat_template=identity.has_template,
        adapter=identity.adapter,
        quant=identity.quant,
        content=identity.content,
        adapter_content=identity.adapter_content,
        template_hash=_template_hash(request.template, identity.template),
        context_length=facts.context_length,
        python=platform.python_version(),
        filled=shortened(request.filled),
        structure=stable_form(request.constraint),
        logprobs=request.logprobs,
        resumed=len(request.begun.tokens) if request.begun else 0,
    )


def _template_hash(template: str, own: str | None) -> str | None:
    return text_hash(NAMED[template]) if template in NAMED else own if template == "auto" else None
