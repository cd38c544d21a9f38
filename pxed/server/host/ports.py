"""Rules about taken ports: who has one, and the way out that fits that program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pxed.server.host.holders import Holder
from pxed.server.host.wordings import Code, Finding, finding


class Program(StrEnum):
    """The programs that are known to have pxed's ports."""

    PXED = "pxed"
    LIBVIRT = "libvirt"
    DNSMASQ = "dnsmasq"
    TFTPD_HPA = "tftpd-hpa"
    ATFTPD = "atftpd"
    ISC_DHCP = "isc-dhcp-server"
    KEA = "kea"
    INETD = "inetd"
    XINETD = "xinetd"
    SOCKET = "a socket unit"
    SERVICE = "another service"
    OTHER = "another program"


@dataclass(frozen=True, slots=True)
class Port:
    """A port that pxed needs. `role` is its name in pxed.server.sockets; `interface` "" for all."""

    role: str
    protocol: str
    number: int
    interface: str = ""

    def __str__(self) -> str:
        return f"{self.protocol} port {self.number}" + (f" on {self.interface}" if self.interface else "")


# By the name of the process (comm(5), 15 bytes at most), and by that of the service.
_PROGRAMS = {
    "dnsmasq": Program.DNSMASQ,
    "in.tftpd": Program.TFTPD_HPA,
    "tftpd-hpa": Program.TFTPD_HPA,
    "atftpd": Program.ATFTPD,
    "dhcpd": Program.ISC_DHCP,
    "isc-dhcp-server": Program.ISC_DHCP,
    "kea-dhcp4": Program.KEA,
    "kea-dhcp4-server": Program.KEA,
    "inetd": Program.INETD,
    "inetutils-inetd": Program.INETD,
    "openbsd-inetd": Program.INETD,
    "xinetd": Program.XINETD,
    "pxed": Program.PXED,
    # libvirt's own services: what has pxed's ports in them is dnsmasq
    "libvirtd": Program.LIBVIRT,
    "virtnetworkd": Program.LIBVIRT,
}
_COLOCATED = "if it serves pxed's machines, let it have the port (`server.dhcp: colocated`); if not, stop it"
# Not `systemctl disable --now`: of a service that only has a script in /etc/init.d, as tftpd-hpa, atftpd and
# isc-dhcp-server have in Debian 12, it disables and does not stop (systemd 252).
WAYS_OUT: Mapping[tuple[Program, str], str] = MappingProxyType(
    {
        (Program.LIBVIRT, "dhcp"): "name pxed's own interfaces in `server.interfaces`, without libvirt's ({devices}); "
        "for machines on libvirt's network set `server.dhcp: colocated`",
        (Program.LIBVIRT, "tftp"): "take `<tftp root=.../>` out of the network (virsh net-edit), or name pxed's own "
        "interfaces in `server.interfaces`, without libvirt's ({devices})",
        (
            Program.DNSMASQ,
            "dhcp",
        ): "if it serves pxed's machines, let it have the port (`server.dhcp: colocated`); if "
        "it serves others, give it `interface=` and `bind-dynamic`, and name pxed's interfaces in `server.interfaces`",
        (Program.DNSMASQ, "bootserver"): "take `pxe-service=` and `dhcp-range=...,proxy` out of its configuration and "
        "restart it",
        (
            Program.DNSMASQ,
            "tftp",
        ): "take `enable-tftp` out of its configuration and restart it: pxed has boot loaders",
        (
            Program.TFTPD_HPA,
            "tftp",
        ): "systemctl stop tftpd-hpa && systemctl disable tftpd-hpa; what it serves can lie in data_dir/loaders",
        (
            Program.ATFTPD,
            "tftp",
        ): "systemctl stop atftpd && systemctl disable atftpd; what it serves can lie in data_dir/loaders",
        (Program.ISC_DHCP, "dhcp"): _COLOCATED
        + " (systemctl stop isc-dhcp-server && systemctl disable isc-dhcp-server)",
        (Program.KEA, "dhcp"): _COLOCATED + " (systemctl stop kea-dhcp4-server && systemctl disable kea-dhcp4-server)",
        (Program.INETD, "tftp"): "take the line that begins with tftp out of /etc/inetd.conf and restart it",
        (Program.XINETD, "tftp"): "set `disable = yes` in /etc/xinetd.d/tftp and restart it",
        (Program.PXED, "any"): "one runs already: restart or stop that one",
        (Program.SOCKET, "any"): "systemctl stop {unit} && systemctl disable {unit}",
        (Program.SERVICE, "rivals"): "systemctl stop {unit} && systemctl disable {unit}",
        (Program.OTHER, "rivals"): "stop it",
        (Program.SERVICE, "dhcp"): _COLOCATED + " (systemctl stop {unit} && systemctl disable {unit})",
        (Program.SERVICE, "bootserver"): "another boot server: systemctl stop {unit} && systemctl disable {unit}",
        (
            Program.SERVICE,
            "tftp",
        ): "systemctl stop {unit} && systemctl disable {unit}, or set `server.tftp.port`, which no firmware asks",
        (Program.SERVICE, "http"): "set `server.http.port`, or systemctl stop {unit} && systemctl disable {unit}",
        (Program.SERVICE, "https"): "set `server.http.tls.port`, or systemctl stop {unit} && systemctl disable {unit}",
        (Program.SERVICE, "syslog"): "set `server.syslog: {{port: ...}}`, or take its UDP receiver out",
        (Program.OTHER, "dhcp"): _COLOCATED,
        (Program.OTHER, "bootserver"): "it is another boot server: stop it",
        (Program.OTHER, "tftp"): "stop it, or set `server.tftp.port`, which no firmware asks",
        (Program.OTHER, "http"): "set `server.http.port`, or stop it",
        (Program.OTHER, "https"): "set `server.http.tls.port`, or stop it",
        (Program.OTHER, "syslog"): "set `server.syslog: {{port: ...}}`, or take its UDP receiver out",
    }
)


