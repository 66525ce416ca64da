"""Texts, tables and documents of the notebook as sources."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError, OptionError
from kaggle_magics.rag.collection import Collection
from kaggle_magics.rag.document import Document, assemble
from kaggle_magics.rag.readers.reading import Reading
from kaggle_magics.rag.sources import RowTexts, Source, find_sources, row_texts
from kaggle_magics.rag.sources.objects import is_text

pandas = pytest.importorskip("pandas")
Make = Callable[..., Collection]


def read(source: Source) -> Document:
    reading = Reading(source.name, metadata=dict(source.metadata))
    return assemble(source.read(source.load(), reading), reading.metadata)


def sources(things: Any) -> dict[str, Source]:
    return {source.label: source for source in find_sources(things)}


FRAME = pandas.DataFrame(
    {
        "id": ["a", "b", "c"],
        "body": ["The soup is hot.", "The tea\nis cold.", None],
        "stars": [5, 1, 3],
        "share": [0.1 + 0.2, float("nan"), 2.0],
        "day": pandas.to_datetime(["2026-03-01 00:00", "2026-03-02 09:30", None]),
    }
)


def test_a_frame_is_one_table_whose_rows_count_from_one(make: Make) -> None:
    (source,) = find_sources({"reviews": FRAME})
    assert source.label == "reviews"
    assert read(source).text == (
        "id | body | stars | share | day\na | The soup is hot. | 5 | 0.3 | 2026-03-01\n"
        "b | The tea is cold. | 1 |  | 2026-03-02 09:30\nc |  | 3 | 2 | "
    )
    collection = make()
    collection.ingest({"reviews": FRAME})
    hit = collection.search("soup hot", passages=1)[0]
    assert (hit.passage.context, hit.passage.place.row) == ("id | body | stars | share | day", 1)
    assert collection.ingest({"reviews": FRAME}).count("unchanged") == 1


def test_a_frame_without_a_name_is_known_by_its_columns() -> None:
    first, again = (next(iter(find_sources(frame))).uri for frame in (FRAME, FRAME.head(1)))
    assert first == again != next(iter(find_sources(FRAME[["id"]]))).uri


def test_rows_are_documents_with_the_other_columns_as_metadata(make: Make) -> None:
    found = sources(RowTexts(FRAME, "body", "id", "reviews"))
    assert list(found) == ["reviews[a]", "reviews[b]", "reviews[c]"]
    assert read(found["reviews[a]"]).text == "The soup is hot."
    assert dict(found["reviews[a]"].metadata) == {"stars": 5, "share": FRAME["share"][0], "day": "2026-03-01"}
    assert "share" not in found["reviews[b]"].metadata
    collection = make()
    report = collection.ingest(RowTexts(FRAME, "body", "id"))
    assert [row.status for row in report.rows] == ["added", "added", "skipped"]
    changed = FRAME.assign(body=["The soup is cold.", *FRAME["body"][1:]])
    assert [row.status for row in collection.ingest(RowTexts(changed, "body", "id")).rows][:2] == [
        "updated",
        "unchanged",
    ]


def test_columns_that_are_not_there_and_ids_that_come_twice_are_refused() -> None:
    with pytest.raises(OptionError, match=r"no column 'bdy'\. Did you mean body"):
        list(find_sources(RowTexts(FRAME, "bdy")))
    with pytest.raises(OptionError, match="comes twice"):
        list(find_sources(RowTexts([{"t": "x", "i": 1}, {"t": "y", "i": 1}], "t", "i")))


def test_what_rows_can_come_from(tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    table.write_text("id,body\n7,One.\n")
    records = [{"id": "7", "body": "One."}]
    for tables, label in [
        (table, "r.csv[0]"), (str(table), "r.csv[0]"), (records, "table[0]"), ({"n": records}, "n[0]"),
                          ([{"n": records}], "n[0]")]:  # fmt: skip
        found = sources(row_texts(tables, "body"))
        assert list(found) == [label]
        assert read(found[label]).text == "One." and found[label].metadata == {"id": "7"}


def test_texts_in_lists_dicts_and_bytes() -> None:
    found = sources({"notes": ["First text.", "# Second"], "page.md": "# Head", "b.csv": b"a,b\n1,2\n"})
    assert list(found) == ["notes[0]", "notes[1]", "page.md", "b.csv"]
    assert read(found["page.md"]).spans[0].kind == "heading"
    assert read(found["b.csv"]).text == "a | b\n1 | 2"
    found = sources(["The library opens at nine o'clock in the morning.", "one\ntwo"])
    assert list(found) == ["The library opens at nine o'clock in\u2026", "one two"]
    assert list(sources("# A\n\nText")) == ["# A Text"]


@pytest.mark.parametrize(
    ("item", "expected"),
    [("notes.md", False), ("docs/*.md", False), ("my long file name.pdf", False), ("The library opens at 9.30", True),
     ("The library opens at nine.", True), ("two\nlines", True), ("x" * 300, True), ("three short words", False)],
)  # fmt: skip
def test_what_reads_like_a_text(item: str, expected: bool) -> None:
    assert is_text(item) is expected


class Page:
    def __init__(self, text: str, **metadata: object) -> None:
        self.page_content, self.metadata = text, metadata


def test_metadata_that_all_pages_share_is_the_sources() -> None:
    found = sources(
        [
            Page("One.", source="r.pdf", page=0, title="T", page_label="i", tags=["x"]),
            Page("Two.", source="r.pdf", page=1, title="T", page_label="ii"),
            Page("Lone.", source="s.pdf", year=2026),
        ]
    )
    assert found["r.pdf"].metadata == {"title": "T"} and found["s.pdf"].metadata == {"year": 2026}
    document = read(found["r.pdf"])
    assert document.metadata == {"title": "T"} and [span.place.page for span in document.spans] == [1, 2]


def test_real_langchain_documents(make: Make) -> None:
    documents = pytest.importorskip("langchain_core.documents")
    collection = make()
    collection.ingest([documents.Document("The fish soup.", metadata={"source": "menu", "page": 3})])
    assert collection.search("soup", passages=1)[0].passage.page == 4


@pytest.mark.parametrize("thing", [5, {"x": 5}, {"x": []}, [], None, object()])
def test_what_is_nothing_to_read_is_refused(thing: Any) -> None:
    with pytest.raises(OptionError):
        list(find_sources(thing))


def test_empty_texts_say_so() -> None:
    for thing in ({"x": ""}, RowTexts([{"t": None}], "t"), {"t": pandas.DataFrame({"a": [None]})}):
        (source,) = find_sources(thing)
        with pytest.raises(DocumentError, match="empty"):
            read(source)


def test_names_that_are_no_utf8_stop_nothing(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.txt").write_text("The harbour office opens at nine.")
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("The cafe closes at noon.")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    collection = make()
    assert [row.status for row in collection.ingest(folder).rows] == ["added", "added"]
    assert [row.status for row in collection.ingest(folder, prune=True).rows] == ["unchanged", "unchanged"]
    found = collection.search("cafe")[0].passage
    assert found.source.endswith(r"caf\udce9.txt") and found.source.encode()
    assert collection.forget(found.source) == 1
    assert collection.ingest({"n\ud800": "A text."}).rows[0].status == "added"
    assert collection.ingest(["a\ud800b is a text\nof two lines"]).rows[0].status == "added"


@pytest.mark.parametrize("store", ["numpy", "faiss", "chroma"])
def test_a_collection_kept_among_its_documents_is_not_read(make: Make, tmp_path: Path, store: str) -> None:
    if store != "numpy":
        pytest.importorskip({"faiss": "faiss", "chroma": "chromadb"}[store])
    (tmp_path / "a.txt").write_text("The harbour office opens at nine.")
    collection = make(tmp_path, store=store)
    collection.ingest(tmp_path / "a.txt")
    assert collection.search("harbour")
    assert [Path(row.source).name for row in collection.ingest(tmp_path).rows] == ["a.txt"]
