"""`pxed status` and the history of boots with the real daemon, over a restart of it."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.cli.test_machines_daemon import PXED, serving
from tests.cli.test_status import CLEAN

MAC = "52:54:00:00:00:01"


def pxed(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [PXED, *words, "-c", "pxed.yaml"]
    return subprocess.run(command, cwd=home, env=CLEAN, capture_output=True, text=True, check=False, timeout=60)


def port(home: Path) -> str:
    return (home / "pxed.yaml").read_text().partition("http: {port: ")[2].partition("}")[0]


def boot(home: Path) -> None:
    """iPXE asks for its script, which sends it to its disk."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port(home)}/boot.ipxe?mac={MAC}", timeout=20) as answer:
        assert answer.read().startswith(b"#!ipxe")


def seen(home: Path) -> dict[str, object]:
    """node1's row, when its boot is known."""
    found: dict[str, object] = {}
    end = time.monotonic() + 30
    while not found.get("outcome"):
        assert time.monotonic() < end, found
        found = json.loads(pxed(home, "status", "--json").stdout)["machines"][0]
    return found


def test_a_boot_is_seen_live_and_kept_over_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path):
        assert pxed(tmp_path, "status").stdout.splitlines()[1].split() == ["node1", "disk"]
        boot(tmp_path)
        row = seen(tmp_path)
        assert (row["name"], row["stage"], row["outcome"], row["verdict"]) == ("node1", "script", "local", None)
        table = pxed(tmp_path, "status")
        assert (table.returncode, table.stdout.splitlines()[1].split()[2:5]) == (0, ["boots", "its", "disk"])
        shown = pxed(tmp_path, "machines", "show", "node1")
        listed = pxed(tmp_path, "machines", "list")
        explained = pxed(tmp_path, "explain", "node1", "--ipxe", "--address", "127.0.0.1")
        [live] = json.loads(pxed(tmp_path, "machines", "show", "node1", "--json").stdout)["timelines"]
    assert "the boot over time:" in shown.stdout
    assert "boots its disk" in listed.stdout
    assert explained.stdout.splitlines()[1].startswith("as seen: local for ")
    with serving(tmp_path):
        kept = json.loads(pxed(tmp_path, "machines", "show", "node1", "--json").stdout)
        again = pxed(tmp_path, "machines", "show", "node1")
    assert kept["timeline"] is None
    assert [one["id"] for one in kept["timelines"]] == [live["id"]]
    assert "sent to its disk" in again.stdout.partition("earlier boots:")[2]
