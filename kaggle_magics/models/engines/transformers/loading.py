"""Loads a checkpoint in Hugging Face's layout with transformers and torch.

From local files only: nothing is downloaded. Pickles are read, and code of the checkpoint run, where the plan says so.
"""

from __future__ import annotations

from typing import Any

from kaggle_magics import memory
from kaggle_magics.errors import CheckpointError, DoesNotFit, KaggleMagicsError
from kaggle_magics.extras import require
from kaggle_magics.models.engines.contexts import default_bytes
from kaggle_magics.models.engines.decoding import LocalEngine
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.engines.transformers import bitsandbytes
from kaggle_magics.models.engines.transformers.adapters import with_adapter
from kaggle_magics.models.engines.transformers.checks import check_report, check_tokenizer, check_tokenizer_files
from kaggle_magics.models.engines.transformers.encoder_decoder import EncoderDecoderEngine, EncoderDecoderModel
from kaggle_magics.models.engines.transformers.images import ImageTextEngine, ImageTextModel
from kaggle_magics.models.engines.transformers.model import TransformersModel, first_line, free
from kaggle_magics.models.engines.transformers.quiet import LOADING, quiet
from kaggle_magics.models.engines.warming import warm_up
from kaggle_magics.models.fit.plan import Plan
from kaggle_magics.models.templates import template_of

_PROCESSORS = ("processor_config.json", "preprocessor_config.json")


def load(plan: Plan) -> LocalEngine:
    """Load and warm a plan's checkpoint. Raises `MissingExtra`, `CheckpointError`, `DoesNotFit`."""
    transformers: Any = require("transformers", "Running a safetensors model")
    torch: Any = require("torch", "Running a safetensors model")
    try:
        with LOADING, quiet(transformers):
            tokenizer = load_tokenizer(plan, transformers)
            processor = load_processor(plan, transformers)
            model = load_weights(plan, transformers, torch)
            check_tokenizer(plan.checkpoint.name, tokenizer, model)
        facts = EngineFacts(
            engine=plan.engine,
            library=f"transformers {transformers.__version__}, torch {torch.__version__}",
            device=plan.device,
            dtype=bitsandbytes.quantisation_of(plan) or str(model.dtype).removeprefix("torch."),
            context_length=plan.context_length,
            takes_images=processor is not None,
        )
        engine = _engine(model, tokenizer, processor, facts, plan)
        warm_up(engine, plan)
        if plan.quant:
            # What was read ahead of quantising is free, and stays with the allocator until it is asked for.
            memory.release()
        return engine
    except KaggleMagicsError:
        raise
    except Exception as error:
        raise _loading_error(error, plan, torch) from error


def _engine(model: Any, tokenizer: Any, processor: Any, facts: EngineFacts, plan: Plan) -> LocalEngine:
    template = template_of(plan.checkpoint.path)
    if plan.checkpoint.encoder_decoder:
        return EncoderDecoderEngine(EncoderDecoderModel(model, tokenizer, facts=facts, template=template))
    if processor is not None:
        seeing = ImageTextModel(model, tokenizer, processor, facts=facts, template=template)
        return ImageTextEngine(seeing, kept_bytes=default_bytes(plan))
    local = TransformersModel(model, tokenizer, facts=facts, template=template)
    return LocalEngine(local, kept_bytes=default_bytes(plan))


def load_tokenizer(plan: Plan, transformers: Any) -> Any:
    """The checkpoint's tokenizer. Raises `CheckpointError` when there is none."""
    check_tokenizer_files(plan.checkpoint, trust_remote_code=plan.trust_remote_code)
    try:
        return transformers.AutoTokenizer.from_pretrained(
            plan.checkpoint.path, local_files_only=True, trust_remote_code=plan.trust_remote_code
        )
    except Exception as error:
        if memory.is_out_of_memory(error) or any(word in str(error) for word in ("trust_remote_code", "architecture")):
            raise
        raise CheckpointError(
            f"The tokenizer of {plan.checkpoint.name} cannot be loaded: {first_line(error)}.",
            "Attach or download it again.",
        ) from error


