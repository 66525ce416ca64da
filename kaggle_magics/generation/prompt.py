"""What a person asks, before it is known which model answers it and what was said before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.answer import FORMATS, Answer, Format
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
    format: Format = "markdown"
    """How its answers are shown."""

    @classmethod
    def of(
        cls,
        text: str | Prompt,
        *,
        system: str | None = None,
        template: str = "auto",
        filled: Filled = (),
        format: Format = "markdown",
        **sampling: Any,
    ) -> Prompt:
        """From a text and options by name (a finished prompt takes none). `OptionError` for what cannot be asked."""
        if isinstance(text, Prompt):
            if system is not None or template != "auto" or format != "markdown" or sampling:
                raise OptionError("A Prompt has its options already.", "Change it with dataclasses.replace.")
            return text
        return cls(not_empty(text, "prompt"), system, template, Sampling.of(sampling), filled, check_format(format))

    def request(self) -> Request:
        """The request an engine is given."""
        return Request.ask(
            self.text, system=self.system, sampling=self.sampling, template=self.template, filled=self.filled
        )

    def shown(self, answer: Answer) -> Answer:
        """An answer to it, to be shown as it asks for."""
        return answer if answer.format == self.format else replace(answer, format=self.format)


def check_format(word: str) -> Format:
    """`word`, or `OptionError` where it is no format."""
    for known in FORMATS:
        if word == known:
            return known
    hint = did_you_mean(str(word), FORMATS) or f"There are: {', '.join(FORMATS)}."
    raise OptionError(f"There is no format {word!r}.", hint)


def not_empty(text: str, what: str) -> str:
    """`text`, or `OptionError` where it is none."""
    if not isinstance(text, str):
        raise OptionError(f"The {what} must be text, not {type(text).__name__}.")
    if not text.strip():
        raise OptionError(f"The {what} is empty.", "Write it in the cell's body.")
    return text
