"""Images to a server: parts of the message with the data in it, and a refusal that is told in one line."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest

from kaggle_magics.errors import EngineError, OptionError
from kaggle_magics.models.request import Image, Request

PIXEL = Image(b"\x89PNG not really", "image/png", "fig", 1, 1)


def drain(engine: Any, request: Request) -> tuple[str, Any]:
    pieces = list(engine.stream(request, threading.Event()))
    return "".join(piece.text for piece in pieces), pieces[-1]


def asked(images: tuple[Image, ...] = (PIXEL,), **options: Any) -> Request:
    return Request.ask("What is it?", images=images, **options)


def test_images_go_before_the_text_as_data(server: Any) -> None:
    engine = server.connect()
    assert engine.facts.takes_images
    assert drain(engine, asked())[0] == "Lima."
    [message] = server.asked[0].body["messages"]
    assert message["content"][1] == {"type": "text", "text": "What is it?"}
    url = message["content"][0]["image_url"]["url"]
    assert url == "data:image/png;base64," + base64.b64encode(PIXEL.data).decode()
    drain(engine, asked(()))
    assert server.asked[1].body["messages"][0]["content"] == "What is it?"
    assert "fig (image/png, 1 x 1" in engine.render(asked()) and "base64" not in engine.render(asked())


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "small-1 is not a multimodal model"),
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
        (422, "messages.0.content: Input should be a valid string"),
    ],
)
def test_a_model_that_sees_nothing_is_told_once(server: Any, status: int, message: str) -> None:
    server.script = [lambda exchange: exchange.error(status, message)]
    with pytest.raises(EngineError, match="takes no images") as error:
        drain(server.connect(), asked())
    assert message in str(error.value) and len(server.asked) == 1


def test_servers_that_tell_are_believed(server: Any) -> None:
    server.models = [{"id": "small-1", "meta": {"n_ctx_train": 4096}}]
    server.routes["/props"] = lambda exchange: exchange.json({"modalities": {"vision": False}})
    assert not server.connect().facts.takes_images
    server.routes["/props"] = lambda exchange: exchange.json({"modalities": {"vision": True}})
    assert server.connect().facts.takes_images
    server.models = [{"id": "small-1", "architecture": {"input_modalities": ["text"]}}]
    assert not server.connect().facts.takes_images


def test_a_finished_text_takes_no_images(server: Any) -> None:
    with pytest.raises(OptionError, match="template auto"):
        drain(server.connect(), asked(template="chatml"))
    assert server.asked == []
