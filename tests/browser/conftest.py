"""JupyterLab in Debian's Chromium, driven by Playwright. Run as a pytest process of its own: `make browser`.

Playwright's synchronous interface keeps an event loop, which other tests must not meet. JupyterLab is driven by its
commands, not by pixels of its toolbar; settings that move things on their own (windowing, news) are off.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SCREENSHOTS = ROOT / "build" / "screenshots"
SETTINGS: dict[str, dict[str, Any]] = {
    # Every cell stays in the page, whether it is in view or not.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
# No look-ups of Chromium's own (updates, safe browsing, sync), and no QUIC.
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(600))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running JupyterLab and the folder it shows."""

    url: str
    folder: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("lab")
    folder = base / "notebooks"
    shutil.copytree(ROOT / "examples", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__"))
    for plugin, value in SETTINGS.items():
        path = base / "settings" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    environment = dict(
        os.environ,
        IPYTHONDIR=str(base / "ipython"),
        JUPYTER_CONFIG_DIR=str(base / "config"),
        JUPYTER_RUNTIME_DIR=str(base / "runtime"),
        JUPYTERLAB_SETTINGS_DIR=str(base / "settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(base / "workspaces"),
        KAGGLE_MAGICS_CACHE=str(base / "cache"),
    )
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    options = [
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        f"--ServerApp.root_dir={folder}",
    ]
    url = f"http://127.0.0.1:{port}"
    with (base / "server.log").open("w") as log:
        process = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)
        try:
            wait_until_served(f"{url}/api/status", process, base / "server.log")
            yield Server(url, folder)
        finally:
            process.terminate()
            process.wait(20)


def wait_until_served(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield started
        started.close()


@dataclass
class Lab:
    """A page with a notebook open in JupyterLab, and what went wrong in it."""

    page: Any
    server: Server
    external: list[str] = field(default_factory=list)
    """Requests to anywhere but this machine; all were refused."""
    errors: list[str] = field(default_factory=list)

    def watch(self) -> None:
        def refuse_external(route: Any) -> None:
            url = route.request.url
            if url.startswith((self.server.url, "data:", "blob:")):
                route.continue_()
            else:
                self.external.append(url)
                route.abort()

        self.page.route("**/*", refuse_external)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, notebook: str) -> None:
        """Open a notebook of the server's folder and wait for its kernel."""
        self.page.goto(f"{self.server.url}/lab/workspaces/{uuid4().hex}/tree/{notebook}?reset")
        self.page.wait_for_function("() => window.jupyterapp", timeout=60_000)
        self.page.evaluate("async () => { await window.jupyterapp.started; await window.jupyterapp.restored }")
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=60_000,
        )

    def open_cells(self, *cells: str) -> None:
        """Write a new notebook of these code cells and open it."""
        name = f"{uuid4().hex}.ipynb"
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.server.folder / name)
        self.open(name)

    def command(self, name: str, **arguments: Any) -> None:
        """Start a JupyterLab command; does not wait for what it sets off."""
        self.page.evaluate(
            "([name, arguments]) => { window.jupyterapp.commands.execute(name, arguments) }", [name, arguments]
        )

    def cell(self, index: int) -> Any:
        """A code cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(index)

    def output(self, index: int) -> Any:
        """What a code cell shows, counted from 0."""
        return self.cell(index).locator(".jp-Cell-outputWrapper")

    def wait_for_run(self, *, cells: int, seconds: float = 60) -> None:
        """Until `cells` code cells have been run to their end: each has its number and none is waiting.

        The kernel's "idle" flickers between two cells; the numbers do not.
        """
        self.page.wait_for_function(
            """count => {
                const prompts = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')];
                return prompts.filter(prompt => /^\\[\\d+\\]:$/.test(prompt.textContent.trim())).length >= count;
            }""",
            arg=cells,
            timeout=seconds * 1000,
        )

    def theme(self, name: str) -> None:
        """Switch to "JupyterLab Light" or "JupyterLab Dark" and wait until the page has it."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(
            "name => document.body.dataset.jpThemeName === name && !document.querySelector('#jupyterlab-splash')",
            arg=name,
            timeout=30_000,
        )

    def run_cell(self, index: int) -> None:
        """Select a code cell by a click on its prompt and run it."""
        self.cell(index).locator(".jp-InputPrompt").click()
        self.command("notebook:run-cell")

    def screenshots(self, name: str) -> list[Path]:
        """The whole notebook, window by window, as build/screenshots/NAME-1.png, NAME-2.png and so on."""
        scroller = "document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer')"
        # Below the last cell JupyterLab leaves room to scroll on.
        last = "[...document.querySelectorAll('.jp-NotebookPanel .jp-Cell')].at(-1).getBoundingClientRect().bottom"
        height, window = self.page.evaluate(
            f"() => [{last} + {scroller}.scrollTop - {scroller}.getBoundingClientRect().top, {scroller}.clientHeight]"
        )
        taken = []
        for number, top in enumerate(range(0, round(height), window), start=1):
            self.page.evaluate(f"top => {{ {scroller}.scrollTop = top }}", top)
            taken.append(self.screenshot(f"{name}-{number}"))
        return taken

    def screenshot(self, name: str) -> Path:
        """The notebook panel as it stands, into build/screenshots/."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.locator(".jp-NotebookPanel").screenshot(path=path)
        return path


@pytest.fixture
def lab(browser: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Lab]:
    context = browser.new_context(viewport={"width": 1280, "height": 1600}, color_scheme="light")
    lab = Lab(context.new_page(), server)
    lab.watch()
    yield lab
    context.close()
    assert lab.external == [], "the page asked for something that is not on this machine"
