"""Configs over HTTP: Butane made to Ignition, type, HEAD, ETag, the spec that a node reads, a machine's initrd."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from pxed.events import Kind, Level
from pxed.server import delivered
from tests.server.httpsite import MAC1, Answer, Site, read_answer, serving, snapshot, until

INVENTORY = """
server: {data_dir: data, http: {port: PORT}}
images: {rescue: {kernel: r/vmlinuz, initrd: [r/initrd.img]}}
profiles:
  worker: {image: rescue, butane: worker.bu, ignition_access: open}
  embedded: {image: rescue, butane: worker.bu, ignition_base: base.bu, ignition_delivery: embedded,
    ignition_access: open}
  files: {image: rescue, oem_files: {/usr/share/oem/bin/setup: setup.sh}}
  cloud: {image: rescue, ignition: cloud.yaml, ignition_access: open}
  elsewhere: {image: rescue, ignition_url: "http://x.example/a.ign", ignition_base: base.bu,
    ignition_delivery: embedded, ignition_access: open}
groups: [{match: {arch: "arm64-*"}, profile: embedded}]
machines:
  node1: {mac: "52:54:00:00:00:01", profile: worker}
  node2: {mac: "52:54:00:00:00:02", profile: embedded}
  node3: {mac: "52:54:00:00:00:03", profile: files}
  node4: {mac: "52:54:00:00:00:04", profile: cloud}
  node5: {mac: "52:54:00:00:00:05", profile: elsewhere}
"""
WORKER = """\
variant: flatcar
version: 1.1.0
storage:
  files:
    - {path: /etc/who, contents: {inline: "{{ machine.name }} {{ server.url }}"}}
