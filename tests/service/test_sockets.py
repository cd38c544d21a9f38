"""Socket activation: systemd has the ports, pxed no capability at all."""

from __future__ import annotations

import json
import time

import pytest

from tests.lab.daemon import URL
from tests.lab.netns import DHCP_ADDRESS
from tests.lab.process import running
from tests.lab.vm import Firmware, Guest
from tests.service.site import UNIT, Site, inventory_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

GUEST = Guest("uefi", Firmware.UEFI)
PLAYED = "52:54:00:77:00:50"
SOCKETS = ("pxed.socket", "pxed-bootserver.socket", "pxed-tftp.socket", "pxed-http.socket", "pxed-rivals.socket")
BIG = bytes(range(256)) * (24 << 12)  # more than the connection's buffers take
DROP_IN = "/etc/systemd/system/pxed.service.d"


@pytest.fixture(scope="module", autouse=True)
def _enabled(host: Site) -> None:
    document = inventory_of({GUEST: "worker"})
    document["images"]["big"] = {"kernel": "big/vmlinuz"}
    place = host.system.root / "var/lib/pxed/images/big"
    place.mkdir()
    (place / "vmlinuz").write_bytes(BIG)
    document["machines"]["played"] = {"mac": PLAYED, "profile": "worker"}
    host.configure(document)
    host.system.run("mkdir", "-p", DROP_IN)
    host.system.run("ln", "-s", "/usr/share/pxed/pxed-sockets.conf", DROP_IN)
    host.system.run("systemctl", "daemon-reload")
    host.system.run("systemctl", "enable", "--now", "pxed.socket")


def test_the_first_request_of_a_machine_starts_the_daemon(host: Site) -> None:
    assert host.system.show(UNIT, "ActiveState") == "inactive"
    played = host.play(PLAYED)
    assert played.returncode == 0, played.stdout
    assert host.event("kernel", "played")
    listening = [host.system.show(one, "ActiveState") for one in SOCKETS]
    assert listening == ["active"] * len(SOCKETS)


def test_it_has_no_capability_and_a_user_namespace_of_its_own(host: Site) -> None:
    status = host.status()
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {f"{0:016x}"}
    assert host.system.run("cat", f"/proc/{host.pid()}/uid_map") != host.system.run("cat", "/proc/1/uid_map")
    assert host.system.attempt("systemd-analyze", "security", "--threshold=15", UNIT).returncode == 0


def test_other_dhcp_servers_are_heard_on_the_socket_that_was_handed_over(host: Site) -> None:
    network = json.loads(host.ask("/api/v1/network")[1])
    assert DHCP_ADDRESS in json.dumps(network)


def test_a_download_goes_on_over_a_restart(host: Site) -> None:
    """The ports are systemd's; the transfer is in the store."""
    url, mark = f"{URL}/images/big/vmlinuz", host.mark()
    argv = ("curl", "-sS", "--fail", "--limit-rate", "8M", "-o", "-", url)
    with running(argv, log=host.directory / "curl.log", namespace=host.network.dhcp) as curl:
        while not curl.log.stat().st_size:
            assert curl.alive(), curl.output.end()
            time.sleep(0.01)
        host.system.run("systemctl", "restart", UNIT)
        assert curl.wait(60) == 0
    assert curl.log.read_bytes() == BIG
    assert "1 HTTP" in host.wait("goes on with", start=mark)["MESSAGE"]


def test_a_boot_goes_on_when_the_daemon_is_killed_in_the_middle(host: Site) -> None:
    machine, mark = host.boot(GUEST), host.mark()
    host.event("loader", GUEST.name)
    before = host.pid()
    host.system.run("kill", "-KILL", str(before))
    host.restarted(mark)
    printout = host.finish(machine)
    assert "pxed.lab=worker" in printout.arguments
    assert host.pid() != before


def test_however_it_is_started_its_sockets_are_there(host: Site) -> None:
    host.system.run("systemctl", "stop", *SOCKETS, UNIT)
    host.system.run("systemctl", "start", UNIT)
    assert host.health()["machines"] == 2
    assert host.system.show("pxed-tftp.socket", "ActiveState") == "active"
