"""The prompts that a session keeps."""

from __future__ import annotations

from kaggle_magics.generation.library.library import PromptLibrary
from kaggle_magics.session.prompting import PromptingCalls


class LibraryCalls(PromptingCalls):
    """The part of a `Session` that keeps prompts."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts: PromptLibrary = PromptLibrary()
        """Saved prompts by name, in files beside the notebook: `session.prompts["capital"].fill(country="Peru")`."""
