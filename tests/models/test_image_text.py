"""Image-text models of transformers: the same greedy text as `generate`, beside and between prompts of text only."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.models.engines.protocol import EngineFacts
from kaggle_magics.models.request import Image, Message, Request, Sampling
from kaggle_magics.session import Session
from tests.conftest import write_tokenizer

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
QUESTION = "What is the capital of Peru?"
TEXT = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    "initializer_range": 0.2,
}  # fmt: skip


def noise(seed: int, width: int = 60, height: int = 40) -> Image:
    """An image that no other seed makes."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype="uint8")
    out = io.BytesIO()
    pillow.fromarray(pixels).save(out, "PNG")
    return Image(out.getvalue(), "image/png", f"noise {seed}", width, height)


def opened(images: Any) -> list[Any]:
    return [pillow.open(io.BytesIO(image.data)).convert("RGB") for image in images]


def ask(*images: Image, text: str = QUESTION, most: int = 16) -> Request:
    return Request.ask(text, images=images, sampling=Sampling(max_tokens=most))


@pytest.fixture(scope="module")
def tiny_llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA of random weights with its processor, as it lies on disk: 28 x 28 pixels become 4 tokens and one more."""
    folder = tmp_path_factory.mktemp("models") / "tiny-llava"
    folder.mkdir()
    write_tokenizer(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.chat_template = TEMPLATE
    sides = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
    transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(**sides),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    eyes = transformers.CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
        projection_dim=32,
    )
    config = transformers.LlavaConfig(
        vision_config=eyes.to_dict(),
        text_config=transformers.LlamaConfig(vocab_size=len(tokenizer), **TEXT).to_dict(),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = transformers.LlavaForConditionalGeneration(config)
        for weights in model.model.multi_modal_projector.parameters():
            torch.nn.init.normal_(weights, std=0.2)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reference(tiny_llava: Path) -> Any:
    """The library's own greedy text."""
    model = transformers.LlavaForConditionalGeneration.from_pretrained(tiny_llava).eval()
    processor = transformers.AutoProcessor.from_pretrained(tiny_llava)

    def generate(*images: Image, text: str = QUESTION, most: int = 16) -> str:
        parts = [*({"type": "image"} for _ in images), {"type": "text", "text": text}]
        prompt = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
        inputs = processor(text=[prompt], images=opened(images) or None, return_tensors="pt")
        if not images:
            inputs = processor.tokenizer([prompt], return_tensors="pt", add_special_tokens=False)
        made = model.generate(**inputs, max_new_tokens=most, do_sample=False)
        return str(
            processor.tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        ).lstrip()

    return generate


@pytest.fixture
def session(tiny_llava: Path) -> Any:
    session = Session()
    session.load(tiny_llava, name="llava")
    yield session
    session.close()


def test_the_greedy_text_is_the_librarys(session: Session, reference: Any) -> None:
    assert session.model().facts.takes_images
    one, two = noise(1), noise(2)
    texts = {}
    for images in ((one,), (two,), (one, two), (one,)):
        answer = session.generate(ask(*images))
        assert answer.text == reference(*images) and answer.usage.reused_tokens == 0
        texts[images] = answer.text
    assert len(set(texts.values())) == 3, "the images make no difference"
    assert "<image>\n<image>\nWhat" in session.model().engine.render(ask(one, two))


def test_text_is_answered_as_ever_between_images(session: Session, reference: Any) -> None:
    before = session.generate(ask())
    assert before.text == reference()
    session.generate(ask(noise(1)))
    again = session.generate(ask())
    assert again.text == before.text and again.usage.reused_tokens == again.usage.prompt_tokens - 1


def test_a_table_may_mix_both(session: Session, reference: Any) -> None:
    requests = [ask(noise(1)), ask(), ask(text="Who?"), ask(noise(2))]
    texts = [answer.text for answer in session.generate_many(requests)]
    assert texts == [reference(noise(1)), reference(), reference(text="Who?"), reference(noise(2))]


def test_a_conversation_keeps_its_images(session: Session) -> None:
    first = session.prompt(QUESTION, attach={"picture": opened([noise(1)])[0]}, thread="t", max_tokens=3)
    second = session.prompt("And now?", thread="t", max_tokens=3)
    assert second.usage.prompt_tokens > first.usage.prompt_tokens + 5
    assert [len(message.images) for message in second.card.messages] == [1, 0, 0]


