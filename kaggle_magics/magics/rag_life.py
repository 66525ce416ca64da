"""The collections' life: status, open, forget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_magics.display.results import Collections
from kaggle_magics.errors import CollectionError, OptionError
from kaggle_magics.generation.attachments.description import counted
from kaggle_magics.magics.arguments import Parser
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.options import (
    collection_option,
    embedder_option,
    output_option,
    store_option,
    typed_store,
    wait_option,
)

if TYPE_CHECKING:
    from kaggle_magics.rag.collection import CollectionFacts


def _status_options(parser: Parser) -> None:
    collection_option(parser)
    output_option(parser)


@command(
    "Show the open collections; with -c one of them and its documents.",
    options=_status_options,
    examples=("%rag_status", "%rag_status -c handbook"),
)
def rag_status(call: Call) -> Collections:
    session = call.session
    names = [call.options.collection] if call.options.collection else list(session.collections)
    facts: dict[str, CollectionFacts] = {name: session.collection(name).facts() for name in names}
    found = Collections(facts, detailed=bool(call.options.collection))
    call.store(found)
    return found


def _open_options(parser: Parser) -> None:
    parser.argument("DIR", "Folder that a collection was kept in.", complete="path")
    collection_option(parser)
    embedder_option(parser)
    store_option(parser)
    wait_option(parser)
    parser.switch("--read-only", help="Open a copy as it is now, also while another notebook uses the folder.")


@command(
    "Open a collection that %rag_ingest --path has kept.",
    options=_open_options,
    examples=("%rag_open /kaggle/working/reports", "%rag_open /kaggle/input/handbook -c handbook --store faiss"),
)
def rag_open(call: Call) -> Collections:
    from kaggle_magics.rag.storing.records import FILE

    folder, name = Path(call.options.dir).expanduser(), call.setting("collection")
    if not (folder / FILE).is_file():
        raise CollectionError(f"{folder} holds no collection.", f"Make one with: %rag_ingest PATH --path {folder}")
    options = call.options
    opened = call.session.open_collection(
        folder,
        collection=name,
        embedder=call.embedder(),
        store=typed_store(options.store, call.names),
        wait=options.wait or 0,
        read_only=options.read_only,
    )
    return Collections({name: opened.facts()}, detailed=True)


def _forget_options(parser: Parser) -> None:
    parser.argument("SOURCE", "Document to forget, as %rag_status names it.", nargs="?", complete="source")
    collection_option(parser)
    parser.switch(
        "--all", help="Close the whole collection; a temporary one is deleted, a kept one stays in its folder."
    )


@command(
    "Forget a document, or with --all close the whole collection.",
    options=_forget_options,
    examples=("%rag_forget handbook/travel.md", "%rag_forget --all -c reports"),
)
def rag_forget(call: Call) -> None:
    name, source = call.setting("collection"), call.options.source
    if bool(source) == call.options.all:
        raise OptionError("%rag_forget needs either a document or --all.", f"See: {call.magic} --help")
    collection = call.session.collection(name)
    if call.options.all:
        call.session.close_collection(name)
        print(f"Closed collection {name}.")
        return
    print(f"Forgot {source}: {counted(collection.forget(source), 'passage')} removed from {name}.")
