"""Contexts that are kept from one request to the next, so that a prompt that begins like one of them is read faster."""

from __future__ import annotations

from collections.abc import Sequence

from kaggle_magics.models.engines.local_model import LocalModel, Row
from kaggle_magics.models.fit.machine import this_machine
from kaggle_magics.models.fit.plan import Plan

COPY_SHARE = 64
"""A row is forked when at least one in so many of its tokens is of use: copying a token's memory is some hundred times
faster than computing it."""

LEAST_BYTES = 64 * 2**20
"""The bound is no lower than this where memory is plenty: a state instead of a KV cache is so small that the plan's
bytes would hold a single one."""
FREE_SHARE = 4
"""Kept contexts take at most one part in so many of the memory that is free after loading."""


def default_bytes(plan: Plan) -> int:
    """As much again as the plan's KV cache, which holds one context of full length or many short ones; less where
    memory is short. transformers keeps them on the model's device, llama.cpp in the computer's memory."""
    machine = this_machine()
    gpu = machine.gpu(plan.device) if plan.engine == "transformers" and plan.device != "cpu" else None
    free = machine.available if gpu is None else gpu.free
    return min(max(plan.memory.get("kv_cache", 0), LEAST_BYTES), free // FREE_SHARE)


class KeptContexts:
    """Rows in the order of their last use. Those used longest ago are dropped when `most_bytes` are exceeded.

    The latest one is always kept.
    """

    def __init__(self, model: LocalModel, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._model = model
        self._rows: list[Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bytes(self) -> int:
        """What the kept rows take."""
        return sum(self._model.bytes_of(row) for row in self._rows)

    def take(self, prompt: Sequence[int]) -> Row:
        """A row that holds as long a beginning of `prompt` as any kept one does, perhaps none.

        It is the caller's until it is given back with `keep`. The last token is never part of it: its logits are
        where the answer begins.
        """
        best, common = None, 0
        for row in self._rows:
            length = common_prefix(row.tokens, prompt[:-1])
            if self._model.croppable or length == len(row.tokens):
                best, common = (row, length) if length >= common else (best, common)
        taken = self._model.begin() if best is None or common == 0 else self._use(best, common)
        for row in self._rows:
            self._model.park(row)
        return taken

    def branches(self, prompt: Sequence[int], row: Row) -> list[int]:
        """Lengths of `prompt` after which a copy of `row` should be kept, for a model that cannot go back.

        They are the end of the prompt, from where the same question goes on, and the place where an earlier prompt
        went another way: what was asked twice about one context is likely to be asked a third time.
        """
        if self._model.croppable:
            return []
        known = max((common_prefix(kept.tokens, prompt[:-1]) for kept in self._rows), default=0)
        return sorted({length for length in (known, len(prompt) - 1) if length > len(row.tokens)})

    def keep(self, row: Row) -> None:
        """Keep a row as the one used last; it may be dropped whenever another one is kept."""
        if not row.tokens:
            self._model.drop(row)
            return
        self._rows.append(row)
        while len(self._rows) > 1 and self.bytes > self.most_bytes:
            self._model.drop(self._rows.pop(0))

    def copy(self, row: Row) -> None:
        """Keep a copy of a row that goes on."""
        copy = self._model.fork(row, len(row.tokens))
        self._model.park(copy)
        self.keep(copy)

    def clear(self) -> int:
        """Drop all; how many there were."""
        count = len(self._rows)
        while self._rows:
            self._model.drop(self._rows.pop())
        return count

    def _use(self, row: Row, common: int) -> Row:
        whole = len(row.tokens)
        if self._model.croppable and 2 * common >= whole:
            # Most of it is the prompt's: the rest was an earlier question and its answer.
            self._rows.remove(row)
            self._model.crop(row, common)
            return row
        if COPY_SHARE * common < whole:
            return self._model.begin()
        # It has been used, though only to be copied.
        self._rows.remove(row)
        self._rows.append(row)
        return self._model.fork(row, common)


def common_prefix(known: Sequence[int], wanted: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their beginning."""
    for place, (one, other) in enumerate(zip(known, wanted, strict=False)):
        if one != other:
            return place
    return min(len(known), len(wanted))