def test_what_cannot_be_asked_is_told(session: Session, tiny_llava: Path) -> None:
    for template in ("none", "chatml"):
        with pytest.raises(OptionError, match="Use template auto"):
            session.generate(Request.ask("What?", images=(noise(1),), template=template))
    with pytest.raises(OptionError, match=r"has \d+ tokens; the model's context holds"):
        session.generate(ask(*[noise(1)] * 500))
    with pytest.raises(EngineError, match="processor refuses"):
        session.generate(Request((Message("user", "<image> what?", (noise(1),)),)))
    assert session.generate(ask(noise(1), most=3)).usage.generated_tokens == 3


def test_an_answer_that_was_cut_off_goes_on(session: Session, reference: Any) -> None:
    engine, whole = session.model().engine, reference(noise(1))
    first = list(engine.stream(ask(noise(1), most=5), threading.Event()))
    request = replace(ask(noise(1), most=11), begun=first[-1].progress)
    rest = list(engine.stream(request, threading.Event()))
    assert "".join(piece.text for piece in rest) == whole and first[-1].stop_reason == "length"


def test_a_stop_ends_the_reading_of_an_image(session: Session) -> None:
    engine, stop = session.model().engine, threading.Event()
    stop.set()
    [piece] = list(engine.stream(ask(noise(1)), stop))
    assert piece.stop_reason == "interrupted" and piece.usage is not None and piece.usage.generated_tokens == 0


def test_without_its_processor_it_answers_text(tiny_llava: Path, tmp_path: Path, reference: Any) -> None:
    import shutil

    folder = shutil.copytree(tiny_llava, tmp_path / "text-only")
    (folder / "processor_config.json").unlink()
    session = Session()
    assert not session.load(folder).facts.takes_images
    assert session.generate(ask()).text == reference()
    with pytest.raises(OptionError, match="takes no images"):
        session.generate(ask(noise(1)))
    session.close()


class QwenProcessor:
    """What `Qwen2VLProcessor` does with images; that one asks for torchvision, for videos."""

    def __init__(self, images: Any, tokenizer: Any) -> None:
        self.images, self.tokenizer = images, tokenizer

    def __call__(self, text: list[str], images: Any, return_tensors: str, add_special_tokens: bool) -> dict[str, Any]:
        made = dict(self.images(images[0], return_tensors=return_tensors))
        said = text[0]
        for grid in made["image_grid_thw"]:
            said = said.replace("<image>", "<seen>" * (int(grid.prod()) // self.images.merge_size**2), 1)
        tokens = self.tokenizer(said.replace("<seen>", "<image>"), return_tensors="pt", add_special_tokens=False)
        place = self.tokenizer.convert_tokens_to_ids("<image>")
        kinds = (tokens["input_ids"] == place).int()
        return {**tokens, **made, "mm_token_type_ids": kinds}


def test_positions_moved_by_an_image_are_those_of_the_library(tmp_path: Path) -> None:
    """Qwen2-VL counts an image's tokens in two directions, so that what follows stands nearer than its index says."""
    from kaggle_magics.models.engines.transformers.images import ImageTextEngine, ImageTextModel

    write_tokenizer(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    place = tokenizer.convert_tokens_to_ids("<image>")
    config = transformers.Qwen2VLConfig(
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        image_token_id=place,
        vision_start_token_id=len(tokenizer) - 2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = transformers.Qwen2VLForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = 2
    processor = QwenProcessor(transformers.Qwen2VLImageProcessor(min_pixels=3136, max_pixels=12544), tokenizer)
    facts = EngineFacts("transformers", "transformers", "cpu", "float32", 2048, True)
    engine = ImageTextEngine(ImageTextModel(model, tokenizer, processor, facts=facts, template=TEMPLATE))

    def ours(request: Request) -> str:
        return "".join(piece.text for piece in engine.stream(request, threading.Event()))

    def theirs(request: Request) -> str:
        inputs: Any = tokenizer(engine.render(request), return_tensors="pt", add_special_tokens=False)
        if images := request.messages[-1].images:
            inputs = processor([engine.render(request)], [opened(images)], "pt", False)
        made = model.generate(**inputs, max_new_tokens=16, do_sample=False)
        return str(tokenizer.decode(made[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)).lstrip()

    requests = [ask(), ask(noise(1, 84, 112)), ask(), ask(noise(2, 112, 56)), ask(text="Who?")]
    answers = [ours(request) for request in requests]
    assert answers == [theirs(request) for request in requests]
    assert len(set(answers)) == 4
    batch: dict[int, str] = dict.fromkeys(range(len(requests)), "")
    for index, piece in engine.stream_many(requests, threading.Event()):
        batch[index] += piece.text
    assert list(batch.values()) == answers
    engine.close()
