"""What a model in Hugging Face's layout answers to a text, computed by transformers in a process of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_TOKENS = 64


def write_answers(model: str, output: str, text: str, *, trust_remote_code: bool) -> None:
    """Write to `output` (.npz) the `tokens` of a text, shape (n,), and the `logits` after each, (n, vocabulary).

    Computed in float32 on the CPU, whatever the weights are stored as: it is what others are compared with.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    tokenizer = AutoTokenizer.from_pretrained(model, **options)
    tokens = tokenizer(text)["input_ids"][:MOST_TOKENS]
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32, use_safetensors=True, **options).eval()
    with torch.inference_mode():
        logits = network(input_ids=torch.tensor([tokens])).logits[0].float().numpy()
    np.savez(output, tokens=np.array(tokens, np.int32), logits=logits)
