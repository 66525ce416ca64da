"""How long the stop button takes in the middle of a long prompt, and that all is well afterwards.

    python benchmarks/stop.py [--small]

SIGINT, which the stop button sends, comes half a second into reading a 2,048-token prompt. Measured is how long it
takes until the call is over: `Session.prompt` on either engine, against `Llama` and the pipeline.
Then the same prompt is asked again and must be answered as if nothing had been.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from engines import answer, llama, ours, pipeline
from models import prompt
from timing import Result, show

from kaggle_magics.session import Session


def seconds_to_stop(call: Callable[[], Any], after: float) -> float | None:
    """From the signal until `call` is over; None when it was over before the signal."""
    sent: list[float] = []

    def send() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, send)
    try:
        timer.start()
        call()
        ended = time.perf_counter()
        timer.cancel()
        timer.join()
    except KeyboardInterrupt:
        ended = time.perf_counter()
    return ended - sent[0] if sent else None


def measure(call: Callable[[int], Any], after: float, runs: int) -> float:
    """Median over `runs`; each call gets its number, so that no prompt is the same."""
    taken = [seconds_to_stop(lambda number=run: call(number), after) for run in range(runs)]  # type: ignore[misc]
    stopped = [seconds for seconds in taken if seconds is not None]
    assert stopped, "the prompt was read before the signal came: take a longer one"
    return statistics.median(stopped)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a smaller model, few runs")
    options = parser.parse_args()
    name, tokens, after, runs = ("llama-27m", 2048, 0.1, 2) if options.small else ("llama-116m", 2048, 0.5, 5)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    results = []
    session = Session()
    for kind, what in (("f16", "llama.cpp; `Llama`"), ("hf", "transformers; pipeline")):
        engine = ours(name, kind, context=4096)
        prompts = [prompt(engine.count_tokens, tokens, seed=number) for number in range(runs)]
        whole = answer(engine, prompts[0], 8)[0]
        engine.forget()
        session.adopt(engine, name="stopped")
        reasons: list[str] = []

        def mine(number: int, prompts: list[str] = prompts, reasons: list[str] = reasons) -> None:
            done = session.prompt(prompts[number], template="none", max_tokens=8)
            reasons.append(done.stop_reason)

        ours_seconds = measure(mine, after, runs)
        assert "interrupted" in reasons
        assert session.prompt(prompts[0], template="none", max_tokens=8).text == whole, "memory was left inconsistent"
        session.unload("stopped")
        if kind == "f16":
            library = llama(name, kind, context=4096)

            def theirs(number: int, library: Any = library, prompts: list[str] = prompts) -> None:
                library.create_completion(prompts[number], max_tokens=8, temperature=0.0)

            results.append(Result(what, 1000 * measure(theirs, after, runs), 1000 * ours_seconds, 50))
        else:
            pipe = pipeline(name)

            def piped(number: int, pipe: Any = pipe, prompts: list[str] = prompts) -> None:
                pipe(prompts[number], max_new_tokens=8, do_sample=False)

            results.append(Result(what, 1000 * measure(piped, after, runs), 1000 * ours_seconds))
    session.close()
    show(
        f"Stop within a prompt of {tokens} tokens ({name})",
        results,
        notes=("After each stop the same session answered the same prompt as it had before.",),
    )


if __name__ == "__main__":
    main()
