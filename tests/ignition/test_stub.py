"""The small config before HTTPS: what any Ignition 3 makes of it. That a machine follows it is in tests/server."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode

import pytest

from pxed.ignition import spec
from pxed.ignition.document import read_config
from pxed.ignition.snippet import SnippetError
from pxed.ignition.stub import stub_config

URL = "https://10.0.0.1:8443/ignition/node1?token=T"
DIGEST = "ab" * 64
ONE = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
TWO = b"-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----"


@pytest.mark.parametrize("version", spec.VERSIONS)
def test_the_stub_is_a_valid_config_of_the_real_ones_version(version: str) -> None:
    config, faults = read_config(stub_config(version, URL, DIGEST, ONE).body)
    assert (config.spec, [fault for fault in faults if not fault.warning]) == (version, [])


def test_a_config_that_flatcar_converts_is_named_by_the_oldest_ignition_3() -> None:
    assert stub_config("2.3.0", URL, DIGEST, ONE).spec == "3.0.0"


def test_it_names_the_real_config_by_its_digest_and_each_certificate_once_by_itself() -> None:
    """Ignition before 2.3 reads the first certificate of a source only, and all refuse the same source twice."""
    ignition = json.loads(stub_config("3.3.0", URL, DIGEST, b"CA 1\n" + ONE + b"\n" + TWO + b"\n" + ONE).body)[
        "ignition"
    ]
    assert ignition["config"]["merge"] == [{"source": URL, "verification": {"hash": f"sha512-{DIGEST}"}}]
    sources = [one["source"] for one in ignition["security"]["tls"]["certificateAuthorities"]]
    assert [b64decode(source.removeprefix("data:;base64,")) for source in sources] == [ONE, TWO]


def test_the_real_validator_takes_it() -> None:
    body = stub_config("3.3.0", URL, DIGEST, ONE).body
    done = subprocess.run(["ignition-validate", "-"], input=body, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("version", "ca", "words"),
    [
        pytest.param("", ONE, "only Ignition configs can be given", id="a script of cloud-init cannot be named"),
        pytest.param(
            "3.3.0", b"nothing", "no certificate: expected PEM", id="a CA file without certificates is refused"
        ),
    ],
)
def test_what_cannot_be_given_so_is_refused(version: str, ca: bytes, words: str) -> None:
    with pytest.raises(SnippetError, match=words):
        stub_config(version, URL, DIGEST, ca)