"""
CLOUD = "#cloud-config\nhostname: x\n"
STRANGER = "02:00:00:00:00:09"
IGNITION = "application/vnd.coreos.ignition+json"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "worker.bu").write_text(WORKER)
    (tmp_path / "base.bu").write_text("variant: flatcar\nversion: 1.0.0\nstorage: {directories: [{path: /srv}]}\n")
    (tmp_path / "cloud.yaml").write_text(CLOUD)
    (tmp_path / "setup.sh").write_text("#!/bin/sh\n")
    return tmp_path


def members(archive: bytes) -> dict[str, bytes]:
    """The regular files of a newc archive (cpio(5)): an independent reader of a few lines."""
    data, at, found = gzip.decompress(archive), 0, {}
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        body = -(-(at + 110 + name_size) // 4) * 4
        if name == "TRAILER!!!":
            return found
        if mode & 0o170000 == 0o100000:
            found[name] = data[body : body + size]
        at = -(-(body + size) // 4) * 4


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> Answer:
    """One answer on a connection that is kept."""
    writer.write(f"GET {target} HTTP/1.1\r\nHost: pxed\r\n\r\n".encode())
    return await read_answer(reader)


async def script(site: Site, number: int) -> str:
    return (await site.ask(f"/boot.ipxe?mac=52:54:00:00:00:0{number}")).text


async def test_a_butane_config_comes_as_the_machine_s_own_ignition(home: Path) -> None:
    async with serving(home, text=INVENTORY) as site:
        answer = await site.ask("/ignition/node1")
        head = await site.ask("/ignition/node1", "HEAD")
        again = await site.ask("/ignition/node1", If_None_Match=answer.headers["etag"])
        event = await site.bus.wait_for(Kind.IGNITION)
    assert (answer.status, answer.headers["content-type"]) == (200, IGNITION)
    who = json.loads(answer.body)["storage"]["files"][0]["contents"]["source"]
    assert who == f"data:,node1%20http%3A%2F%2F127.0.0.1%3A{site.port}"
    assert (head.status, head.headers["content-length"]) == (200, str(len(answer.body)))
    assert (again.status, again.body) == (304, b"")
    assert (event.machine, event.data["bytes"]) == ("node1", len(answer.body))


async def test_a_config_that_the_node_cannot_read_is_refused_and_said(home: Path) -> None:
    """LTS-2023 has Ignition 2.14: it would stop at "unsupported config version", where nobody looks."""
    async with serving(home, text=INVENTORY) as site:
        old = await site.ask("/ignition/node1", Accept=f"{IGNITION};version=3.3.0, */*;q=0.1")
        new = await site.ask("/ignition/node1", Accept=f"{IGNITION};version=3.4.0, */*;q=0.1")
        refusal = await site.bus.wait_for(Kind.REFUSED)
    assert (old.status, new.status) == (406, 200)
    assert "of Ignition version 3.4.0, but the Ignition that asks reads 3.3.0 at most" in old.text
    assert (refusal.level, refusal.machine, "3.3.0" in refusal.text) == (Level.WARNING, "node1", True)


async def test_what_is_no_ignition_is_given_as_it_is(home: Path) -> None:
    async with serving(home, text=INVENTORY) as site:
        answer = await site.ask("/ignition/node4", Accept=f"{IGNITION};version=3.3.0, */*;q=0.1")
    assert (answer.status, answer.text, answer.headers["content-type"]) == (200, CLOUD, "text/plain")


async def test_a_config_that_breaks_after_the_load_is_asked_for_again(home: Path) -> None:
    (home / "worker.bu").write_text(
        WORKER.replace("inline: ", "local: ").replace("{{ machine.name }} {{ server.url }}", "x")
    )
    (home / "x").write_text("x")
    async with serving(home, text=INVENTORY) as site:
        (home / "x").unlink()
        answer = await site.ask("/ignition/node1")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "worker.bu" in answer.text


async def test_an_embedded_config_is_an_initrd_and_no_url(home: Path) -> None:
    async with serving(home, text=INVENTORY) as site:
        text = await script(site, 2)
        answer = await site.ask("/oem/node2.cpio.gz")
        head = await site.ask("/oem/node2.cpio.gz", "HEAD")
        again = await site.ask("/oem/node2.cpio.gz", If_None_Match=answer.headers["etag"])
        event = await site.bus.wait_for(Kind.IGNITION)
    kernel = next(line for line in text.splitlines() if line.startswith("kernel"))
    assert "initrd=initrd.img initrd=oem.cpio.gz flatcar.first_boot=1" in kernel
    assert "ignition.config.url" not in text
    assert f"initrd --name oem.cpio.gz --timeout 60000 http://127.0.0.1:{site.port}/oem/node2.cpio.gz" in text
    found = members(answer.body)
    assert found.keys() == {"usr/share/oem/config.ign", "usr/share/oem/base/base.ign"}
    assert b"node2" in found["usr/share/oem/config.ign"]
    assert json.loads(found["usr/share/oem/base/base.ign"])["storage"]["directories"] == [{"path": "/srv"}]
    assert (head.status, head.headers["content-length"]) == (200, str(len(answer.body)))
    assert again.status == 304
    assert (event.machine, "initrd with its Ignition config" in event.text) == ("node2", True)


async def test_further_files_come_in_an_initrd_without_any_config(home: Path) -> None:
    async with serving(home, text=INVENTORY) as site:
        text = await script(site, 3)
        answer = await site.ask("/oem/node3.cpio.gz")
    assert "initrd=oem.cpio.gz" in text
    assert "first_boot" not in text
    assert members(answer.body) == {"usr/share/oem/bin/setup": b"#!/bin/sh\n"}


async def test_a_config_of_another_server_still_gets_the_embedded_base(home: Path) -> None:
    """Ignition merges base.d under whatever config it finds, also one of a URL."""
    async with serving(home, text=INVENTORY) as site:
        text = await script(site, 5)
        answer = await site.ask("/oem/node5.cpio.gz")
    assert "ignition.config.url=http://x.example/a.ign" in text
    assert members(answer.body).keys() == {"usr/share/oem/base/base.ign"}


async def test_an_unlisted_machine_of_a_group_says_again_what_chose_it(home: Path) -> None:
    async with serving(home, text=INVENTORY) as site:
        text = (await site.ask(f"/boot.ipxe?mac={STRANGER}&arch=arm64&platform=efi")).text
        url = next(word for word in text.split() if "/oem/" in word).partition(str(site.port))[2]
        answer = await site.ask(url)
    assert b"02:00:00:00:00:09" in members(answer.body)["usr/share/oem/config.ign"].replace(b"%3A", b":")


@pytest.mark.parametrize("path", ["/oem/node1.cpio.gz", "/oem/node2", "/oem/nobody.cpio.gz", "/oem/"])
async def test_there_is_no_initrd_for_what_gets_none(home: Path, path: str) -> None:
    async with serving(home, text=INVENTORY) as site:
        assert (await site.ask(path)).status == 404


async def test_who_has_no_url_for_its_config_is_not_given_it_over_http(home: Path) -> None:
    async with serving(home, text=INVENTORY) as site:
        assert (await site.ask("/ignition/node3")).status == 404
        await script(site, 1)
        assert site.clients.mac_of("127.0.0.1") == MAC1


async def test_machines_of_one_profile_with_fields_of_their_own_get_their_own(home: Path) -> None:
    """Configs that are the same for all are made once: for whom that is must not depend on the profile's name."""
    for name in ("a", "b"):
        (home / f"{name}.ign").write_text('{"ignition": {"version": "3.3.0"}, "x": "%s"}' % name)  # noqa: UP031
    text = (
        INVENTORY[: INVENTORY.index("groups:")].replace(
            "profiles:",
            "profiles:\n  p: {image: rescue, ignition: a.ign, ignition_access: open, oem_files: {usr/x: setup.sh}}",
        )
        + """machines:
  node1: {mac: "52:54:00:00:00:01", profile: p}
  node2: {mac: "52:54:00:00:00:02", profile: p, ignition: b.ign}
  node3: {mac: "52:54:00:00:00:03", profile: p, ignition_delivery: embedded}
  node4: {mac: "52:54:00:00:00:04", profile: p, ignition_delivery: embedded, oem_files: {usr/y: setup.sh}}
"""
    )
    async with serving(home, text=text) as site:
        configs = [(await site.ask(f"/ignition/node{number}")).body for number in (1, 2)]
        archives = [members((await site.ask(f"/oem/node{number}.cpio.gz")).body).keys() for number in (1, 3, 4)]
    assert configs == [(home / "a.ign").read_bytes(), (home / "b.ign").read_bytes()]
    assert archives == [{"usr/x"}, {"usr/x", "usr/share/oem/config.ign"}, {"usr/y", "usr/share/oem/config.ign"}]


