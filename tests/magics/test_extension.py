"""Loading, unloading, clashes, the prefix, help, and how errors show."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import pytest

import kaggle_magics
from kaggle_magics.magics.registry import commands

NAMES = set(commands())


def magics_of(shell: Any) -> set[str]:
    return {name for kind in shell.magics_manager.magics.values() for name in kind}


def kaggle_magics_settings(shell: Any) -> Any:
    return next(found for found in shell.configurables if type(found).__name__ == "KaggleMagics")


def test_the_six_at_heart_and_the_others_are_there(shell: Any) -> None:
    assert {"llm_load", "prompt", "chain", "codegen", "rag_ingest", "ask"} <= NAMES
    assert magics_of(shell) >= NAMES
    for name, command in commands().items():
        assert (name in shell.magics_manager.magics["cell"]) == bool(command.body), name


def test_unloading_leaves_nothing(bare_shell: Any) -> None:
    bare_shell.run_line_magic("unload_ext", "no_such_extension")  # IPython loads its own extension magics
    before = (
        magics_of(bare_shell),
        list(bare_shell.configurables),
        list(bare_shell.strdispatchers["complete_command"].strs),
    )
    deferred = dict(bare_shell.display_formatter.mimebundle_formatter.deferred_printers)
    bare_shell.run_line_magic("load_ext", "kaggle_magics")
    bare_shell.run_line_magic("unload_ext", "kaggle_magics")
    after = (
        magics_of(bare_shell),
        list(bare_shell.configurables),
        list(bare_shell.strdispatchers["complete_command"].strs),
    )
    assert after == before
    assert bare_shell.display_formatter.mimebundle_formatter.deferred_printers == deferred


def test_unloading_frees_the_models(shell: Any, script: Any) -> None:
    engine = script("ok")
    shell.run("%%prompt\nHello")
    shell.run_line_magic("unload_ext", "kaggle_magics")
    assert engine.closed
    assert kaggle_magics.get_session().loaded == {}


def test_loading_again_is_harmless(shell: Any, script: Any) -> None:
    before = len(shell.configurables)
    kaggle_magics.load_ipython_extension(shell)
    assert len(shell.configurables) == before
    script("ok")
    assert "ok" in shell.run("%%prompt\nHello")


def test_reloading_keeps_settings(shell: Any, script: Any) -> None:
    shell.run('%config KaggleMagics.prefix = "k_"')
    shell.run("%config KaggleMagics.max_tokens = 1")
    shell.run("%reload_ext kaggle_magics")
    script("one two")
    assert "1 generated" in shell.run("%%k_prompt\nHello")
    assert "prompt" not in shell.magics_manager.magics["cell"]


def test_a_magic_that_is_there_is_left_alone(bare_shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def prompt(line: str) -> str:
        return "theirs"

    bare_shell.register_magic_function(prompt, magic_kind="line", magic_name="prompt")
    bare_shell.run_line_magic("load_ext", "kaggle_magics")
    warned = capsys.readouterr().err
    assert warned.count("\n") == 1 and "%%prompt" in warned and 'KaggleMagics.prefix = "k_"' in warned
    assert bare_shell.run_line_magic("prompt", "") == "theirs"
    assert "ask" in bare_shell.magics_manager.magics["cell"]
    bare_shell.run('%config KaggleMagics.prefix = "k_"')
    assert capsys.readouterr().err == ""
    assert (
        "k_prompt" in bare_shell.magics_manager.magics["cell"] and "ask" not in bare_shell.magics_manager.magics["cell"]
    )
    bare_shell.run_line_magic("unload_ext", "kaggle_magics")
    assert bare_shell.run_line_magic("prompt", "") == "theirs"


def test_a_prefix_that_is_no_name_is_refused(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell('%config KaggleMagics.prefix = "k-"')
    assert kaggle_magics_settings(shell).prefix == ""
    assert "prompt" in shell.magics_manager.magics["cell"]


def test_config_lists_the_settings(shell: Any) -> None:
    shown = shell.run("%config KaggleMagics")
    assert "max_tokens" in shown and "passages" in shown and "prefix" in shown


@pytest.mark.parametrize("name", sorted(NAMES))
def test_help_is_the_same_both_ways(shell: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = shell.run(f"%{name} --help")
    assert "Examples" in shown and f"%{name}" in shown
    for option in commands()[name].parser().options:
        assert option.option_strings[0] in shown and option.help
    assert shell.magics_manager.magics["line"][name].__doc__.strip() == shown.strip()
    pages: list[str] = []
    monkeypatch.setattr("IPython.core.page.page", lambda data, *_, **__: pages.append(data["text/plain"]))
    for mark in ("%", "%%") if commands()[name].body else ("%",):
        shell.run(f"{mark}{name}?")
    assert pages and all(commands()[name].summary[:60] in page for page in pages)


def test_the_examples_of_the_help_are_understood(shell: Any) -> None:
    from kaggle_magics.magics.arguments import split

    for command in commands().values():
        assert command.examples
        for example in command.examples:
            line = example.split("\n")[0].split(command.name, 1)[1]
            command.parser().parse(split(line))


def test_help_shows_a_changed_default(shell: Any) -> None:
    shell.run("%config KaggleMagics.max_tokens = 77")
    assert "default: 77" in shell.run("%prompt --help")
    assert "default: 77" in shell.magics_manager.magics["line"]["prompt"].__doc__


def test_an_error_shows_one_line_and_no_traceback(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result = shell.run_cell("%%prompt --wrong\nHello")
    assert not result.success
    shown = capsys.readouterr()
    lines = [line for line in (shown.out + shown.err).splitlines() if line.strip()]
    assert lines == ["OptionError: %%prompt has no option --wrong. See: %%prompt --help"]


def test_from_python_the_traceback_stays(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("import kaggle_magics\nkaggle_magics.get_session().prompt('Hello')")
    shown = capsys.readouterr()
    assert "Traceback" in shown.out + shown.err and "kaggle_magics/session" in shown.out + shown.err


def test_an_error_that_is_not_ours_keeps_its_traceback(
    shell: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaggle_magics.session.Session.status", lambda self: 1 / 0)
    shell.run_cell("%llm_status")
    shown = capsys.readouterr()
    assert "ZeroDivisionError" in shown.out + shown.err and "llm_life.py" in shown.out + shown.err


def test_the_stop_button_outside_an_answer_is_one_line(
    shell: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kaggle_magics.session.Session.status", stop)
    result = shell.run_cell("%llm_status")
    assert not result.success
    shown = capsys.readouterr()
    lines = [line for line in (shown.out + shown.err).splitlines() if line.strip()]
    assert lines == ["KeyboardInterrupt: the cell was interrupted."]


def test_an_error_keeps_nothing_alive(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Weights:
        pass

    held: list[weakref.ref[Weights]] = []

    def fail(self: Any) -> None:
        weights = Weights()
        held.append(weakref.ref(weights))
        try:
            raise MemoryError
        except MemoryError as error:
            raise kaggle_magics.errors.DoesNotFit("Too big.") from error

    monkeypatch.setattr("kaggle_magics.session.Session.status", fail)
    shell.run_cell("%llm_status")
    gc.collect()
    assert isinstance(sys.last_value, kaggle_magics.errors.DoesNotFit)
    assert held[0]() is None


def test_loading_imports_nothing_heavy(bare_shell: Any, run_python: Any) -> None:
    out = run_python(
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from traitlets.config import Config\n"
        "config = Config()\n"
        "config.HistoryManager.enabled = False\n"
        "shell = InteractiveShell(config=config)\n"
        "before = set(sys.modules)\n"
        "shell.extension_manager.load_extension('kaggle_magics')\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))\n"
    )
    assert out.split() == ["kaggle_magics"]


def test_a_setting_that_was_refused_does_not_keep_the_extension_from_loading_again(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_line_magic("config", "KaggleMagics.max_tokens = 7")
    shell.run_line_magic("config", 'KaggleMagics.format = "bogus"')
    capsys.readouterr()
    shell.run_line_magic("reload_ext", "kaggle_magics")
    settings = kaggle_magics_settings(shell)
    assert (settings.max_tokens, settings.format) == (7, "markdown") and "prompt" in magics_of(shell)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "the setting format stays as it was" in said and "bogus" in said
    shell.run_line_magic("reload_ext", "kaggle_magics")
    assert capsys.readouterr().err == ""
