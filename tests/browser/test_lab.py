"""A person's first minutes in JupyterLab: the tour, an answer that streams, one that is stopped, both themes."""

from __future__ import annotations

import re
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

WORDS = " ".join(f"word{number}" for number in range(400))
# A model whose speed is known: what is looked at here is the front end, the streaming and the stop.
SLOW_MODEL = f"""\
%load_ext kaggle_magics
import kaggle_magics
from kaggle_magics.testing import ScriptedEngine
session = kaggle_magics.get_session()
model = session.adopt(ScriptedEngine(["{WORDS}"], seconds_per_token=0.05), name="slow")
"""
STOP = "%%prompt --max-tokens 400 -o stopped\nCount."


def spoken(text: str) -> int:
    """How many words of the script a text holds."""
    return len(re.findall(r"\bword\d+\b", text))


def test_an_answer_grows_and_is_stopped(lab: Any) -> None:
    check = 'print(stopped.stop_reason, len(stopped.text.split())); print(session.prompt("Again.", max_tokens=3))'
    lab.open_cells(SLOW_MODEL, STOP, check)
    lab.command("notebook:run-all-cells")
    output = lab.output(1)
    sync_api.expect(output).to_contain_text("word3", timeout=60_000)
    early = output.inner_text()
    sync_api.expect(output).to_contain_text("word30", timeout=30_000)
    later = output.inner_text()
    assert spoken(early) < spoken(later) < 400
    assert later.split("word0 ", 1)[1].startswith("word1 word2"), "text is added, not replaced"

    lab.command("notebook:interrupt-kernel")
    sync_api.expect(output).to_contain_text("stopped", timeout=10_000)
    kept = output.inner_text()
    assert spoken(later) <= spoken(kept) < 400
    assert "Traceback" not in kept and "KeyboardInterrupt" not in kept
    lab.screenshot("stopped")
    # A stop button ends the cells that wait, too; the session goes on with the next one.
    lab.run_cell(2)
    sync_api.expect(lab.output(2)).to_contain_text("word0 word1 word2", timeout=30_000)
    reason, words = lab.output(2).inner_text().split()[:2]
    assert reason == "interrupted" and int(words) == spoken(kept)
    assert lab.errors == []


def test_the_tour(lab: Any) -> None:
    lab.open("tour.ipynb")
    lab.command("notebook:run-all-cells")
    cells = lab.page.locator(".jp-Notebook .jp-CodeCell").count()
    lab.wait_for_run(cells=cells, seconds=300)
    notebook = lab.page.locator(".jp-Notebook")
    assert notebook.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0
    # Sources fold open; that is what a citation leads to.
    fold = notebook.locator("details").filter(has_text="handbook/").first
    fold.locator("summary").first.click()
    for theme in ("Light", "Dark"):
        lab.theme(f"JupyterLab {theme}")
        lab.screenshots(f"tour-{theme.lower()}")
    assert lab.errors == []


def test_what_a_model_says_is_not_run(lab: Any) -> None:
    """A model (or a document behind it) that answers with markup reaches neither the page nor the network."""
    said = (
        "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'> "
        "![pixel](https://example.com/pixel.png) [link](javascript:window.broken=1)"
    )
    lab.open_cells(
        "%load_ext kaggle_magics\nimport kaggle_magics\nfrom kaggle_magics.testing import ScriptedEngine\n"
        f"model = kaggle_magics.get_session().adopt(ScriptedEngine([{said!r}]), name='rude')",
        "%%prompt\nHello.",
        "%%chain\nfirst: Hello.\nsecond: Again {first}",
    )
    lab.command("notebook:run-all-cells")
    lab.wait_for_run(cells=3)
    sync_api.expect(lab.output(1)).to_contain_text("onerror")
    assert lab.page.evaluate("() => window.broken") is None
    for link in lab.output(1).locator("a").all():
        assert not (link.get_attribute("href") or "").startswith("javascript")
    assert lab.output(1).locator("img").count() == 0
