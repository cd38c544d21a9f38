"""`pxed-probe pcap`: the captures of real firmware, what is said of each, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pxed.probe.main import app

CAPTURES = Path(__file__).parent.parent / "data" / "captures"
NO_HTTP = "it is at ipxe, and its HTTP is not in sight here"
SAID = {
    "bios-ipxe-rom-dnsmasq": (0, "10.77.0.2", NO_HTTP),
    "bios-rom-userclass-undionly": (0, "10.77.0.2", NO_HTTP),
    "mode-file-uefi": (0, "10.77.0.2", NO_HTTP),
    "mode-file43-uefi": (0, "10.77.0.2", "it boots its own disk"),
    "uboot-arm64": (0, None, "it boots its own disk"),
    "uefi-httpboot-proxy": (1, "10.77.0.2", "10.77.0.2 leaves this machine's request unanswered: it sends no offer"),
    "uefi-noanswer-retries": (1, None, "No server on this wire answers the machine's request to boot"),
    "uefi-pxev6": (0, "10.77.0.2", NO_HTTP),
    "uefi-x64-ovmf-dnsmasq": (0, "10.77.0.2", NO_HTTP),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in CAPTURES.glob("*.pcap")))
def test_what_is_said_of_a_capture(name: str) -> None:
    code, server, sentence = SAID[name]
    done = CliRunner().invoke(app, ["pcap", str(CAPTURES / f"{name}.pcap"), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["server"]) == (code, server)
    assert told["boots"][-1]["sentence"].startswith(sentence)
    assert all(packet["text"] for packet in told["packets"])


def test_a_server_that_is_named_is_the_boot_server() -> None:
    path = str(CAPTURES / "uefi-x64-ovmf-dnsmasq.pcap")
    told = json.loads(CliRunner().invoke(app, ["pcap", path, "--server", "10.77.0.1", "--json"]).stdout)
    assert told["server"] == "10.77.0.1"
    assert {one["address"] for one in told["servers"] if one["rival"]} == {"10.77.0.2"}


@pytest.mark.parametrize("body", [None, b"", b"no capture at all"], ids=["no file", "an empty file", "another file"])
def test_what_is_no_capture_is_bad_use(body: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    if body is not None:
        path.write_bytes(body)
    done = CliRunner().invoke(app, ["pcap", str(path)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert str(path) in done.stderr
