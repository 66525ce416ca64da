"""Every text this package puts around a person's own text, in one place.

The same functions are called when a question is asked and when the training data of the bundled model is
made, so the small model meets exactly the words it learnt. Nothing here knows a model, a tokenizer or a
notebook: strings in, strings out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

GROUNDED_SYSTEM = (
    "Answer only from the numbered passages and cite them like [1]. "
    "If they do not hold the answer, say: The documents do not say."
)
"""System text of `%%ask`."""

REFUSAL = "The documents do not say."
"""The whole answer when the passages do not hold one."""

CITATION = re.compile(r"\[(\d{1,3})\]")
"""A citation in an answer; group 1 is the passage's number, counted from 1."""


def citation(number: int) -> str:
    """The mark that cites passage `number` (counted from 1)."""
    return f"[{number}]"


def passage(number: int, text: str, context: str = "") -> str:
    """One numbered passage; `context` (heading path, table header) stands before the text in brackets."""
    where = f"({context}) " if context else ""
    return f"{citation(number)} {where}{text.strip()}"


def passage_block(passages: Iterable[tuple[str, str]], first: int = 1) -> str:
    """Number `(text, context)` pairs from `first` and join them, one blank line between two."""
    return "\n\n".join(passage(number, text, context) for number, (text, context) in enumerate(passages, start=first))


def grounded_question(passages: Iterable[tuple[str, str]], question: str, first: int = 1) -> str:
    """The user turn of `%%ask`: the numbered passages, then the question. A follow-up whose passages were given before
    brings only those that are new, numbered on from `first`, or none."""
    block = passage_block(passages, first)
    return f"{block}\n\nQuestion: {question.strip()}" if block else f"Question: {question.strip()}"


STANDALONE_SYSTEM = (
    "Rewrite the last question so that it can be understood without the conversation. "
    "Keep its meaning and its language. Write only the question."
)
"""System text of the rewriting of a follow-up question."""


def standalone_question(turns: Iterable[tuple[str, str]], question: str) -> str:
    """The user turn of the rewriting: earlier questions with their answers, then the one to rewrite."""
    said = "\n".join(f"Question: {asked.strip()}\nAnswer: {answer.strip()}" for asked, answer in turns)
    return f"{said}\n\nLast question: {question.strip()}"


def question_about(sentence: str, context: str = "") -> str:
    """Asks for a question that a sentence answers."""
    where = f" (from: {context})" if context else ""
    return f"Write one question that this sentence answers{where}. Only the question.\n\n{sentence.strip()}"


def is_refusal(answer: str) -> bool:
    """Whether an answer says, in the words we asked for, that the documents do not tell."""
    return answer.strip().strip("\"'*").casefold().startswith(REFUSAL.rstrip(".").casefold())


def code_system(language: str = "Python") -> str:
    """System text of `%%codegen`."""
    return f"Write only {language} code, without explanations."


_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text in quotation marks",
    "null": "null",
}


def kind_instruction(kind: str) -> str:
    """What is said of an answer that has to be one JSON value of a type."""
    return f"Answer with {_KINDS[kind]} only."


def list_instruction() -> str:
    """What is said of an answer that has to be a JSON list."""
    return "Answer with a JSON list."


def keys_instruction(keys: Sequence[str]) -> str:
    """What is said of an answer that has to be a JSON object with some keys."""
    named = f"{', '.join(keys[:-1])} and {keys[-1]}" if len(keys) > 1 else keys[0]
    return f"Answer with a JSON object with the {'keys' if len(keys) > 1 else 'key'} {named}."


def schema_instruction(schema: str) -> str:
    """What is said of an answer that has to be JSON of a form that needs a schema to say it."""
    return f"Answer with JSON only, for this schema: {schema}"


def choices_instruction(choices: Iterable[str]) -> str:
    """What is said of an answer that has to be one of a few texts."""
    return f"Answer with one of these only: {', '.join(choices)}"


def regex_instruction(regex: str) -> str:
    """What is said of an answer that a regular expression has to match."""
    return f"Answer only with text that this regular expression matches: {regex}"


def with_instruction(text: str, instruction: str) -> str:
    """A prompt, and below it what is said about the form of its answer."""
    return f"{text.rstrip()}\n\n{instruction}"


def attachment(name: str, what: str, body: str = "", left_out: str = "") -> str:
    """One attachment in words: its name, what it is, what it holds, and what of that there was no room for."""
    head = f"{name} is {what}{':' if body else '.'}"
    return "\n".join(filter(None, (head, body, f"(Left out of {name}: {left_out}.)" if left_out else "")))


def attachment_block(attachments: Iterable[str]) -> str:
    """All attachments in words, one blank line between two."""
    return "\n\n".join(attachments)


def with_attachments(block: str, text: str) -> str:
    """The user turn of a prompt with attachments: these first, so that the question is what was read last."""
    return f"{block}\n\n{text}" if block else text
