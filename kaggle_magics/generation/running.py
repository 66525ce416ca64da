"""A request on its way on a loaded model, and the answer it becomes."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from kaggle_magics import __version__
from kaggle_magics.errors import EngineError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.generation.worker import Generated, Generation
from kaggle_magics.models.loaded import LoadedModel
from kaggle_magics.models.request import Request


@dataclass(frozen=True, slots=True)
class Running:
    """A request on its way, with all that its answer will have to tell."""

    model: LoadedModel
    request: Request
    generation: Generation

    def answer(self) -> Answer:
        """The answer, once the generation has ended."""
        return answer_of(self.model, self.request, self.generation)


def answer_of(model: LoadedModel, request: Request, generated: Generated) -> Answer:
    """What came back for a request, with its run card. Raises `EngineError` while it has not ended."""
    text, stop_reason, usage = generated.text, generated.stop_reason, generated.usage
    if stop_reason is None or usage is None:
        raise EngineError("The answer is not finished yet.")
    facts = model.facts
    card = RunCard(
        model=model.name,
        source=model.source,
        engine=facts.engine,
        library=facts.library,
        device=facts.device,
        dtype=facts.dtype,
        adapter=str(model.plan.adapter) if model.plan and model.plan.adapter else None,
        quant=model.plan.quant if model.plan else None,
        messages=request.messages,
        template=request.template,
        chat_template=model.has_template,
        sampling=request.sampling,
        version=__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return Answer(
        text=text,
        stop_reason=stop_reason,
        usage=usage,
        card=card,
        reasoning=generated.reasoning,
        tokens=tuple(generated.tokens),
    )
