"""Embedding: sentence-transformers' own `encode` (as LangChain's HuggingFaceEmbeddings calls it), and ours.

    python benchmarks/embedding.py [--small] [--budgets] [--threads N] [--processor]

The same texts by the same model (all-MiniLM-L6-v2, float32), in turns within one process: passages of 1,000 characters,
short texts, and both mixed. What the processor could do at best is told beside it: the model's multiplications at the
speed of one large multiplication of its shapes. With `onnx` installed the model is exported and run by onnxruntime, in
float32 and with weights of 8 bits; a static model of the same vocabulary shows what is left without a network.
`--budgets` measures how many padded tokens a batch should have.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timing import Result, show, take_turns

from kaggle_magics.rag.embedding import batches as batching
from kaggle_magics.rag.embedding.kinds import sentence_transformer
from kaggle_magics.rag.embedding.models import PACKAGE_MODEL, find_embedder

BUDGETS = (256, 512, 1024, 2048, 4096, 8192)
WORDS = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
which one you were all her she there would their we him been has when who will no more if out so up said what its about
than into them can only other time new some could these two may first then do any like my now over such our man me
library passage document vector retrieval measure evidence citation language history science chemistry protein
government election water temperature pressure economy population industry molecule experiment analysis method"""


def texts(small: bool) -> dict[str, list[str]]:
    """Of random words, the same every time."""
    chance, words = random.Random(7), WORDS.split()

    def passage(characters: int) -> str:
        found = ""
        while len(found) < characters:
            found += chance.choice(words) + chance.choice((" ", " ", " ", " ", ", ", ". "))
        return found[:characters]

    scale = 1 if small else 12
    long = [passage(1000) for _ in range(8 * scale)]
    short = [passage(chance.randint(20, 120)) for _ in range(48 * scale)]
    mixed = [passage(chance.choice((40, 80, 150, 300, 600, 1000))) for _ in range(16 * scale)]
    chance.shuffle(mixed)
    return {"1,000 characters": long, "20 to 120 characters": short, "40 to 1,000 characters": mixed}


def ceiling(embedder: Any, some: list[str], clock: Callable[[], float]) -> float:
    """Seconds for the model's multiplications of these texts' real tokens (no padding), at the speed of a large one.

    A token costs 2 operations for each weight of the layers' matrices, and 4 for each component and token attended to
    in each layer (Kaplan et al. 2020, arXiv:2001.08361, table 1). The speed is that of `tokens x 384 @ 384 x 1536`.
    """
    import torch

    config = embedder.facts.config
    width, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    counts = [min(count, embedder.max_tokens) for count in embedder.count_tokens(some)]
    weights = layers * (4 * width * width + 2 * width * inner)
    operations = sum(2 * weights * count + 4 * layers * width * count * count for count in counts)
    left, right = torch.randn(2048, width), torch.randn(width, inner)
    best = 1e9
    with torch.inference_mode():
        for _ in range(30):
            started = clock()
            left @ right
            best = min(best, clock() - started)
    return float(operations * best / (2 * 2048 * width * inner))


def export(folder: Path, to: Path) -> Path | None:
    """The model as an ONNX graph with its small files, and `model_qint8.onnx` beside it; None without `onnx`."""
    try:
        import onnx  # noqa: F401
        import onnxruntime.quantization as quantization
    except ImportError:
        return None
    import torch
    from transformers import AutoModel

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(folder).eval()

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))
    (to / "onnx").mkdir()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Encoder(),
            tuple(torch.ones((2, 7), dtype=torch.long) for _ in names),
            str(to / "onnx/model.onnx"),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, "last_hidden_state"]},
            opset_version=17,
            dynamo=False,
        )
        quantization.quantize_dynamic(
            to / "onnx/model.onnx", to / "onnx/model_qint8.onnx", weight_type=quantization.QuantType.QInt8
        )
    return to


def static(embedder: Any, to: Path) -> Path:
    """The model's own token embeddings as a static model: of no quality, but of the real size."""
    import json

    from safetensors.numpy import load_file, save_file

    to.mkdir()
    shutil.copy(embedder.folder / "tokenizer.json", to)
    tensors = load_file(embedder.folder / "model.safetensors")
    save_file({"embedding.weight": tensors["embeddings.word_embeddings.weight"]}, to / "model.safetensors")
    kind = "sentence_transformers.models.StaticEmbedding"
    (to / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}]))
    return to


