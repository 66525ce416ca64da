"""What a person asks, before it is known which model answers it and what was said before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.models.request import Filled, Request, Sampling


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text with everything that is said about how to answer it. One prompt can be asked of several models."""

    text: str
    system: str | None = None
    template: str = "auto"
    sampling: Sampling = field(default_factory=Sampling)
    filled: Filled = field(default=(), compare=False)
    """What of the notebook was filled into the text: for the run card."""

    @classmethod
    def of(
        cls,
        text: str | Prompt,
        *,
        system: str | None = None,
        template: str = "auto",
        filled: Filled = (),
        **sampling: Any,
    ) -> Prompt:
        """From a text and options by name (a finished prompt takes none). `OptionError` for what cannot be asked."""
        if isinstance(text, Prompt):
            if system is not None or template != "auto" or sampling:
                raise OptionError("A Prompt has its options already.", "Change it with dataclasses.replace.")
            return text
        return cls(not_empty(text, "prompt"), system, template, Sampling.of(sampling), filled)

    def request(self) -> Request:
        """The request an engine is given."""
        return Request.ask(
            self.text, system=self.system, sampling=self.sampling, template=self.template, filled=self.filled
        )


def not_empty(text: str, what: str) -> str:
    """`text`, or `OptionError` where it is none."""
    if not isinstance(text, str):
        raise OptionError(f"The {what} must be text, not {type(text).__name__}.")
    if not text.strip():
        raise OptionError(f"The {what} is empty.", "Write it in the cell's body.")
    return text
