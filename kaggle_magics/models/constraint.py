"""A constraint on an answer's tokens (a grammar, a schema, a list of choices): what an engine asks of it.

An engine knows nothing of grammars. A `Constraint` belongs to a request and may serve many; for each answer it gives a
`Matcher`, which follows the tokens and says which may come next. The engine asks about single tokens first, the likely
ones, and for the mask of the whole vocabulary only when none of those is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Requests know this module, and the magics know requests: numpy waits until something is computed.
    import numpy as np
    from numpy.typing import NDArray


class Vocabulary(Protocol):
    """The tokens of a loaded model, for a constraint that has to know them."""

    @property
    def size(self) -> int: ...

    @property
    def tokenizer(self) -> Any:
        """The library's own: a transformers tokenizer, or llama.cpp's `llama_vocab *`."""
        ...

    def is_end(self, token: int) -> bool:
        """Whether this token ends an answer."""
        ...

    def token_text(self, token: int) -> str:
        """A token's text by itself; part of a character shows as U+FFFD."""
        ...

    def token_bytes(self) -> list[bytes]:
        """What each token adds to an answer's text, in UTF-8; nothing for tokens that only control. One entry a token,
        for all of them: this takes about a second for a large vocabulary, so whoever asks keeps it."""
        ...


class Matcher(Protocol):
    """Follows one answer. Whether an answer may end is asked of it as whether an end token is allowed."""

    @property
    def finished(self) -> bool:
        """Whether nothing can follow but the end: the answer then ends without an end token being computed."""
        ...

    def allows(self, token: int) -> bool:
        """Whether `token` may come next."""
        ...

    def mask(self) -> NDArray[np.bool_]:
        """Which tokens may come next, shape (vocabulary,)."""
        ...

    def advance(self, token: int) -> None:
        """`token`, which was allowed, has been chosen."""
        ...


@dataclass(frozen=True, slots=True)
class ServerForm:
    """A constraint as servers take one: a JSON schema of an object, as OpenAI wants it."""

    schema: Mapping[str, Any]
    strict: bool
    """Whether the schema keeps OpenAI's rules for `strict`."""
    wrapped: bool
    """Whether the object only holds what was asked for, which is no object itself."""


class Constraint(Protocol):
    """What the answers to a request must obey. Safe to use for several answers at once."""

    @property
    def keeps_space(self) -> bool:
        """Whether white space at the beginning of an answer is part of it, for every template."""
        ...

    @property
    def server_form(self) -> ServerForm:
        """The same for servers, which do the constraining themselves."""
        ...

    @property
    def key(self) -> str:
        """A text that is equal where the constraint is, also in another process."""
        ...

    def begin(self, vocabulary: Vocabulary) -> Matcher:
        """A matcher at the beginning of an answer."""
        ...


def stable_form(constraint: Constraint | None) -> str | None:
    """A constraint as a text that is equal where the constraint is, also in another process: its `key`.

    None for no constraint, and for one without a `key`: an answer that obeyed it cannot be told from others.
    """
    key = getattr(constraint, "key", None)
    return key if isinstance(key, str) else None
