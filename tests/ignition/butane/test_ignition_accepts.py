"""What comes out of configs of version 1.0.0 (Ignition 3.3.0), judged by Debian's own ignition-validate."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pxed.assets.filesdir import FilesDir
from pxed.ignition import butane
from tests.ignition.butane.support import config

CASES = Path(__file__).parents[2] / "data" / "butane"
INDEX = json.loads((CASES / "index.json").read_text())
GOOD = [
    case["case"]
    for case in INDEX
    if case["rc"] == 0 and b"1.2.0-experimental" not in (CASES / case["case"] / "in.bu").read_bytes()
]


@pytest.fixture(autouse=True)
def validator():
    """The tests of this file need Debian's package ignition."""
    if shutil.which("ignition-validate") is None:
        assert not os.environ.get("CI"), "CI must run every test, but ignition-validate is not installed (make setup)"
        pytest.skip("ignition-validate is not installed (make setup)")


def judge(output):
    """Exit code and lines of ignition-validate."""
    done = subprocess.run(["ignition-validate", "-"], input=output, capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def as_oldest(text):
    """The same config as version 1.0.0."""
    return re.sub(rb"(version\W{1,4})1\.1\.0", rb"\g<1>1.0.0", text)


@pytest.mark.parametrize("name", GOOD)
def test_a_config_that_the_reference_tool_takes_is_accepted(name):
    source = as_oldest((CASES / name / "in.bu").read_bytes())
    files = FilesDir(CASES / name / "files") if (CASES / name / "files").is_dir() else None
    result = butane.translate(source, files=files)
    assert (result.version, result.error) == ("3.3.0", "")
    assert result.output is not None
    exit_code, said = judge(result.output)
    assert (exit_code, "error" in said) == (0, False), said


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("storage: {files: [{path: rel}]}", "path not absolute"),
        ("storage: {links: [{path: /a}]}", "link target is required"),
        ("storage: {raid: [{name: a, level: raid9, devices: [/dev/a]}]}", "unrecognized raid level"),
        ("storage: {filesystems: [{device: /dev/a, format: ext3}]}", "invalid filesystem format"),
        ("systemd: {units: [{name: a.srv}]}", "invalid systemd unit extension"),
        ("passwd: {users: [{name: a}, {name: a}]}", "duplicate entry defined"),
    ],
)
def test_what_is_refused_here_is_refused_there(body, message):
    result = butane.translate(config(body, "1.0.0"))
    assert [entry.message for entry in result.entries] == [message]
    assert result.error == "config generated was invalid"
