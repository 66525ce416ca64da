"""The training loop: `python -m training.train --until 18:10`. It resumes from training/checkpoints/state.pt.

The loss stands on the answers' tokens (and, lightly, on words of a prompt that stood in it before); a sample's tokens
weigh its length to the power -0.5, so that short answers count beside long functions. Warm-up, constant, then linear to
0 over the last part of the wall-clock.
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

from .model import Model, Shape
from .muon import Muon
from .replica import Share, work

HERE = Path(__file__).parent / "checkpoints"
MUON_LR, ADAM_LR = 0.008, 0.002
EMBEDDING_SCALE = 60.0
"""How much larger the embeddings are than the usual 0.02 at the start, and the last norm smaller: where they are small
beside what the blocks add, a token's identity drowns, and copying is not learnt (seen in a first run)."""
COPY_WEIGHT = 1.0
LEVEL_TOKENS = 20.0e6
"""Tokens after which the curriculum's level is 1."""


def repeated(ids: list[int], learnt: list[bool]) -> list[int]:
    """Positions of a prompt whose token, after its two forerunners, stood earlier in the same text: names told again.

    They are learnt beside the answers, at a small weight: copying is what answers from passages are made of.
    """
    seen: set[tuple[int, int, int]] = set()
    found = []
    for j in range(2, len(ids)):
        key = (ids[j - 2], ids[j - 1], ids[j])
        if key in seen and not learnt[j]:
            found.append(j)
        seen.add(key)
    return found


def batches(queue: Queue, start: int, tokens_a_step: int, micro: int, tokens_seen: float) -> None:
    """Fill `queue` with steps: lists of micro-batches (ids, row, column, target, weight, skill number)."""
    import os

    os.nice(5)
    torch.set_num_threads(1)
    from .data.mixture import training_sample
    from .data.sample import SKILLS
    from .tokenizer import Encoder

    encoder = Encoder(HERE / "tokenizer" / "tokenizer.model")
    step = start
    while True:
        rng = random.Random(f"train {step}")
        level = min(1.0, tokens_seen / LEVEL_TOKENS)
        rows, total = [], 0
        while total < tokens_a_step:
            sample = training_sample(rng, level)
            ids, learnt = encoder.encode(sample.messages)
            if len(ids) > 800:
                continue
            rows.append((ids, learnt, SKILLS.index(sample.skill)))
            total += len(ids)
        rows.sort(key=lambda row: len(row[0]))
        groups, group = [], []
        for row in rows:
            if group and (len(group) + 1) * len(row[0]) > micro:
                groups.append(group)
                group = []
            group.append(row)
        groups.append(group)
        made = []
        for group in groups:
            length = -(-max(len(ids) for ids, *_ in group) // 16) * 16
            block = np.full((len(group), length), 3, dtype=np.int64)
            row, column, target, weight, skill = [], [], [], [], []
            for i, (ids, learnt, number) in enumerate(group):
                block[i, : len(ids)] = ids
                at = [j for j, own in enumerate(learnt) if own]
                row += [i] * len(at)
                column += [j - 1 for j in at]
                target += [ids[j] for j in at]
                weight += [len(at) ** -0.5] * len(at)
                skill += [number] * len(at)
                again = repeated(ids, learnt)
                row += [i] * len(again)
                column += [j - 1 for j in again]
                target += [ids[j] for j in again]
                weight += [COPY_WEIGHT * max(1, len(again)) ** -0.5] * len(again)
                skill += [len(SKILLS)] * len(again)
            made.append(
                (
                    block,
                    *(np.array(x, dtype=np.int64) for x in (row, column, target, skill)),
                    np.array(weight, dtype=np.float32),
                )
            )
        tokens_seen += total
        queue.put((step, total, made))
        step += 1


def rate(now: float, begin: float, end: float, step: int, decay: float) -> float:
    """The share of the peak learning rate."""
    left = (end - now) / (end - begin)
    return min(1.0, (step + 1) / 100) * min(1.0, max(0.0, left) / decay)


def main() -> None:
    """Train until the wall-clock says so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--until", help="HH:MM today; the learning rate reaches 0 then")
    parser.add_argument("--minutes", type=float, help="instead of --until")
    parser.add_argument("--begin", help="HH:MM, when the whole run began (the decay is a share of all of it)")
    parser.add_argument("--decay", type=float, default=0.3)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--inner", type=int, default=640)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--micro", type=int, default=1280)
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

    from .data.sample import SKILLS

    queue: Queue = Queue(maxsize=6)
    worker = Process(target=batches, args=(queue, step, options.tokens, options.micro, tokens), daemon=True)
    worker.start()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    sums, counts = defaultdict(float), defaultdict(float)
    saved = logged = time.time()
    log_tokens = tokens
    while time.time() < end and not stopped:
        _, total, groups = queue.get()
        weight_sum = float(sum(group[5].sum() for group in groups))
        groups.sort(key=lambda group: -group[0].size)
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
            skill = groups[group][4]
            for number in np.unique(skill):
                mask = skill == number
                sums[number] += float(each[mask].sum())
                counts[number] += int(mask.sum())
        share = rate(time.time(), begin, end, step, options.decay)
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
