"""Samples as tokens, packed into pages of a fixed size with next to no padding, and what is learnt of them.

The loss stands on the answers' tokens and, lightly, on words of a prompt that stood in it before. A sample's tokens
weigh their number to the power -0.5, so that short answers count beside long functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaggle_magics import wording

from .data.sample import SKILLS, Sample
from .tokenizer import PAD, Encoder

COPY_WEIGHT = 0.6
BRANCH_WEIGHT = 0.7
"""How much one of several questions on the same passages counts beside a sample of its own."""
PAGE = 832
"""Tokens of a micro-batch, and the length of the longest sample."""


def branch_positions(branch: list[int]) -> list[int]:
    """Positions that count on from the trunk's end in every branch."""
    trunk, last, at, found = branch.count(0), -1, 0, []
    for number in branch:
        at = at + 1 if number == last else 0 if number == 0 else trunk
        found.append(at)
        last = number
    return found


def repeated(ids: list[int], learnt: list[bool], branch: list[int]) -> list[int]:
    """Places of a prompt whose token, after its two forerunners, stood earlier in the trunk or in its branch: names.

    They are learnt beside the answers, at a small weight: copying is what answers from passages are made of.
    """
    trunk: set[tuple[int, int, int]] = set()
    own: set[tuple[int, int, int]] = set()
    found = []
    for j in range(2, len(ids)):
        if branch[j] != branch[j - 2]:
            own = set()
            continue
        key = (ids[j - 2], ids[j - 1], ids[j])
        if (key in trunk or key in own) and not learnt[j]:
            found.append(j)
        (own if branch[j] else trunk).add(key)
    return found


@dataclass
class Row:
    """One encoded sample; `weight[i]` weighs the loss at `places[i]`, `skill[i]` names it."""

    ids: list[int]
    branch: list[int]
    places: list[int]
    weight: list[float]
    skill: list[int]


def encoded(sample: Sample, encoder: Encoder) -> Row:
    """The sample's ids and what is learnt of it."""
    if sample.prefix:
        ids, learnt, branch = encoder.branches(sample.messages, sample.prefix)
    else:
        ids, learnt = encoder.encode(sample.messages)
        branch = [0] * len(ids)
    row = Row(ids, branch, [], [], [])
    number = SKILLS.index(sample.skill)
    refused = set()
    for i in range(1, max(branch) + 1):
        if sample.answers[i - 1] == wording.REFUSAL:
            refused.add(i)
    for own in range(max(branch) + 1):
        at = [j for j, mine in enumerate(learnt) if mine and branch[j] == own]
        row.places += at
        row.weight += [(BRANCH_WEIGHT if own else 1.0) * max(1, len(at)) ** -0.5] * len(at)
        row.skill += [SKILLS.index("refusal") if own in refused else number] * len(at)
    again = repeated(ids, learnt, branch)
    row.places += again
    row.weight += [COPY_WEIGHT * max(1, len(again)) ** -0.5] * len(again)
    row.skill += [len(SKILLS)] * len(again)
    return row


def pages(rows: list[Row], every: bool = False) -> tuple[list[list[list[Row]]], list[Row]]:
    """Samples packed into pages of `PAGE` tokens: 1, 2 or 4 lines of equal length, and whole samples in a line.

    Gives the full pages, and the samples of those that are not full (none, where `every` page is wanted).
    """
    lines: list[tuple[int, list[Row]]] = []
    room: list[int] = []
    for one in sorted(rows, key=lambda one: -len(one.ids)):
        at = next((i for i, left in enumerate(room) if left >= len(one.ids)), None)
        if at is None:
            size = next(PAGE // k for k in (4, 2, 1) if PAGE // k >= len(one.ids))
            lines.append((size, [one]))
            room.append(size - len(one.ids))
        else:
            lines[at][1].append(one)
            room[at] -= len(one.ids)
    made, left = [], []
    for k in (1, 2, 4):
        same = [line for size, line in lines if size == PAGE // k]
        full = len(same) if every else len(same) - len(same) % k
        made += [same[i : i + k] for i in range(0, full, k)]
        left += [one for line in same[full:] for one in line]
    return made, left


def micro_batch(page: list[list[Row]]) -> tuple[np.ndarray, ...]:
    """A page as ids, position, trunk, branch (lines by length); row, column, target, skill, weight of the targets."""
    length = next(PAGE // k for k in (4, 2, 1) if PAGE // k >= sum(len(one.ids) for one in page[0]))
    ids = np.full((len(page), length), PAD, dtype=np.int64)
    position, trunk, branch = np.zeros_like(ids), np.zeros_like(ids), np.zeros_like(ids)
    lists: list[list[float]] = [[], [], [], [], []]
    for i, line in enumerate(page):
        at = 0
        for number, one in enumerate(line, start=1):
            here = slice(at, at + len(one.ids))
            ids[i, here], branch[i, here], trunk[i, here] = one.ids, one.branch, number
            position[i, here] = branch_positions(one.branch)
            targets = [one.ids[j] for j in one.places]
            parts = ([i] * len(targets), [at + j - 1 for j in one.places], targets, one.skill, one.weight)
            for whole, part in zip(lists, parts, strict=True):
                whole += part
            at += len(one.ids)
    places = [np.array(whole, dtype=np.int64) for whole in lists[:4]]
    return ids, position, trunk, branch, *places, np.array(lists[4], dtype=np.float32)
