"""Loading what is loaded already, against making a `pipeline` again, as notebooks do when a cell is run twice.

    python benchmarks/second_load.py                 # llama-27m, 10 rounds

Both answer the same greedy text before and after, which is asserted. The first load of either is not counted.
"""

from __future__ import annotations

import argparse

from models import SHAPES, hf_folder, text
from timing import Result, show, take_turns


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=SHAPES, default="llama-27m")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    folder = hf_folder(options.model)

    import torch
    from transformers import pipeline
    from transformers.utils import logging

    from kaggle_magics.session import Session

    logging.disable_progress_bar()
    session = Session()
    made = {}
    question = text(20)

    def again() -> None:
        session.load(folder)

    def pipeline_again() -> None:
        # The old one goes as the new one takes its name, as in a cell that is run again.
        made["pipeline"] = pipeline("text-generation", model=str(folder), dtype=torch.float32)

    def answers() -> tuple[str, str]:
        ours = session.prompt(question, template="none", max_tokens=16).text
        theirs = made["pipeline"](question, max_new_tokens=16, do_sample=False, return_full_text=False)
        return ours, theirs[0]["generated_text"]

    again()
    pipeline_again()
    before = answers()
    assert before[0] == before[1], "the two do not say the same"
    medians = take_turns({"pipeline": pipeline_again, "ours": again}, options.runs)
    assert answers() == before, "the answer changed"
    ours, baseline = 1000 * medians["ours"], 1000 * medians["pipeline"]
    show("The same model again", [Result(f"second load, {options.model}", baseline, ours, 20)])
    session.close()


if __name__ == "__main__":
    main()
