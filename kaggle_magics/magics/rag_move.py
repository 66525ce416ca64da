"""Collections as one file: %rag_export and %rag_import."""

from __future__ import annotations

from kaggle_magics.display.results import Collections
from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import collection_option, embedder_option, output_option, store_option, typed_store


def _export_options(parser: Parser) -> None:
    parser.argument("FILE", "File to write: a .zip, or .sqlite, or .jsonl (passages).", nargs="?", complete="path")
    collection_option(parser)
    parser.option(
        "--to",
        help="Instead of a file: a LangChain vector store of the notebook, by the name of its variable.",
        metavar="NAME",
        complete="variable",
    )
    parser.switch("--overwrite", help="Replace a file that is there.")
    output_option(parser)


@command(
    "Write a collection into one file, or its passages into a LangChain vector store.",
    options=_export_options,
    examples=("%rag_export /kaggle/working/handbook.zip", "%rag_export --to my_store -c handbook"),
)
def rag_export(call: Call) -> None:
    options = call.options
    if bool(options.file) == bool(options.to):
        raise OptionError(f"{call.magic} needs either a file or --to NAME.", f"See: {call.magic} --help")
    done = call.session.export_collection(
        options.file,
        collection=call.setting("collection"),
        store=typed_store(options.to, call.names) if options.to else None,
        overwrite=options.overwrite,
    )
    call.store(done)
    print(done)


def _import_options(parser: Parser) -> None:
    parser.argument("FILE", "File that %rag_export wrote.", complete="path")
    collection_option(parser)
    parser.option(
        "--path",
        help="Folder that keeps the collection; without it the collection is temporary.",
        metavar="DIR",
        complete="path",
    )
    embedder_option(parser)
    store_option(parser)


@command(
    "Open a collection from a file that %rag_export wrote.",
    options=_import_options,
    examples=("%rag_import handbook.zip", "%rag_import handbook.zip -c handbook --path /kaggle/working/handbook"),
)
def rag_import(call: Call) -> Collections:
    options, name = call.options, call.setting("collection")
    opened = call.session.import_collection(
        options.file,
        collection=name,
        path=options.path,
        embedder=call.embedder(),
        store=typed_store(options.store, call.names),
    )
    return Collections({name: opened.facts()}, detailed=True)
