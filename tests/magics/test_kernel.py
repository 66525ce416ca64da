"""The magics in a real kernel, as a notebook's front end sees them: messages, the stop button, errors."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

manager = pytest.importorskip("jupyter_client.manager")
pytestmark = pytest.mark.slow

SETUP = """
%load_ext kaggle_magics
import kaggle_magics
from kaggle_magics.testing import ScriptedEngine
session = kaggle_magics.get_session()
_ = session.adopt(ScriptedEngine([" ".join(f"word{n}" for n in range(200))], seconds_per_token=0.02), name="slow")
"""


class Notebook:
    """Runs cells in a kernel and keeps the messages of the last one, with the time each came."""

    def __init__(self, kernel: Any, client: Any) -> None:
        self.kernel, self.client = kernel, client
        self.messages: list[tuple[float, str, dict[str, Any]]] = []
        self.reply: dict[str, Any] = {}

    def run(self, cell: str, when: Callable[[str, dict[str, Any]], bool] = lambda kind, content: False) -> None:
        """Run a cell; press the stop button once `when` says so of a message."""
        request, pressed = self.client.execute(cell), False
        self.messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            self.messages.append((time.perf_counter(), kind, content))
            if not pressed and when(kind, content):
                pressed = True
                self.kernel.interrupt_kernel()
            if kind == "status" and content["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                self.reply = reply["content"]
                return

    def of_kind(self, *kinds: str) -> list[dict[str, Any]]:
        return [content for _, kind, content in self.messages if kind in kinds]

    def value(self, expression: str) -> str:
        self.run(f"print({expression})")
        return "".join(content["text"] for content in self.of_kind("stream"))


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    root = Path(__file__).parents[2]
    kernel = manager.KernelManager()
    environment = {**os.environ, "PYTHONPATH": str(root), "KAGGLE_MAGICS_CACHE": str(tmp_path_factory.mktemp("cache"))}
    kernel.start_kernel(env=environment, cwd=str(tmp_path_factory.mktemp("work")))
    client = kernel.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    notebook = Notebook(kernel, client)
    notebook.run(SETUP)
    assert notebook.reply["status"] == "ok", notebook.reply
    yield notebook
    client.stop_channels()
    kernel.shutdown_kernel(now=True)


def test_text_streams_into_one_output_at_most_ten_times_a_second(notebook: Notebook) -> None:
    notebook.run("%%prompt --max-tokens 50 -o answer\nCount")
    shown = notebook.of_kind("display_data")
    times = [at for at, kind, _ in notebook.messages if kind == "update_display_data"]
    lasted = notebook.messages[-1][0] - notebook.messages[0][0]
    assert len(shown) == 1 and 2 <= len(times) <= 10 * lasted + 5
    ids = {content["transient"]["display_id"] for content in notebook.of_kind("display_data", "update_display_data")}
    assert len(ids) == 1
    last = notebook.of_kind("update_display_data")[-1]["data"]
    assert set(last) == {"text/html", "text/markdown", "text/plain"} and "word49" in last["text/html"]
    assert "tokens/s" in last["text/plain"]


def test_the_stop_button_keeps_the_text_and_the_session(notebook: Notebook) -> None:
    notebook.run(
        "%%prompt -o stopped\nCount",
        when=lambda kind, content: kind == "update_display_data" and "word5" in content["data"]["text/plain"],
    )
    assert notebook.reply["status"] == "ok"
    assert "stopped" in notebook.of_kind("update_display_data")[-1]["data"]["text/html"]
    assert "interrupted" in notebook.value("stopped.stop_reason, stopped.text.startswith('word0 word1')")
    assert notebook.value("'word199' in stopped.text").strip() == "False", "the whole answer takes four seconds"
    assert "kaggle_magics" not in notebook.value("[t.name for t in __import__('threading').enumerate()]")
    notebook.run("%%prompt --max-tokens 3 -o again\nCount")
    assert notebook.value("again.text").strip() == "word0 word1 word2"


def test_an_error_is_a_proper_output_of_one_line(notebook: Notebook) -> None:
    notebook.run("%%prompt --wrong\nCount")
    (error,) = notebook.of_kind("error")
    assert error["ename"] == "OptionError"
    assert error["traceback"] == ["OptionError: %%prompt has no option --wrong. See: %%prompt --help"]
    assert notebook.reply["status"] == "error"
    assert notebook.of_kind("stream") == []


def test_code_for_the_next_cell_is_a_payload(notebook: Notebook) -> None:
    notebook.run("_ = session.adopt(ScriptedEngine(['x = 1']), name='coder')")
    notebook.run("%%codegen --insert -m coder\nSet x")
    (payload,) = [payload for payload in notebook.reply["payload"] if payload["source"] == "set_next_input"]
    assert payload["text"] == "x = 1" and payload["replace"] is False


def test_a_line_form_is_the_cells_result(notebook: Notebook) -> None:
    notebook.run("%prompt 'Set x' -m coder")
    (result,) = notebook.of_kind("execute_result")
    assert "x = 1" in result["data"]["text/html"]
    assert notebook.of_kind("display_data") == []


def test_captured_output_is_one_output(notebook: Notebook) -> None:
    notebook.run("%%capture caught\n%%prompt -m slow --max-tokens 30\nCount")
    assert notebook.value("len(caught.outputs), 'word29' in caught.outputs[0].data['text/plain']").strip() == "1 True"


def test_completion_over_the_wire(notebook: Notebook) -> None:
    request = notebook.client.complete("%%prompt --max", 14)
    while True:
        reply = notebook.client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == request:
            break
    assert "--max-tokens" in reply["content"]["matches"]
