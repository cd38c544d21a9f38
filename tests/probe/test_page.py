"""docs/how-to/probe.md: each command that it shows works, and prints what it shows."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pxed.probe.main import app
from tests.lab.netns import PXE_ADDRESS
from tests.probe.site import Site, dnsmasq, host, pxed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "probe.md").read_text()
RIVAL = 'dhcp-range=10.77.0.0,proxy\npxe-service=X86-64_EFI,"boot",rival.efi\n'


def shown() -> list[tuple[list[str], list[str]]]:
    """The commands of the page with the lines under them."""
    found: list[tuple[list[str], list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((shlex.split(line)[2:], []))
            else:
                found[-1][1].append(line)
    return found


def skeleton(line: str) -> str:
    """A line without what is another one each time: numbers, MACs, digests, rates."""
    line = re.sub(r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", line)
    line = re.sub(r"\b10\.77\.0\.1\d\d\b", "LEASE", line)
    return re.sub(r"\b[0-9a-f]{16,}\b|(?<![.\d])\d+(\.\d+)?(?![.\d])|, [\d.]+ MB/s", "N", line).strip()


def test_the_page_has_every_command_with_what_it_prints() -> None:
    commands = {words[0] for words, _ in shown()}
    assert commands | {"watch"} == set(re.findall(r"^\| `pxed-probe (\w+)", PAGE, re.MULTILINE))
    assert commands | {"watch"} == {command.name or command.callback.__name__ for command in app.registered_commands}


def test_the_command_that_runs_on_is_used_right() -> None:
    [words] = re.findall(r"^pxed-probe (watch .*)$", PAGE, re.MULTILINE)
    assert CliRunner().invoke(app, [*shlex.split(words), "--help"]).exit_code == 0


@pytest.mark.net
def test_each_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    capture = ROOT / "tests" / "data" / "captures" / "uefi-x64-ovmf-dnsmasq.pcap"
    shutil.copy(capture, tmp_path / "boot.pcap")
    with pxed(tmp_path) as (site, _):
        for words, lines in shown():
            if words[0] == "dhcp":
                with host(site.network, "attacker", "10.77.0.9") as rival, dnsmasq(rival, tmp_path, "rival", RIVAL):
                    check(site, words, lines)
            else:
                check(site, words, lines)


def check(site: Site, words: list[str], lines: list[str]) -> None:
    """Each line that is shown is printed; the order of servers is another each time, and so is what follows from it."""
    place = site.host if words[0] in ("dhcp", "boot") else site.network.dhcp
    words = [str(site.directory / word) if word == "boot.pcap" else word for word in words]
    done = Site(site.network, site.directory, place).probe(*words)
    printed = {skeleton(line) for line in done.stdout.splitlines()}
    if words[0] == "dhcp":  # the rival or pxed, whichever was first
        assert done.returncode == 1, done.stderr
        assert f"{PXE_ADDRESS} [" in done.stdout and "10.77.0.9 [" in done.stdout
        assert "Another PXE server, 10.77.0.9, answers this machine too" in done.stdout
        return
    assert done.returncode == 0, done.stdout + done.stderr
    for line in lines:
        if not line.startswith(("discover ", "ipxe ")):
            assert skeleton(line) in printed, (line, done.stdout)
