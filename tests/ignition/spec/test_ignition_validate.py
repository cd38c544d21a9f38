"""Our verdict beside that of the real thing: Debian's ignition-validate, which is Ignition 2.14 (specs 3.0.0 to 3.3.0).

Where they differ is written down here: rules and words that came after 2.14, and the column of an object or list, which
it counts from inside the bracket; so columns are left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings

from pxed.ignition import spec
from tests.ignition.spec.configs import configs
from tests.ignition.spec.test_decode import SYNTAX, TYPES, UNUSED, unmarked
from tests.ignition.spec.test_unitfile import READ, REFUSED
from tests.ignition.spec.test_urls import DATA, PARSED
from tests.ignition.spec.test_validate import CASES

LATER = re.compile(
    "user/group ignored for hard link|filesystem overwrites partitioned device|device matches disk with wipeTable .*"
    "|path conflicts with systemd unit or dropin|template unit .*"
)
REWORDED = [
    (
        "not supported or functional in spec versions older than 3.6.0",
        "not supported in spec versions older than 3.4.0",
    ),
    ("unused key", "Unused key"),
    ("may not be reported", "may not be reported."),
]
PLACE = re.compile(r",? (?:at )?line \d+ col \d+")
EMBEDDED = re.compile(r"(?:Node|\w+Embedded1)\.(?=\w+)")  # Go 1.24 began to name embedded structs
# Debian's Go is older than the rule that brackets of a host hold an IPv6 address.
NEWER_GO = {"brackets around a name", "brackets in the middle"}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if shutil.which("ignition-validate") is None:
        assert not os.environ.get("CI"), "CI must run every test, but ignition-validate is not installed (make setup)"
        pytest.skip("ignition-validate is not installed (make setup)")


def theirs(body: bytes) -> list[str]:
    done = subprocess.run(["ignition-validate", "-"], input=body, capture_output=True, check=False)
    if done.stderr:
        return ["error: " + done.stderr.decode().strip().removeprefix("couldn't parse config: ")]
    return sorted(PLACE.sub("", line) for line in done.stdout.decode().strip().splitlines())


def ours(body: bytes) -> list[str]:
    lines = [str(finding) for finding in spec.check(body).findings if not LATER.fullmatch(finding.message)]
    lines = [line.replace("error at $.ignition.version, ", "error ") for line in lines]  # it names no place
    for now, then in REWORDED:
        lines = [line.replace(now, then) for line in lines]
    lines = [EMBEDDED.sub("", line) if "json:" in line else line for line in lines]
    return sorted(PLACE.sub("", line).strip() for line in lines)


RULES = [case for case in CASES if case[1] <= "3.3.0" or "3.4.0" in case[1]]


@pytest.mark.parametrize("version, config", [case[1:3] for case in RULES], ids=[case[0] for case in RULES])
def test_each_rule_agrees(version, config):
    """Rules of 3.4.0 are tried as 3.3.0, and so are read by both in the same way."""
    named = config.get("ignition", {})
    config = {**config, "ignition": {**named, "version": named.get("version", min(version, "3.3.0"))}}
    body = json.dumps(config).encode()
    assert ours(body) == theirs(body)


STUBBED = {"nothing at all", "a list for the whole"}  # these fail where it looks for the version, in other words
TEXTS = {name: case[0] for name, case in {**SYNTAX, **TYPES, **UNUSED}.items() if name not in STUBBED}


@pytest.mark.parametrize("body", TEXTS.values(), ids=TEXTS)
def test_each_text_that_is_wrong_agrees(body):
    assert ours(unmarked(body)) == theirs(unmarked(body))


def test_unit_texts_and_urls_agree():
    """All in one config, as each run of it takes time."""
    units = [text for text, _ in (*READ.values(), *REFUSED.values()) if "\udce4" not in text]
    urls = [url for url, _ in DATA.values()] + [url for name, (url, _) in PARSED.items() if name not in NEWER_GO]
    config = {
        "ignition": {"version": "3.3.0"},
        "storage": {"files": [{"path": f"/{n}", "contents": {"source": url}} for n, url in enumerate(urls)]},
        "systemd": {"units": [{"name": f"{n}.service", "enabled": True, "contents": t} for n, t in enumerate(units)]},
    }
    body = json.dumps(config).encode()
    assert ours(body) == theirs(body)


def agree(config: dict[str, object], version: str) -> None:
    body = spec.marshal(config, version)
    assert ours(body) == theirs(body)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(configs("3.3.0"))
def test_configs_of_3_3_0_agree(config):
    agree(config, "3.3.0")


@pytest.mark.parametrize("version", ["3.0.0", "3.1.0", "3.2.0"])
def test_configs_of_earlier_specs_agree(version):
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(configs(version))
    def each(config: dict[str, object]) -> None:
        agree(config, version)

    each()
