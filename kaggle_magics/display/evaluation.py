"""How well a collection was found in, and answered from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaggle_magics.display import escape
from kaggle_magics.display.bundle import View, fold, join, note, table, title

if TYPE_CHECKING:
    from kaggle_magics.rag.evaluation.evaluation import Evaluation, Judged
    from kaggle_magics.rag.evaluation.metrics import Figure

_MOST = 200
"""Questions that are listed one by one; all are in `.to_pandas()`."""
_SHOWN = 120
_FEW = 3
_NAMES = {"ndcg": "nDCG", "mrr": "MRR", "iou": "IoU", "f1": "F1"}


def evaluation_view(found: Evaluation) -> View:
    """Settings and measures with their intervals; the best is marked. The weakest questions are folded below."""
    labels = [label for label in found.settings if found.of(label)]
    if not labels:
        return join("evaluation", [note("No question was judged."), *(note(text) for text in found.notes)])
    drawn = _figures(found, labels)
    scrolled = View("table", f'<div class="km-scroll">{drawn.html}</div>', drawn.markdown, drawn.text)
    suggestion = title(found.suggestion) if found.suggestion else None
    errors = [judged for judged in found if judged.error]
    failed = note(f"{len(errors)} failed, the first: {errors[0].error}", warn=True) if errors else None
    return join("evaluation", [scrolled, suggestion, failed, *(note(text) for text in found.notes), _weakest(found)])


def _figures(found: Evaluation, labels: Sequence[str]) -> View:
    """A row a setting; where there are few settings a row a measure, which needs no scrolling."""
    questions = len({judged.question.row for judged in found})
    caption = f"{questions} question{'s' * (questions != 1)} about {found.collection}, means with 95 % intervals"
    heads = [f"{label} (best)" if label == found.best and len(labels) > 1 else label for label in labels]
    times = [f"{1000 * found.seconds(label):.0f} ms" for label in labels]
    figures = [[_cell(found.figure(label, name)) for name in found.measures] for label in labels]
    names = [_NAMES.get(name, name) for name in found.measures]
    if len(labels) <= _FEW:
        rows = [(name, *(each[at] for each in figures)) for at, name in enumerate(names)]
        return table(caption, ("measure", *heads), [*rows, ("time of a search", *times)], numbers=heads)
    drawn = [(head, *each, taken) for head, each, taken in zip(heads, figures, times, strict=True)]
    return table(caption, ("setting", *names, "time"), drawn, numbers=(*names, "time"))


def _cell(found: Figure | None) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]" if found else ""


def _weakest(found: Evaluation) -> View | None:
    """Questions of the best setting, worst first, folded; for the page only."""
    measure = found.decides
    if measure is None or found.best is None:
        return None
    judged = sorted(found.of(found.best), key=lambda each: each.measures.get(measure, 2.0))
    rows = [(_short(each.question.text), _share(each, measure), _found(each), _said(each)) for each in judged[:_MOST]]
    inner = table("", ("question", measure, "found", "answer"), rows, numbers=(measure,)).html
    summary = f"Questions, weakest first ({found.best})" if len(found.settings) > 1 else "Questions, weakest first"
    return View("questions", fold(summary, f'<div class="km-scroll">{inner}</div>'), "", "")


def _share(judged: Judged, measure: str) -> str | None:
    value = judged.measures.get(measure)
    return None if value is None else f"{value:.2f}"


def _found(judged: Judged) -> str:
    names = list(dict.fromkeys(f"{hit.passage.source} {hit.passage.place}".strip() for hit in judged.hits[:3]))
    return judged.error or _short("; ".join(names))


def _said(judged: Judged) -> str | None:
    return _short(judged.answer.text) if judged.answer else None


def _short(text: str) -> str:
    line = " ".join(escape.plain(text).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
