"""Taken ports: who has one and what to do, for each program that is known."""

from __future__ import annotations

import pytest

from pxed.server.host.holders import Holder, unit_of
from pxed.server.host.ports import WAYS_OUT, Port, Program, in_the_way, is_pxed, program_of, taken

HTTP, TFTP = Port("http", "TCP", 8080), Port("tftp", "UDP", 69)
DHCP, BOOTSERVER = Port("dhcp", "UDP", 67), Port("bootserver", "UDP", 4011)
ROLES = ("dhcp", "bootserver", "tftp", "http", "https", "syslog", "rivals")
LIBVIRT = "/usr/sbin/dnsmasq --conf-file=/var/lib/libvirt/dnsmasq/default.conf --leasefile-ro"
KNOWN = {
    "dnsmasq by its service": (Holder("0.0.0.0", unit="dnsmasq.service"), Program.DNSMASQ),
    "dnsmasq of one instance": (Holder("0.0.0.0", unit="dnsmasq@lab.service"), Program.DNSMASQ),
    "dnsmasq by its process": (Holder("0.0.0.0", program="dnsmasq", pid=7), Program.DNSMASQ),
    "libvirt's dnsmasq by its command": (
        Holder("0.0.0.0", "virbr0", program="dnsmasq", command=LIBVIRT),
        Program.LIBVIRT,
    ),
    "libvirt's dnsmasq by its user": (Holder("0.0.0.0", "virbr0", user="libvirt-dnsmasq"), Program.LIBVIRT),
    "libvirt's dnsmasq by libvirtd": (Holder("0.0.0.0", "virbr0", unit="libvirtd.service"), Program.LIBVIRT),
    "libvirt's dnsmasq by virtnetworkd": (Holder("0.0.0.0", unit="virtnetworkd.service"), Program.LIBVIRT),
    "tftpd-hpa by its process": (Holder("0.0.0.0", program="in.tftpd"), Program.TFTPD_HPA),
    "tftpd-hpa by its service": (Holder("0.0.0.0", unit="tftpd-hpa.service"), Program.TFTPD_HPA),
    "atftpd": (Holder("0.0.0.0", unit="atftpd.service"), Program.ATFTPD),
    "ISC's server": (Holder("0.0.0.0", program="dhcpd"), Program.ISC_DHCP),
    "Kea": (Holder("0.0.0.0", unit="kea-dhcp4-server.service"), Program.KEA),
    "inetd": (Holder("0.0.0.0", unit="inetd.service", program="inetd"), Program.INETD),
    "xinetd": (Holder("0.0.0.0", unit="xinetd.service"), Program.XINETD),
    "pxed": (Holder("0.0.0.0", program="pxed", pid=9), Program.PXED),
    "pxed's socket unit": (Holder("0.0.0.0", unit="pxed-tftp.socket", systemd=True), Program.PXED),
    "another socket unit": (Holder("0.0.0.0", unit="tftpd.socket", systemd=True), Program.SOCKET),
    "a program whose name begins as pxed does": (Holder("0.0.0.0", program="pxedit"), Program.OTHER),
    "another service": (Holder("0.0.0.0", unit="nginx.service", program="nginx"), Program.SERVICE),
    "another program": (Holder("0.0.0.0", program="python3"), Program.OTHER),
    "one that nothing is known of": (Holder("0.0.0.0", user="root"), Program.OTHER),
}


@pytest.mark.parametrize(("holder", "program"), KNOWN.values(), ids=KNOWN)
def test_a_program_is_known_by_its_unit_its_process_or_its_user(holder: Holder, program: Program) -> None:
    assert program_of(holder) is program


SAID = {
    "dnsmasq serves the same machines": (
        DHCP,
        Holder("0.0.0.0", unit="dnsmasq.service", program="dnsmasq", pid=7),
        "UDP port 67 is taken by dnsmasq.service: if it serves pxed's machines, let it have the port",
        "`server.dhcp: colocated`",
    ),
    "dnsmasq has TFTP on": (TFTP, Holder("0.0.0.0", program="dnsmasq", pid=7), "dnsmasq (pid 7)", "enable-tftp"),
    "dnsmasq is a ProxyDHCP": (BOOTSERVER, Holder("0.0.0.0", unit="dnsmasq.service"), "4011", "pxe-service="),
    "libvirt's network": (
        DHCP,
        Holder("192.168.122.1", "virbr0", program="dnsmasq", pid=7, command=LIBVIRT),
        "UDP port 67 is taken by libvirt's dnsmasq: name pxed's own interfaces in `server.interfaces`",
        "without libvirt's (virbr0)",
    ),
    "tftpd-hpa": (TFTP, Holder("0.0.0.0", unit="tftpd-hpa.service"), "", "systemctl stop tftpd-hpa && systemctl"),
    "a web server": (HTTP, Holder("0.0.0.0", unit="nginx.service"), "port 8080 is taken by nginx.service", "http.port"),
    "a socket unit": (TFTP, Holder("0.0.0.0", unit="tftpd.socket", systemd=True), "", "stop tftpd.socket && systemctl"),
    "one that nothing is known of": (HTTP, Holder("0.0.0.0", user="root"), "a program of user root", "check --host"),
}  # fmt: skip


@pytest.mark.parametrize(("port", "holder", "who", "remedy"), SAID.values(), ids=SAID)
def test_the_way_out_is_that_of_the_program(port: Port, holder: Holder, who: str, remedy: str) -> None:
    found = taken(port, [holder])
    assert found.code == "port-taken"
    assert who in found.sentence
    assert remedy in found.sentence


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("holder", "_program"), KNOWN.values(), ids=KNOWN)
def test_there_is_a_way_out_of_each_port_from_each_program(role: str, holder: Holder, _program: Program) -> None:
    found = taken(Port(role, "UDP", 1234), [holder])
    assert found.remedy
    assert "{" not in found.sentence.replace("{port: ...}", "")


def test_nothing_known_of_who_has_it_still_says_what_to_do() -> None:
    assert taken(HTTP, []).sentence == "TCP port 8080 is taken by another program: set `server.http.port`, or stop it"


def test_programs_on_other_interfaces_are_not_in_the_way() -> None:
    virbr, eth, every = Holder("0.0.0.0", "virbr0"), Holder("0.0.0.0", "eth0"), Holder("0.0.0.0")
    assert in_the_way(Port("dhcp", "UDP", 67, "eth0"), [virbr, eth, every]) == [eth, every]
    assert in_the_way(DHCP, [virbr, eth, every]) == [virbr, eth, every]


def test_pxed_is_itself_when_nobody_else_is_there() -> None:
    ours = Holder("0.0.0.0", unit="pxed.service", program="pxed")
    assert is_pxed([ours])
    assert not is_pxed([])
    assert not is_pxed([ours, Holder("0.0.0.0", unit="dnsmasq.service")])


@pytest.mark.parametrize(
    ("group", "unit"),
    [
        ("/system.slice/dnsmasq.service", "dnsmasq.service"),
        ("/system.slice/system-dnsmasq.slice/dnsmasq@lab.service", "dnsmasq@lab.service"),
        ("/system.slice/libvirtd.service/helper", "libvirtd.service"),
        ("/user.slice/user-0.slice/session-3.scope", ""),
        ("/init.scope", ""),
        ("", ""),
    ],
)
def test_a_unit_is_read_off_the_control_group(group: str, unit: str) -> None:
    assert unit_of(group) == unit


def test_every_way_out_is_of_a_port_that_pxed_has() -> None:
    assert {role for _, role in WAYS_OUT} <= {*ROLES, "any"}
