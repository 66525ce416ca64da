"""`openai:URL#model`: which server and which model a person means, and the key that server may be given."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from kaggle_magics.credentials import Secret, secret
from kaggle_magics.errors import OptionError
from kaggle_magics.models.find.servers import PREFIX, is_endpoint

PUBLIC = "https://api.openai.com/v1"
"""Where `openai:#model` goes when OPENAI_BASE_URL is not set."""
FORM = "Write openai:URL#model, such as openai:http://127.0.0.1:8000/v1#my-model."
KEY, OPENAI_KEY = "KAGGLE_MAGICS_ENDPOINT_KEY", "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True)
class EndpointReference:
    """A server's base address, such as `http://127.0.0.1:8000/v1`, and the model on it."""

    url: str
    """Without a slash at its end; it never holds a password or a query."""
    model: str | None = None
    """None: the only one there is."""

    def __str__(self) -> str:
        return f"{PREFIX}{self.url}#{self.model or ''}"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def name(self) -> str:
        """A name for the model in a session: the last part of the model's, or the host's."""
        return (self.model or "").rstrip("/").rpartition("/")[2] or self.host


def parse(reference: object) -> EndpointReference | None:
    """The server and model that a reference names; None when it is no `openai:` reference.

    Without a URL it is OPENAI_BASE_URL, else OpenAI's own. An address without a scheme gets https, on this machine
    http. Raises `OptionError` for an address that cannot be, and for one that holds a password, a key or a query: what
    is typed into a cell is saved with the notebook.
    """
    if not is_endpoint(reference):
        return None
    address, _, model = reference.strip()[len(PREFIX) :].partition("#")
    given = address.strip() or os.environ.get("OPENAI_BASE_URL", "").strip() or PUBLIC
    return EndpointReference(_base(given), model.strip() or None)


def key_for(reference: EndpointReference) -> Secret | None:
    """The key this server gets, from the environment or Kaggle's secrets; None where there is none for it.

    KAGGLE_MAGICS_ENDPOINT_KEY_<HOST> (`KAGGLE_MAGICS_ENDPOINT_KEY_LLM_EXAMPLE_ORG` for llm.example.org) comes first,
    then KAGGLE_MAGICS_ENDPOINT_KEY. OPENAI_API_KEY goes only to OpenAI, to the server in OPENAI_BASE_URL, and to this
    machine: another server that was typed has no claim to it.
    """
    names = [host_variable(reference.host), KEY]
    if _may_have_openai_key(reference):
        names.append(OPENAI_KEY)
    value = secret(*names)
    if value is None:
        return None
    # http.client would refuse such a header with an error that quotes it.
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise OptionError(f"The key for {reference.host} holds characters that no key has.", f"Set {names[-1]} again.")
    return Secret(value)


def host_variable(host: str) -> str:
    """The environment variable for one host's key."""
    return f"{KEY}_{re.sub(r'[^A-Za-z0-9]', '_', host).upper()}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host.casefold() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _may_have_openai_key(reference: EndpointReference) -> bool:
    known = {urlsplit(PUBLIC).hostname}
    with contextlib.suppress(ValueError):
        known.add(urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname)
    return reference.host in known or is_loopback(reference.host)


def _base(address: str) -> str:
    if re.search(r"[\x00-\x20\x7f\\]", address):
        raise OptionError("An endpoint's address cannot hold spaces or control characters.", FORM)
    if "://" not in address:
        try:
            host = urlsplit(f"//{address}").hostname or ""
        except ValueError:
            host = ""
        if re.fullmatch(r"[\w/-]+", address) and not is_loopback(host):
            raise OptionError(f"{address!r} is no server's address.", f"For a model's name type openai:#{address}")
        address = f"{'http' if is_loopback(host) else 'https'}://{address}"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise OptionError("That is no server's address.", FORM) from None
    _check(parts)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _check(parts: SplitResult) -> None:
    where = f"Put a key into the environment variable or Kaggle secret {KEY} instead."
    # None of these errors repeats the address: it holds what must not be shown.
    if parts.username is not None or parts.password is not None:
        raise OptionError("An endpoint's address must not hold a user name or a password.", where)
    if parts.query:
        raise OptionError("An endpoint's address must not hold a query (?...), where keys are easily shown.", where)
    if parts.scheme not in ("http", "https"):
        raise OptionError(f"An endpoint is reached by http or https, not by {parts.scheme!r}.", FORM)
    if not parts.hostname:
        raise OptionError("The endpoint's address names no server.", FORM)
