"""Lists of results under names of their own, so that a notebook can draw them; lists in every other respect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kaggle_magics.extras import require

if TYPE_CHECKING:
    from kaggle_magics.chains.run import ChainResult
    from kaggle_magics.generation.conversation import Thread
    from kaggle_magics.generation.history.rows import HistoryEntry
    from kaggle_magics.generation.library.library import ListedPrompt
    from kaggle_magics.models.find.listing import ListedModel
    from kaggle_magics.models.fit.choices import Choice
    from kaggle_magics.models.quantize.measure import Measurement
    from kaggle_magics.rag.collection import CollectionFacts
    from kaggle_magics.rag.passages import Hit


class Models(list["ListedModel"]):
    """Models that are there, best first; damaged ones say why."""

    def to_pandas(self) -> Any:
        """One row a model."""
        return require("pandas", "A table").DataFrame([asdict(found) for found in self])


class Measurements(list["Measurement"]):
    """One model as several types, the original first."""

    def to_pandas(self) -> Any:
        """One row a type."""
        return require("pandas", "A table").DataFrame([asdict(found) for found in self])


class Choices(list["Choice"]):
    """The ways to run one model here, the one that would be taken being marked."""

    def to_pandas(self) -> Any:
        """One row a way: its name, what it takes by part, speed, and the line that takes it."""
        rows = [
            {
                "choice": way.name,
                "taken": way.taken,
                "fits": way.fits,
                "engine": way.plan.engine,
                "device": way.plan.device,
                "dtype": way.plan.dtype,
                "context": way.plan.context_length,
                **{f"{part}_bytes": taken for part, taken in way.plan.memory.items()},
                "bytes": way.plan.bytes,
                "disk_bytes": way.plan.disk,
                "tokens_per_second": way.plan.tokens_per_second,
                "prompt_tokens_per_second": way.plan.prompt_tokens_per_second,
                "why": way.why,
                "command": way.command,
            }
            for way in self
        ]
        return require("pandas", "A table").DataFrame(rows)


class Hits(list["Hit"]):
    """Passages that were found, nearest first."""

    def to_pandas(self) -> Any:
        """One row a passage, with a column for each score."""
        rows = [
            {
                "rank": hit.rank,
                "source": hit.passage.source,
                "place": str(hit.passage.place),
                "context": hit.passage.context,
                "start": hit.passage.start,
                "end": hit.passage.end,
                "text": hit.passage.text,
                "matches": [hit.passage.text[start:end] for start, end in hit.matches],
                "also": list(hit.also),
                **{f"score_{name}": value for name, value in hit.scores.items()},
            }
            for hit in self
        ]
        return require("pandas", "A table").DataFrame(rows)


class Chains(list["ChainResult"]):
    """One chain, run over several inputs."""

    def to_pandas(self) -> Any:
        """One row a run: its inputs, then each step's answer."""
        rows = [
            {**run.inputs, **{name: str(step.answer or step.error or "") for name, step in run.steps.items()}}
            for run in self
        ]
        return require("pandas", "A table").DataFrame(rows)


class Prompts(list["ListedPrompt"]):
    """Saved prompts, by name; damaged ones say why."""

    def to_pandas(self) -> Any:
        """One row a prompt."""
        return require("pandas", "A table").DataFrame([asdict(found) for found in self])


class HistoryEntries(list["HistoryEntry"]):
    """What was asked, the latest first; with `thread`, the turns of one conversation in their order."""

    def __init__(self, entries: Iterable[HistoryEntry], *, thread: Thread | None = None, words: str = "") -> None:
        super().__init__(entries)
        self.thread = thread
        self.words = words

    def to_pandas(self) -> Any:
        """One row an entry, its usage in columns of their own."""
        rows = [asdict(entry) for entry in self]
        return require("pandas", "A table").DataFrame(
            [{**{name: row[name] for name in row if name not in ("usage", "excerpt")}, **row["usage"]} for row in rows]
        )


class Collections(dict[str, "CollectionFacts"]):
    """Open collections by name; `detailed` shows their documents too."""

    def __init__(self, facts: Mapping[str, CollectionFacts], *, detailed: bool = False) -> None:
        super().__init__(facts)
        self.detailed = detailed


@dataclass(frozen=True, slots=True)
class Entry:
    """A magic: how it is typed, and what it does."""

    usage: str
    summary: str


class Overview(list[Entry]):
    """All magics of this version; `example` and `doctor` are typed for more."""

    def __init__(self, entries: Iterable[Entry], *, version: str, example: str, doctor: str) -> None:
        super().__init__(entries)
        self.version = version
        self.example = example
        self.doctor = doctor


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it works, what was found, and what to run if it does not."""

    what: str
    works: bool
    detail: str
    remedy: str = ""


class Report(list[Finding]):
    """What works here and what does not."""
