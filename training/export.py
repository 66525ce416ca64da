"""Export: `python -m training.export --llama-cpp DIR` writes the shipped folder from the checkpoint.

safetensors in float16 with configuration and tokenizer, then the GGUF by llama.cpp's own `convert_hf_to_gguf.py`
(DIR is a llama.cpp source tree, as in the source package of llama-cpp-python under vendor/llama.cpp).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from .model import Model, Shape, to_llama
from .tokenizer import BOS, EOS, PAD

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "kaggle_magics" / "models" / "pocket"


def write(state_file: Path, out: Path) -> None:
    """Weights, configuration and tokenizer for transformers."""
    state = torch.load(state_file, weights_only=True, map_location="cpu")
    shape = Shape(**state["shape"])
    model = Model(shape)
    model.load_state_dict(state["model"])
    out.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.to(torch.float16) for name, tensor in to_llama(model).items()},
        out / "model.safetensors",
        metadata={"format": "pt"},
    )
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.hidden // shape.heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.theta,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "torch_dtype": "float16",
        "use_cache": True,
    }
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "do_sample": False,
        "max_new_tokens": 256,
    }
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    for file in (HERE / "checkpoints" / "tokenizer").iterdir():
        shutil.copy(file, out / file.name)


def to_gguf(out: Path, llama_cpp: Path) -> Path:
    """The GGUF in Q8_0 beside the safetensors."""
    file = out / "pocket-Q8_0.gguf"
    subprocess.run(
        [
            sys.executable,
            str(llama_cpp / "convert_hf_to_gguf.py"),
            str(out),
            "--outfile",
            str(file),
            "--outtype",
            "q8_0",
            "--model-name",
            "pocket",
        ],
        check=True,
        capture_output=True,
    )
    return file


def main() -> None:
    """Export everything and say the sizes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, default=HERE / "checkpoints" / "state.pt")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    options = parser.parse_args()
    write(options.state, options.out)
    to_gguf(options.out, options.llama_cpp)
    for file in sorted(options.out.iterdir()):
        print(f"{file.stat().st_size / 1e6:7.3f} MB  {file.name}")


if __name__ == "__main__":
    main()
