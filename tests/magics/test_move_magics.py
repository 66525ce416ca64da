"""%rag_export, %rag_import, %rag_open with options, --store with a variable of the notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CollectionError, KaggleMagicsError, OptionError

pytestmark = pytest.mark.usefixtures("no_embedder")


@pytest.fixture
def ingested(shell: Any, tmp_path: Path) -> Any:
    (tmp_path / "library.md").write_text("# Library\n\nThe library opens at nine.\n", encoding="utf-8")
    shell.run(f"report = %rag_ingest '{tmp_path / 'library.md'}' --store numpy")
    return shell


def test_out_into_a_file_and_in_again(ingested: Any, tmp_path: Path) -> None:
    target = tmp_path / "my books.zip"
    said = ingested.run(f"%rag_export '{target}' -o done")
    assert "1 passage of 1 document is in" in said and ingested.user_ns["done"].bytes == target.stat().st_size
    assert "library.md" in ingested.run(f"%rag_import '{target}' -c again --path '{tmp_path / 'kept'}'")
    found = ingested.run("%%rag_search -c again --mode lexical\nlibrary opens")
    assert "library opens at nine" in found
    assert "numpy" in ingested.run(f"%rag_open '{tmp_path / 'kept'}' -c again --store numpy")


def test_a_vector_store_of_the_notebook_is_named_by_its_variable(ingested: Any, session: Any) -> None:
    pytest.importorskip("langchain_core")
    from langchain_core.embeddings import DeterministicFakeEmbedding
    from langchain_core.vectorstores import InMemoryVectorStore

    ingested.user_ns["mine"] = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    ingested.user_ns["numpy"] = object()
    source = session.collection().facts().sources[0].uri
    ingested.run(f"r = %rag_ingest '{source}' -c other --store mine")
    assert session.collection("other").store == "langchain:InMemoryVectorStore"
    ingested.run(f"r = %rag_ingest '{source}' -c third --store numpy")
    assert session.collection("third").store == "numpy"
    with pytest.raises(CollectionError, match="no vectors to export"):
        ingested.run("%rag_export --to mine")


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%rag_export", OptionError, "either a file or --to NAME"),
        ("%rag_export a.zip --to x", OptionError, "either a file or --to NAME"),
        ("%rag_export --to nothing", OptionError, "no vector store 'nothing'"),
        ("%rag_export x/a.zip -c books", CollectionError, "no collection named 'books'"),
        ("%rag_import", OptionError, "FILE"),
        ("%rag_import /no/such.zip -c b", CollectionError, "no file /no/such.zip"),
        ("%rag_import /no/such.zip", OptionError, "'default' is open"),
        ("%rag_ingest . -c b --store chromadb", OptionError, "Did you mean chroma"),
        ("%rag_ingest . -c b --store report", OptionError, "store must be a name"),
        ("%rag_open . --store faiss", CollectionError, "holds no collection"),
    ],
)
def test_bad_input_is_one_line(ingested: Any, cell: str, kind: type[KaggleMagicsError], says: str) -> None:
    with pytest.raises(kind) as caught:
        ingested.run(cell)
    assert says in str(caught.value) and "\n" not in str(caught.value)
