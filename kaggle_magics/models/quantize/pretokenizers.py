"""What llama.cpp must know of a tokenizer, told from what its tokenizer.json says.

A byte-level BPE's pre-tokenizer has a name in llama.cpp; a SentencePiece BPE's tokens have scores.

The regular expressions are those of the models that the names come from; llama.cpp has them in llama-vocab.cpp, each
with "original regex from tokenizer.json" above it.
"""

from __future__ import annotations

from typing import Any

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SLASH = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_ENDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

REGEXES = {
    rf"{_WORDS}|\p{{N}}{{1,3}}|{_REST}": "llama-bpe",
    rf"{_WORDS}|\p{{N}}|{_REST}": "qwen2",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+": "qwen35",
    rf"{_UPPER}*{_LOWER}+|{_UPPER}+{_LOWER}*|\p{{N}}|{_SLASH}": "tekken",
    rf"{_UPPER}*{_LOWER}+{_ENDS}|{_UPPER}+{_LOWER}*{_ENDS}|\p{{N}}{{1,3}}|{_SLASH}": "gpt-4o",
}
"""Regular expression of the one `Split` before `ByteLevel` -> llama.cpp's name."""


def pretokenizer_name(tokenizer: dict[str, Any]) -> str | None:
    """The name for a parsed tokenizer.json; None for what is not known exactly."""
    steps = _steps(tokenizer.get("pre_tokenizer"))
    if (tokenizer.get("normalizer") or {}).get("type") not in (None, "NFC") or not steps:
        return None
    *before, last = steps
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    if last.get("use_regex", True):
        # GPT-2's own expression is built into ByteLevel.
        if not before:
            return "gpt-2"
        return "starcoder" if [_is_single_digits(step) for step in before] == [True] else None
    if len(before) != 1 or before[0].get("type") != "Split" or before[0].get("invert"):
        return None
    pattern = before[0].get("pattern") or {}
    return REGEXES.get(pattern.get("Regex", "")) if before[0].get("behavior") == "Isolated" else None


def merge_scores(tokenizer: dict[str, Any]) -> dict[int, float]:
    """Token id -> score, minus the place of the first merge that makes the token: SentencePiece merges what scores
    highest first, a BPE in tokenizer.json what comes first. Tokens that no merge makes are left out."""
    model = tokenizer["model"]
    scores: dict[int, float] = {}
    for place, merge in enumerate(model["merges"]):
        one, other = merge.split(" ", 1) if isinstance(merge, str) else merge
        token = model["vocab"].get(one + other)
        if token is not None:
            scores.setdefault(token, -float(place))
    return scores


def _steps(step: dict[str, Any] | None) -> list[dict[str, Any]]:
    if not step:
        return []
    if step.get("type") == "Sequence":
        return [each for part in step.get("pretokenizers", ()) for each in _steps(part)]
    return [step]


def _is_single_digits(step: dict[str, Any]) -> bool:
    return step.get("type") == "Digits" and bool(step.get("individual_digits"))
