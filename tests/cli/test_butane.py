"""pxed butane on the command line: streams, files, exit codes. Its parity is in tests/ignition/butane."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PXED = Path(sys.executable).with_name("pxed")
HEADER = "variant: flatcar\nversion: 1.1.0\n"
EMPTY = '{"ignition":{"version":"3.4.0"}}\n'
WARNING = "warning at $.foo, line 3 col 1: unused key foo\n"


def butane(*words, text=HEADER, cwd=None, env=None):
    command = [PXED, "butane", *map(str, words)]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **(env or {})}
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        pytest.param([], HEADER, (0, EMPTY, ""), id="standard input to standard output"),
        pytest.param(["--raw-errors"], HEADER + "foo: 1", (0, EMPTY, WARNING), id="a warning beside the output"),
        pytest.param(["-c"], HEADER, (0, "", ""), id="a check alone says nothing"),
        pytest.param(["-r"], HEADER, (0, EMPTY, ""), id="raw changes nothing"),
        pytest.param(["-p"], HEADER, (0, '{\n  "ignition": {\n    "version": "3.4.0"\n  }\n}\n', ""), id="indented"),
        pytest.param(
            ["-s", "--raw-errors"],
            HEADER + "foo: 1",
            (1, "", f"{WARNING}Config produced warnings and --strict was specified\n"),
            id="strict: no output with a warning",
        ),
        pytest.param(
            [],
            "",
            (1, "", "Error translating config: error parsing variant; must be specified\n"),
            id="nothing to read",
        ),
        pytest.param(
            ["nope.bu"],
            "",
            (1, "", "failed to open nope.bu: open nope.bu: no such file or directory\n"),
            id="no such file",
        ),
        pytest.param(["."], "", (1, "", "failed to read .: read .: is a directory\n"), id="a directory"),
        pytest.param(
            ["-o", "no/where"],
            HEADER,
            (1, "", "failed to open no/where: open no/where: no such file or directory\n"),
            id="an output that cannot be written",
        ),
    ],
)
def test_streams_and_exit_codes(words, text, expected, tmp_path):
    assert butane(*words, text=text, cwd=tmp_path) == expected


def test_an_output_file_is_written_only_when_there_is_an_output(tmp_path):
    target = tmp_path / "a.ign"
    assert butane("-o", target) == (0, "", "")
    assert target.read_text() == EMPTY
    assert butane("-o", target, "-s", text=HEADER + "foo: 1")[0] == 1
    assert butane("-o", target, "-c", text=HEADER + "storage: {files: [{path: /a}]}")[0] == 0
    assert target.read_text() == EMPTY


def test_local_files_come_from_the_files_directory_only(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("x")
    text = HEADER + "storage: {files: [{path: /a, contents: {local: a}}]}"
    assert '"source":"data:,x"' in butane("-d", "d", text=text, cwd=tmp_path)[1]
    code, output, errors = butane("--raw-errors", text=text, cwd=tmp_path)
    assert (code, output) == (1, "")
    assert "-d/--files-dir" in errors


@pytest.mark.parametrize("words", [["a", "b"], ["--nope"], ["--input", "a", "b"]])
def test_a_wrong_command_line_is_told_apart(words, tmp_path):
    code, output, errors = butane(*words, cwd=tmp_path)
    assert (code, output) == (2, "")
    assert "Usage: pxed butane" in errors


@pytest.mark.parametrize(
    ("color", "env", "coloured"),
    [("always", {}, True), ("never", {}, False), ("auto", {}, False), ("always", {"NO_COLOR": "1"}, True)],
)
def test_colours(color, env, coloured):
    assert ("\x1b[" in butane(f"--color={color}", text=HEADER + "foo: 1", env=env)[2]) == coloured


def test_a_message_that_is_no_ascii_does_not_stop_it_on_a_plain_terminal():
    code, _, errors = butane("--raw-errors", text=HEADER + "é: 1", env={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert code == 0
    assert "unused key" in errors


def test_the_version_names_both():
    code, output, _ = butane("-V")
    assert code == 0
    assert output.startswith("pxed ")
    assert "Butane 0.29.0" in output
