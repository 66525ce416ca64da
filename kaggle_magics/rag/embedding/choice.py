"""Which embedder a collection uses: the one it was embedded with stays, as long as it holds vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kaggle_magics.errors import CheckpointError, CollectionError, MissingExtra, ModelNotFound, OptionError
from kaggle_magics.rag.embedding.models import find_embedder, why_none
from kaggle_magics.rag.embedding.probing import from_text, is_same, probe_of, to_text
from kaggle_magics.rag.embedding.protocol import Embedder
from kaggle_magics.rag.storing.records import Records

_REMEDIES = (
    "Leave the embedder out, ingest into another collection (-c NAME), or replace all vectors: "
    "%rag_ingest PATH --embedder REF --reembed"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """An embedder, and what is to be said of it."""

    embedder: Embedder | None
    warning: str | None = None
    replaces: bool = False
    """Whether the vectors that are there are another model's, and are to be made anew."""


def choose_embedder(records: Records, wanted: Any, collection: str, *, reembed: bool = False) -> Choice:
    """The embedder for a collection, and a warning where search will be by words only.

    `wanted` is what `find_embedder` takes. Raises `ModelNotFound` for a name that leads nowhere, and `CollectionError`
    when another model than the wanted one made the vectors that are there, unless `reembed` gives those up.
    """
    if reembed and wanted is None:
        raise OptionError("reembed needs the embedder that is to make the new vectors.", "Name it with --embedder.")
    name, identity = records.get_meta("embedder"), remembered_identity(records)
    if identity is None or not records.has_vectors():
        chosen = find_embedder(wanted)
        return Choice(chosen, None if chosen is not None else why_none())
    if wanted is None:
        return _again(records, str(name), identity)
    chosen = find_embedder(wanted)
    if chosen is not None and (reembed or chosen.identity == identity):
        return Choice(chosen, replaces=chosen.identity != identity or not _is_remembered(records, chosen))
    raise _mismatch(collection, str(name), chosen.name if chosen is not None else "none")


def remember_embedder(records: Records, embedder: Embedder, collection: str = "") -> None:
    """Write down who makes the vectors. Raises `CollectionError` where a server or an object of the same name turns out
    to be another model than the one that made the vectors that are there."""
    same = remembered_identity(records) == embedder.identity
    if same and records.has_vectors() and not _is_remembered(records, embedder):
        raise _mismatch(collection, f"another model that was called {embedder.name}", "this one")
    if not same:
        _write_down(records, embedder, embedder.identity)


def replace_embedder(records: Records, embedder: Embedder) -> None:
    """Give all vectors up for those of another embedder, which is tried first; the caller has them computed.

    Ended in between, the passages without a vector are embedded by the next ingest.
    """
    embedder.embed_documents(["a"])
    times = int((records.get_meta("embedder_identity") or "").partition("\n")[2] or 0) + 1
    records.forget_vectors()
    # A number makes a vector index that was filled before another one's, also where only a server's model changed.
    _write_down(records, embedder, f"{embedder.identity}\n{times}")


def remembered_identity(records: Records) -> str | None:
    """The identity of the embedder that made the collection's vectors."""
    stored = records.get_meta("embedder_identity")
    return stored.partition("\n")[0] if stored is not None else None


def _write_down(records: Records, embedder: Embedder, identity: str) -> None:
    probe = probe_of(embedder)
    records.set_meta(
        {
            "embedder": embedder.name,
            "embedder_identity": identity,
            "embedder_folder": str(getattr(embedder, "reference", "")),
            "embedder_probe": "" if probe is None else to_text(probe),
            "dimension": str(embedder.dimension),
        }
    )


def _is_remembered(records: Records, embedder: Embedder) -> bool:
    """Whether its probe is that of the collection's vectors; true where there is none to compare."""
    before = from_text(records.get_meta("embedder_probe"))
    now = probe_of(embedder) if before is not None else None
    return before is None or now is None or is_same(before, now)


def _mismatch(collection: str, name: str, other: str) -> CollectionError:
    return CollectionError(f"The collection {collection!r} was embedded with {name}, not with {other}.", _REMEDIES)


def _again(records: Records, name: str, identity: str) -> Choice:
    """The embedder of an earlier session, from where it was or by its name; never downloaded."""
    changed = ""
    for reference in filter(None, (records.get_meta("embedder_folder"), name)):
        try:
            found = find_embedder(reference, download=False)
        except (ModelNotFound, CheckpointError, MissingExtra, OptionError):
            continue
        if found is not None and found.identity == identity:
            return Choice(found)
        changed = " (a model of that name is, but with other weights or settings)"
    way = "Pass it again: embedder=..." if identity.endswith("@object") else "Attach it."
    return Choice(
        None,
        f"The collection was embedded with {name}, which is not at hand{changed}: search is by words only. {way}",
    )
