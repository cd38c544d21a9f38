"""A site with a machine for each way to boot, install, report and guard a config."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pxed.server.auth import Auth
from tests.server.booting import Machine, Script
from tests.server.httpsite import Site, serving, snapshot
from tests.server.keeper import Keeper
from tests.server.mirrored import NEW, publish
from tests.server.standings import BEARER, write_token

UUID, SERIAL, ASSET = "00112233-4455-6677-8899-aabbccddeeff", "7CV1 X", "rack 7"
MARKER = "marker-of-a-secret-in-a-config-4711"
SYSTEM_MARKER = "marker-of-a-secret-of-the-installed-system-0815"
INVENTORY = f"""
server: {{data_dir: data, api_token_file: token, http: {{port: PORT}}}}
images:
  live: {{kernel: r/vmlinuz, initrd: [r/initrd.img]}}
  flatcar: {{flatcar: {{channel: stable}}}}
profiles:
  once: {{image: live, ignition: secret.ign}}
  token: {{image: live, ignition: secret.ign, ignition_access: token}}
  open: {{image: live, ignition: secret.ign, ignition_access: open}}
  bare: {{image: live}}
  elsewhere: {{image: live, ignition_url: "http://config.example/x.ign"}}
  reporting: {{image: live, ignition: secret.ign, report: true}}
  telling: {{image: live, report: true}}
  packed: {{image: live, ignition: secret.ign, ignition_delivery: embedded}}
  bound: {{image: live, ignition: secret.ign, ignition_check: [address]}}
  checked: {{image: live, ignition: secret.ign, ignition_check: [serial, uuid, asset]}}
  flat: {{image: flatcar, boot: install, report: true, install: {{disk: /dev/vda, ignition: system.ign, backoff: 1s}}}}
  kick: {{image: live, boot: install, args: [inst.ks=http://config.example/x.ks]}}
  silent: {{image: live, boot: install, local: silent}}
  giving: {{image: live, boot: install, install: {{attempts: 1, after_failure: local}}}}
  rescue: {{image: live, ignition: secret.ign}}
machines:
  once: {{mac: "52:54:00:00:01:01", profile: once}}
  token: {{mac: "52:54:00:00:01:02", profile: token}}
  open: {{mac: "52:54:00:00:01:03", profile: open}}
  bare: {{mac: "52:54:00:00:01:04", profile: bare}}
  elsewhere: {{mac: "52:54:00:00:01:05", profile: elsewhere}}
  reporting: {{mac: "52:54:00:00:01:06", profile: reporting}}
  telling: {{mac: "52:54:00:00:01:07", profile: telling}}
  packed: {{mac: "52:54:00:00:01:08", profile: packed}}
  bound: {{mac: "52:54:00:00:01:09", profile: bound}}
  checked: {{mac: "52:54:00:00:01:0a", profile: checked, serial: "{SERIAL}", uuid: {UUID}, asset_tag: "{ASSET}"}}
  flat: {{mac: "52:54:00:00:01:0b", profile: flat}}
  kick: {{mac: "52:54:00:00:01:0c", profile: kick}}
  silent: {{mac: "52:54:00:00:01:0d", profile: silent}}
  giving: {{mac: "52:54:00:00:01:0e", profile: giving}}
"""
SCRIPT_ONLY = INVENTORY.replace("data_dir: data", "data_dir: data, script_only: true")
_SECRET = '{"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"name": "core", "passwordHash": "MARKER"}]}}'


def write_configs(home: Path, *, filler: int = 0) -> None:
    """The configs of the inventory, and the release that is installed; `filler`: bytes that make a config big."""
    fill = f', "storage": {{"files": [{{"path": "/fill", "contents": {{"source": "data:,{"x" * filler}"}}}}]}}'
    text = _SECRET[:-1] + (fill if filler else "") + "}"
    (home / "secret.ign").write_text(text.replace("MARKER", MARKER))
    (home / "system.ign").write_text(_SECRET.replace("MARKER", SYSTEM_MARKER))
    write_token(home / "token")
    publish(home, NEW)


@asynccontextmanager
async def installing(
    home: Path, text: str = INVENTORY, keeper: Keeper | None = None, filler: int = 0
) -> AsyncIterator[Site]:
    """The server. Its machines are seen on the wire by seen()."""
    write_configs(home, filler=filler)
    async with serving(home, text=text, keeper=keeper, auth=Auth(None)) as site:
        yield site


def machine(site: Site, name: str, address: str = "127.0.0.1") -> Machine:
    """A machine of the inventory."""
    return Machine(name, site.live.snapshot.inventory.machines[name].macs[0], site.port, address)


async def booted(site: Site, name: str, **facts: str) -> tuple[Machine, Script]:
    """A machine whose DHCP was answered, and the script that it got."""
    one = machine(site, name)
    site.services.seen.boot(name, time.time())
    return one, await one.script(**facts)


async def order(site: Site, target: str, body: bytes = b"") -> int:
    """An operator's order through the API; its status."""
    return (await site.ask(f"/api/v1/machines/{target}", "POST", body, Authorization=BEARER)).status


def reload(site: Site, home: Path, text: str) -> None:
    """Another inventory."""
    site.live.snapshot = snapshot(home, site.port, "ignore", text)
    site.bus.journal.move(site.services.machines.reconsider())


def said(site: Site) -> str:
    """All alerts, as words."""
    return " ".join(alert.what for alert in site.services.alerts.of())
