"""The training loop: `python -m training.train --until 18:10`. It resumes from training/checkpoints/state.pt.

What is learnt of a sample says `pages`. Warm-up, constant, then linear to 0 over the last part of the wall-clock, so
that a run ends in time however often it is paused.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import time
from collections import defaultdict
from datetime import datetime
from multiprocessing import Process, Queue, get_context
from pathlib import Path

import numpy as np
import torch

from .data.sample import SKILLS
from .model import Model, Shape
from .muon import Muon
from .pages import PAGE, encoded, micro_batch, pages
from .replica import Share, work
from .tokenizer import Encoder

HERE = Path(__file__).parent / "checkpoints"
MUON_LR, ADAM_LR = 0.008, 0.002
EMBEDDING_SCALE = 60.0
"""How much larger the embeddings are than the usual 0.02 at the start, and the last norm smaller: where they are small
beside what the blocks add, a token's identity drowns, and copying is not learnt (seen in a first run)."""
LEVEL_TOKENS = 8.0
"""Millions of tokens from the curriculum's level 0 to 1."""


def batches(queue: Queue, start: int, options: argparse.Namespace, tokens_seen: float) -> None:
    """Fill `queue` with steps: numbers of tokens and lists of micro-batches."""
    import os

    os.nice(5)
    torch.set_num_threads(1)
    from .data.mixture import training_sample

    encoder = Encoder(HERE / "tokenizer" / "tokenizer.model")
    step, rows, ready = start, [], []
    while True:
        rng = random.Random(f"train {step}")
        level = min(1.0, max(0.0, tokens_seen / 1e6 - options.level_from) / LEVEL_TOKENS)
        while len(ready) < options.pages:
            drawn = 0
            while drawn < options.pages * PAGE // 2:
                row = encoded(training_sample(rng, level), encoder)
                if len(row.ids) <= PAGE:
                    rows.append(row)
                    drawn += len(row.ids)
            made, rows = pages(rows)
            rng.shuffle(made)
            ready += made
        total = sum(len(one.ids) for page in ready[: options.pages] for line in page for one in line)
        tokens_seen += total
        queue.put((total, [micro_batch(page) for page in ready[: options.pages]]))
        ready = ready[options.pages :]
        step += 1


def rate(now: float, begin: float, end: float, steps: int, decay: float) -> float:
    """The share of the peak learning rate; `steps` are those of this process, so that a resumed run warms up again.

    By the clock, so that the run ends in time with a rate of 0 however often it is paused.
    """
    left = (end - now) / (end - begin)
    return min(1.0, (steps + 1) / 60) * min(1.0, max(0.0, left) / decay)


