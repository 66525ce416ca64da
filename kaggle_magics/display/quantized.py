"""GGUF files that were made: what they are, how they came about, how types compare."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import View, facts, join, note, seconds, size, table

if TYPE_CHECKING:
    from kaggle_magics.models.quantize.measure import Measurement
    from kaggle_magics.models.quantize.results import Quantized, QuantizeEstimate


def quantized_view(result: Quantized) -> View:
    """A file that was made, against its source."""
    share = result.bytes / result.source_bytes if result.source_bytes else 0.0
    rows = [
        ("file", os.path.normpath(result.path)),
        ("type", f"{result.type.upper()}, {result.bits_per_weight:.2f} bits a weight"),
        ("size", f"{size(result.bytes)}, {share:.0%} of the source's {size(result.source_bytes)}"),
        ("from", os.path.normpath(result.source)),
    ]
    if result.found:
        rows.append(("made", f"before, in {seconds(result.seconds)}"))
    else:
        parts = [
            f"{seconds(taken)} {what}"
            for taken, what in (
                (result.seconds_to_convert, "converting"),
                (result.seconds_to_quantize, "quantising"),
                (result.seconds_to_check, "checking"),
            )
            if taken >= 0.005
        ]
        rows.append(("made in", f"{seconds(result.seconds)} ({', '.join(parts)})"))
    checked = result.agreement
    if checked is None:
        rows.append(("agrees", "not checked"))
    else:
        rows.append(
            (
                "agrees",
                f"{checked.same_greedy:.0%} of {checked.tokens} tokens go on alike, KL {checked.kl:.4f} nats, "
                f"compared with {checked.against} on the source",
            )
        )
    views = [facts(f"{result.name} as {result.type.upper()}", rows)]
    if result.requantized:
        views.append(note("Its source was quantised already: it has the losses of both.", warn=True))
    return join("quantized", views)


def estimate_view(found: QuantizeEstimate) -> View:
    """A file that would be made."""
    share = found.bytes / found.source_bytes if found.source_bytes else 0.0
    rows = [
        ("file", os.path.normpath(found.path)),
        (
            "size",
            f"{size(found.bytes)} ({found.bytes:,} bytes), {share:.0%} of the source's {size(found.source_bytes)}",
        ),
        ("disk while it is made", f"{size(found.disk)}; {size(found.free)} are free"),
        ("from", os.path.normpath(found.source)),
    ]
    return join("estimate", [facts(f"{found.name} as {found.type.upper()} (nothing was written)", rows)])


def measurements_view(found: Sequence[Measurement]) -> View:
    """Types of one model side by side; the original first."""
    if not found:
        return note("Nothing was measured.")
    columns = ("type", "size", "decode t/s", "prefill t/s", "perplexity", "KL", "KL 99 %", "same token")
    rows = [
        (
            f"{each.type.upper()} (original)" if place == 0 else each.type.upper(),
            size(each.bytes),
            _figures(each.decode_tokens_per_second),
            _figures(each.prefill_tokens_per_second),
            _figures(each.perplexity),
            "" if place == 0 else f"{each.kl:.4f}",
            "" if place == 0 else f"{each.kl_99:.4f}",
            "" if place == 0 else f"{each.same_greedy:.1%}",
        )
        for place, each in enumerate(found)
    ]
    return join(
        "measurements",
        [
            table(f"{found[0].name}, on {found[0].tokens} tokens", columns, rows, numbers=columns[1:]),
            note("On this machine's CPU. KL is the divergence from the original, in nats, mean over the tokens."),
        ],
    )


def _figures(number: float) -> str:
    """Three figures, and no more: it was measured on a short text."""
    return f"{number:,.0f}" if number >= 99.5 else f"{number:.3g}"
