"""A model on disk and the facts its files tell, read before anything heavy is imported.

A checkpoint is a folder as `save_pretrained` writes it (config.json, safetensors, tokenizer) or a `.gguf` file (all
parts of a split one count as one). Only headers and small JSON files are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kaggle_magics.errors import CheckpointError
from kaggle_magics.models.dimensions import NO_DIMENSIONS, Dimensions, folder_dimensions, gguf_dimensions, integer
from kaggle_magics.models.find.adapters import CONFIG as ADAPTER_CONFIG
from kaggle_magics.models.find.adapters import Adapter, adapter_of_gguf, read_adapter
from kaggle_magics.models.headers import gguf, safetensors
from kaggle_magics.models.headers.json_file import read_json
from kaggle_magics.models.kinds import MODULES, Kind, answers_from_an_encoder, kind_of_folder, kind_of_gguf

Format = Literal["safetensors", "gguf", "pickle"]
Origin = Literal["bundled", "kaggle", "huggingface", "quantized", "path"]

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8",
          "F8_E4M3": "float8_e4m3", "F8_E5M2": "float8_e5m2"}  # fmt: skip
"""safetensors' element types -> the names torch gives them."""

DTYPE_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
"""The dtypes a model's weights can be computed with, and the bytes one weight takes."""

_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")
_PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "consolidated*.pth")


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
    dimensions: Dimensions = NO_DIMENSIONS
    kind: Kind = "generator"
    base_model: str = ""
    """Of an adapter: the model that it changes, as its files name it."""
    versions: tuple[int, ...] = ()
    """The versions of it that are at hand, where there are several; this is the newest unless another was named."""
    encoder_decoder: bool = False
    """Whether it reads the prompt in an encoder: its decoder holds the answer alone."""


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
        raise CheckpointError(f"{path.name} is not a model.", _not_a_model(path))
    return _read_gguf(path, name or gguf_name(path), origin, handle)


def _not_a_model(file: Path) -> str:
    if file.suffix == ".safetensors" and (file.parent / "config.json").is_file():
        return f"Name the folder it lies in: {file.parent}"
    if file.suffix == ".ggml" or file.name.startswith("ggml-"):
        return "It looks like llama.cpp's old format; convert the model to GGUF again."
    return "Name a folder with a config.json in it, or a .gguf file."


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


