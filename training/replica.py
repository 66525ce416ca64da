"""Two processes, one thread each, that share a step's micro-batches: whoever is free takes the next.

On a machine whose cores are shared with other work this loses nothing to barriers, which two threads of one process do.
"""

from __future__ import annotations

from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import Model


class Share:
    """Takes micro-batches of a step until none is left, and adds up the gradients of this process."""

    def __init__(self, model: Model, counter: Any, compiled: bool):
        torch.set_num_threads(1)
        self.model, self.counter = model, counter
        self.states = torch.compile(model, dynamic=False) if compiled else model

    def take(self, groups: list[tuple], weight_sum: float) -> list[tuple[int, Tensor]]:
        """Backward of the micro-batches this process got; their numbers with the loss of each token."""
        done = []
        while True:
            with self.counter.get_lock():
                number = self.counter.value
                self.counter.value += 1
            if number >= len(groups):
                return done
            *tokens, row, column, target, _, weight = groups[number]
            states = self.states(*map(torch.from_numpy, tokens))[torch.from_numpy(row), torch.from_numpy(column)]
            logits = F.linear(states, self.model.embedding)
            each = F.cross_entropy(logits, torch.from_numpy(target), reduction="none")
            (each @ torch.from_numpy(weight) / weight_sum).backward()
            done.append((number, each.detach().numpy()))


def work(connection: Connection, model: Model, gradient: Tensor, counter: Any, compiled: bool) -> None:
    """The second process: on each step, take a share and leave its gradients in `gradient` (flat, shared)."""
    share = Share(model, counter, compiled)
    parameters = list(model.parameters())
    while True:
        try:
            groups, weight_sum = connection.recv()
        except EOFError:  # the first process has ended
            return
        done = share.take(groups, weight_sum)
        at = 0
        for p in parameters:
            if p.grad is None:
                gradient[at : at + p.numel()].zero_()
            else:
                gradient[at : at + p.numel()].copy_(p.grad.view(-1))
            p.grad = None
            at += p.numel()
        connection.send(done)
