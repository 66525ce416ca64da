"""What `openai:...` means, and which key goes where."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from typing import Any

import pytest

from kaggle_magics.credentials import Secret
from kaggle_magics.errors import KaggleMagicsError, OptionError
from kaggle_magics.models.engines.endpoint.reference import host_variable, key_for, parse


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("typed", "url", "model"),
    [
        ("openai:http://127.0.0.1:8000/v1#qwen", "http://127.0.0.1:8000/v1", "qwen"),
        ("openai:http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1", None),
        ("OpenAI:https://llm.example.org/api/v1#a/b-c:free", "https://llm.example.org/api/v1", "a/b-c:free"),
        ("openai:#gpt-4o-mini", "https://api.openai.com/v1", "gpt-4o-mini"),
        ("openai:", "https://api.openai.com/v1", None),
        ("  openai: # m ", "https://api.openai.com/v1", "m"),
        ("openai:localhost:11434#llama3", "http://localhost:11434", "llama3"),
        ("openai:llm.example.org", "https://llm.example.org", None),
        ("openai:[::1]:8000", "http://[::1]:8000", None),
        ("openai:gpu-box:8000", "https://gpu-box:8000", None),
    ],
)
def test_what_is_typed(typed: str, url: str, model: str | None) -> None:
    found = parse(typed)
    assert found is not None and (found.url, found.model) == (url, model)
    assert parse(str(found)) == found


@pytest.mark.parametrize("other", ["pocket", "./openai", "", None, 3, "hub:openai/gpt", "openai", "llama-2/openai:7b"])
def test_what_is_none(other: object) -> None:
    assert parse(other) is None


def test_the_base_url_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.5:8000/v1/")
    found = parse("openai:#m")
    assert found is not None and found.url == "http://10.0.0.5:8000/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "https://user:planted@10.0.0.5/v1")
    with pytest.raises(OptionError) as caught:
        parse("openai:#m")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "openai:https://user:planted@host/v1#m",
        "openai:https://planted@host/v1#m",
        "openai:host/v1?api_key=planted#m",
        "openai:https://host/v1?api-version=1&key=planted",
        "openai:user:planted@host",
        "openai:ftp://host/planted",
        "openai:file:///planted",
        "openai:http://host:planted/v1",
        "openai:http://",
        "openai:http://[planted",
        "openai:http://ho st/planted",
        "openai:http://host\r\nplanted: x/",
        "openai:http://host:99999/planted",
    ],
)
def test_what_cannot_be(typed: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(typed)
    said = str(caught.value)
    assert "planted" not in said and "\n" not in said and caught.value.hint


def test_a_forgotten_hash_mark() -> None:
    with pytest.raises(OptionError, match="type openai:#gpt-4o"):
        parse("openai:gpt-4o")


def key(typed: str) -> str | None:
    reference = parse(typed)
    assert reference is not None
    found = key_for(reference)
    return found.reveal() if found else None


def test_openai_s_key_goes_only_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    assert key("openai:#m") == key("openai:localhost:8000") == key("openai:http://127.0.0.2") == "sk-openai"
    assert key("openai:https://llm.example.org") is None
    assert key("openai:https://api.openai.com.example.org") is None
    monkeypatch.setenv("OPENAI_BASE_URL", "https://llm.example.org/v1")
    assert key("openai:https://llm.example.org") == "sk-openai"


def test_a_key_for_one_host_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("KAGGLE_MAGICS_ENDPOINT_KEY", "any")
    assert key("openai:https://llm.example.org") == key("openai:#m") == "any"
    monkeypatch.setenv(host_variable("llm.example.org"), " own \n")
    assert host_variable("llm.example.org") == "KAGGLE_MAGICS_ENDPOINT_KEY_LLM_EXAMPLE_ORG"
    assert key("openai:https://llm.example.org") == "own"


def test_a_key_from_kaggle_s_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    class Client:
        def get_secret(self, name: str) -> str:
            if name != "KAGGLE_MAGICS_ENDPOINT_KEY":
                raise KeyError(name)
            return "from-kaggle"

    module: Any = types.ModuleType("kaggle_secrets")
    module.UserSecretsClient = Client
    module.__spec__ = types.SimpleNamespace(name="kaggle_secrets")
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert key("openai:https://llm.example.org") == "from-kaggle"


@pytest.mark.parametrize("broken", ["two words-planted", "new\nline-planted", "café-planted"])
def test_a_key_that_no_header_can_hold(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", broken)
    with pytest.raises(KaggleMagicsError, match="characters that no key has") as caught:
        key("openai:#m")
    assert "planted" not in str(caught.value)


def test_a_secret_shows_nowhere() -> None:
    value = Secret("planted")
    assert "planted" not in f"{value} {value!r} {value!s:>20} {[value]} {vars(type(value))}"
    assert value.mask("Bad key planted, planted.") == "Bad key ***, ***."
    with pytest.raises(TypeError):
        pickle.dumps(value)
    reference = parse("openai:#m")
    assert reference is not None and set(asdict(reference)) == {"url", "model"}
