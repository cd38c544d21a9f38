"""pxed.service by itself: one host, and its story in the order of this file."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.netns import DHCP_ADDRESS, PXE_ADDRESS
from tests.lab.process import run, running
from tests.lab.vm import Firmware, Guest
from tests.server.certificates import authority, signed
from tests.service.site import CONFIG, UNIT, Site, inventory_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

GUEST = Guest("bios", Firmware.BIOS)
UEFI = Guest("uefi", Firmware.UEFI, 1)
TOKEN = "0123456789abcdef0123456789abcdef"
EXPOSED = ("systemd-analyze", "security", "--no-pager", "--threshold=15")


def example(**server: Any) -> dict[str, Any]:
    return inventory_of({GUEST: "worker", UEFI: "worker"}, **server)


@pytest.fixture(scope="module", autouse=True)
def _enabled(host: Site) -> None:
    host.configure(example())
    host.system.write("/etc/pxed/api-token", TOKEN)
    host.system.run("chmod", "0600", "/etc/pxed/api-token")
    host.system.run("systemctl", "enable", "--now", UNIT)


def test_the_units_are_right_and_expose_little(host: Site) -> None:
    units = host.system.run("sh", "-c", "ls /usr/lib/systemd/system/pxed*").split()
    assert len(units) == 8
    checked = host.system.attempt("systemd-analyze", "verify", "--man=no", *units)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert host.system.attempt(*EXPOSED, UNIT).returncode == 0


def test_a_machine_boots_through_the_service(host: Site) -> None:
    assert host.system.show(UNIT, "StatusText").startswith("serving 2 machines on 10.77.0.2 (eth0): DHCP proxy")
    printout = host.finish(host.boot(GUEST))
    assert "pxed.lab=worker" in printout.arguments
    entry = host.event("running", GUEST.name)
    assert {name: entry[name] for name in ("_SYSTEMD_UNIT", "PXED_MAC", "SYSLOG_IDENTIFIER", "PRIORITY")} == {
        "_SYSTEMD_UNIT": UNIT,
        "PXED_MAC": GUEST.mac,
        "SYSLOG_IDENTIFIER": "pxed",
        "PRIORITY": "6",
    }


def test_the_daemon_has_one_capability_and_no_more_than_its_own_directory(host: Site) -> None:
    status = host.status()
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {f"{1 << 10:016x}"}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    # The very mounts, user and groups of the daemon, but as a shell.
    host.system.write("/root/secret", "")
    host.system.write("/home/secret", "")
    as_daemon = ("nsenter", "--target", str(host.pid()), "--mount", "setpriv", "--reuid=pxed", "--regid=pxed")
    shell = ("--init-groups", "--bounding-set=-all", "--no-new-privs", "sh", "-c")

    def found(*what: str) -> list[str]:
        return host.system.attempt(*as_daemon, *shell, f"find {' '.join(what)} 2>/dev/null").stdout.split()

    pruned = r"\( -path /proc -o -path /sys -o -path /var/lib/pxed \) -prune -o"
    writable = found("/", pruned, r"\( -type f -o -type d \) -writable -print")
    assert sorted(writable) == ["/tmp", "/var/tmp"], "both are its own (PrivateTmp=)"
    assert found("/home", "/root", "-mindepth", "1") == []
    assert CONFIG in found("/etc/pxed")
    assert found("/etc/pxed", "-writable") == []
    ran = host.system.attempt(*as_daemon, *shell, "cp /bin/true /var/lib/pxed/run && /var/lib/pxed/run")
    assert "Permission denied" in ran.stderr


def test_the_api_takes_the_token_that_only_root_can_read(host: Site) -> None:
    assert host.system.run("stat", "--format=%U %a", "/etc/pxed/api-token") == "root 600\n"
    order = "/api/v1/machines/bios/reset"
    assert host.ask(order, method="POST", token="f" * 32)[0] == 401
    assert host.ask(order, method="POST", token=TOKEN)[0] == 200


def test_a_bad_inventory_makes_the_reload_fail_and_the_old_one_is_served(host: Site) -> None:
    pid, mark = host.pid(), host.mark()
    host.write_inventory("machines: {a: {mak: 52:54:00:00:00:01}}\n")
    reload = host.system.attempt("systemctl", "reload", UNIT)
    assert (reload.returncode, "Job for pxed.service failed" in reload.stderr) == (1, True)
    assert host.event("reload-failed", start=mark)["MESSAGE"] == (
        f"pxed: reload-failed: the old inventory stays in force: {CONFIG}:1:16: "
        'machines.a.mak: unknown key; did you mean "mac"?'
    )
    assert f"{CONFIG}:1:16: machines.a.mak" in host.wait("", start=mark, _COMM="pxed", PRIORITY="6")["MESSAGE"]
    assert host.system.show(UNIT, "ActiveState") == "active"
    assert (host.health()["machines"], host.pid()) == (2, pid)


def test_a_good_inventory_is_served_when_the_reload_returns(host: Site) -> None:
    pid, more = host.pid(), example()
    more["machines"]["third"] = {"mac": "52:54:00:77:00:99", "profile": "worker"}
    host.configure(more)
    host.system.run("systemctl", "reload", UNIT)
    assert host.health()["machines"] == 3
    assert (host.pid(), host.system.show(UNIT, "NRestarts")) == (pid, "0")
    assert host.system.show(UNIT, "StatusText").startswith("serving 3 machines")


def test_the_mirror_works_in_the_sandbox_behind_the_daemon_in_priority(host: Site, tmp_path: Path) -> None:
    releases, root, file = (sys.executable, "-m", "tests.releases"), str(tmp_path / "root"), tmp_path / "file"
    file.write_bytes(b"a kernel")
    run(*releases, "publish", root, "stable", "amd64", "4593.2.5", str(file), str(file))
    serve = (*releases, "serve", root, "--host", DHCP_ADDRESS, "--port", "8000")
    with running(serve, log=tmp_path / "log", namespace=host.network.dhcp) as server:
        assert server.output.wait(lambda line: line.startswith("READY") or None, 20)
        server.signal(signal.SIGSTOP)  # so that the mirror's process waits for it while we look
        host.system.put(tmp_path / "root" / "key.asc", "/etc/pxed/key.asc")
        fingerprint = (tmp_path / "root" / "fingerprint").read_text()
        url = f"http://{DHCP_ADDRESS}:8000/{{channel}}"
        mirrored = example(mirror={"url": url, "key": "key.asc", "fingerprint": fingerprint})
        mirrored["images"]["flatcar"] = {"flatcar": {"channel": "stable"}}
        host.configure(mirrored)
        mark = host.mark()
        host.system.run("systemctl", "reload", UNIT)
        child = host.system.run("ps", "--ppid", str(host.pid()), "--format", "nice=,args=").split()
        assert (child[0], "images sync" in " ".join(child)) == ("0", True), child
        assert host.system.run("ps", "--pid", str(host.pid()), "--format", "nice=").strip() == "-10"
        server.signal(signal.SIGCONT)
        assert "4593.2.5" in host.wait("published", start=mark, PXED_KIND="notice")["MESSAGE"]
    assert host.ask("/images/flatcar/flatcar_production_pxe.vmlinuz")[1] == "a kernel"


def test_https_takes_key_and_certificate_that_only_root_can_read(host: Site, tmp_path: Path) -> None:
    ca = authority(tmp_path)
    credentials = "/run/credentials/pxed.service"
    secure = {"certificate": f"{credentials}/tls-certificate", "key": f"{credentials}/tls-key", "ca": "ca.pem"}
    host.system.put(ca.certificate, "/etc/pxed/ca.pem")
    host.configure(example(http={"port": 8080, "tls": secure}))
    for name in ("one", "two"):  # a renewed one counts after a restart
        pair = signed(ca, tmp_path, name, f"IP:{PXE_ADDRESS}")
        host.system.put(pair.key, "/etc/pxed/tls-key")
        host.system.put(pair.certificate, "/etc/pxed/tls-certificate")
        assert host.system.run("stat", "--format=%U %a", "/etc/pxed/tls-key") == "root 600\n"
        host.system.run("systemctl", "restart", UNIT)
        trust = ("--cacert", str(ca.certificate), f"https://{PXE_ADDRESS}:8443/healthz")
        curl = ("ip", "netns", "exec", host.network.dhcp, "curl", "--silent", "--show-error", "--verbose", *trust)
        shown = subprocess.run(curl, capture_output=True, text=True, check=False, timeout=30)
        assert f"CN={name}" in shown.stderr
        assert '"status": "ok"' in shown.stdout


def test_a_daemon_that_is_killed_serves_again(host: Site) -> None:
    host.configure(example())
    host.system.run("systemctl", "restart", UNIT)
    before, mark = host.pid(), host.mark()
    host.system.run("kill", "-KILL", str(before))
    host.restarted(mark)
    assert host.wait("Failed with result", start=mark)["MESSAGE"] == "pxed.service: Failed with result 'signal'."
    assert host.pid() != before
    assert host.health()["machines"] == 2


def test_a_daemon_that_hangs_is_killed_by_the_watchdog_and_serves_again(host: Site) -> None:
    host.system.write("/etc/systemd/system/pxed.service.d/watchdog.conf", "[Service]\nWatchdogSec=3\n")
    host.system.run("systemctl", "daemon-reload")
    host.system.run("systemctl", "restart", UNIT)
    before, mark = host.pid(), host.mark()
    host.system.run("kill", "-STOP", str(before))
    assert host.wait("Watchdog", start=mark)["MESSAGE"] == "pxed.service: Watchdog timeout (limit 3s)!"
    host.restarted(mark)
    assert host.wait("Failed with result", start=mark)["MESSAGE"] == "pxed.service: Failed with result 'watchdog'."
    assert host.pid() != before
    assert host.health()["machines"] == 2


def test_what_trying_again_does_not_mend_is_not_tried_again(host: Site) -> None:
    mark = host.mark()
    host.write_inventory("machines: nonsense\n")
    assert host.system.attempt("systemctl", "restart", UNIT).returncode == 1
    assert CONFIG in host.wait("expected", start=mark)["MESSAGE"]
    assert [host.system.show(UNIT, name) for name in ("ActiveState", "ExecMainStatus")] == ["failed", "1"]
    host.configure(example())
    host.system.run("systemctl", "start", UNIT)
    assert host.health()["machines"] == 2
