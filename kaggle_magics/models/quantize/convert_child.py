"""The process in which llama.cpp's converter runs.

Some things are changed in it while it runs; its files stay as they are. Python code of a checkpoint is not run unless
it was asked for, though the converter would. A byte-level BPE whose pre-tokenizer it does not recognise by the hash of
a text, as those of fine-tuned vocabularies, is recognised by its regular expression. A SentencePiece vocabulary that
is there only as tokenizer.json gets scores in the order of its merges; the converter gives every token the same, and
llama.cpp then merges from left to right. Whether a text begins with BOS is written as the tokenizer does it, where
the converter may leave it to llama.cpp's rule for the pre-tokenizer. And for a dry run the tensors' bytes are not
written, only their place.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from kaggle_magics.models.quantize.child import die_with_parent, report
from kaggle_magics.models.quantize.pretokenizers import merge_scores, pretokenizer_name


def main() -> None:
    """Arguments: one JSON object with converter, model, output, type, name, dry_run, trust_remote_code, reference."""
    die_with_parent()
    job: dict[str, Any] = json.loads(sys.argv[1])
    sys.path[:0] = [job["converter"], f"{job['converter']}/gguf-py"]
    _no_remote_code(allowed=job["trust_remote_code"])
    _report_progress()
    program = importlib.import_module("convert_hf_to_gguf")

    _recognise_pretokenizers()
    _score_by_merges()
    _say_whether_bos_is_added()
    _name_context_of_gpt2()
    if job["dry_run"]:
        _write_no_tensors()
    sys.argv = ["convert_hf_to_gguf.py", job["model"], "--outfile", job["output"], "--outtype", job["type"]]
    sys.argv += ["--model-name", job["name"]]
    program.main()
    if job["reference"]:
        from kaggle_magics.models.quantize.source_answers import write_answers

        try:
            write_answers(job["model"], job["reference"], job["text"], trust_remote_code=job["trust_remote_code"])
        except Exception as error:
            # The converter knows more architectures than transformers does; the result is then compared with its GGUF.
            print(f"No answers of transformers: {error}", flush=True)


def _no_remote_code(*, allowed: bool) -> None:
    import transformers

    for name in ("AutoTokenizer", "AutoConfig"):
        kind = getattr(transformers, name)
        original = kind.from_pretrained

        def from_pretrained(*words: Any, _original: Any = original, **options: Any) -> Any:
            options["trust_remote_code"] = allowed
            return _original(*words, **options)

        kind.from_pretrained = staticmethod(from_pretrained)


def _report_progress() -> None:
    module: Any = importlib.import_module("tqdm")
    kind: Any = module.tqdm

    class Bar(kind):
        def display(self, *words: Any, **options: Any) -> bool:
            if self.total:
                report(self.n, self.total)
            return True

    module.tqdm = Bar


def _recognise_pretokenizers() -> None:
    base: Any = importlib.import_module("conversion.base")
    original = base.TextModel.get_vocab_base_pre

    def get_vocab_base_pre(model: Any, tokenizer: Any) -> str:
        try:
            return str(original(model, tokenizer))
        except NotImplementedError:
            name = pretokenizer_name(json.loads(tokenizer.backend_tokenizer.to_str()))
            if name is None:
                raise
            return name

    base.TextModel.get_vocab_base_pre = get_vocab_base_pre


def _score_by_merges() -> None:
    gguf: Any = importlib.import_module("gguf")

    def get_token_score(vocabulary: Any, token: int) -> float:
        scores = getattr(vocabulary, "scores_by_merges", None)
        if scores is None:
            parsed = json.loads(vocabulary.fname_tokenizer.read_text(encoding="utf-8"))
            scores = vocabulary.scores_by_merges = merge_scores(parsed)
        return float(scores.get(token, 0.0))

    gguf.LlamaHfVocab.get_token_score = get_token_score


def _say_whether_bos_is_added() -> None:
    import transformers

    gguf: Any = importlib.import_module("gguf")
    original = gguf.SpecialVocab.__init__

    def __init__(vocabulary: Any, path: Any, *words: Any, **options: Any) -> None:
        original(vocabulary, path, *words, **options)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
            first = tokenizer("a")["input_ids"][:1]
        except Exception:
            # What the converter found in the files then stands.
            return
        vocabulary.add_special_token["bos"] = first == [tokenizer.bos_token_id]

    gguf.SpecialVocab.__init__ = __init__


def _name_context_of_gpt2() -> None:
    """transformers 5 no longer writes the key that the converter asks for."""
    base: Any = importlib.import_module("conversion.base")
    original = base.ModelBase.load_hparams

    def load_hparams(*words: Any, **options: Any) -> Any:
        found = original(*words, **options)
        if "n_positions" in found:
            found.setdefault("n_ctx", found["n_positions"])
        return found

    base.ModelBase.load_hparams = staticmethod(load_hparams)


def _write_no_tensors() -> None:
    gguf: Any = importlib.import_module("gguf")

    def write_tensors_to_file(writer: Any, *, progress: bool = False) -> None:
        writer.write_ti_data_to_file()
        for file, tensors in zip(writer.fout, writer.tensors, strict=True):
            writer.write_padding(file, file.tell())
            size = sum(gguf.GGUFWriter.ggml_pad(each.nbytes, writer.data_alignment) for each in tensors.values())
            file.truncate(file.tell() + size)

    gguf.GGUFWriter.write_tensors_to_file = write_tensors_to_file
