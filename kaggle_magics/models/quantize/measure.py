"""What each type costs and what it is worth: size, speed, perplexity, divergence from the original, on a text."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaggle_magics.environment import cache_dir
from kaggle_magics.errors import OptionError
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.quantize.convert import convert_folder, unquantized_type
from kaggle_magics.models.quantize.converter import converter
from kaggle_magics.models.quantize.disk import must_have_room, one_at_a_time, work_folder
from kaggle_magics.models.quantize.gguf_types import type_named
from kaggle_magics.models.quantize.quantize import key_of, quantize
from kaggle_magics.models.quantize.scoring import Logits, Scorer, divergence, log_probabilities, scorer
from kaggle_magics.models.quantize.text import measure_text

_WINDOW = 256
"""Tokens that are read as one text; every window begins anew."""
_MOST_TOKENS = 1024
"""Of the text: the original's answers to all of them lie on the disk meanwhile."""
_FEWEST_TOKENS = 16
_DECODED = 32
"""Tokens that the speed of decoding is measured on."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One type of a model, measured on this machine's CPU."""

    name: str
    type: str
    path: Path | None
    """None for the original, whose GGUF is only made for the comparison."""
    bytes: int
    decode_tokens_per_second: float
    """One sequence, one token after the other."""
    prefill_tokens_per_second: float
    perplexity: float
    """exp of the mean negative log likelihood of the text's tokens; lower is better."""
    kl: float
    """KL(original || this), mean over the tokens, in nats; 0 for the original."""
    kl_99: float
    """The 99th percentile of it."""
    same_greedy: float
    """Share of the tokens after which both go on with the same one."""
    tokens: int
    """Of the text, that were scored."""


def measure_types(
    checkpoint: Checkpoint,
    types: Iterable[str],
    *,
    text: str | None = None,
    requantize: bool = False,
    allow_pickle: bool = False,
    trust_remote_code: bool = False,
    on_progress: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> list[Measurement]:
    """Make each of the types (or find it in the cache) and measure it; the original comes first.

    Of a long text the first 1,024 tokens count. Errors as `quantize`; `OptionError` for a text that is too short.
    """
    names = list(dict.fromkeys(type_named(name) for name in types))
    if not names:
        raise OptionError("Nothing to measure: no type is named.", "For example: --to q8_0,q4_k_m --measure")
    tell = on_progress or (lambda line: None)
    made = [
        quantize(
            checkpoint,
            name,
            requantize=requantize,
            allow_pickle=allow_pickle,
            trust_remote_code=trust_remote_code,
            on_progress=on_progress,
            stop=stop,
        )
        for name in names
    ]
    with _original(checkpoint, trust_remote_code, tell, stop) as (original, its_type):
        tell(f"Measuring {its_type.upper()}")
        with scorer(original, _WINDOW + _DECODED) as model:
            tokens = model.tokens(measure_text() if text is None else text)[:_MOST_TOKENS]
            if len(tokens) < _FEWEST_TOKENS:
                raise OptionError(f"The text has {len(tokens)} tokens; at least {_FEWEST_TOKENS} are needed.")
            with tempfile.TemporaryFile(dir=cache_dir()) as file:
                width = model.logits(tokens[:1], stop).shape[1]
                must_have_room(cache_dir(), len(tokens) * width * 4)
                truth = np.memmap(file, np.float32, "w+", shape=(len(tokens), width))
                found = [_measured(model, tokens, truth, stop, fresh=True)]
                facts = [(its_type, None if original != checkpoint.path else original, original.stat().st_size)]
                for result in made:
                    tell(f"Measuring {result.type.upper()}")
                    with scorer(result.path, _WINDOW + _DECODED) as other:
                        found.append(_measured(other, tokens, truth, stop))
                    facts.append((result.type, result.path, result.bytes))
                del truth
    return [
        Measurement(checkpoint.name, kind, path, size, **numbers, tokens=len(tokens))
        for (kind, path, size), numbers in zip(facts, found, strict=True)
    ]


@contextmanager
def _original(
    checkpoint: Checkpoint, trust_remote_code: bool, tell: Callable[[str], None], stop: threading.Event | None
) -> Iterator[tuple[Path, str]]:
    """The original as a GGUF, and its type: the file itself, or one that is made for the time being."""
    if checkpoint.format == "gguf":
        yield checkpoint.path, checkpoint.dtype.lower()
        return
    to = unquantized_type(checkpoint, "")
    target = cache_dir() / "quantized" / key_of(checkpoint, to)[:16] / "original.gguf"
    with one_at_a_time(target, stop=stop), work_folder(target) as folder:
        tell(f"Converting {checkpoint.name} to {to.upper()}, to compare with")
        must_have_room(folder, 2 * (checkpoint.parameters or 0))
        convert_folder(
            checkpoint,
            folder / target.name,
            to,
            converter=converter(tell, stop),
            trust_remote_code=trust_remote_code,
            stop=stop,
        )
        yield folder / target.name, to


def _measured(
    model: Scorer, tokens: Sequence[int], truth: Logits, stop: threading.Event | None, *, fresh: bool = False
) -> dict[str, float]:
    """A model's numbers on the text. `truth` holds the original's log probabilities; `fresh` fills it instead."""
    losses, divergences, same, prefill = [], [], [], []
    for begin in range(0, len(tokens), _WINDOW):
        window = list(tokens[begin : begin + _WINDOW])
        model.forget()
        start = time.perf_counter()
        ours = model.logits(window, stop)
        prefill.append(len(window) / (time.perf_counter() - start))
        ours = log_probabilities(ours)
        rows = slice(begin, begin + len(window))
        if fresh:
            truth[rows] = ours
        theirs = truth[rows]
        width = min(ours.shape[1], theirs.shape[1])
        losses += [-float(ours[place, token]) for place, token in enumerate(window[1:])]
        divergences += divergence(theirs[:, :width], ours[:, :width]).tolist()
        same += (theirs.argmax(axis=1) == ours.argmax(axis=1)).tolist()
    return {
        "decode_tokens_per_second": _decode_speed(model, tokens, stop),
        "prefill_tokens_per_second": float(np.median(prefill)),
        "perplexity": math.exp(min(700.0, float(np.mean(losses)))),
        "kl": float(np.mean(divergences)),
        "kl_99": float(np.quantile(divergences, 0.99)),
        "same_greedy": float(np.mean(same)),
    }


def _decode_speed(model: Scorer, tokens: Sequence[int], stop: threading.Event | None) -> float:
    model.forget()
    model.logits(list(tokens[:_DECODED]), stop, all_of_them=False)
    seconds = []
    for token in (list(tokens) * _DECODED)[:_DECODED]:
        start = time.perf_counter()
        model.logits([token], stop)
        seconds.append(time.perf_counter() - start)
    return 1 / float(np.median(seconds))