def load_processor(plan: Plan, transformers: Any) -> Any:
    """What turns images into the model's input; None for a model of text, and where it cannot be loaded: the model
    then answers text only."""
    folder = plan.checkpoint.path
    if not any((folder / name).is_file() for name in _PROCESSORS) or not _is_image_text(plan, transformers):
        return None
    try:
        processor = transformers.AutoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=plan.trust_remote_code
        )
    except Exception:  # a file or a library it needs (Pillow, torchvision) is missing
        return None
    return processor if getattr(processor, "image_processor", None) is not None else None


def _is_image_text(plan: Plan, transformers: Any) -> bool:
    """Whether the library runs the checkpoint as a model of images and text."""
    if plan.checkpoint.encoder_decoder:
        return False
    config = transformers.AutoConfig.from_pretrained(
        plan.checkpoint.path, local_files_only=True, trust_remote_code=plan.trust_remote_code
    )
    known = getattr(transformers, "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", {})
    # Not by `get`: the library's mapping makes its entries when they are asked for.
    found: Any = known[type(config)] if type(config) in known else ()  # noqa: SIM401
    kinds = found if isinstance(found, tuple) else (found,)
    return plan.checkpoint.architecture in {kind.__name__ for kind in kinds}


def load_weights(plan: Plan, transformers: Any, torch: Any) -> Any:
    """The checkpoint's model on its device, ready to answer. Raises `CheckpointError` when weights are missing."""
    # The attention is left to the library: torch's own ("sdpa") where the architecture has it.
    kind = transformers.AutoModelForSeq2SeqLM if plan.checkpoint.encoder_decoder else transformers.AutoModelForCausalLM
    if _is_image_text(plan, transformers):
        kind = transformers.AutoModelForImageTextToText
    model, report = kind.from_pretrained(
        plan.checkpoint.path,
        dtype=getattr(torch, plan.dtype),
        local_files_only=True,
        trust_remote_code=plan.trust_remote_code,
        use_safetensors=plan.checkpoint.format != "pickle",
        # Of pickles only tensors are taken: torch refuses anything else they would build or call.
        weights_only=True,
        # They are in the report then, instead of in a table on the screen.
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        **_placement(plan),
        **bitsandbytes.loading_options(plan, transformers, torch),
    )
    check_report(plan.checkpoint, report)
    if quantised := bitsandbytes.quantisation_of(plan):
        if quantised != "int8" and plan.quant is None:
            bitsandbytes.compute_in(model, getattr(torch, plan.dtype))
    elif not plan.split:
        model = model.to(plan.device)
    model = model.eval()
    if plan.adapter is not None:
        model = with_adapter(model, plan.adapter, name=plan.checkpoint.name, merge=plan.quant is None)
    return model


def _placement(plan: Plan) -> dict[str, Any]:
    """Where the layers go, for a plan that splits them over devices (through accelerate)."""
    if not plan.split:
        return {}
    require("accelerate", "A model on several devices")
    room = {device if device == "cpu" else int(device.partition(":")[2] or 0): n for device, n in plan.split.items()}
    return {"device_map": "auto", "max_memory": room}


def _loading_error(error: Exception, plan: Plan, torch: Any) -> KaggleMagicsError:
    checkpoint, line, said = plan.checkpoint, first_line(error), str(error)
    if memory.is_out_of_memory(error):
        free(torch)
        return DoesNotFit(
            f"{checkpoint.name} does not fit on {plan.device}.", "Load a smaller model, or unload another one."
        )
    if "trust_remote_code" in said or "custom code" in said:
        return CheckpointError(
            f"{checkpoint.name} comes with Python code of its own, which could do anything here that you can.",
            "If you have read it and trust it, load it with --trust-remote-code; or take a GGUF file of it.",
        )
    if "does not recognize this architecture" in said or "Unrecognized configuration class" in said:
        return CheckpointError(
            f"The installed transformers does not know the {checkpoint.architecture} of {checkpoint.name}.",
            "Run: %pip install -U transformers",
        )
    if checkpoint.format == "pickle":
        reason = "it holds more than tensors" if "weights_only" in said or "Unsupported" in said else line
        return CheckpointError(
            f"The pickled weights of {checkpoint.name} cannot be read: {reason}.",
            "Use a version of it with safetensors.",
        )
    return CheckpointError(
        f"{checkpoint.name} cannot be loaded: {line}.", "Its folder may be incomplete; attach or download it again."
    )
