"""Options that several magics share: one name everywhere."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from kaggle_magics.errors import OptionError
from kaggle_magics.generation.answer import FORMATS
from kaggle_magics.magics.arguments import Parser, assignment, condition, number, one_of, share, variable, whole
from kaggle_magics.models.fit.quants import checked


def output_option(parser: Parser) -> None:
    parser.option("-o", "--output", help="Variable that the result object goes into.", type=variable, metavar="NAME")


def text_argument(parser: Parser) -> None:
    parser.argument("TEXT", "In the line form: the text itself, in quotes.", nargs="*")


def raw_option(parser: Parser) -> None:
    parser.switch("--raw", help="Leave {names} in braces as they are.")


def sampling_options(parser: Parser) -> None:
    """Which model answers, how it chooses, and where the answer goes."""
    parser.option("-m", "--model", help="Name of a loaded model; the current one by default.", complete="loaded")
    output_option(parser)
    parser.option("--max-tokens", help="Longest answer, in tokens.", type=whole, metavar="N")
    parser.option("--temperature", help="0 is greedy; larger is more random.", type=number, metavar="T")
    parser.option("--top-k", help="Choose among the K most probable tokens; 0 is off.", type=whole, metavar="K")
    parser.option(
        "--top-p", help="Choose among the tokens that make up P of the probability; 1 is off.", type=number, metavar="P"
    )
    parser.option(
        "--min-p", help="Leave out tokens below P times the most probable one; 0 is off.", type=number, metavar="P"
    )
    parser.option("--repeat-penalty", help="Above 1 makes repeated tokens less probable.", type=number, metavar="R")
    parser.option("--seed", help="The same seed gives the same random answer.", type=whole, metavar="N")
    parser.option("--stop", help="Text that ends the answer; may be given again.", repeat=True, metavar="TEXT")
    parser.switch("--no-cache", help="Ask the model though the same was answered before; the new answer is kept.")


def system_option(parser: Parser) -> None:
    parser.option("-s", "--system", help="System text, said before the prompt.", metavar="TEXT")


def template_option(
    parser: Parser, text: str = "auto: the model's own chat template; none: the text as it is; or a name."
) -> None:
    parser.option(
        "--template",
        help=text,
        complete="template",
    )


def format_option(parser: Parser) -> None:
    parser.option(
        "--format",
        help="How the answer is shown: markdown, text (as it is), json (its parts fold), html (its source) or code.",
        type=one_of(*FORMATS),
        complete="format",
    )


def dry_run_option(parser: Parser) -> None:
    parser.switch("--dry-run", help="Only show what would be sent, token by token, and whether it fits.")


def logprobs_option(parser: Parser) -> None:
    parser.option(
        "--logprobs",
        help="Show how likely each token was, with N alternatives to it (5; 0 shows none).",
        type=whole,
        metavar="N",
        without=5,
    )


def input_option(parser: Parser) -> None:
    parser.option(
        "-i",
        "--input",
        help="A value for a field; may be given again.",
        type=assignment,
        repeat=True,
        metavar="NAME=VALUE",
        complete="field",
    )


def library_options(parser: Parser) -> None:
    """Saved prompts: keep one, use one (`magics.prompting.saved`)."""
    input_option(parser)
    parser.option(
        "--save",
        help="Keep the text, its fields open, and the options in a file of the folder prompts.",
        metavar="NAME",
        complete="saved",
    )
    parser.switch("--overwrite", help="Let --save, or --jsonl, replace what is there under that name.")
    parser.option(
        "--use", help="Use the saved text; options on the line go before saved ones.", metavar="NAME", complete="saved"
    )


def attach_options(parser: Parser) -> None:
    """Objects and files that go with the text (`magics.prompting.attaching`)."""
    parser.option(
        "--attach",
        help="Variables and files, with commas between: described in words, or sent as images to models that take them;"
        " may be given again.",
        repeat=True,
        metavar="NAME,...",
        complete="attachment",
    )
    parser.option(
        "--attach-tokens",
        help="Most tokens for what is attached (default: a quarter of the context, at most 4096).",
        type=whole,
        metavar="N",
    )


def prompting_options(parser: Parser) -> None:
    """All that `Call.prompt` reads: a text, and how it is to be answered."""
    text_argument(parser)
    sampling_options(parser)
    system_option(parser)
    template_option(parser)
    format_option(parser)
    structure_options(parser)
    logprobs_option(parser)
    raw_option(parser)
    library_options(parser)
    attach_options(parser)


def thread_options(parser: Parser) -> None:
    """The conversation that a prompt belongs to."""
    parser.option(
        "--thread",
        help="Go on with the conversation of this name, or begin it; running the cell again asks its turn again.",
        metavar="NAME",
        complete="thread",
    )
    parser.switch("--new", help="With --thread: start the conversation over.")
    parser.switch("--resume", help="Go on with the last answer (of --thread) where it was stopped or cut off.")


def quant_word(text: str) -> str:
    """A word for `quant`, or the error with the nearest one."""
    try:
        return checked(text) or "none"
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("quant ")) from None


def structure_options(parser: Parser) -> None:
    """What the answer has to be; `Answer.value` is then the object."""
    parser.option(
        "--schema",
        help="What the answer has to be: a pydantic model, a JSON schema or a type by name, or list[str] and the like.",
        metavar="NAME",
        complete="schema",
    )
    parser.option("--choices", help="The answer is one of these texts, or of a list of this name.", metavar="A,B,C")
    parser.option("--regex", help="The answer is text that this regular expression matches.", metavar="R")
    parser.switch("--constrain-only", help="Do not tell the model about the form of its answer in the prompt.")


def store_option(parser: Parser) -> None:
    """Which vector index: `typed_store` reads it."""
    parser.option(
        "--store",
        help="Vector index: numpy (exact), faiss, chroma, chroma-memory, the address of a Chroma server, or the name "
        "of a variable with a LangChain vector store; by default what the collection had, or the best installed.",
        metavar="STORE",
        complete="store",
    )


def typed_store(text: str | None, names: Mapping[str, Any]) -> Any:
    """What `--store` says: a variable of the notebook where there is one of that name and no index is called so."""
    from kaggle_magics.rag.vectors import NAMES

    if text is None or text in NAMES or text not in names or isinstance(names[text], str):
        return text
    return names[text]


def collection_option(parser: Parser) -> None:
    parser.option("-c", "--collection", help="Name of the collection.", metavar="NAME", complete="collection")


def embedder_option(parser: Parser) -> None:
    """`call.embedder()` reads it."""
    parser.option(
        "--embedder",
        help="Model that embeds passages (name, folder, .onnx or .gguf file, openai:URL#model, or a variable that holds"
        " an embedder); the best one at hand by default.",
        metavar="REF",
    )


def wait_option(parser: Parser) -> None:
    parser.option(
        "--wait", help="Seconds to wait for a folder that another notebook uses.", type=whole, metavar="SECONDS"
    )


def search_options(parser: Parser) -> None:
    """How passages are found: `call.finding()` takes them."""
    parser.option("--passages", help="How many passages are retrieved.", type=whole, metavar="N")
    parser.option(
        "--mode",
        help="hybrid, dense (meaning) or lexical (words).",
        type=one_of("hybrid", "dense", "lexical"),
        complete="mode",
    )
    parser.option(
        "--where",
        help="Only passages whose source, page (3-5) or metadata is this; may be given again.",
        type=condition,
        repeat=True,
        metavar="FIELD=VALUE",
        complete="where",
    )
    parser.option(
        "--weight", help="Share of meaning in a hybrid search, 0 to 1; learnt by default.", type=share, metavar="W"
    )
    parser.option(
        "--fusion",
        help="min-max (weighted scores, the default) or rrf (reciprocal ranks).",
        type=one_of("min-max", "rrf"),
        complete="fusion",
    )
    parser.option("--diversity", help="0 to 1: how much to avoid passages like others.", type=share, metavar="D")
    parser.option("--neighbours", help="Passages before and after a hit to join to it.", type=whole, metavar="N")
    parser.option(
        "--reranker",
        help="Cross-encoder that orders the best candidates anew: a folder, an attached or a cached one.",
        metavar="REF",
        complete="path",
    )
