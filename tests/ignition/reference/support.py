"""What the reference tables share: a config through the whole translator, a struct through the validation."""

from __future__ import annotations

import json

from pxed.ignition import butane, spec
from tests.ignition.butane.support import config

NO_DIR = "local file paths are relative to a files directory that must be specified with -d/--files-dir"
ESCAPE = "local file path traverses outside the files directory"
EXISTS = "matching filesystem node has existing contents or different type"
VERSIONS = ("3.3.0", "3.4.0", "3.5.0", "3.6.0", "3.7.0-experimental")


def findings(config, version):
    config = {"ignition": {"version": version}, **config}
    found = [*spec.validate(config, version), *spec.duplicates(config, version)]
    return [(str(finding.severity), finding.path, finding.message) for finding in found]


def at(path, value):
    """A config that holds a value at a path; a list index stands for a list of one."""
    for part in reversed(path):
        value = [value] if isinstance(part, int) else {part: value}
    return value


def check(path, value, expected, versions=VERSIONS):
    """`expected` are (path within the value, message), errors unless the message begins with ~."""
    for version in versions:
        full = [
            ("warning" if message.startswith("~") else "error", (*path, *where), message.removeprefix("~"))
            for where, message in expected
        ]
        assert findings(at(path, value), version) == full, version


def output(body, files=None, version="1.1.0"):
    result = butane.translate(config(body, version), files=files)
    assert (result.error, result.entries) == ("", ())
    return json.loads(result.output)


def errors(body, files=None, version="1.1.0"):
    """Path and message of every entry; the config is refused."""
    result = butane.translate(config(body, version), files=files)
    assert result.output is None
    return [(entry.path, entry.message) for entry in result.entries]
