"""How results show themselves: registered by class path, so that nothing is imported before it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kaggle_magics.display.bundle import View

VIEWS = {
    "kaggle_magics.generation.answer.Answer": "answers.answer_view",
    "kaggle_magics.generation.card.RunCard": "cards.card_view",
    "kaggle_magics.generation.tables.batch_file.BatchFile": "batches.batch_file_view",
    "kaggle_magics.generation.several.Answers": "several.answers_view",
    "kaggle_magics.generation.tables.table.AnswerTable": "tables.answer_table_view",
    "kaggle_magics.generation.preview.Preview": "preview.preview_view",
    "kaggle_magics.code.check.CodeAnswer": "answers.code_view",
    "kaggle_magics.rag.answering.answer.GroundedAnswer": "grounded.grounded_view",
    "kaggle_magics.rag.ingesting.report.IngestReport": "ingest.ingest_view",
    "kaggle_magics.compare.result.Comparison": "comparison.comparison_view",
    "kaggle_magics.compare.verdicts.Verdicts": "verdicts.verdicts_view",
    "kaggle_magics.compare.verification.Verified": "verified.verified_view",
    "kaggle_magics.chains.run.ChainResult": "chains.chain_view",
    "kaggle_magics.models.checkpoint.Checkpoint": "models.checkpoint_view",
    "kaggle_magics.models.fit.plan.Plan": "plans.plan_view",
    "kaggle_magics.models.loaded.LoadedModel": "models.loaded_view",
    "kaggle_magics.models.quantize.results.Quantized": "quantized.quantized_view",
    "kaggle_magics.models.quantize.results.QuantizeEstimate": "quantized.estimate_view",
    "kaggle_magics.display.results.Measurements": "quantized.measurements_view",
    "kaggle_magics.session.SessionStatus": "models.status_view",
    "kaggle_magics.display.results.Models": "model_list.models_view",
    "kaggle_magics.display.results.Choices": "plans.choices_view",
    "kaggle_magics.display.results.Hits": "hits.hits_view",
    "kaggle_magics.generation.conversation.Thread": "conversations.thread_view",
    "kaggle_magics.generation.conversation.Threads": "conversations.threads_view",
    "kaggle_magics.display.results.HistoryEntries": "conversations.history_view",
    "kaggle_magics.rag.evaluation.evaluation.Evaluation": "evaluation.evaluation_view",
    "kaggle_magics.display.results.Collections": "collections.collections_view",
    "kaggle_magics.display.results.Chains": "chains.chains_view",
    "kaggle_magics.generation.attachments.attach.Attached": "attachments.attached_view",
    "kaggle_magics.display.results.Prompts": "library.prompts_view",
    "kaggle_magics.generation.library.prompt_file.SavedPrompt": "library.saved_view",
    "kaggle_magics.display.results.Overview": "overview.overview_view",
    "kaggle_magics.display.results.Report": "overview.report_view",
}
"""Class path of a result -> the function in this package that draws it."""

_LISTS = (
    "kaggle_magics.display.results.",
    "kaggle_magics.compare.",
    "kaggle_magics.rag.evaluation.",
    "kaggle_magics.generation.several.",
    "kaggle_magics.generation.tables.table.",
)
"""Lists have a text formatter already, which goes before a bundle: these get one of their own."""


def register(shell: InteractiveShell) -> None:
    """Let the shell draw our results; each gives HTML, Markdown and text in one bundle."""
    formatter, plain = _formatters(shell)
    for path, view in VIEWS.items():
        module, _, name = path.rpartition(".")
        formatter.for_type_by_name(module, name, _drawer(view))
        if path.startswith(_LISTS):
            plain.for_type_by_name(module, name, _writer(view))


def unregister(shell: InteractiveShell) -> None:
    """Take back what `register` did."""
    for formatter in _formatters(shell):
        for path in VIEWS:
            formatter.pop(path, None)


def _formatters(shell: InteractiveShell) -> tuple[Any, Any]:
    """The shell's formatters of whole bundles and of plain text."""
    formatter: Any = shell.display_formatter
    return formatter.mimebundle_formatter, formatter.formatters["text/plain"]


def _drawer(view: str) -> Callable[[Any], tuple[dict[str, str], dict[str, Any]]]:
    def draw(result: Any) -> tuple[dict[str, str], dict[str, Any]]:
        drawn = _drawn(view, result)
        return drawn.mime(), drawn.metadata()

    return draw


def _writer(view: str) -> Callable[[Any, Any, bool], None]:
    return lambda result, printer, cycle: printer.text(_drawn(view, result).text)


def _drawn(view: str, result: Any) -> View:
    module, _, name = view.rpartition(".")
    drawn: View = getattr(importlib.import_module(f"kaggle_magics.display.{module}"), name)(result)
    return drawn
