"""What a person asks, before it is known which model answers it and what was said before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kaggle_magics import wording
from kaggle_magics.errors import OptionError, did_you_mean
from kaggle_magics.generation.answer import FORMATS, Answer, Format
from kaggle_magics.generation.structured.structure import Structure, structure_of
from kaggle_magics.models.request import Filled, Request, Sampling

if TYPE_CHECKING:
    from kaggle_magics.generation.attachments.attach import Attached

MOST_LOGPROBS = 20
"""Alternatives to a token; servers tell no more either."""


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
    structure: Structure | None = None
    """What its answers have to look like."""
    constrain_only: bool = False
    """Answers are held to the structure, but the model is not told of it."""
    attached: Attached | None = None
    """What stands before the text: objects and files in words, and images."""
    logprobs: int | None = None
    """How many alternatives to each token are told, with their probabilities; 0 tells the chosen ones alone."""
    cache: bool | None = field(default=None, compare=False)
    """Whether an answer that was kept from an earlier time will do; None: as the session does it."""
    spans: tuple[tuple[int, int, str], ...] = field(default=(), compare=False)
    """Where in the text values of the notebook stand: (start, end, field), for a preview."""

    @classmethod
    def of(
        cls,
        text: str | Prompt,
        *,
        system: str | None = None,
        template: str = "auto",
        filled: Filled = (),
        format: Format = "markdown",
        schema: Any = None,
        choices: Any = None,
        regex: Any = None,
        constrain_only: bool = False,
        attached: Attached | None = None,
        logprobs: int | None = None,
        cache: bool | None = None,
        spans: tuple[tuple[int, int, str], ...] = (),
        **sampling: Any,
    ) -> Prompt:
        """From a text and options by name (a finished prompt takes none). `OptionError` for what cannot be asked.

        `schema` (a pydantic model, a JSON schema, a Python type), `choices` (some texts) or `regex` is what the answer
        has to be; `Answer.value` is then the object.
        """
        if isinstance(text, Prompt):
            structured = constrain_only or any(value is not None for value in (schema, choices, regex))
            shown = format != "markdown" or logprobs is not None or cache is not None
            changed = system is not None or template != "auto" or shown or attached is not None
            if changed or structured or sampling:
                raise OptionError("A Prompt has its options already.", "Change it with dataclasses.replace.")
            return text
        options = Sampling.of(sampling)
        structure = structure_of(schema=schema, choices=choices, regex=regex)
        if constrain_only and structure is None:
            raise OptionError(
                "constrain_only is about a form that the answer is held to, and none is asked for.",
                "Give --schema, --choices or --regex.",
            )
        if structure is not None and options.stop:
            raise OptionError(
                f"A stop text would cut an answer off before its {structure.kind} is complete.", "Leave --stop out."
            )
        return cls(
            not_empty(text, "prompt"),
            system,
            template,
            options,
            filled,
            check_format(format),
            structure,
            constrain_only,
            attached,
            check_logprobs(logprobs),
            cache,
            spans,
        )

    @property
    def words(self) -> str:
        """The person's turn as the model reads it: what is attached, the text, and what is said of the answer's
        structure."""
        text = self.text
        if self.structure is not None and not self.constrain_only:
            text = wording.with_instruction(text, self.structure.instruction)
        return wording.with_attachments(self.attached.text, text) if self.attached else text

    def request(self) -> Request:
        """The request an engine is given."""
        return Request.ask(
            self.words,
            system=self.system,
            sampling=self.sampling,
            template=self.template,
            constraint=self.structure,
            filled=self.filled,
            images=self.attached.images if self.attached else (),
            logprobs=self.logprobs,
            cache=self.cache,
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


def check_logprobs(count: int | None) -> int | None:
    """`count`, or `OptionError` where it is no number of alternatives."""
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MOST_LOGPROBS):
        raise OptionError(f"logprobs must be a whole number between 0 and {MOST_LOGPROBS}, not {count!r}.")
    return count


def not_empty(text: str, what: str) -> str:
    """`text`, or `OptionError` where it is none."""
    if not isinstance(text, str):
        raise OptionError(f"The {what} must be text, not {type(text).__name__}.")
    if not text.strip():
        raise OptionError(f"The {what} is empty.", "Write it in the cell's body.")
    return text
