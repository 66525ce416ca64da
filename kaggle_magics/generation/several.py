"""Several answers to one prompt."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.extras import require
from kaggle_magics.generation.answer import Answer
from kaggle_magics.models.request import Sampling


class Answers(list[Answer]):
    """Answers to one prompt that differ by their seed, in the order of the seeds."""

    def distinct(self) -> dict[str, list[int]]:
        """Each text that was said, space around it aside, with the places of the answers; the most common first."""
        places: dict[str, list[int]] = {}
        for place, answer in enumerate(self):
            places.setdefault(answer.text.strip(), []).append(place)
        counts = Counter({text: len(found) for text, found in places.items()})
        return {text: places[text] for text, _ in counts.most_common()}

    def to_pandas(self) -> Any:
        """One row an answer: `answer`, `stop_reason`, `tokens`, `seconds`, `seed`, `error`; `value` of a structure."""
        rows = [
            {
                "answer": None if answer.error else answer.text,
                "stop_reason": answer.stop_reason,
                "tokens": answer.usage.generated_tokens,
                "seconds": answer.usage.seconds,
                "seed": answer.card.sampling.seed,
                "error": answer.error or None,
                "value": answer.value,
            }
            for answer in self
        ]
        frame = require("pandas", "A table").DataFrame(rows)
        return frame if any(answer.value is not None for answer in self) else frame.drop(columns="value")


def check_several(n: int, sampling: Sampling) -> None:
    """`OptionError` where asking `n` times makes no sense."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise OptionError(f"n must be a whole number of at least 1, not {n!r}.")
    if n > 1 and sampling.temperature == 0:
        raise OptionError(
            f"At temperature 0 all {n} answers would be the same.", "Give a temperature, such as --temperature 0.8."
        )
