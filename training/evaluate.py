"""Measure the shipped model: `python -m training.evaluate --seed 11 --count 200` prints the table, both engines.

Greedy answers on held-out data of a fresh seed. An engine is a callable: messages and a token limit to a text and
whether the model stopped by itself.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from kaggle_magics import wording

from .data.mixture import test_samples
from .data.sample import Sample
from .judge import right

Engine = Callable[[list[dict[str, str]], int], tuple[str, bool]]
SHIPPED = Path(__file__).parent.parent / "kaggle_magics" / "models" / "pocket"
LINES = {"grounded": 90, "refusal": 90, "arithmetic": 85, "formulas": 85, "knowledge": 95, "code": 85, "formats": 90}
LIMIT = 220


def safetensors_engine(folder: Path, threads: int = 2) -> Engine:
    """Transformers in float32 (the weights are float16)."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(messages: list[dict[str, str]], limit: int) -> tuple[str, bool]:
        inputs = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            out = model.generate(**inputs, max_new_tokens=limit, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        return tokenizer.decode(out, skip_special_tokens=True), int(out[-1]) == tokenizer.eos_token_id

    return answer


def gguf_engine(file: Path, threads: int = 2) -> Engine:
    """llama.cpp on the GGUF, with the chat template that is inside it."""
    from llama_cpp import Llama

    model = Llama(str(file), n_ctx=2048, n_threads=threads, verbose=False, logits_all=False)

    def answer(messages: list[dict[str, str]], limit: int) -> tuple[str, bool]:
        out = model.create_chat_completion(messages, max_tokens=limit, temperature=0.0, repeat_penalty=1.0)  # type: ignore[arg-type]
        choice = out["choices"][0]  # type: ignore[index]
        return choice["message"]["content"], choice["finish_reason"] == "stop"

    return answer


def measure(
    engine: Engine, sets: dict[str, list[Sample]]
) -> tuple[dict[str, list[bool]], dict[str, list[bool]], dict[str, list[str]]]:
    """Verdicts, whether each answer ended by itself, and the texts, by line."""
    verdicts, ended, texts = defaultdict(list), defaultdict(list), defaultdict(list)
    for line, samples in sets.items():
        for sample in samples:
            text, stopped = engine(sample.messages[:-1], LIMIT)
            texts[line].append(text)
            ended[line].append(stopped)
            if line == "refusal":
                verdicts[line].append(wording.is_refusal(text))
            else:
                verdicts[line].append(right(sample, text))
    return verdicts, ended, texts


def percent(values: list[bool]) -> float:
    """The share of true ones, in percent."""
    return 100 * sum(values) / max(1, len(values))


def main() -> None:
    """Print the table and, with --wrong, the wrong answers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=SHIPPED)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--engines", default="safetensors,gguf")
    parser.add_argument("--wrong", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--skills", default=",".join(LINES))
    options = parser.parse_args()
    sets = {line: test_samples(line, options.count, options.seed) for line in options.skills.split(",")}
    results = {}
    for name in options.engines.split(","):
        engine = (
            safetensors_engine(options.folder, options.threads)
            if name == "safetensors"
            else gguf_engine(options.folder / "pocket-Q8_0.gguf", options.threads)
        )
        verdicts, ended, texts = results[name] = measure(engine, sets)
        print(f"\n{name}, seed {options.seed}, {options.count} held-out items a line")
        for line in sets:
            print(f"  {line:11s} {percent(verdicts[line]):5.1f} %   (line: {LINES[line]} %)")
            if line == "grounded":
                refused = [wording.is_refusal(text) for text in texts[line]]
                cited = [text[-3:] == sample.answer[-3:] for text, sample in zip(texts[line], sets[line], strict=True)]
                print(
                    f"  {'':11s} wrongly refused {percent(refused):.1f} % (at most 5 %), "
                    f"right citation {percent(cited):.1f} %"
                )
        every = [value for line in sets for value in ended[line]]
        print(f"  {'stops':11s} {percent(every):5.1f} %   (line: 98 %)", flush=True)
        shown: Counter[str] = Counter()
        for line in sets:
            for sample, text, good in zip(sets[line], texts[line], verdicts[line], strict=True):
                if not good and shown[line] < options.wrong:
                    shown[line] += 1
                    question = sample.messages[-2]["content"]
                    print(
                        json.dumps(
                            {"line": line, "question": question[-300:], "wanted": sample.answer, "said": text}, indent=1
                        )
                    )
    if len(results) == 2:
        one, two = (results[name][0] for name in results)
        same = [a == b for line in sets for a, b in zip(one[line], two[line], strict=True)]
        print(f"\nthe same verdict in both engines: {percent(same):.1f} % (line: 95 %)")


if __name__ == "__main__":
    main()
