"""Defaults a person can set: `%config KaggleMagics`, or `c.KaggleMagics` in a configuration file."""

from __future__ import annotations

from traitlets import Bool, Dict, Enum, Float, Int, List, TraitError, Unicode, validate
from traitlets.config import Configurable

from kaggle_magics.generation.answer import FORMATS
from kaggle_magics.models.request import Sampling

_SAMPLING = Sampling()
ABOUT_ANSWERS = ("cache", "answers", "replay")
"""Settings that the session itself has to know."""


class KaggleMagics(Configurable):
    """Defaults of the magics; an option on a magic's line goes before them."""

    prefix = Unicode("", help='Put before the name of every magic: "k_" makes %prompt %k_prompt.').tag(config=True)
    model = Unicode("", help="What %llm_load loads when it is given no reference.").tag(config=True)
    aliases = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help='Your names for models: {"tiny": "qwen2.5/transformers/0.5b"}.',
    ).tag(config=True)
    max_tokens = Int(_SAMPLING.max_tokens, help="Longest answer, in tokens.").tag(config=True)
    temperature = Float(_SAMPLING.temperature, help="0 is greedy; larger is more random.").tag(config=True)
    top_k = Int(_SAMPLING.top_k, help="Choose among the K most probable tokens; 0 is off.").tag(config=True)
    top_p = Float(_SAMPLING.top_p, help="Choose among the tokens that make up P; 1 is off.").tag(config=True)
    min_p = Float(_SAMPLING.min_p, help="Leave out tokens below P times the best; 0 is off.").tag(config=True)
    repeat_penalty = Float(_SAMPLING.repeat_penalty, help="Above 1 makes repetition less probable.").tag(config=True)
    seed = Int(None, allow_none=True, help="Seed of random answers; None draws a fresh one.").tag(config=True)
    stop = List(Unicode(), help="Texts that end an answer.").tag(config=True)
    template = Unicode("auto", help="auto: the model's own chat template; none: the text as it is.").tag(config=True)
    format = Enum(FORMATS, "markdown", help=f"How %%prompt shows answers: {', '.join(FORMATS)}.").tag(config=True)
    system = Unicode("", help="System text of %%prompt and %%chain.").tag(config=True)
    collection = Unicode("default", help="The collection that %%ask and the rag magics use.").tag(config=True)
    prompts = Unicode("prompts", help="The folder where --save keeps prompts.").tag(config=True)
    passages = Int(5, help="How many passages are retrieved.").tag(config=True)
    history = Bool(True, help="Whether questions and answers are kept for %llm_history and %llm_last.").tag(config=True)
    mode = Unicode("hybrid", help="hybrid, dense or lexical.").tag(config=True)

    cache = Bool(True, help="Keep answers on disk, and give them again where asking would give the same.").tag(
        config=True
    )
    answers = Unicode(
        "",
        help="Folders where answers are kept, the first one first; by default KAGGLE_MAGICS_ANSWERS, then the cache.",
    ).tag(config=True)
    replay = Bool(
        None, allow_none=True, help="Load no model, and answer from what is kept; by default KAGGLE_MAGICS_REPLAY."
    ).tag(config=True)

    @validate("prefix")
    def _prefix_is_a_name(self, proposal: dict[str, str]) -> str:
        prefix = proposal["value"]
        if prefix and not prefix.isidentifier():
            raise TraitError(f"A prefix is letters, digits and underscores, not {prefix!r}.")
        return prefix

    @validate("prompts")
    def _prompts_is_a_folder(self, proposal: dict[str, str]) -> str:
        if not proposal["value"].strip():
            raise TraitError('The folder of saved prompts has a name, such as "prompts".')
        return proposal["value"]

    @validate("aliases")
    def _aliases_are_names(self, proposal: dict[str, dict[str, str]]) -> dict[str, str]:
        for name, target in proposal["value"].items():
            if not name.strip() or name != name.strip() or not target.strip():
                raise TraitError(f"An alias is a name and the model it stands for, not {name!r}: {target!r}.")
        return proposal["value"]

    def defaults(self) -> dict[str, object]:
        """The present values of the options that have one, for the help of the magics."""
        names = set(self.class_trait_names(config=True)) - {
            "prefix",
            "model",
            "aliases",
            "prompts",
            "history",
            *ABOUT_ANSWERS,
        }
        return {name: getattr(self, name) for name in names}
