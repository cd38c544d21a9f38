"""Scripts, Ignition configs and reports, as machines ask for them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pxed.events import Kind, Level
from pxed.server import bodies
from tests.server.httpsite import (
    INVENTORY,
    MAC1,
    MAC2,
    STRANGER,
    TEMPLATE,
    read_answer,
    serving,
    snapshot,
    until,
)
from tests.server.keeper import Keeper


def asking(mac: str = MAC1, **fields: str) -> str:
    fields = {"mac": mac, "uuid": "", "serial": "", "arch": "x86_64", "platform": "efi", **fields}
    return "/boot.ipxe?" + "&".join(f"{key}={value}" for key, value in fields.items())


@pytest.mark.parametrize("path", ["/boot.ipxe", "/autoexec.ipxe", "/loaders/autoexec.ipxe", "/any/where/autoexec.ipxe"])
async def test_the_entry_names_the_address_that_was_asked(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(path)
    assert answer.status == 200
    assert answer.text.startswith("#!ipxe\n")
    assert f" {site.url}/boot.ipxe?mac=${{netX/mac}}&" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_listed_machine_gets_its_own_script(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(asking())
        assert (
            f"kernel --name vmlinuz --timeout 60000 {site.url}/images/rescue/vmlinuz initrd=initrd.img" in answer.text
        )
        assert f"ignition.config.url={site.url}/ignition/node1 BOOTIF=01-52-54-00-00-00-01 " in answer.text
        (event,) = site.bus.of(Kind.SCRIPT)
        assert (event.machine, event.mac, event.data["profile"]) == ("node1", MAC1, "worker")
        assert event.data["arch"] == "x86_64-efi"
        assert site.clients.mac_of("127.0.0.1") == MAC1, "its next requests are known to be its own"


async def test_head_of_a_script_is_no_stage(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(asking(), "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.headers["content-length"]) > 100
        assert not site.bus.events


async def test_a_machine_for_its_disk_gets_the_local_script(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        assert "sanboot" in (await site.ask(asking("52:54:00:00:00:04"))).text


async def test_a_group_s_machine_is_known_again_by_its_config_url(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        script = (await site.ask(asking(STRANGER, arch="arm64"))).text
        url = next(word for word in script.split() if word.startswith("ignition.config.url="))
        config = await site.ask(url.partition("=")[2])
        assert json.loads(config.body)["who"] == [STRANGER, site.url]


async def test_a_stranger_is_left_alone_by_default(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(asking(STRANGER))
        assert (answer.status, answer.text.splitlines()[-1]) == (200, "exit 1")
        (event,) = site.bus.of(Kind.IGNORED)
        assert (event.machine, event.mac) == ("", STRANGER)


async def test_a_stranger_can_be_held_and_is_reported_once(tmp_path: Path) -> None:
    async with serving(tmp_path, unknown="hold") as site:
        for held in ("", "1", "2"):
            answer = await site.ask(asking(STRANGER, held=held))
            assert "&held=" in answer.text
        levels = [event.level for event in site.bus.of(Kind.HELD)]
        assert levels == [Level.INFO, Level.DEBUG, Level.DEBUG]
        assert {event.mac for event in site.bus.of(Kind.HELD)} == {STRANGER}


async def test_an_adopted_machine_leaves_the_waiting_screen(tmp_path: Path) -> None:
    async with serving(tmp_path, unknown="hold") as site:
        assert "held=1" in (await site.ask(asking(STRANGER))).text
        site.live.snapshot = snapshot(tmp_path, site.port, "hold", _inventory_with(STRANGER))
        assert "kernel " in (await site.ask(asking(STRANGER, held="1"))).text


@pytest.mark.parametrize("field", ["uuid", "serial", "asset", "arch", "platform", "held", "boot", "announced"])
@pytest.mark.parametrize(
    "value",
    ["%0Aimgfree%0A", "${net0/mac}", "x%0D%0Aset%20a%20b", "%22%3B%20reboot", "||%20reboot", "%00", "%E2%80%A8reboot"],
)
async def test_nothing_that_a_query_claims_gets_into_a_script(tmp_path: Path, field: str, value: str) -> None:
    async with serving(tmp_path, unknown="hold") as site:
        plain = (await site.ask(asking(STRANGER))).text
        assert (await site.ask(asking(STRANGER, **{field: value}))).text == plain
        listed = (await site.ask(asking(MAC1))).text
        assert _without_boot((await site.ask(asking(MAC1, **{field: value}))).text) == _without_boot(listed)


def _without_boot(script: str) -> str:
    """Each boot has an id of its own."""
    return re.sub(r"&boot=[0-9a-f]{16}", "", script)


async def test_a_mac_that_is_none_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(asking("52:54%0Aimgfree"))
        assert (answer.status, "imgfree" in answer.text) == (400, False)


async def test_a_query_without_any_identity_does_not_lead_back_to_the_entry(tmp_path: Path) -> None:
    """An iPXE without an open NIC asks with mac= empty: the entry script would then chain to itself without end."""
    async with serving(tmp_path) as site:
        answer = await site.ask("/boot.ipxe?mac=&uuid=&serial=")
        assert "chain" not in answer.text


async def test_a_config_is_rendered_for_the_machine_and_the_address_asked(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask("/ignition/node1")
        assert json.loads(answer.body)["who"] == ["node1", site.url]
        assert answer.headers["content-type"] == "application/vnd.coreos.ignition+json"
        event = await site.bus.wait_for(Kind.IGNITION)
        assert (event.machine, event.data["bytes"]) == ("node1", len(answer.body))
        by_mac = await site.ask("/ignition/52-54-00-00-00-01")
        assert by_mac.body == answer.body


async def test_a_config_has_a_version_of_its_content(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        head = await site.ask("/ignition/node1", "HEAD")
        assert not site.bus.of(Kind.IGNITION)
        assert (await site.ask("/ignition/node1", If_None_Match=head.headers["etag"])).status == 304
        assert (await site.ask("/ignition/node1")).headers["content-length"] == head.headers["content-length"]


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("/ignition/nobody", "no machine 'nobody'"),
        (f"/ignition/{STRANGER}", "no profile"),
        ("/ignition/node3", "no Ignition config"),
        ("/ignition/node4", "no Ignition config"),
    ],
)
async def test_a_config_that_does_not_exist_is_refused_for_good(tmp_path: Path, target: str, part: str) -> None:
    async with serving(tmp_path) as site:
        answer = await site.ask(target)
        assert answer.status == 404
        assert part in answer.text
        assert site.bus.of(Kind.REFUSED)[0].level is Level.WARNING


async def test_a_config_that_fails_for_what_a_machine_says_is_to_be_asked_again(tmp_path: Path) -> None:
    """Ignition gives up at 4xx and retries at 5xx: the operator can mend the template meanwhile."""
    async with serving(tmp_path) as site:
        (tmp_path / "node.ign").write_text(TEMPLATE.replace("machine.name", "machine.arch + 1 if machine.arch else 1"))
        site.live.snapshot = snapshot(tmp_path, site.port, "ignore")
        answer = await site.ask(f"/ignition/{STRANGER}?arch=arm64-efi")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")


async def test_a_persistent_root_gets_its_first_boot_once(tmp_path: Path) -> None:
    keeper = Keeper()
    async with serving(tmp_path, keeper=keeper) as site:
        assert "flatcar.first_boot=1" in (await site.ask(asking(MAC2))).text
        assert "flatcar.first_boot=1" in (await site.ask(asking(MAC2))).text, "a script alone proves nothing"
        await site.ask("/ignition/node2")
        await site.bus.wait_for(Kind.NOTICE)
        assert "flatcar.first_boot=1" not in (await site.ask(asking(MAC2))).text
    async with serving(tmp_path, keeper=keeper.restarted()) as restarted:
        assert "flatcar.first_boot=1" not in (await restarted.ask(asking(MAC2))).text


async def test_a_running_report_counts_as_a_first_boot_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.ask("/report/node2", "POST", b'{"stage": "running"}')
        assert "flatcar.first_boot=1" not in (await site.ask(asking(MAC2))).text


async def test_a_first_boot_that_cannot_be_recorded_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        site.keeper.failing = True
        assert (await site.ask("/ignition/node2")).status == 200
        event = await site.bus.wait_for(Kind.NOTICE)
        assert (event.level, event.machine) == (Level.WARNING, "node2")


@pytest.mark.parametrize(
    ("stage", "kind", "level"),
    [
        ("running", Kind.RUNNING, Level.INFO),
        ("installing", Kind.INSTALLING, Level.INFO),
        ("installed", Kind.INSTALLED, Level.INFO),
        ("failed", Kind.FAILED, Level.WARNING),
    ],
)
async def test_a_report_becomes_the_machine_s_event(tmp_path: Path, stage: str, kind: Kind, level: Level) -> None:
    async with serving(tmp_path) as site:
        body = json.dumps({"stage": stage, "message": "all\nwell"}).encode()
        answer = await site.ask("/report/node1", "POST", body)
        assert json.loads(answer.body) == {"machine": "node1", "stage": stage}
        (event,) = site.bus.of(kind)
        assert (event.machine, event.mac, event.level) == ("node1", MAC1, level)
        assert event.text == f"the machine reports: {stage}: all | well"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"running"', 400),
        (b"{}", 400),
        (b'{"stage": "asleep"}', 400),
        (b'{"stage": ["running"]}', 400),
        (b'{"stage": "running", "message": 1}', 400),
        (b'{"stage": "running", "message": "\xff"}', 400),
        (b"[" * 60_000, 400),
        (b" " * (64 << 10) + b"{}", 413),
    ],
)
async def test_a_report_that_is_none_is_refused(tmp_path: Path, body: bytes, status: int) -> None:
    async with serving(tmp_path) as site:
        assert (await site.ask("/report/node1", "POST", body)).status == status
        assert [event.kind for event in site.bus.events] == [Kind.REFUSED]


async def test_a_report_of_nobody_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        assert (await site.ask("/report/nobody", "POST", b'{"stage": "running"}')).status == 404


async def test_a_report_that_never_comes_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        writer.write(b"POST /report/node1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{")
        assert (await read_answer(reader)).status == 408


async def test_a_machine_that_dies_while_it_reports_reports_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        _, writer = await site.connect()
        writer.write(b'POST /report/node1 HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\n{"stage": "running"}')
        await writer.drain()
        await until(lambda: site.server.active == 1)
        writer.transport.abort()
        await until(lambda: site.server.active == 0)
        assert not site.bus.of(Kind.RUNNING)


async def test_curl_waits_for_no_continue(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        body = json.dumps({"stage": "running", "message": "x" * 2000})
        code, output = await site.curl("-H", "Expect: 100-continue", "-d", body, f"{site.url}/report/node1")
        assert (code, json.loads(output)["stage"]) == (0, "running")


async def test_a_request_keeps_the_inventory_it_began_with(tmp_path: Path) -> None:
    """A report that arrives slowly is judged by the inventory of its first byte."""
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        writer.write(b"POST /report/node1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n")
        await writer.drain()
        await until(lambda: site.server.active == 1)
        site.live.snapshot = snapshot(
            tmp_path, site.port, "ignore", _inventory_with(STRANGER).replace("node1", "other")
        )
        writer.write(b'{"stage": "running"}')
        assert b" 200 " in await reader.readline()
        assert (await site.ask("/report/node1", "POST", b'{"stage": "running"}')).status == 404


def _inventory_with(mac: str) -> str:
    return INVENTORY + f'  adopted: {{mac: "{mac}", profile: worker}}\n'
