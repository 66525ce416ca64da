"""A line becomes options, or one line that says what is wrong with it."""

from __future__ import annotations

import pytest

from kaggle_magics.errors import OptionError
from kaggle_magics.magics.arguments import Parser, assignment, number, one_of, split, variable, whole


@pytest.fixture
def parser() -> Parser:
    made = Parser("%%magic")
    made.argument("TEXT", "Text.", nargs="*")
    made.option("-s", "--system", help="System text.")
    made.option("--max-tokens", help="Tokens.", type=whole)
    made.option("--temperature", help="T.", type=number)
    made.option("--stop", help="Stop.", repeat=True)
    made.option("--mode", help="Mode.", type=one_of("hybrid", "lexical"))
    made.option("-o", "--output", help="Variable.", type=variable)
    made.option("-i", "--input", help="Value.", type=assignment, repeat=True)
    made.switch("--raw", help="Raw.")
    return made


def test_words_are_split_as_a_shell_splits() -> None:
    assert split("""-s "be terse" --stop '\\n' a\\ b""") == ["-s", "be terse", "--stop", "\\n", "a b"]
    assert split("") == []


@pytest.mark.parametrize("line", ["it's late", 'say "hello', "a\\"])
def test_an_open_quote_is_told(line: str) -> None:
    with pytest.raises(OptionError, match=r"cannot be split.*Close the quote"):
        split(line)


def test_values_have_their_types(parser: Parser) -> None:
    found = parser.parse(
        split("--max-tokens 5 --temperature -1 --stop a --stop b -i x=1=2 --raw -o name word 'two words'")
    )
    assert (found.max_tokens, found.temperature, found.stop) == (5, -1.0, ["a", "b"])
    assert (found.input, found.raw, found.output, found.text) == ([("x", "1=2")], True, "name", ["word", "two words"])


def test_what_is_not_given_is_none(parser: Parser) -> None:
    found = parser.parse([])
    assert (found.system, found.max_tokens, found.stop, found.raw, found.text) == (None, None, None, False, [])


@pytest.mark.parametrize(
    ("line", "value"),
    [("--system=--terse", "--terse"), ("-s '-- be terse'", "-- be terse"), ("-s '---'", "---"), ("-s ''", "")],
)
def test_a_value_may_begin_with_a_dash(parser: Parser, line: str, value: str) -> None:
    assert parser.parse(split(line)).system == value


def test_after_two_dashes_all_words_are_text(parser: Parser) -> None:
    assert parser.parse(split("--raw -- --max-tokens 5")).text == ["--max-tokens", "5"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--max-tokns 5", r"%%magic has no option --max-tokns\. Did you mean --max-tokens\?"),
        ("--max_tokens 5", r"has no option --max_tokens\. Did you mean --max-tokens\?"),
        ("--max 5", r"has no option --max\."),
        ("-system x", r"has no option -system\. Did you mean --system\?"),
        ("-x 1", r"has no option -x\. See: %%magic --help"),
        ("--raw --raw", r"--raw is given twice\. Give it once\."),
        ("-s a --system b", r"--system is given twice"),
        ("--max-tokens", r"--max-tokens needs a value"),
        ("--max-tokens --raw", r"--max-tokens needs a value"),
        ("--max-tokens five", r"--max-tokens needs a whole number, not 'five'"),
        ("--max-tokens 1.5", r"--max-tokens needs a whole number, not '1.5'"),
        ("--temperature nan", r"--temperature needs a number, not 'nan'"),
        ("--temperature warm", r"--temperature needs a number, not 'warm'"),
        ("--mode hybird", r"--mode is one of hybrid, lexical, not 'hybird'\. Did you mean hybrid\?"),
        ("-o 1a", r"--output needs the name of a variable, not '1a'"),
        ("-o class", r"--output needs the name of a variable, not 'class'"),
        ("-i x", r"--input needs name=value, not 'x'"),
        ("--raw=1", r"--raw takes no value\."),
        ("--temperature expected", r"needs a number, not 'expected'"),
        ("-s=x", r"-s takes its value after a space"),
    ],
)
def test_a_wrong_line_is_one_line(parser: Parser, line: str, says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        parser.parse(split(line))
    assert "\n" not in str(caught.value)


def test_nothing_is_printed_and_nothing_exits(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError):
        parser.parse(["--wrong"])
    assert capsys.readouterr() == ("", "")


def test_a_missing_argument_is_named() -> None:
    parser = Parser("%magic")
    parser.argument("PATH", "A path.", dest="paths", nargs="+")
    with pytest.raises(OptionError, match="PATH"):
        parser.parse([])