async def test_a_config_is_told_of_while_its_connection_is_still_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that reports at once does so after it got its config, in the log as on the wire."""
    monkeypatch.setattr(delivered, "RESET_SECONDS", 600.0)
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        assert (await get(reader, writer, "/ignition/node2")).status == 200
        assert (await site.bus.wait_for(Kind.IGNITION)).text.startswith("sent its Ignition config")
        writer.close()


async def test_a_connection_is_not_kept_waiting_for_what_nobody_needs_to_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a token nor a first boot is used up by this config: whether its reader resets does not matter."""
    monkeypatch.setattr(delivered, "RESET_SECONDS", 600.0)
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        for _ in range(3):
            assert (await get(reader, writer, "/ignition/node1")).status == 200
        writer.close()


async def test_a_config_that_a_machine_left_half_read_is_no_first_boot(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        (tmp_path / "node.ign").write_text(json.dumps({"ignition": {"version": "3.3.0"}, "x": "y" * (8 << 20)}))
        site.live.snapshot = snapshot(tmp_path, site.port, "ignore")
        reader, writer = await site.connect()
        writer.write(b"GET /ignition/node2 HTTP/1.1\r\nHost: pxed\r\n\r\n")
        await reader.readline()
        writer.transport.abort()
        await until(lambda: not site.server.active)
        assert not site.services.first_boots.done("node2", "LABEL=ROOT")
