"""A model on disk and the facts its files tell, read before anything heavy is imported.

A checkpoint is a folder as `save_pretrained` writes it (config.json, safetensors, tokenizer) or a `.gguf` file (all
parts of a split one count as one). Only headers and small JSON files are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.headers import gguf, safetensors

Format = Literal["safetensors", "gguf", "pickle"]
Origin = Literal["bundled", "kaggle", "huggingface", "path"]

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8",
          "F8_E4M3": "float8_e4m3", "F8_E5M2": "float8_e5m2"}  # fmt: skip
"""safetensors' element types -> the names torch gives them."""

DTYPE_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""The dtypes a model's weights can be computed with, and the bytes one weight takes."""

_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
_PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "consolidated*.pth")


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The sizes a memory estimate needs; 0 where the files do not tell."""

    layers: int = 0
    hidden: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    vocabulary: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model found on disk. `parameters` is None where only unpickling would tell."""

    name: str
    path: Path
    """The folder, or the `.gguf` file (the first part of a split one)."""
    format: Format
    architecture: str
    """Such as "LlamaForCausalLM" (folders) or "llama" (GGUF)."""
    parameters: int | None
    bytes: int
    """Of the weights on disk."""
    dtype: str
    """Of most of the weights: "float32", "bfloat16"; a GGUF's quantisation: "Q8_0"."""
    context_length: int
    """Tokens the model was made for; 0 where the files do not tell."""
    has_chat_template: bool
    origin: Origin = "path"
    handle: str | None = None
    """Kaggle handle or Hugging Face id."""
    dimensions: Dimensions = Dimensions()


def read_checkpoint(
    path: str | Path, *, origin: Origin = "path", handle: str | None = None, name: str | None = None
) -> Checkpoint:
    """The facts of the folder or `.gguf` file at `path`, from headers only.

    Raises `CheckpointError` when there is no model, or when a file of it is missing, damaged or cut short.
    """
    # The session may outlive a change of the working directory.
    path = Path(path).absolute()
    if path.is_dir():
        return _read_folder(path, name or path.resolve().name, origin, handle)
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist.", "Check the path.")
    if path.suffix.lower() != ".gguf":
        raise CheckpointError(
            f"{path.name} is not a model.", "Name a folder with a config.json in it, or a .gguf file."
        )
    return _read_gguf(path, name or gguf_name(path), origin, handle)


def weights_in(folder: Path) -> Format | None:
    """The kind of weights that lie in a folder itself; None when there are none (an adapter's do not count)."""
    if (
        any(_is_weights(file) for file in folder.glob("*.safetensors"))
        or (folder / "model.safetensors.index.json").is_file()
    ):
        return "safetensors"
    return "pickle" if any(True for pattern in _PICKLES for _ in folder.glob(pattern)) else None


def is_first_part(file: Path) -> bool:
    """Whether a `.gguf` file is whole or the first part of a split one (which stands for all parts)."""
    part = _PART.match(file.name)
    return part is None or int(part["number"]) == 1


def gguf_name(path: Path) -> str:
    """A GGUF's name in lists: its file name without the part number and the ending."""
    part = _PART.match(path.name)
    return part["stem"] if part else path.stem


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a checkpoint; `{}` when the file is absent. Raises `CheckpointError`."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is damaged: it is not valid JSON.", "Attach or download it again."
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name} is damaged: it holds no JSON object.")
    return value