def main() -> None:
    """Train until the wall-clock says so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--until", help="HH:MM today; the learning rate reaches 0 then")
    parser.add_argument("--minutes", type=float, help="instead of --until")
    parser.add_argument("--begin", help="HH:MM, when the whole run began (the decay is a share of all of it)")
    parser.add_argument("--decay", type=float, default=0.3)
    parser.add_argument("--level-from", type=float, default=0.0, help="million tokens at the curriculum's level 0")
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--inner", type=int, default=640)
    parser.add_argument("--pages", type=int, default=5, help="micro-batches a step")
    parser.add_argument("--processes", type=int, default=2, choices=(1, 2))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--state", default=str(HERE / "state.pt"))
    options = parser.parse_args()

    def clock(text: str) -> float:
        return datetime.combine(datetime.now().date(), datetime.strptime(text, "%H:%M").time()).timestamp()

    began = time.time()
    begin = clock(options.begin) if options.begin else began
    end = clock(options.until) if options.until else began + 60 * options.minutes
    torch.set_num_threads(1)
    torch.manual_seed(1)
    state_file = Path(options.state)
    state = torch.load(state_file, weights_only=True) if state_file.exists() else None
    shape = (
        Shape(**state["shape"])
        if state
        else Shape(hidden=options.hidden, layers=options.layers, inner=options.inner, heads=options.hidden // 32)
    )
    model = Model(shape)
    matrices, parts = [], []
    for block in model.blocks:
        matrices += [block.qkv, block.out, block.gate_up, block.down]
        parts += [3, 1, 2, 1]
    own = {id(p) for p in matrices}
    own |= {id(model.embedding), id(model.norm)}
    others = [p for p in model.parameters() if id(p) not in own]
    adam = torch.optim.AdamW(
        [
            {"params": [model.embedding], "scale": EMBEDDING_SCALE},
            {"params": [model.norm], "scale": 1 / EMBEDDING_SCALE},
            {"params": others, "scale": 1.0},
        ],
        lr=0.0,
        betas=(0.9, 0.98),
        weight_decay=0.0,
        fused=True,
    )
    muon = Muon(matrices, parts)
    step, tokens, trained = 0, 0.0, 0.0
    if state:
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        for buffer, old in zip(muon.buffers, state["muon"], strict=True):
            buffer.copy_(old)
        step, tokens, trained = state["step"], state["tokens"], state["seconds"]
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, from step {step}", flush=True)
    model.share_memory()
    spawn = get_context("spawn")
    counter, gradient = spawn.Value("i", 0), torch.zeros(sum(p.numel() for p in model.parameters())).share_memory_()
    here, there = spawn.Pipe()
    replica = None
    if options.processes == 2:
        replica = spawn.Process(target=work, args=(there, model, gradient, counter, options.compile), daemon=True)
        replica.start()
    share_of_work = Share(model, counter, options.compile)

    def save() -> None:
        temporary = state_file.with_suffix(".tmp")
        torch.save(
            {
                "shape": shape.to_dict(),
                "model": model.state_dict(),
                "adam": adam.state_dict(),
                "muon": muon.buffers,
                "step": step,
                "tokens": tokens,
                "seconds": trained + time.time() - began,
            },
            temporary,
        )
        temporary.replace(state_file)

    queue: Queue = Queue(maxsize=6)
    worker = Process(target=batches, args=(queue, step, options, tokens), daemon=True)
    worker.start()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    first_step = step
    sums, counts = defaultdict(float), defaultdict(float)
    saved = logged = time.time()
    log_tokens = tokens
    while time.time() < end and not stopped:
        total, groups = queue.get()
        weight_sum = float(sum(group[-1].sum() for group in groups))
        counter.value = 0
        if replica:
            here.send((groups, weight_sum))
        done = share_of_work.take(groups, weight_sum)
        if replica:
            done += here.recv()
            at = 0
            for p in model.parameters():
                part = gradient[at : at + p.numel()].view(p.shape)
                p.grad = part.clone() if p.grad is None else p.grad.add_(part)
                at += p.numel()
        for group, each in done:
            skill = groups[group][-2]
            for number in np.unique(skill):
                mask = skill == number
                sums[number] += float(each[mask].sum())
                counts[number] += int(mask.sum())
        share = rate(time.time(), begin, end, step - first_step, options.decay)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for settings in adam.param_groups:
            settings["lr"] = ADAM_LR * share * settings["scale"]
        adam.step()
        muon.step(MUON_LR * share, 0.01)
        for p in model.parameters():
            p.grad = None
        step += 1
        tokens += total
        if step % 50 == 0:
            now = time.time()
            line = {
                "step": step,
                "Mtokens": round(tokens / 1e6, 2),
                "per_s": round((tokens - log_tokens) / (now - logged)),
                "lr": round(share, 3),
                **{(*SKILLS, "copy")[k]: round(sums[k] / counts[k], 4) for k in sorted(sums)},
            }
            print(datetime.now().strftime("%H:%M:%S"), json.dumps(line), flush=True)
            sums.clear()
            counts.clear()
            logged, log_tokens = now, tokens
        if time.time() - saved > 240:
            save()
            saved = time.time()
    save()
    worker.terminate()
    print(f"done: step {step}, {tokens / 1e6:.2f} M tokens", flush=True)


if __name__ == "__main__":
    main()
