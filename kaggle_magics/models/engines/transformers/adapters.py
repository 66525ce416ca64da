"""LoRA adapters in PEFT's layout, on a model that transformers loaded."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from kaggle_magics import memory
from kaggle_magics.errors import CheckpointError
from kaggle_magics.extras import require


def with_adapter(model: Any, path: Path, *, name: str, merge: bool) -> Any:
    """The model with the adapter's change; `merge` adds it to the weights, so that answering costs no more than before.

    Quantised weights cannot take a small change: they keep it beside them. Raises `MissingExtra` without peft, and
    `CheckpointError` when the adapter was made for another model than `name`.
    """
    peft: Any = require("peft", "A LoRA adapter")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A key that is left over stays at its first value, which changes nothing; PEFT only warns of it.
            warnings.filterwarnings("error", message=".*missing adapter keys")
            tuned = peft.PeftModel.from_pretrained(model, str(path), is_trainable=False)
            if getattr(tuned.active_peft_config, "is_prompt_learning", False):
                raise CheckpointError(
                    f"{path.name} is a {tuned.active_peft_config.peft_type.value} adapter; only adapters that change "
                    "weights, such as LoRA, can be used.",
                )
            tuned = tuned.merge_and_unload() if merge else tuned.base_model.model
    except CheckpointError:
        raise
    except (RuntimeError, ValueError, KeyError, UserWarning, TypeError, OSError) as error:
        if memory.is_out_of_memory(error):
            raise
        reason = next((line.strip() for line in str(error).splitlines()[::-1] if line.strip()), type(error).__name__)
        raise CheckpointError(
            f"The adapter {path.name} does not fit {name}: {reason[:200].rstrip('.')}.",
            "Name the model it was made for.",
        ) from error
    return tuned.eval()