def _read_folder(folder: Path, name: str, origin: Origin, handle: str | None) -> Checkpoint:
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder} holds no model: it has no config.json.", "Name a model's folder or a .gguf file."
        )
    config = read_json(folder / "config.json")
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    assert isinstance(text, dict)
    architectures = config.get("architectures")
    architecture = (
        str(architectures[0])
        if isinstance(architectures, list) and architectures
        else str(config.get("model_type", ""))
    )
    kind = weights_in(folder)
    parameters: int | None = None
    if kind == "safetensors":
        files = _safetensors_files(folder)
        tensors = [tensor for file in files for tensor in safetensors.read_header(file).values()]
        parameters = sum(tensor.elements for tensor in tensors)
        size, dtype = sum(file.stat().st_size for file in files), _main_dtype(tensors)
    elif kind == "pickle":
        pickles = {file for pattern in _PICKLES for file in folder.glob(pattern)}
        size = sum(file.stat().st_size for file in pickles)
        dtype = str(config.get("dtype") or config.get("torch_dtype") or "unknown")
    else:
        raise CheckpointError(
            f"{folder.name} holds a config.json but no weights.", "Attach or download the whole model."
        )
    return Checkpoint(
        name=name,
        path=folder,
        format=kind,
        architecture=architecture,
        parameters=parameters,
        bytes=size,
        dtype=dtype,
        context_length=_integer(text, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
        has_chat_template=has_chat_template(folder),
        origin=origin,
        handle=handle,
        dimensions=_dimensions(text),
    )


def has_chat_template(folder: Path) -> bool:
    """Whether a folder's tokenizer files hold a chat template."""
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    return bool(read_json(folder / "tokenizer_config.json").get("chat_template"))


def _safetensors_files(folder: Path) -> list[Path]:
    index = read_json(folder / "model.safetensors.index.json")
    if not index:
        whole = folder / "model.safetensors"
        return (
            [whole] if whole.is_file() else sorted(file for file in folder.glob("*.safetensors") if _is_weights(file))
        )
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(
            "model.safetensors.index.json is damaged: it names no files.", "Attach or download it again."
        )
    files = [folder / str(file) for file in sorted(set(weight_map.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(
            f"{folder.name} is incomplete: {len(missing)} of {len(files)} weight files are missing ({missing[0]}).",
            "Attach or download it again.",
        )
    return files


def _is_weights(file: Path) -> bool:
    return not file.name.startswith("adapter_")


def _main_dtype(tensors: Iterable[safetensors.Tensor]) -> str:
    sizes: dict[str, int] = {}
    for tensor in tensors:
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.bytes
    most = max(sizes, key=lambda dtype: sizes[dtype], default="unknown")
    return DTYPES.get(most, most.lower())


def _integer(config: dict[str, Any], *keys: str) -> int:
    return next((value for key in keys if isinstance(value := config.get(key), int)), 0)


def _dimensions(config: dict[str, Any]) -> Dimensions:
    heads = _integer(config, "num_attention_heads", "n_head", "num_heads")
    hidden = _integer(config, "hidden_size", "n_embd", "d_model")
    return Dimensions(
        layers=_integer(config, "num_hidden_layers", "n_layer", "num_layers"),
        hidden=hidden,
        kv_heads=_integer(config, "num_key_value_heads") or heads,
        head_dim=_integer(config, "head_dim") or (hidden // heads if heads else 0),
        vocabulary=_integer(config, "vocab_size"),
    )


def _read_gguf(path: Path, name: str, origin: Origin, handle: str | None) -> Checkpoint:
    parts = _parts(path)
    header, *others = [gguf.read_header(part) for part in parts]
    architecture = header.architecture
    if not architecture:
        raise CheckpointError(f"{path.name} does not say which architecture it has.", "Convert it again.")
    tensors = [tensor for each in (header, *others) for tensor in each.tensors.values()]
    heads = header.integer("attention.head_count") or 0
    hidden = header.integer("embedding_length") or 0
    return Checkpoint(
        name=name,
        path=parts[0],
        format="gguf",
        architecture=architecture,
        parameters=sum(tensor.elements for tensor in tensors),
        bytes=sum(part.stat().st_size for part in parts),
        dtype=header.quantisation,
        context_length=header.integer("context_length") or 0,
        has_chat_template=bool(header.metadata.get("tokenizer.chat_template")),
        origin=origin,
        handle=handle,
        dimensions=Dimensions(
            layers=header.integer("block_count") or 0,
            hidden=hidden,
            kv_heads=header.integer("attention.head_count_kv") or heads,
            head_dim=header.integer("attention.key_length") or (hidden // heads if heads else 0),
            vocabulary=header.lengths.get("tokenizer.ggml.tokens", 0),
        ),
    )


def _parts(path: Path) -> list[Path]:
    part = _PART.match(path.name)
    if part is None:
        return [path]
    count = int(part["count"])
    parts = [path.with_name(f"{part['stem']}-{number:05d}-of-{count:05d}.gguf") for number in range(1, count + 1)]
    missing = [file.name for file in parts if not file.is_file()]
    if missing:
        raise CheckpointError(
            f"{part['stem']} is incomplete: {len(missing)} of {count} parts are missing ({missing[0]}).",
            "Attach or download it again.",
        )
    return parts