def _read_folder(folder: Path, name: str, origin: Origin, handle: str | None) -> Checkpoint:
    if (folder / ADAPTER_CONFIG).is_file() and weights_in(folder) is None:
        return _of_adapter(read_adapter(folder, name), origin, handle)
    home = _transformer_of(folder)
    if not (home / "config.json").is_file():
        raise CheckpointError(
            f"{folder} holds no model: it has no config.json.", "Name a model's folder or a .gguf file."
        )
    config = read_json(home / "config.json")
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    assert isinstance(text, dict)
    architectures = config.get("architectures")
    architecture = (
        str(architectures[0])
        if isinstance(architectures, list) and architectures
        else str(config.get("model_type", ""))
    )
    weights = weights_in(home)
    parameters: int | None = None
    tensors: list[tuple[str, safetensors.Tensor]] = []
    if weights == "safetensors":
        files = _safetensors_files(home)
        tensors = [item for file in files for item in safetensors.read_header(file).items()]
        parameters = sum(tensor.elements for _, tensor in tensors)
        size, dtype = sum(file.stat().st_size for file in files), _main_dtype(tensor for _, tensor in tensors)
    elif weights == "pickle":
        pickles = {file for pattern in _PICKLES for file in home.glob(pattern)}
        size = sum(file.stat().st_size for file in pickles)
        dtype = str(config.get("dtype") or config.get("torch_dtype") or "unknown")
    else:
        raise CheckpointError(
            f"{folder.name} holds a config.json but no weights.", "Attach or download the whole model."
        )
    return Checkpoint(
        name=name,
        path=folder,
        format=weights,
        architecture=architecture,
        parameters=parameters,
        bytes=size,
        dtype=dtype,
        context_length=integer(text, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
        has_chat_template=has_chat_template(home),
        origin=origin,
        handle=handle,
        dimensions=folder_dimensions(text, tensors),
        kind=kind_of_folder(folder, config, architecture),
        encoder_decoder=answers_from_an_encoder(config, architecture),
    )


def _transformer_of(folder: Path) -> Path:
    """Where a folder's weights lie: a sentence-transformers model may keep them in the folder of its first part."""
    if (folder / "config.json").is_file() or not (folder / MODULES).is_file():
        return folder
    return next((part.parent for part in sorted(folder.glob("0_*/config.json"))), folder)


def _of_adapter(found: Adapter, origin: Origin, handle: str | None) -> Checkpoint:
    return Checkpoint(
        name=found.name,
        path=found.path,
        format="safetensors" if found.format == "peft" else "gguf",
        architecture=found.architecture,
        parameters=found.parameters,
        bytes=found.bytes,
        dtype=DTYPES.get(found.dtype, found.dtype),
        context_length=0,
        has_chat_template=False,
        origin=origin,
        handle=handle,
        kind="adapter",
        base_model=found.base_model,
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
        if whole.is_file():
            return [whole]
        files = sorted(file for file in folder.glob("*.safetensors") if _is_weights(file))
        if any(re.search(r"-\d{5}-of-\d{5}$", file.stem) for file in files):
            raise CheckpointError(
                f"{folder.name} is incomplete: model.safetensors.index.json, which tells its parts, is missing.",
                "Attach or download it again.",
            )
        return files
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(
            "model.safetensors.index.json is damaged: it names no files.", "Attach or download it again."
        )
    names = sorted({str(file) for file in weight_map.values()})
    if any(Path(each).name != each for each in names):
        raise CheckpointError(
            "model.safetensors.index.json is damaged: it names files outside its folder.", "Do not use this model."
        )
    files = [folder / each for each in names]
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


def _read_gguf(path: Path, name: str, origin: Origin, handle: str | None) -> Checkpoint:
    parts = gguf_parts(path)
    header, *others = [gguf.read_header(part) for part in parts]
    architecture = header.architecture
    if not architecture:
        raise CheckpointError(f"{path.name} does not say which architecture it has.", "Convert it again.")
    kind = kind_of_gguf(header)
    if kind == "adapter":
        return _of_adapter(adapter_of_gguf(parts[0], name, header), origin, handle)
    tensors = [item for each in (header, *others) for item in each.tensors.items()]
    vocabulary = header.lengths.get("tokenizer.ggml.tokens", 0)
    _check_vocabulary(path, vocabulary, dict(tensors).get("token_embd.weight"))
    return Checkpoint(
        name=name,
        path=parts[0],
        format="gguf",
        architecture=architecture,
        parameters=sum(tensor.elements for _, tensor in tensors),
        bytes=sum(part.stat().st_size for part in parts),
        dtype=header.quantisation,
        context_length=header.integer("context_length") or 0,
        has_chat_template=bool(header.metadata.get("tokenizer.chat_template")),
        origin=origin,
        handle=handle,
        dimensions=gguf_dimensions(architecture, header.metadata, vocabulary, tensors),
        kind=kind,
    )


def _check_vocabulary(path: Path, tokens: int, embedding: gguf.GgufTensor | None) -> None:
    """llama.cpp wants a row of the embedding for every token and no more; another model's tokenizer has other ones."""
    rows = embedding.shape[1] if embedding is not None and len(embedding.shape) == 2 else tokens
    if tokens and rows != tokens:
        raise CheckpointError(
            f"{path.name} has a vocabulary of {tokens:,} tokens, and weights for {rows:,}: it is another model's.",
            "Convert it again with its own tokenizer, or download it again.",
        )


def gguf_parts(path: Path) -> list[Path]:
    """All files of a GGUF, the first one first. Raises `CheckpointError` where one is missing."""
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
