"""From an object that the notebook holds to an engine: what it is, and one line for what it is not."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.models.checkpoint import Checkpoint
from kaggle_magics.models.engines.protocol import Engine

_METHODS = ("facts", "stream", "stream_many", "render", "count_tokens", "close")
"""Of an `Engine`."""
_HOW = "Adopt a transformers model and its tokenizer (model,tokenizer), a pipeline, a llama_cpp Llama, or an engine."


@dataclass(frozen=True, slots=True)
class Adopted:
    """An engine on live objects, what they are called, and what of the notebook's it stands on (None: it is ours)."""

    engine: Engine
    name: str
    lent: str | None
    checkpoint: Checkpoint | None = None


def adopt(things: tuple[Any, ...], *, name: str | None = None, context: int | None = None) -> Adopted:
    """An engine on a model and its tokenizer in any order, a pipeline, a `Llama`, or an engine as it is.

    `context` is in tokens; by default what the object was made for, up to 8192. Raises `OptionError` for anything else.
    """
    things = _unwrapped(things)
    if len(things) == 1 and all(hasattr(things[0], method) for method in _METHODS):
        if isinstance(things[0], type):
            raise OptionError(f"{things[0].__name__} is a class, not an engine.", "Adopt an object of it.")
        if context is not None:
            raise OptionError("An engine has its context already.", "Leave context out.")
        return Adopted(things[0], name or things[0].facts.engine, None)
    if len(things) == 1 and _is(things[0], "llama_cpp", "Llama"):
        from kaggle_magics.models.engines.adopted import adopt_llama, checkpoint_of

        checkpoint = checkpoint_of(things[0])
        name = name or checkpoint.name
        return Adopted(adopt_llama(things[0], name=name, context=context), name, "a Llama of this notebook", checkpoint)
    if len(things) in (1, 2):
        models = [thing for thing in things if _is_model(thing)]
        others = [thing for thing in things if not _is_model(thing)]
        tokenizers = [thing for thing in others if _is_tokenizer(thing)]
        if len(models) == len(tokenizers) == 1:
            from kaggle_magics.models.engines.adopted import adopt_transformers

            name = name or _name(models[0])
            engine = adopt_transformers(models[0], _tokenizer(tokenizers[0]), name=name, context=context)
            return Adopted(engine, name, f"a {type(models[0]).__name__} of this notebook")
        if len(models) == 1 and not others:
            raise OptionError(
                f"A {type(models[0]).__name__} alone reads no text.", "Give its tokenizer, too: model,tokenizer"
            )
        if len(tokenizers) == len(things) == 1:
            raise OptionError("A tokenizer alone answers nothing.", "Give its model, too: model,tokenizer")
        if len(models) == 2:
            raise OptionError("Two models were given and no tokenizer.", "Give a model and its tokenizer.")
    raise _cannot(things)


def _unwrapped(things: tuple[Any, ...]) -> tuple[Any, ...]:
    """What pipelines, tuples and LangChain's local models have inside."""
    if len(things) == 1 and isinstance(things[0], tuple | list):
        things = tuple(things[0])
    if len(things) != 1:
        return things
    thing = things[0]
    if _package(thing).startswith("langchain"):
        # HuggingFacePipeline has a pipeline, ChatHuggingFace a model that has one, LlamaCpp a client, which is a Llama.
        for way in (("pipeline",), ("llm", "pipeline"), ("client",)):
            inner = thing
            for part in way:
                inner = getattr(inner, part, None)
            if inner is not None and _package(inner) in ("transformers", "llama_cpp"):
                thing = inner
                break
    if _package(thing) == "transformers" and hasattr(thing, "task") and hasattr(thing, "model"):
        tokenizer = getattr(thing, "tokenizer", None)
        return (thing.model,) if tokenizer is None else (thing.model, tokenizer)
    return (thing,)


def _cannot(things: tuple[Any, ...]) -> OptionError:
    if not things:
        return OptionError("Nothing was given to adopt.", _HOW)
    thing = next((each for each in things if not _is_model(each) and not _is_tokenizer(each)), things[0])
    if thing is None:
        return OptionError("None cannot be adopted.", _HOW)
    if isinstance(thing, str | Path):
        return OptionError(
            f"{str(thing)!r} is text, not a model.", "Load it by name: session.load(...), or %llm_load REF"
        )
    if isinstance(thing, type):
        return OptionError(f"{thing.__name__} is a class, not a model.", "Adopt an object of it.")
    if hasattr(thing, "encode") and _package(thing) == "sentence_transformers":
        return OptionError(
            "A SentenceTransformer turns text into vectors and answers nothing.", "It can embed documents."
        )
    if len(things) > 2:
        return OptionError(f"{len(things)} objects were given.", _HOW)
    return OptionError(f"A {type(thing).__name__} cannot be adopted.", _HOW)


def _is_model(thing: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module) and hasattr(thing, "config")


def _is_tokenizer(thing: Any) -> bool:
    return not isinstance(thing, type) and hasattr(_tokenizer(thing), "special_tokens_map") and callable(thing)


def _tokenizer(thing: Any) -> Any:
    """The thing itself, or the tokenizer inside a processor of a model that also sees."""
    return getattr(thing, "tokenizer", None) or thing


def _is(thing: Any, package: str, name: str) -> bool:
    return any(base.__name__ == name and base.__module__.partition(".")[0] == package for base in type(thing).__mro__)


def _package(thing: Any) -> str:
    return type(thing).__module__.partition(".")[0]


def _name(model: Any) -> str:
    """The last part of what it was loaded from, else what it is."""
    source = str(getattr(model.config, "_name_or_path", "") or getattr(model.config, "name_or_path", "") or "")
    return Path(source).name if source else type(model).__name__
