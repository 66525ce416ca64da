"""--attach, as a person types it: what reaches the model, what is shown before, and what cannot be attached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import DocumentError, OptionError


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the notebook."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(engine: Any, at: int = -1) -> str:
    return str(engine.requests[at].messages[-1].content)


def test_names_and_files_reach_the_model_before_the_question(shell: Any, script: Any, beside: Path) -> None:
    engine = script("ok")
    (beside / "notes, old.md").write_text("Old notes.")
    (beside / "data.csv").write_text("a,b\n1,2\n")
    shell.user_ns.update(rows=[{"city": "Lima"}], data=[1])
    shown = shell.run("%%prompt --attach rows[0],data,data.csv --attach 'notes, old.md'\nWhich city of {rows[0]}?")
    assert asked(engine) == (
        "rows[0] is a dict of 1 key:\n- city: 'Lima'\n\ndata is a list of 1 item:\n- 1\n\n"
        "data.csv is a file of 8 bytes:\na,b\n1,2\n\nnotes, old.md is a file of 10 bytes:\nOld notes.\n\n"
        "Which city of {'city': 'Lima'}?"
    )
    assert "Attached: rows[0] (" in shown and shown.index("Attached") < shown.index("ok")
    shell.run('answer = %prompt "What is it?" --attach data')
    assert asked(engine) == "data is a list of 1 item:\n- 1\n\nWhat is it?"


def test_what_is_sent_is_shown_word_for_word_and_escaped_before_the_answer(
    shell: Any, script: Any, outputs: Any
) -> None:
    seen: list[str] = []
    script(lambda request: seen.append(outputs.html) or "done")
    shell.user_ns["page"] = "<script>alert(1)</script> ![x](http://evil.example/a.png)"
    shell.run_cell("%%prompt --attach page\nWhat is it?").raise_error()
    assert "&lt;script&gt;alert(1)" in seen[0] and "done" not in seen[0]
    assert "&lt;script&gt;alert(1)" in outputs.html and "done" in outputs.html and "<details>" in outputs.html
    assert "<script" not in outputs.html and len(outputs) == 1
    assert "![" not in outputs[0]["text/markdown"] and "<script" not in outputs[0]["text/markdown"]


def test_the_budget_can_be_set(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.user_ns["long"] = "word " * 5000
    shown = shell.run("%%prompt --attach long --attach-tokens 50\nSum it up.")
    assert len(asked(engine).split()) <= 55 and "Left out of long" in asked(engine) and "left out:" in shown
    shell.run("%%prompt --attach long\nSum it up.")
    assert 700 < len(asked(engine).split()) <= 4096 // 4 + 5


def test_functions_and_classes_of_cells_bring_their_source(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.run("def double(x):\n    return 2 * x")
    shell.run("@staticmethod\ndef other(): pass\nclass Box:\n    size = 3\n    def grow(self):\n        self.size += 1")
    shell.run("%%prompt --attach double,Box\nWhat do they do?")
    assert "def double(x):\n    return 2 * x" in asked(engine)
    assert "class Box:\n    size = 3\n    def grow(self):\n        self.size += 1\n\nWhat" in asked(engine)


def test_the_last_error_can_be_attached(shell: Any, script: Any, capsys: Any) -> None:
    engine = script("ok")
    shell.run_cell("def broken():\n    return 1 / 0\nbroken()")
    shell.run("%%prompt --attach _error\nWhat went wrong?")
    assert "_error is an exception of type ZeroDivisionError" in asked(engine) and "return 1 / 0" in asked(engine)


def test_what_is_not_there_is_named_before_anything_is_asked(shell: Any, script: Any, beside: Path) -> None:
    engine = script("ok")
    shell.user_ns["frame"] = [1]
    (beside / "docs").mkdir()
    (beside / "binary.bin").write_bytes(b"\0\1\2")
    with pytest.raises(OptionError, match=r"no variable and no file named 'fram'. Did you mean frame"):
        shell.run("%%prompt --attach fram\nWhat?")
    with pytest.raises(OptionError, match=r"There is no file gone\.csv"):
        shell.run("%%prompt --attach gone.csv\nWhat?")
    with pytest.raises(OptionError, match="is a folder"):
        shell.run("%%prompt --attach docs\nWhat?")
    with pytest.raises(OptionError, match="Download it first"):
        shell.run("%%prompt --attach https://example.com/x.png\nWhat?")
    with pytest.raises(DocumentError, match="binary"):
        shell.run("%%prompt --attach binary.bin\nWhat?")
    with pytest.raises(OptionError, match="names nothing"):
        shell.run("%%prompt --attach ,\nWhat?")
    with pytest.raises(OptionError, match="goes with --attach"):
        shell.run("%%prompt --attach-tokens 5\nWhat?")
    assert engine.requests == []


def test_a_conversation_keeps_what_was_attached(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.user_ns["data"] = [17]
    shell.run("%%prompt --thread t --attach data\nWhat is it?")
    shell.run("%%prompt --thread t\nAnd then?")
    assert "- 17" in str(engine.requests[1].messages[0].content)


@pytest.mark.filterwarnings("ignore:.*Completer.complete.*:PendingDeprecationWarning")
def test_names_and_paths_are_completed_after_a_comma(shell: Any, beside: Path) -> None:
    (beside / "frame.csv").touch()
    shell.user_ns["frames"] = []
    assert set(shell.complete(None, "%%prompt --attach fra")[1]) == {"frames", "frame.csv"}


def picture(path: Path, size: tuple[int, int] = (4, 3)) -> Path:
    pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pillow.new("RGB", size, "red").save(path)
    return path


def test_images_go_to_models_that_take_them(shell: Any, script: Any, beside: Path) -> None:
    engine = script("A red square.", takes_images=True)
    picture(beside / "photo.PNG")
    picture(beside / "photo.jpg")
    shell.user_ns["square"] = __import__("PIL.Image").Image.open(beside / "photo.PNG").convert("P")
    shown = shell.run("%%prompt --attach photo.PNG,photo.jpg,square\nWhat is it?")
    message = engine.requests[0].messages[-1]
    assert message.content == "What is it?"
    assert [(one.name, one.media_type, one.width, one.height) for one in message.images] == [
        ("photo.PNG", "image/png", 4, 3),
        ("photo.jpg", "image/jpeg", 4, 3),
        ("square", "image/png", 4, 3),
    ]
    assert message.images[0].data == (beside / "photo.PNG").read_bytes() and "data=" not in repr(message)
    assert "photo.PNG (image/png, 4 x 3 pixels" in shown
    picture(beside / "huge.png", (5000, 100))
    shell.run("%%prompt --attach huge.png\nWhat is it?")
    assert (engine.requests[1].messages[-1].images[0].width, engine.requests[1].messages[-1].images[0].height) == (
        2048,
        41,
    )


def test_models_that_take_none_say_so_before_anything_is_computed(shell: Any, script: Any, beside: Path) -> None:
    engine = script("ok")
    picture(beside / "photo.png")
    with pytest.raises(OptionError, match=r"scripted takes no images \(photo.png\)\. Load an image-text model"):
        shell.run("%%prompt --attach photo.png\nWhat is it?")
    assert engine.requests == []


def test_a_damaged_image_is_told(shell: Any, script: Any, beside: Path) -> None:
    engine = script("ok", takes_images=True)
    whole = picture(beside / "photo.png", (200, 200)).read_bytes()
    for name, data in (
        ("cut.png", whole[:-40]),
        ("none.png", b"not an image"),
        ("empty.jpg", b""),
        ("odd.webp", whole[:20]),
    ):
        (beside / name).write_bytes(data)
        with pytest.raises(DocumentError, match=f"{name} is no image that can be read"):
            shell.run(f"%%prompt --attach {name}\nWhat is it?")
    with (beside / "sparse.png").open("wb") as file:
        file.truncate(5 * 2**30)
    with pytest.raises(DocumentError, match="too large"):
        shell.run("%%prompt --attach sparse.png\nWhat is it?")
    assert engine.requests == []


def test_a_figure_is_an_image_or_words(shell: Any, script: Any) -> None:
    figures = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    fig = figures.Figure(figsize=(3, 2))
    axes = fig.subplots()
    axes.plot([1, 2, 3], label="growth")
    shell.user_ns.update(fig=fig, axes=axes)
    seeing, blind = script("ok", takes_images=True, name="seeing"), script("ok", name="blind")
    shell.run("%%prompt --attach fig,axes -m seeing\nWhat is it?")
    assert [(one.name, one.width, one.height) for one in seeing.requests[0].messages[-1].images] == [
        ("fig", 300, 200),
        ("axes", 300, 200),
    ]
    shell.run("%%prompt --attach fig -m blind\nWhat is it?")
    assert "fig is a matplotlib figure with 1 plot:" in asked(blind) and "line 'growth' of 3 points" in asked(blind)
    assert blind.requests[0].messages[-1].images == ()


def test_an_answer_about_an_image_goes_to_its_card_and_back(
    shell: Any, script: Any, session: Any, beside: Path
) -> None:
    from kaggle_magics.generation.record import answer_of_record, answer_record

    script("red", takes_images=True)
    picture(beside / "photo.png")
    shell.run("%%prompt --attach photo.png -o answer\nWhat is it?")
    record = answer_record(shell.user_ns["answer"])
    assert __import__("json").dumps(record)
    [image] = answer_of_record(record).card.messages[-1].images
    assert (image.name, image.data) == ("photo.png", b"")
    from kaggle_magics.models.request import Request

    with pytest.raises(OptionError, match="no more at hand"):
        session.generate(Request(answer_of_record(record).card.messages))
