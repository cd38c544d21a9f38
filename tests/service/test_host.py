"""What is in the way of the real service on a host: its sandboxed daemon and `pxed check --host` say the same, and what
they say to do helps.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.vm import Firmware, Guest
from tests.service.site import CONFIG, UNIT, Site, inventory_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

GUEST = Guest("bios", Firmware.BIOS)


def example(**server: Any) -> dict[str, Any]:
    return inventory_of({GUEST: "worker"}, **server)


def check(host: Site) -> dict[str, str]:
    """The sentences of errors and warnings about the host, by their code."""
    done = host.system.attempt("pxed", "check", "--host", "--json")
    found = {one["code"]: one for one in json.loads(done.stdout) if "code" in one}
    assert done.returncode == any(one["severity"] == "error" for one in found.values()), done.stdout
    return {code: one["message"] for code, one in found.items() if one["severity"] != "note"}


def refused(host: Site) -> str:
    """What the journal has of a start that fails."""
    start = host.mark()
    assert host.system.attempt("systemctl", "restart", UNIT).returncode != 0
    entries = host.system.journal(UNIT)
    said = "\n".join(str(one["MESSAGE"]) for one in entries if int(one["__REALTIME_TIMESTAMP"]) >= start)
    host.system.run("systemctl", "reset-failed", UNIT)
    return said


def starts(host: Site) -> None:
    host.system.run("systemctl", "restart", UNIT)
    host.system.run("systemctl", "stop", UNIT)


@pytest.fixture(autouse=True)
def _usual(host: Site) -> None:
    host.configure(example())


def test_a_good_host_has_neither_errors_nor_warnings(host: Site) -> None:
    assert check(host) == {}
    host.system.run("systemctl", "restart", UNIT)
    assert check(host) == {}
    notes = host.system.attempt("pxed", "check", "--host")
    assert "pxed has its ports already (pxed.service)" in notes.stdout
    host.system.run("systemctl", "stop", UNIT)


def test_tftpd_hpa_has_port_69(host: Site) -> None:
    host.system.run("apt-get", "install", "-y", "--no-install-recommends", "tftpd-hpa")
    sentence = check(host)["port-taken"]
    assert sentence.startswith("UDP port 69 on eth0 is taken by tftpd-hpa.service: systemctl stop tftpd-hpa && ")
    assert f"pxed: {sentence}" in refused(host)
    host.system.run("sh", "-c", sentence.partition(": ")[2].partition(";")[0])
    assert check(host) == {}
    starts(host)


def test_dnsmasq_serves_tftp(host: Site) -> None:
    """Its DHCP is in tests/server/host: it wants CAP_NET_ADMIN, which nobody has in here over this network."""
    host.system.write("/etc/dnsmasq.d/lab.conf", "port=0\nenable-tftp\ntftp-root=/srv\n")
    host.system.run("apt-get", "install", "-y", "--no-install-recommends", "dnsmasq")
    sentence = check(host)["port-taken"]
    assert sentence.startswith("UDP port 69 on eth0 is taken by dnsmasq.service: take `enable-tftp` out of its")
    assert f"pxed: {sentence}" in refused(host)
    host.system.run("sed", "-i", "/^enable-tftp/d", "/etc/dnsmasq.d/lab.conf")
    host.system.run("systemctl", "restart", "dnsmasq")
    assert check(host) == {}
    starts(host)


@pytest.mark.parametrize(
    ("place", "mode", "code", "words"),
    [
        ("/root", "0644", "file-hidden", "since its sandbox hides that place (ProtectHome=yes)"),
        ("/tmp", "0644", "file-hidden", "since its sandbox hides that place (PrivateTmp=yes)"),
        (
            "/etc/pxed",
            "0600",
            "file-closed",
            "user pxed may not read /etc/pxed/mine.ign: chgrp pxed /etc/pxed/mine.ign",
        ),
    ],
)
def test_a_config_that_the_service_cannot_read(host: Site, place: str, mode: str, code: str, words: str) -> None:
    document = example()
    path = f"{place}/mine.ign"
    host.system.write(path, '{"ignition": {"version": "3.3.0"}}')
    host.system.run("chmod", mode, path)
    document["profiles"]["worker"]["ignition"] = path
    host.write_inventory(json.dumps(document))
    sentence = check(host)[code]
    assert words in sentence
    assert f"pxed: {sentence}" in refused(host)
    if code == "file-closed":
        host.system.run("sh", "-c", sentence.partition(": ")[2])
        assert check(host) == {}
        starts(host)


def test_an_inventory_that_the_service_cannot_read(host: Site) -> None:
    host.system.run("chown", "root:root", CONFIG)
    sentence = check(host)["file-closed"]
    assert f"pxed: {sentence}" in refused(host)
    host.system.run("sh", "-c", sentence.partition(": ")[2])
    starts(host)


def test_another_inventory_than_the_services_is_not_judged_by_its_sandbox(host: Site) -> None:
    host.system.run("cp", CONFIG, "/root/new.yaml")
    host.system.run("cp", "/etc/pxed/worker.ign", "/root/worker.ign")
    done = host.system.attempt("pxed", "check", "--host", "-c", "/root/new.yaml")
    assert f"the service pxed serves {CONFIG}, not /root/new.yaml" in done.stdout
    assert "file-hidden" not in done.stderr


def test_another_data_dir_needs_a_hole_in_the_sandbox(host: Site) -> None:
    host.configure(example(data_dir="/srv/pxed"))
    host.system.run("install", "-d", "-o", "pxed", "-g", "pxed", "-m", "750", "/srv/pxed")
    sentence = check(host)["data-protected"]
    assert "(ProtectSystem=strict)" in sentence
    assert f"pxed: {sentence}" in refused(host)
    dropin = f"/etc/systemd/system/{UNIT}.d/data.conf"
    host.system.write(dropin, "[Service]\nReadWritePaths=/srv/pxed\n")
    host.system.run("systemctl", "daemon-reload")
    assert "data-protected" not in check(host)
    starts(host)
    (host.system.root / Path(dropin).relative_to("/")).unlink()
    host.system.run("systemctl", "daemon-reload")


def test_an_interface_that_comes_late_is_served(host: Site) -> None:
    host.configure(example(interfaces=["eth0", "eth7"]))
    sentence = check(host)["interface-missing"]
    host.system.run("systemctl", "restart", UNIT)
    assert "not there: eth7" in host.system.show(UNIT, "StatusText")
    host.wait(sentence)
    mark = host.mark()
    host.system.run("ip", "link", "add", "eth7", "type", "bridge")
    host.system.run("ip", "link", "set", "eth7", "up")
    host.system.run("ip", "address", "add", "10.99.0.1/24", "dev", "eth7")
    host.wait("10.99.0.1 (eth7)", start=mark)
    assert "10.99.0.1 (eth7)" in host.system.show(UNIT, "StatusText")
    host.system.run("systemctl", "stop", UNIT)
