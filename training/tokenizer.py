"""The tokenizer: SentencePiece BPE with byte fallback, made so that an unseen name is easy to copy.

`python -m training.tokenizer OUT` trains it on text of the mixture and writes `tokenizer.model` (for llama.cpp's
converter) and `tokenizer.json` with its configuration (for transformers). A capital letter never joins the letters
after it (but for a few frequent words), so `Ilse` at the start of an answer and ` Ilse` in a passage differ in their
first token only.
"""

from __future__ import annotations

import io
import json
import random
import re
import sys
from pathlib import Path

VOCABULARY = 2048
BOS, EOS, PAD = 1, 2, 3
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
MARKERS = (SYSTEM, USER, ASSISTANT)
WHOLE = (  # noqa: SIM905  # frequent words that keep their capital letter joined
    "The What When Where Which Who How Why Question Because Write In On At From Tell Name Give It She He They You "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December Area Return There Python Answer Until For List Dr"
).split()
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + eos_token }}"
    "{% elif message['role'] == 'system' %}{{ '<|system|>' + message['content'] }}"
    "{% else %}{{ '<|user|>' + message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def corpus(seed: int = 7, samples: int = 60000) -> list[str]:
    """Lines of the training mixture (no newlines inside: a newline is the byte token <0x0A>)."""
    from .data.mixture import training_sample

    rng, lines = random.Random(seed), []
    for _ in range(samples):
        for message in training_sample(rng, 1.0).messages:
            lines += message["content"].split("\n")
    return lines


def train(out: Path) -> None:
    """Train, drop pieces that join a capital letter to what follows, add runs of spaces, write all files."""
    import sentencepiece as spm
    from sentencepiece import sentencepiece_model_pb2 as pb

    lines = corpus()
    random.Random(1).shuffle(lines)
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines[:150000]),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCABULARY + 900,
        byte_fallback=True,
        character_coverage=1.0,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        pad_id=PAD,
        control_symbols=list(MARKERS),
        allow_whitespace_only_pieces=False,
        max_sentence_length=20000,
        minloglevel=2,
    )
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    normal = pb.ModelProto.SentencePiece.NORMAL
    kept, merged = [], []
    allowed = {prefix + word[:end] for word in WHOLE for prefix in ("\u2581", "") for end in range(2, len(word) + 1)}
    for piece in proto.pieces:
        if piece.type == normal and len(piece.piece) > 1:
            letters_only = piece.piece.lstrip("\u2581")
            if len(letters_only) > 1 and re.search(r"[A-Z]", letters_only) and piece.piece not in allowed:
                continue
            merged.append(piece.piece)
        else:
            kept.append(piece)
    letters = {piece.piece for piece in kept}
    alone = [chr(c) for c in range(32, 127) if chr(c) != " " and chr(c) not in letters]
    capitals = ["\u2581" + chr(c) for c in range(65, 91)]
    merged = ["\u2581\u2581", "\u2581\u2581\u2581\u2581", "\u2581" * 8] + [m for m in merged if m not in capitals]
    letters_list = [p for p in kept if p.type == normal]
    special = [p for p in kept if p.type != normal]
    room = VOCABULARY - len(special) - len(letters_list) - len(alone) - len(capitals)
    merged = merged[:3] + capitals + merged[3:room]
    del proto.pieces[:]
    proto.pieces.extend(special)
    score = 0.0
    for text in merged + [p.piece for p in letters_list] + alone:
        proto.pieces.add(piece=text, score=score, type=normal)
        score -= 1.0
    proto.trainer_spec.vocab_size = len(proto.pieces)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.model").write_bytes(proto.SerializeToString())
    to_transformers(out)


def to_transformers(out: Path) -> None:
    """Write `tokenizer.json` and its configuration from `tokenizer.model`."""
    from sentencepiece import sentencepiece_model_pb2 as pb
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    proto = pb.ModelProto()
    proto.ParseFromString((out / "tokenizer.model").read_bytes())
    vocab = {piece.piece: i for i, piece in enumerate(proto.pieces)}
    scores = {piece.piece: piece.score for piece in proto.pieces}
    merges = []
    for piece in proto.pieces:
        if piece.type != pb.ModelProto.SentencePiece.NORMAL:
            continue
        local = [(piece.piece[:i], piece.piece[i:]) for i in range(1, len(piece.piece))]
        merges += [(-scores[piece.piece], vocab[a], vocab[b], a, b) for a, b in local if a in vocab and b in vocab]
    merges.sort()
    tokenizer = Tokenizer(
        models.BPE(vocab, [(a, b) for *_, a, b in merges], unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>", "<pad>", *MARKERS)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", BOS)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=list(MARKERS),
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
        padding_side="left",
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(out)
    file = out / "tokenizer_config.json"
    config = {
        key: value
        for key, value in json.loads(file.read_text()).items()
        if key not in ("backend", "extra_special_tokens")
    }
    config |= {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "add_bos_token": True,
        "add_eos_token": False,
    }
    file.write_text(json.dumps(config, indent=2) + "\n")  # llama.cpp's converter reads these


class Encoder:
    """Conversations to token ids, exactly as the chat template does it."""

    def __init__(self, path: str | Path):
        import sentencepiece as spm

        self.sp = spm.SentencePieceProcessor(model_file=str(path))
        self.marker = {role: self.sp.piece_to_id(f"<|{role}|>") for role in ("system", "user", "assistant")}

    def encode(self, messages: list[dict[str, str]]) -> tuple[list[int], list[bool]]:
        """Ids of a conversation and which of them are learnt (the assistant's tokens and its end)."""
        ids, learnt = [BOS], [False]
        for message in messages:
            content = self.sp.encode(message["content"])
            own = message["role"] == "assistant"
            ids += [self.marker[message["role"]], *content] + ([EOS] if own else [])
            learnt += [False] + [own] * (len(content) + own)
        return ids, learnt

    def branches(self, messages: list[dict[str, str]], prefix: str) -> tuple[list[int], list[bool], list[int]]:
        """Ids, which of them are learnt, and the branch of each: 0 for the trunk (all up to the end of `prefix`), then
        1, 2, ... for the questions, each of which continues the trunk alone.

        A trunk followed by one branch is exactly what `encode` makes of that question alone.
        """
        first = next(i for i, message in enumerate(messages) if message["role"] == "user")
        ids, _ = self.encode(messages[:first])
        ids += [self.marker["user"], *self.sp.encode(prefix)]
        learnt, branch = [False] * len(ids), [0] * len(ids)
        turns = messages[first:]
        for number, (asked, answer) in enumerate(zip(turns[::2], turns[1::2], strict=True), start=1):
            question = self.sp.encode(asked["content"].removeprefix(prefix))
            said = [*self.sp.encode(answer["content"]), EOS]
            ids += [*question, self.marker["assistant"], *said]
            learnt += [False] * (len(question) + 1) + [True] * len(said)
            branch += [number] * (len(question) + 1 + len(said))
        return ids, learnt, branch


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "training/checkpoints/tokenizer"))
