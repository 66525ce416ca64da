"""Text as it comes, and in the end one output that lasts.

In a notebook one output is updated in place, at most ten times a second and less often as it grows: each update sends
the whole text again. So that this stays linear, the text must have grown by a part of what was sent before it is sent
again, though nobody waits longer than a second. While it grows the text is shown as it is and sent once, as HTML, with
the few rules of style that it needs; Markdown is drawn at the end. In a terminal the
text is written as it comes. In a saved run nobody watches, so only the last state is shown.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from kaggle_magics.display import escape, theme
from kaggle_magics.display.bundle import View, join, note, title
from kaggle_magics.environment import is_batch

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

SHORTEST_INTERVAL = 0.1
"""Seconds between two updates."""
LONGEST_INTERVAL = 1.0
"""Seconds after which an update is sent, however little the text has grown."""
SENT_PER_CHARACTER = 14
"""Characters that updates may send for each character of the text."""
TAIL = 160
"""Characters of the text so far that updates have in plain text, for what shows no HTML."""
THOUGHTS = 600
"""Characters of what a model thinks that are shown while it does: the latest."""
BYTES_PER_SECOND = 150_000
"""What updates may send on average; notebook servers drop output beyond 1 MB a second."""


class Publisher(Protocol):
    """What shows a mime bundle, or replaces the one it showed before (`update`)."""

    def __call__(self, data: dict[str, str], *, update: bool, metadata: dict[str, Any] | None = None) -> None: ...


class Show:
    """One output while it is made. As a context manager it shows what there was when an error ended it."""

    def begin(self, label: str) -> None:
        """Say what is going on, before there is any text."""

    def progress(self, label: str) -> None:
        """What `begin` said, as it stands now."""

    def text(self, piece: str) -> None:
        """The next piece of an answer."""

    def reasoning(self, piece: str) -> None:
        """The next piece of what a model thinks before it answers."""

    def part(self, heading: str) -> None:
        """A new part begins, such as a step of a chain."""

    def part_done(self, view: View) -> None:
        """The part that ran is finished and looks like this."""

    def finish(self, view: View, *, rest: View | None = None) -> None:
        """The last state. `rest` is what of `view` comes after text that was streamed; None is nothing."""

    def fail(self) -> None:
        """An error ends this output: keep what there is."""

    def __enter__(self) -> Show:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.fail()


class FinalShow(Show):
    """Only the last state, as one output."""

    def __init__(self, publish: Publisher) -> None:
        self._publish = publish

    def finish(self, view: View, *, rest: View | None = None) -> None:
        self._publish(view.mime(), update=False, metadata=view.metadata())


class NotebookShow(Show):
    """One output that is updated in place."""

    def __init__(self, publish: Publisher, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._publish = publish
        self._clock = clock
        self._label = ""
        self._pieces: list[str] = []
        self._thoughts = ""
        self._done: list[View] = []
        self._shown = False
        self._next = self._latest = 0.0
        self._grown = self._wanted = 0
        """Characters that came since the last update, and how many are wanted for the next."""

    def begin(self, label: str) -> None:
        self._label = label
        self._update(force=True)

    def progress(self, label: str) -> None:
        self._label, self._wanted = label, 0
        self._update()

    def text(self, piece: str) -> None:
        self._pieces.append(piece)
        self._grown += len(piece)
        self._update()

    def reasoning(self, piece: str) -> None:
        self._thoughts = (self._thoughts + piece)[-THOUGHTS - 1 :]
        self._grown += len(piece)
        self._update()

    def part(self, heading: str) -> None:
        self._label, self._pieces, self._thoughts = heading, [], ""
        self._update(force=True)

    def part_done(self, view: View) -> None:
        self._done.append(view)
        self._label, self._pieces, self._thoughts = "", [], ""
        self._wanted = 0
        self._update()

    def finish(self, view: View, *, rest: View | None = None) -> None:
        self._send(view.mime(), view.metadata())

    def fail(self) -> None:
        if self._done or self._pieces or self._thoughts:
            last = join("live", [self._view(), note("Ended by an error.", warn=True)])
            self._send(last.mime(), last.metadata())
        elif self._shown:
            # An output cannot be taken back; the error below says it all.
            self._publish({"text/html": "", "text/plain": ""}, update=True)

    def _view(self) -> View:
        text = escape.plain("".join(self._pieces))
        live = View("text", f"<pre>{escape.code(text)}</pre>", escape.markdown(text), text) if text else None
        return join("live", [*self._done, title(self._label) if self._label else None, live or self._thinking()])

    def _thinking(self) -> View | None:
        """The end of what the model thinks, dimmed, until it answers."""
        if not self._thoughts.strip():
            return None
        cut = "..." * (len(self._thoughts) > THOUGHTS)
        thought = cut + escape.plain(self._thoughts[-THOUGHTS:]).lstrip()
        return View("thinking", f'<pre class="km-dim">{escape.code(thought)}</pre>', "", f"(thinking) {thought}")

    def _update(self, *, force: bool = False) -> None:
        now = self._clock()
        if not force and (now < self._next or (self._grown < self._wanted and now < self._latest)):
            return
        sent = self._send(self._live())
        after = self._clock()
        self._next = after + max(SHORTEST_INTERVAL, 3 * (after - now), sent / BYTES_PER_SECOND)
        self._latest = after + LONGEST_INTERVAL
        # The first words are shown as soon as they are there.
        self._grown, self._wanted = 0, sent // SENT_PER_CHARACTER if self._pieces or self._thoughts else 0

    def _live(self) -> dict[str, str]:
        """What is there so far. Finished parts, as they are drawn in the end, need all of the style."""
        view = self._view()
        if self._done:
            return {"text/html": theme.root(view.html, view.kind), "text/plain": view.text}
        tail = view.text if len(view.text) <= TAIL else f"... {view.text[-TAIL:]}"
        return {"text/html": theme.live(view.html), "text/plain": tail}

    def _send(self, data: dict[str, str], metadata: dict[str, Any] | None = None) -> int:
        """Show it; the cards of answers go along with the last state only."""
        self._publish(data, update=self._shown, metadata=metadata)
        self._shown = True
        return sum(map(len, data.values()))


class TerminalShow(Show):
    """Text written as it comes, without control characters; what belongs below it follows at the end."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._wrote = False
        self._wrote_in_part = False
        self._line = self._thinking = False

    def progress(self, label: str) -> None:
        # One line that is written over; into a file it would be thousands.
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{' '.join(escape.plain(label).split())}")
            self._out.flush()
            self._line = True

    def text(self, piece: str) -> None:
        self._write(piece)
        self._wrote = self._wrote_in_part = True

    def reasoning(self, piece: str) -> None:
        # Into a file only the answer is written.
        if self._out.isatty():
            self._write(piece, thinking=True)

    def part(self, heading: str) -> None:
        self._write(f"{heading}\n")
        self._wrote_in_part = False

    def part_done(self, view: View) -> None:
        self._write("\n\n" if self._wrote_in_part else f"{view.text}\n\n")
        self._wrote, self._wrote_in_part = True, False

    def finish(self, view: View, *, rest: View | None = None) -> None:
        if not self._wrote:
            self._write(f"{view.text}\n")
        elif rest is not None and rest.text:
            self._write(f"\n\n{rest.text}\n")
        else:
            self._write("\n")

    def fail(self) -> None:
        if self._wrote or self._line or self._thinking:
            self._write("\n")

    def _write(self, text: str, *, thinking: bool = False) -> None:
        if self._line:
            self._out.write("\r\x1b[K")
            self._line = False
        if thinking != self._thinking:
            # Dimmed, and not dimmed again.
            self._out.write("\x1b[2m" if thinking else "\x1b[22m\n\n")
            self._thinking = thinking
        self._out.write(escape.plain(text))
        self._out.flush()


def open_show(shell: InteractiveShell) -> Show:
    """The kind of output that fits where this shell's output goes."""
    if getattr(shell, "kernel", None) is None:
        return TerminalShow()
    from IPython.core.displaypub import CapturingDisplayPublisher

    publish = publisher(shell)
    # What %%capture catches is shown later: every update would be an output of its own.
    last_only = is_batch() or isinstance(shell.display_pub, CapturingDisplayPublisher)
    return FinalShow(publish) if last_only else NotebookShow(publish)


def publisher(shell: InteractiveShell) -> Publisher:
    """A publisher for one output of `shell`, under a display id of its own."""
    display_id = os.urandom(8).hex()

    def publish(data: dict[str, str], *, update: bool, metadata: dict[str, Any] | None = None) -> None:
        shell.display_pub.publish(
            data=data, metadata=metadata or {}, transient={"display_id": display_id}, update=update
        )

    return publish
