"""docs/explanation/story.md: each packet and each option that it tells of is in the capture, with that value."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from scapy.all import UDP, rdpcap

from docs.generate.pages import ROOT
from pxed.dhcp.message import Message, decode
from tests.test_docs import CAPTURE, PXED

PAGE = (ROOT / "docs/explanation/story.md").read_text()
# The sections that begin with a time, each with its text.
SECTIONS = re.findall(r"^## (\d\.\d{3}) s: (.+?)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)


def told() -> list[tuple[str, str, list[tuple[int, bytes]]]]:
    """Time, title and options of each section that shows options."""
    rows = [(time, title, re.findall(r"^\| (\d+) \| `([0-9a-f ]+)` \|", text, re.M)) for time, title, text in SECTIONS]
    return [(time, title, [(int(n), bytes.fromhex(v)) for n, v in found]) for time, title, found in rows if found]


def sent() -> list[tuple[str, Message]]:
    """The capture's DHCP messages with their times."""
    packets = rdpcap(str(CAPTURE))
    start = float(packets[0].time)
    ports = {67, 4011}
    found = [packet for packet in packets if UDP in packet and ports & {packet[UDP].sport, packet[UDP].dport}]
    return [(f"{float(packet.time) - start:.3f}", decode(bytes(packet[UDP].payload))) for packet in found]


@pytest.mark.parametrize(
    ("time", "title", "options"), told(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_option_is_in_that_packet(time: str, title: str, options: list[tuple[int, bytes]]) -> None:
    candidates = [message for at, message in sent() if at == time]
    assert any(all(message.options.get(number) == value for number, value in options) for message in candidates), title


def test_the_sections_are_in_the_order_of_the_boot() -> None:
    times = [float(time) for time, _, _ in SECTIONS]
    assert len(times) == 7
    assert all(before <= after for before, after in pairwise(times))


def test_what_it_says_is_missing_is_missing() -> None:
    offer = next(message for at, message in sent() if at == "0.003")
    assert 43 not in offer.options
    assert 67 not in offer.options
    assert offer.file == b"snponly.efi" or offer.file.rstrip(b"\0") == b"snponly.efi"
    question = next(message for at, message in sent() if at == "3.784" and message.options[53] == b"\3")
    assert 54 not in question.options


def test_pxed_explains_the_capture_as_the_page_shows(tmp_path: Path) -> None:
    [shown] = re.findall(r"^```console\n\$ pxed explain boot.pcap\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    [inventory] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "pxed.yaml").write_text(inventory)
    shutil.copy(CAPTURE, tmp_path / "boot.pcap")
    command = [str(PXED), "explain", "boot.pcap", "-c", "pxed.yaml"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    assert set(shown.splitlines()) <= set(done.stdout.splitlines())
