"""A request on its way on a loaded model, and the answer it becomes."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from kaggle_magics import __version__
from kaggle_magics.errors import EngineError
from kaggle_magics.generation.answer import Answer, RunCard
from kaggle_magics.generation.worker import Generation
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
        text, stop_reason, usage = self.generation.text, self.generation.stop_reason, self.generation.usage
        if stop_reason is None or usage is None:
            raise EngineError("The answer is not finished yet.")
        facts = self.model.facts
        card = RunCard(
            model=self.model.name,
            source=self.model.source,
            engine=facts.engine,
            library=facts.library,
            device=facts.device,
            dtype=facts.dtype,
            adapter=str(self.model.plan.adapter) if self.model.plan and self.model.plan.adapter else None,
            quant=self.model.plan.quant if self.model.plan else None,
            messages=self.request.messages,
            template=self.request.template,
            chat_template=self.model.has_template,
            sampling=self.request.sampling,
            version=__version__,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        return Answer(text=text, stop_reason=stop_reason, usage=usage, card=card, reasoning=self.generation.reasoning)