def cosine(one: Any, other: Any) -> tuple[float, float]:
    """The least and the mean cosine of two models' vectors."""
    found = (one * other).sum(axis=1)
    return float(found.min()), float(found.mean())


def timed(way: Callable[[], Any], clock: Callable[[], float]) -> Callable[[], float]:
    def run() -> float:
        started = clock()
        way()
        return clock() - started

    return run


def budgets(embedder: Any, sets: dict[str, list[str]], runs: int) -> None:
    """Seconds by the padded tokens of a batch."""
    print("\n| padded tokens | " + " | ".join(sets) + " |\n|---:|" + "---:|" * len(sets))
    found: dict[int, list[str]] = {budget: [] for budget in BUDGETS}
    for some in sets.values():

        def way(budget: int, some: list[str] = some) -> None:
            embedder._budget = budget
            embedder.embed_documents(some)

        taken = take_turns({str(budget): (lambda budget=budget: way(budget)) for budget in BUDGETS}, runs)
        for budget in BUDGETS:
            found[budget].append(f"{taken[str(budget)]:.2f} s")
    for budget, cells in found.items():
        print(f"| {budget} | " + " | ".join(cells) + " |")
    embedder._budget = batching.CPU_TOKENS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="fewer texts")
    parser.add_argument("--budgets", action="store_true", help="also measure the size of batches")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--processor", action="store_true", help="processor time, for a machine under load")
    options = parser.parse_args()
    clock = time.process_time if options.processor else time.perf_counter
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(options.threads)
    embedder: Any = find_embedder(PACKAGE_MODEL)
    assert isinstance(embedder, sentence_transformer.SentenceTransformerEmbedder)
    library = SentenceTransformer(str(embedder.folder), device="cpu")
    sets = texts(options.small)
    results, notes = [], []
    with tempfile.TemporaryDirectory() as place:
        folder = export(embedder.folder, Path(place) / "onnx")
        others = {"static": find_embedder(static(embedder, Path(place) / "static"))}
        if folder is not None:
            for label, graph in (("ONNX", "model.onnx"), ("ONNX, 8 bits", "model_qint8.onnx")):
                others[label] = find_embedder(folder / "onnx" / graph)
        else:
            notes.append("ONNX is not measured: onnx is not installed.")
        for what, some in sets.items():
            ways: dict[str, Any] = {
                "library": lambda some=some: library.encode(some, show_progress_bar=False),
                "ours": lambda some=some: embedder.embed_documents(some),
                **{label: (lambda each=each, some=some: each.embed_documents(some)) for label, each in others.items()},
            }
            taken = take_turns({name: timed(way, clock) for name, way in ways.items()}, options.runs)
            best = min(ceiling(embedder, some, clock) for _ in range(3))
            results.append(Result(f"{what}, torch", taken["library"], taken["ours"], None, "s"))
            reference = embedder.embed_documents(some)
            least, _ = cosine(reference, library.encode(some, normalize_embeddings=True, show_progress_bar=False))
            assert least > 0.9999, "the vectors are the library's"
            tokens = sum(min(count, embedder.max_tokens) for count in embedder.count_tokens(some))
            notes.append(
                f"{what}: {len(some)} texts, {tokens} tokens; cosine with the library's vectors at least {least:.6f}; "
                f"the multiplications alone {best:.2f} s, {best / taken['ours']:.0%} of our time and "
                f"{best / taken['library']:.0%} of the library's: no batching can gain more than "
                f"{taken['library'] / best:.2f}x."
            )
            for label, each in others.items():
                results.append(Result(f"{what}, {label}", taken["library"], taken[label], None, "s"))
                if label != "static":
                    least, mean = cosine(reference, each.embed_documents(some))
                    notes.append(f"{what}, {label}: cosine with float32 at least {least:.4f}, {mean:.4f} on average.")
        if options.budgets:
            budgets(embedder, sets, options.runs)
    threads = f"{options.threads} thread{'s' * (options.threads > 1)}{', processor time' * options.processor}"
    show(f"Embedding, {PACKAGE_MODEL}, {threads}", results, notes=tuple(notes))


if __name__ == "__main__":
    main()
