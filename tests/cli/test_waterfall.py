"""A boot as text, and where commands print it: `pxed machines show`, `list`, and `pxed explain` beside a daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pxed.cli.live_verdict import lines as live_lines
from pxed.cli.waterfall import ended, verdict_lines, waterfall
from pxed.status.boots import Boot, Note, Outcome, Span, Speaker, Stage, as_dict
from pxed.status.faults import finding
from pxed.status.wordings import Fault
from tests.cli.fleetserver import LOADING, STUCK, row, serving

PXED = Path(sys.executable).with_name("pxed")
ROM, IPXE = Speaker.ROM, Speaker.IPXE
T = float(int(time.time()) - 3600)
BOOT = Boot(
    "b2", "node1", "52:54:00:00:00:01", T, T + 12, Stage.KERNEL, T + 8, interface="eth1", firmware="PXE firmware",
    loader="snponly.efi", profile="worker", image="flatcar", version="4593.2.5",
    spans=[
        Span(Stage.DISCOVER, ROM, T, T + 1, 3, transport="dhcp"),
        Span(Stage.LOADER, ROM, T + 2, T + 4, file="snponly.efi", transport="tftp", bytes=1_000_000, due=1_000_000,
             retransmits=7),
        Span(Stage.SCRIPT, IPXE, T + 5, T + 5.05, file="boot.ipxe", transport="http", bytes=900, due=900),
        Span(Stage.KERNEL, IPXE, T + 6, T + 7, ok=False, file="vmlinuz", transport="http", text="it is not there"),
        Span(Stage.KERNEL, IPXE, T + 8, file="vmlinuz", transport="http", bytes=30_000_000, due=60_000_000),
    ],
    notes=[Note(T + 6, "its address changed")],
)  # fmt: skip
STALLED = finding(Fault.DOWNLOAD_STALLED, "kernel", T + 9, "no byte for 20 s", "", file="vmlinuz", sent="30", due="60")


def bars(lines: list[str]) -> list[str]:
    return [line.split("|")[1] for line in lines if "|" in line]


def test_each_stage_is_a_bar_from_its_beginning_to_its_end() -> None:
    lines = list(waterfall(as_dict(BOOT), T + 16))
    clock = time.strftime("%H:%M:%S", time.localtime(T))
    assert lines[0] == (
        f"began {clock}, under way after 16 s, over eth1, PXE firmware, snponly.efi, flatcar 4593.2.5,"
        " 7 packets sent again"
    )
    assert bars(lines) == [
        "##                              ",
        "    ####                        ",
        "          #                     ",
        "            ##                  ",
        "                ################",
    ]
    told = [line.split("|")[2].strip() for line in lines if "|" in line]
    assert told == [
        "3 times",
        "snponly.efi, 1.0 MB (500.0 kB/s), 7 sent again",
        "boot.ipxe, 900 bytes",
        "vmlinuz, failed: it is not there",
        "vmlinuz, 30.0 MB of 60.0 MB (3.8 MB/s), under way",
    ]
    assert lines[2].split()[:5] == ["loader", "2.0", "s", "2.0", "s"]
    assert lines[-1] == f"{time.strftime('%H:%M:%S', time.localtime(T + 6))} its address changed"


def test_a_boot_that_is_over_fills_the_line_whatever_the_time_is() -> None:
    over = replace(BOOT, spans=BOOT.spans[:2], ended=T + 4, outcome=Outcome.RUNNING)
    for now in (T + 5, T + 86000):
        lines = list(waterfall(as_dict(over), now, "="))
        assert "running after 4 s" in lines[0]
        assert bars(lines) == ["========                        ", "                ================"]


@pytest.mark.parametrize(("length", "count"), [(0.0, 0), (0.001, 1), (4e6, 40)])
def test_bars_never_leave_their_place(length: float, count: int) -> None:
    spans = [Span(Stage.KERNEL, IPXE, T + length * n, T + length * n) for n in range(count)]
    lines = list(waterfall(as_dict(replace(BOOT, spans=spans, ended=T + length)), T))
    assert {len(bar) for bar in bars(lines)} <= {32}
    assert all(bar.count("#") == 1 for bar in bars(lines))


PAST = {
    "that came up": (
        replace(BOOT, ended=T + 62, outcome=Outcome.RUNNING),
        "running after 62 s, flatcar 4593.2.5, 31.0 MB",
    ),
    "that was stuck": (
        replace(BOOT, ended=T + 300, outcome=Outcome.STUCK, finding=STALLED),
        f"stuck at kernel after 5 min, flatcar 4593.2.5, 31.0 MB: {STALLED.cause}",
    ),
    "after which another began": (
        replace(BOOT, ended=T + 30, outcome=Outcome.SUPERSEDED, spans=[]),
        "began anew at kernel after 30 s, flatcar 4593.2.5",
    ),
    "in which pxed was stopped": (
        replace(BOOT, ended=T + 30, spans=[], image="", version=""),
        "unfinished at kernel after 30 s, worker",
    ),
}


@pytest.mark.parametrize(("boot", "line"), PAST.values(), ids=PAST)
def test_a_past_boot_in_one_line(boot: Boot, line: str) -> None:
    assert ended(as_dict(boot), T + 1000) == f"{time.strftime('%H:%M:%S', time.localtime(T))} {line}"


def test_a_verdict_is_cause_evidence_and_remedy() -> None:
    assert list(verdict_lines(STALLED.as_dict())) == [
        "stuck: The download of vmlinuz stands still at 30 of 60 bytes",
        "  evidence: no byte for 20 s",
        "  what to do: Look at the machine's link and at the switch port's errors; a machine that hung or lost power"
        " shows the same",
    ]
    assert list(verdict_lines(None)) == []


def view(**more: Any) -> dict[str, Any]:
    """What a daemon says of node1."""
    return {
        "name": "node1", "listed": True, "macs": ["52:54:00:00:00:01"], "uuid": None, "serial": None,
        "profile": "worker", "summary": "", "install": None, "next": None, "boot": None, "last": None,
        "attempts": [], "boots": [], "alerts": [], "events": [], "timeline": None, "verdict": None,
    } | more  # fmt: skip


def seen(boot: Boot) -> dict[str, Any]:
    return view(timeline=as_dict(boot), verdict=boot.finding.as_dict() if boot.finding else None)


def pxed(*words: str, home: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PXED_")} | environment
    return subprocess.run([PXED, *words], cwd=home, env=clean, capture_output=True, text=True, check=False, timeout=60)


def test_show_has_the_verdict_first_then_the_boot_and_those_before_it() -> None:
    older = replace(BOOT, id="b1", began=T - 600, ended=T - 538, outcome=Outcome.RUNNING)
    with serving() as daemon:
        daemon.pages["machines/node1"] = seen(replace(BOOT, finding=STALLED))
        daemon.pages["machines/node1/boots?limit=10"] = {"boots": [as_dict(BOOT), as_dict(older)]}
        done = pxed("machines", "show", "node1", "--server", daemon.url, PYTHONIOENCODING="utf-8")
        plain = pxed("machines", "show", "node1", "--server", daemon.url, PYTHONIOENCODING="ascii")
        programs = pxed("machines", "show", "node1", "--server", daemon.url, "--json")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[1:3] == [f"  stuck: {STALLED.cause}", "    evidence: no byte for 20 s"]
    at = lines.index("the boot over time:")
    assert lines[at + 1].startswith("  began ")
    assert [line.split()[0] for line in lines[at + 2 : at + 7]] == ["discover", "loader", "script", "kernel", "kernel"]
    assert "\u2501" in lines[at + 2]
    assert lines[lines.index("earlier boots:") + 1].endswith(" running after 62 s, flatcar 4593.2.5, 31.0 MB")
    assert len(lines) == lines.index("earlier boots:") + 2
    assert "|#" in plain.stdout
    told = json.loads(programs.stdout)
    assert ([boot["id"] for boot in told["timelines"]], told["verdict"]["fault"]) == (["b2", "b1"], "download-stalled")


def test_show_works_with_a_daemon_that_keeps_no_timelines() -> None:
    with serving() as daemon:
        older = view()
        del older["timeline"], older["verdict"]
        daemon.pages["machines/node1"] = older
        done = pxed("machines", "show", "node1", "--server", daemon.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the boot over time" not in done.stdout


def test_list_has_the_stage_and_the_verdict_of_each_machine() -> None:
    with serving(row("node1", LOADING), row("node2", STUCK)) as daemon:
        daemon.pages["machines"] = {"machines": [view(), view(name="node2"), view(name="node3")]}
        done = pxed("machines", "list", "--server", daemon.url)
        programs = pxed("machines", "list", "--server", daemon.url, "--json")
    rows = [[cell.strip() for cell in line.split("  ") if cell] for line in done.stdout.splitlines()[1:]]
    assert [cells[3:] for cells in rows] == [["kernel"], ["offer", STUCK["verdict"]], []]
    live = [machine["live"] for machine in json.loads(programs.stdout)["machines"]]
    assert [one and one["fault"] for one in live] == [None, "no-dhcp-server", None]


LIVE = {
    "stuck": (
        replace(BOOT, outcome=Outcome.STUCK, finding=STALLED),
        ["as seen: stuck at kernel for 52 s", "  stuck: The download of vmlinuz stands still at 30 of 60 bytes"],
    ),
    "running": (
        replace(BOOT, outcome=Outcome.RUNNING),
        ["as seen: running for 52 s", "  nothing is wrong with it as far as pxed sees"],
    ),
    "never seen": (None, ["nothing was seen of a boot since pxed started"]),
}


@pytest.mark.parametrize(("boot", "told"), LIVE.values(), ids=LIVE)
def test_what_was_seen_in_words(boot: Boot | None, told: list[str]) -> None:
    lines = [line.partition(", in the boot")[0] for line in live_lines(seen(boot) if boot else view(), "", T + 60)]
    assert lines[: len(told)] == told


INVENTORY = """
server: {data_dir: data, interfaces: [lo], http: {port: PORT}}
profiles: {disk: {boot: local}}
machines: {node1: {mac: 52:54:00:00:00:01, profile: disk}}
"""
EXPLAIN = ("explain", "node1", "-c", "pxed.yaml", "--address", "10.0.0.2", "--ipxe")


def test_explain_has_the_live_verdict_first_and_its_own_exit_code(tmp_path: Path) -> None:
    with serving() as daemon:
        (tmp_path / "pxed.yaml").write_text(INVENTORY.replace("PORT", daemon.url.rpartition(":")[2]))
        daemon.pages["machines/node1"] = seen(replace(BOOT, outcome=Outcome.STUCK, finding=STALLED))
        done, offline = pxed(*EXPLAIN, home=tmp_path), pxed(*EXPLAIN, "--offline", home=tmp_path)
        programs = pxed(*EXPLAIN, "--json", home=tmp_path)
        elsewhere = pxed(*EXPLAIN, "--server", f"{daemon.url}/none", home=tmp_path)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, lines[0]) == (0, "", "node1 [52:54:00:00:00:01]")
    assert lines[1].startswith("as seen: stuck at kernel for ")
    assert lines[2] == f"  stuck: {STALLED.cause}"
    assert "1. ipxe: DISCOVER on port 67 by iPXE" in done.stdout
    assert "as seen" not in offline.stdout
    assert (offline.returncode, offline.stdout) == (0, "\n".join([lines[0], *lines[5:], ""]))
    live = json.loads(programs.stdout)["live"]
    assert (live["boot"]["stage"], live["verdict"]["fault"]) == ("kernel", "download-stalled")
    assert elsewhere.stdout.splitlines()[1].startswith("not asked what was seen of it: There is nothing at ")


def test_explain_without_a_daemon_says_so_in_one_line_and_goes_on(tmp_path: Path) -> None:
    with serving() as daemon:
        port = daemon.url.rpartition(":")[2]
    (tmp_path / "pxed.yaml").write_text(INVENTORY.replace("PORT", port))
    done, programs = pxed(*EXPLAIN, home=tmp_path), pxed(*EXPLAIN, "--json", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith(
        f"not asked what was seen of it: no answer from pxed at http://127.0.0.1:{port}: Connection refused"
    )
    assert "1. ipxe:" in done.stdout
    assert (json.loads(programs.stdout)["live"], programs.stderr) == (None, "")
