"""/api/v1/unknown: who is shown there, and that the lines to paste load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pxed.events import Event, Kind, Level
from pxed.inventory.loader import loads
from pxed.inventory.stanza import Stranger, stanza, uuid_of
from tests.server.httpsite import INVENTORY, MAC1, STRANGER, Site, serving

SENT = "444c4c45510010358053b4c04f564433"  # as option 97 has it: the first three fields little-endian
MEANT = "454c4c44-0051-3510-8053-b4c04f564433"
OTHER = "02:00:00:00:00:98"


def asked(mac: str = STRANGER, at: float = 5.0, kind: Kind = Kind.IGNORED, **data: Any) -> Event:
    figures = {"interface": "eth1", "arch": "x86_64-efi", "uuid": SENT, "wanted": True, "reason": "not listed", **data}
    return Event(kind, at, "", mac, "not listed", Level.INFO, figures)


async def unknown(site: Site) -> list[dict[str, Any]]:
    machines: list[dict[str, Any]] = json.loads((await site.ask("/api/v1/unknown")).body)["machines"]
    return machines


def pasted(home: Path, machines: list[dict[str, Any]], text: str = INVENTORY) -> Any:
    """The inventory with all the lines below `machines:`, as pxed loads it."""
    text = text.replace("UNKNOWN", "ignore").replace("PORT", "8080")
    return loads(text + "".join(machine["stanza"] for machine in machines), home / "pxed.yaml")


async def test_a_machine_that_was_left_alone_is_told_with_lines_that_list_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.bus.emit(asked(at=5.0))
        site.bus.emit(asked(at=9.0, address="10.0.0.77"))
        site.bus.emit(Event(Kind.HELD, 10.0, "", STRANGER, "", data={"serial": "7CV1"}))
        machines = await unknown(site)
    lines = machines[0].pop("stanza")
    assert machines == [
        {
            "mac": STRANGER, "macs": [STRANGER], "uuid": MEANT, "serial": "7CV1", "arch": "x86_64-efi",
            "interface": "eth1", "address": "10.0.0.77", "first": 5.0, "last": 10.0, "count": 3,
            "reason": "not listed, no group matches, and unknown is ignore", "profile": None,
        }
    ]  # fmt: skip
    machine = pasted(tmp_path, [{"stanza": lines}]).machines["new-020000000099"]
    assert (machine.macs, str(machine.uuid), machine.serial) == ((STRANGER,), MEANT, "7CV1")


async def test_nics_with_one_uuid_are_one_machine(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.bus.emit(asked(STRANGER, 5.0))
        site.bus.emit(asked(OTHER, 9.0, interface="eth2"))
        (machine,) = await unknown(site)
    assert (machine["macs"], machine["interface"], machine["count"]) == ([OTHER, STRANGER], "eth2", 2)
    assert next(iter(pasted(tmp_path, [machine]).machines["new-020000000099"].macs)) == OTHER


async def test_machines_that_share_a_serial_number_are_listed_without_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        for mac in (STRANGER, OTHER):
            site.bus.emit(asked(mac, uuid="", serial="Default string 1"))
        machines = await unknown(site)
    assert [machine["serial"] for machine in machines] == ["Default string 1"] * 2
    assert len(pasted(tmp_path, machines).machines) == 6


@pytest.mark.parametrize(
    "event",
    [
        asked(MAC1, uuid=""),
        asked(wanted=False),
        asked(uuid="4c4c454400511035805300000000beef"),
    ],
    ids=["its MAC is listed", "an ordinary DHCP client", "its UUID is listed"],
)
async def test_who_is_listed_or_asked_for_no_boot_is_not_shown(tmp_path: Path, event: Event) -> None:
    text = INVENTORY + "  node9: {uuid: 4c4c4544-0051-1035-8053-00000000beef, profile: plain}\n"
    async with serving(tmp_path, text=text) as site:
        site.bus.emit(event)
        assert await unknown(site) == []


async def test_one_that_a_group_takes_is_told_with_its_profile(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.bus.emit(asked(kind=Kind.OFFER, arch="arm64-efi"))
        (machine,) = await unknown(site)
    assert (machine["profile"], machine["reason"]) == ("worker", "not listed")
    assert pasted(tmp_path, [machine]).machines["new-020000000099"].profile_name == "worker"


@pytest.mark.parametrize(
    "said",
    [
        'a "quoted" one',
        "trailing\\",
        "x: y # z",
        "{{ evil }}",
        "'",
        "%s",
        "null",
        "0x10",
        "<img src=x onerror=alert(1)>",
    ],
)
async def test_whatever_a_machine_says_of_itself_the_lines_load(tmp_path: Path, said: str) -> None:
    async with serving(tmp_path) as site:
        site.bus.emit(asked(serial=said, uuid="ff" * 16))
        (machine,) = await unknown(site)
    assert pasted(tmp_path, [machine]).machines["new-020000000099"].serial == said
    assert machine["uuid"] is None


@pytest.mark.parametrize("said", ["a\nb: c", "\x1b[31m", "", "System Serial Number", "ü"])
async def test_what_is_no_serial_number_is_left_out(tmp_path: Path, said: str) -> None:
    async with serving(tmp_path) as site:
        site.bus.emit(asked(serial=said))
        (machine,) = await unknown(site)
    assert pasted(tmp_path, [machine]).machines["new-020000000099"].serial is None


@pytest.mark.parametrize("said", ["", "zz", "00" * 16, "ff" * 16, "ab" * 15])
def test_what_is_no_uuid_is_none(said: str) -> None:
    assert uuid_of(said) is None


def test_a_machine_of_which_the_mac_alone_is_known_gets_lines_too() -> None:
    assert (
        stanza("x", Stranger([MAC1])) == f'  x:\n    mac: "{MAC1}"\n    # profile: the name of one of your profiles\n'
    )
