"""Answers as JSON and back: what a notebook's outputs carry, and what is kept on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.answer import Answer
from kaggle_magics.generation.card import RunCard, plain
from kaggle_magics.models.request import Progress, TokenProbability, Usage

METADATA = "kaggle_magics"
"""Name of our part in an output's metadata."""
LARGEST = 256 * 1024
"""Characters of a card's messages that an output's metadata takes. Of longer ones it keeps the beginning."""


def answer_record(answer: Answer) -> dict[str, Any]:
    """An answer in JSON's own types: what it says, what it cost, its run card."""
    record: dict[str, Any] = plain(
        {
            "text": answer.text,
            "stop_reason": answer.stop_reason,
            "reasoning": answer.reasoning,
            "usage": asdict(answer.usage),
            "progress": asdict(answer.progress) if answer.progress else None,
            "tokens": [asdict(token) for token in answer.tokens],
        }
    )
    return {**record, "card": answer.card.to_dict()}


def answer_of_record(record: Mapping[str, Any]) -> Answer:
    """The answer that `answer_record` wrote. Raises `OptionError` for what is none, and for one of a newer release."""
    try:
        usage = {name: value for name, value in record["usage"].items() if name in Usage.__dataclass_fields__}
        return Answer(
            text=record["text"],
            stop_reason=record["stop_reason"],
            usage=Usage(**usage),
            card=RunCard.from_dict(record["card"]),
            reasoning=record.get("reasoning", ""),
            progress=_progress(record.get("progress")),
            tokens=tuple(_token(token) for token in record.get("tokens", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(f"The record of an answer is damaged: {type(error).__name__}: {error}.") from None


def _progress(found: Mapping[str, Any] | None) -> Progress | None:
    return Progress(tuple(map(int, found["tokens"])), int(found["draws"])) if found else None


def output_record(answer: Answer) -> dict[str, Any]:
    """What an output's metadata says of an answer: its record without what can be very long.

    Messages beyond `LARGEST` are cut, which `"cut": true` tells; probabilities are not repeated.
    """
    record = {
        name: value for name, value in answer_record(answer).items() if name not in ("tokens", "reasoning", "progress")
    }
    left = LARGEST
    for message in record["card"]["messages"]:
        text = message["content"]
        if isinstance(text, str) and len(text) > left:
            message["content"], record["cut"] = text[:left], True
        left -= len(message["content"])
    return record


def notebook_answers(path: str | PathLike[str]) -> list[Answer]:
    """The answers whose cards the outputs of an `.ipynb` file carry, in the order of the cells.

    Answers whose messages were cut have none: they cannot be asked again. Raises `OptionError` where it is no notebook.
    """
    try:
        notebook = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        cells = notebook["cells"]
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OptionError(f"{path} is no notebook.", "Name an .ipynb file.") from None
    answers = []
    for record in _records(cells):
        answer = answer_of_record(record)
        if record.get("cut"):
            answer = replace(answer, card=replace(answer.card, messages=()))
        answers.append(answer)
    return answers


def _records(cells: Any) -> Iterator[Mapping[str, Any]]:
    """Every record in the outputs; what somebody else put there is passed over."""
    for cell in cells if isinstance(cells, list) else ():
        for output in (cell.get("outputs") or ()) if isinstance(cell, Mapping) else ():
            metadata = output.get("metadata") if isinstance(output, Mapping) else None
            ours = metadata.get(METADATA) if isinstance(metadata, Mapping) else None
            records = ours.get("answers") if isinstance(ours, Mapping) else None
            yield from (record for record in records or () if isinstance(record, Mapping))


def _token(found: Mapping[str, Any]) -> TokenProbability:
    lowest = float("-inf")
    top = tuple((one, text, lowest if value is None else value) for one, text, value in found["top"])
    logprob = found["logprob"]
    return TokenProbability(
        found["token"], found["text"], lowest if logprob is None else logprob, top, found.get("piece", "")
    )
