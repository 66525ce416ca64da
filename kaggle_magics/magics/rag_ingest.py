"""%rag_ingest: read documents into a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaggle_magics.display.bundle import note
from kaggle_magics.display.ingest import ingest_line
from kaggle_magics.display.stream import open_show
from kaggle_magics.generation.attachments.description import counted
from kaggle_magics.magics.arguments import Parser, whole
from kaggle_magics.magics.call import Call
from kaggle_magics.magics.command import command
from kaggle_magics.magics.ingest_paths import named_things
from kaggle_magics.magics.options import (
    collection_option,
    embedder_option,
    output_option,
    store_option,
    typed_store,
    wait_option,
)

if TYPE_CHECKING:
    from kaggle_magics.rag.ingesting.progress import IngestProgress
    from kaggle_magics.rag.ingesting.report import IngestReport


def _options(parser: Parser) -> None:
    parser.argument(
        "PATH",
        "Files, folders, globs, web addresses, or variables of the notebook: texts, a DataFrame, documents.",
        dest="paths",
        nargs="+",
        complete="path",
    )
    collection_option(parser)
    parser.option(
        "--path",
        help="Folder that keeps the collection; without it the collection is temporary.",
        metavar="DIR",
        complete="path",
    )
    parser.option("--chunk-size", help="Longest passage, in characters.", type=whole, metavar="N")
    parser.option("--chunk-overlap", help="Characters that two neighbours share.", type=whole, metavar="N")
    parser.option("--text", help="Of a table: the column that holds texts; each row is a document.", metavar="COLUMN")
    parser.option("--id", help="With --text: the column that tells rows apart.", metavar="COLUMN")
    parser.option("--language", help="Of OCR and speech, as ISO 639: de, ja, en+fr.", metavar="CODE")
    parser.option("--speech-model", help="Whisper model for recordings; an attached one by default.", metavar="REF")
    embedder_option(parser)
    parser.switch("--reembed", help="With --embedder: give up the vectors of another model and make all anew.")
    store_option(parser)
    parser.switch("--prune", help="Remove from the collection what these paths cover and is no longer there.")
    wait_option(parser)
    output_option(parser)


@command(
    "Read documents into a collection; running it again on the same files costs nothing.",
    options=_options,
    examples=(
        "%rag_ingest handbook/",
        "%rag_ingest reviews --text body --id review_id",
        "%rag_ingest report.pdf notes/*.md -c reports --path /kaggle/working/reports --chunk-size 1000",
    ),
)
def rag_ingest(call: Call) -> IngestReport:
    options = call.options
    name = call.setting("collection")
    paths = named_things(call, options.paths)
    with open_show(call.shell) as output:
        output.begin(f"Reading into {name}")

        def on_progress(now: IngestProgress) -> None:
            output.progress(f"Reading into {name}: {ingest_line(now)}")

        report = call.session.ingest(
            paths,
            collection=name,
            path=options.path,
            chunk_size=options.chunk_size,
            chunk_overlap=options.chunk_overlap,
            text=options.text,
            id=options.id,
            language=options.language,
            speech_model=options.speech_model,
            embedder=call.embedder(),
            store=typed_store(options.store, call.names),
            prune=options.prune,
            reembed=options.reembed,
            wait=options.wait or 0,
            on_progress=on_progress,
        )
        passages, documents = counted(report.passages, "passage"), counted(report.documents, "document")
        output.finish(note(f"Collection {name} holds {passages} of {documents}."))
    call.store(report)
    return report