def program_of(holder: Holder) -> Program:
    """Which of the known programs it is."""
    service = holder.unit.removesuffix(".service").removesuffix(".socket").partition("@")[0]
    if holder.systemd:
        return Program.PXED if service == "pxed" or service.startswith("pxed-") else Program.SOCKET
    by_unit, by_name = _PROGRAMS.get(service), _PROGRAMS.get(holder.program)
    if "libvirt" in holder.user or "/libvirt/" in holder.command or by_unit is Program.LIBVIRT:
        return Program.LIBVIRT
    return by_unit or by_name or (Program.SERVICE if holder.unit else Program.OTHER)


def in_the_way(port: Port, holders: Iterable[Holder]) -> list[Holder]:
    """Those that keep pxed from binding the port: not those on other interfaces."""
    return [one for one in holders if not port.interface or one.device in ("", port.interface)]


def taken(port: Port, them: Sequence[Holder]) -> Finding:
    """The finding about a port that `them` keep from pxed."""
    return finding(Code.PORT_TAKEN, port=str(port), who=who(them), way_out=_way_out(port.role, them))


def is_pxed(them: Sequence[Holder]) -> bool:
    """Whether it is pxed itself, or systemd for it, that has a port."""
    return bool(them) and all(program_of(holder) is Program.PXED for holder in them)


def who(holders: Sequence[Holder]) -> str:
    """Their names."""
    named = dict.fromkeys(_name(holder) for holder in holders)
    return " and ".join(named) or "another program"


def _name(holder: Holder) -> str:
    """The unit where there is one: that is known inside of the service's sandbox too."""
    if program_of(holder) is Program.LIBVIRT:
        return "libvirt's dnsmasq"
    if holder.unit:
        return holder.unit
    if holder.program:
        return f"{holder.program} (pid {holder.pid})"
    return f"a program of user {holder.user} (`pxed check --host`, as root, names it)"


def _way_out(role: str, holders: Sequence[Holder]) -> str:
    programs = list(dict.fromkeys(program_of(holder) for holder in holders)) or [Program.OTHER]
    devices = ", ".join(sorted({holder.device for holder in holders if holder.device})) or "virbr0"
    units = ", ".join(dict.fromkeys(holder.unit for holder in holders if holder.unit))
    unknown = Program.SERVICE if units else Program.OTHER
    ways = [
        WAYS_OUT.get((program, role)) or WAYS_OUT.get((program, "any")) or WAYS_OUT[unknown, role or "rivals"]
        for program in programs
    ]
    return "; ".join(dict.fromkeys(way.format(devices=devices, unit=units) for way in ways))
