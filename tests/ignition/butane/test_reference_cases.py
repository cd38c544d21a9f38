"""Parity with Butane 0.29: 119 configs with the reference tool's exact output, messages and exit codes.

The contract: the same exit code; the output equal, gzip payloads by what they hold; the same messages.
"""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pxed.cli import app
from tests.ignition.butane.support import unpacked

CASES = Path(__file__).parents[2] / "data" / "butane"
INDEX = {case["case"]: case for case in json.loads((CASES / "index.json").read_text())}


@pytest.fixture(params=sorted(INDEX))
def case(request, tmp_path, monkeypatch):
    """A copy of a case's folder, as the working directory."""
    folder = tmp_path / request.param
    shutil.copytree(CASES / request.param, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    return folder


def run(case, *more):
    args = (case / "args").read_text().splitlines() if (case / "args").exists() else []
    done = CliRunner().invoke(app, ["butane", *args, *more], input=(case / "in.bu").read_bytes(), prog_name="pxed")
    # The one text that names the program itself is the usage.
    return done.exit_code, done.stdout_bytes, done.stderr.replace("Usage: pxed butane", "Usage: butane")


def code(case, name):
    return int((case / name).read_text())


def same(text):
    """Messages as they compare: several unused keys of one map come in random order from Go."""
    return sorted(text.splitlines())


def test_the_output_and_every_message_are_those_of_the_reference_tool(case):
    exit_code, output, errors = run(case, "--raw-errors")
    expected = (case / "out.ign").read_bytes()
    assert exit_code == code(case, "rc")
    assert same(errors) == same((case / "stderr.raw").read_text())
    if INDEX[case.name]["gzip"]:
        assert unpacked(json.loads(output)) == unpacked(json.loads(expected))
    else:
        assert output == expected


def test_the_default_errors_show_the_same_excerpts(case):
    assert run(case)[2] == (case / "stderr").read_text()


def test_strict_refuses_what_the_reference_tool_refuses(case):
    exit_code, _, errors = run(case, "--strict", "--raw-errors")
    assert exit_code == code(case, "strict.rc")
    assert same(errors) == same((case / "strict.stderr").read_text())
