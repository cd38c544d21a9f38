"""How the reference tool's flag library reads a command line, and what it says of one that it refuses."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from pxed.cli import app
from pxed.cli.butane import USAGE
from pxed.cli.pflags import FlagError, plain


@pytest.mark.parametrize(
    ("line", "flags", "arguments"),
    [
        pytest.param("", "", "", id="nothing"),
        pytest.param("a.bu", "", "a.bu", id="an argument"),
        pytest.param("a.bu --strict", "--strict", "a.bu", id="flags after the argument"),
        pytest.param("-sp a.bu", "--strict --pretty", "a.bu", id="short flags together"),
        pytest.param("-spo x a.bu", "--strict --pretty --output=x", "a.bu", id="the last of them with a value"),
        pytest.param("-ox -d=y", "--output=x --files-dir=y", "", id="a value without a space"),
        pytest.param("-d=", "--files-dir==", "", id="an equals sign with nothing after it is the value"),
        pytest.param("--output= --files-dir -s", "--output= --files-dir=-s", "", id="an empty value, a flag as value"),
        pytest.param("--color a.bu", "--color=always", "a.bu", id="colour without a value"),
        pytest.param("--color=never --colour", "--color=never --colour=always", "", id="colour in both spellings"),
        pytest.param("--strict=false --check=T", "--check", "", id="truth values"),
        pytest.param("-s --strict=0", "", "", id="the last word counts"),
        pytest.param("-- -s --x", "", "-s --x", id="arguments that look like flags"),
        pytest.param("- -D", "", "-", id="a dash is an argument, debug has no effect"),
    ],
)
def test_lines(line, flags, arguments):
    assert plain(line.split()) == ([*flags.split(), "--", *arguments.split()], False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--nosuch", "unknown flag: --nosuch"),
        ("--str", "unknown flag: --str"),
        ("--nosuch=1 a.bu", "unknown flag: --nosuch"),
        ("-z", "unknown shorthand flag: 'z' in -z"),
        ("-szp", "unknown shorthand flag: 'z' in -zp"),
        ("-strict", "unknown shorthand flag: 't' in -trict"),
        ("-o", "flag needs an argument: 'o' in -o"),
        ("-so", "flag needs an argument: 'o' in -o"),
        ("a.bu --output", "flag needs an argument: --output"),
        ("---strict", "bad flag syntax: ---strict"),
        ("--=x", "bad flag syntax: --=x"),
        (
            "--strict=maybe",
            'invalid argument "maybe" for "-s, --strict" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            "--raw-errors=",
            'invalid argument "" for "--raw-errors" flag: strconv.ParseBool: parsing "": invalid syntax',
        ),
    ],
)
def test_lines_that_are_refused(line, message):
    with pytest.raises(FlagError) as refused:
        plain(line.split())
    assert str(refused.value) == message
    done = CliRunner().invoke(app, ["butane", *line.split()])
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"{message}\n{USAGE}")


def test_the_old_name_of_the_input_is_told_of(tmp_path):
    (tmp_path / "a.bu").write_text("variant: flatcar\nversion: 1.1.0\n")
    done = CliRunner().invoke(app, ["butane", "--input", str(tmp_path / "a.bu")])
    deprecated = "Flag --input has been deprecated, specify filename directly on command line\n"
    assert (done.exit_code, done.stdout, done.stderr) == (0, '{"ignition":{"version":"3.4.0"}}\n', deprecated)


def test_a_line_that_is_being_completed_is_left_alone():
    complete = {"_PXED_COMPLETE": "complete_bash", "COMP_WORDS": "pxed butane --files-dir --str", "COMP_CWORD": "3"}
    done = CliRunner().invoke(app, [], prog_name="pxed", env=complete)
    assert done.stdout.split() == ["--strict"]
