"""Who asks for a script from where: what the neighbour table may stop, and what no stranger uses up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.server.httpsite import serving

INVENTORY = """
server: {data_dir: data, unknown: UNKNOWN, http: {port: PORT}}
images:
  rescue: {kernel: r/vmlinuz, initrd: [r/initrd.img]}
profiles:
  worker: {image: rescue, ignition: node.ign}
  plain: {image: rescue}
  disk: {boot: local}
machines:
  node1: {mac: ["52:54:00:00:00:01", "52:54:00:00:00:02"], profile: worker}
  node2: {mac: "52:54:00:00:00:03", profile: disk}
"""
SCRIPT = "/boot.ipxe?mac=52:54:00:00:00:01"
HEAD = "IP address       HW type     Flags       HW address            Mask     Device\n"
ROW = "127.0.0.1        0x1         0x{flags}         {mac}     *        {device}\n"


def table(*rows: tuple[str, str, str]) -> str:
    return HEAD + "".join(ROW.format(flags=flags, mac=mac, device=device) for flags, mac, device in rows)


@pytest.mark.parametrize(
    ("arp", "boots"),
    [
        pytest.param(HEAD, True, id="an address behind a router is in no table"),
        pytest.param(table(("2", "52:54:00:00:00:01", "eth0")), True, id="the NIC that it names"),
        pytest.param(table(("2", "52:54:00:00:00:02", "eth0")), True, id="another NIC of the same machine"),
        pytest.param(table(("0", "52:54:00:00:00:09", "eth0")), True, id="an entry that is no longer confirmed"),
        pytest.param(
            table(("2", "52:54:00:00:00:09", "eth0"), ("2", "52:54:00:00:00:01", "eth1")),
            True,
            id="the address is in use on two networks, one of them the machine's",
        ),
        pytest.param(table(("2", "52:54:00:00:00:09", "eth0")), False, id="the NIC of something else"),
    ],
)
async def test_the_neighbour_table_stops_other_nics_only(tmp_path: Path, arp: str, boots: bool) -> None:
    async with serving(tmp_path, text=INVENTORY) as site:
        (tmp_path / "no-arp-table").write_text(arp)
        site.services.seen.boot("node1", time.time())
        answer = await site.ask(SCRIPT)
        assert ("token=" in answer.text) == boots, answer.text
        assert [alert.what for alert in site.services.alerts.of("node1")] == ([] if boots else ["spoofed"])


async def test_who_only_asks_for_a_script_does_not_use_up_a_one_shot_boot(tmp_path: Path) -> None:
    async with serving(tmp_path, text=INVENTORY) as site:
        await site.services.operators.next("node2", "plain")
        before = site.services.machines.standing("node2")
        assert "dhcp netX" in (await site.ask("/boot.ipxe?mac=52:54:00:00:00:03")).text
        assert site.services.machines.standing("node2") == before
        site.services.seen.boot("node2", time.time())
        assert "images/rescue" in (await site.ask("/boot.ipxe?mac=52:54:00:00:00:03")).text


async def test_what_ignition_check_asks_for_is_not_to_be_read_in_the_api(tmp_path: Path) -> None:
    known = 'serial: 5XQ5DV3, uuid: "4c4c4544-0077-4000-8000-525400770001", profile'
    text = INVENTORY.replace('"52:54:00:00:00:02"], profile', f'"52:54:00:00:00:02"], {known}')
    async with serving(tmp_path / "open", text=text) as site:
        assert "5XQ5DV3" in (await site.ask("/api/v1/machines")).text
    checked = text.replace("ignition: node.ign", "ignition: node.ign, ignition_check: [serial, uuid]")
    async with serving(tmp_path / "checked", text=checked) as site:
        for page in ("machines", "machines/node1"):
            answer = (await site.ask(f"/api/v1/{page}")).text
            assert '"name": "node1"' in answer
            assert "5XQ5DV3" not in answer
            assert "4c4c4544" not in answer
