"""Networks with one fault each, all on one pxed: every wire is a bridge with its own DHCP server, or none, or two."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab import netns
from tests.lab.process import run, spawn

GOOD = """dhcp-range={net}.20,{net}.250,255.255.255.0,1h
"""
_SERVER = """port=0
bind-interfaces
interface=eth0
no-ping
log-dhcp
dhcp-authoritative
dhcp-ignore-clid
dhcp-leasefile={leases}
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """How one wire differs from a good one. `{net}` in settings is its first three numbers."""

    dhcp: str | None = GOOD  # dnsmasq's settings; None: no DHCP server
    rival: str | None = None  # those of a second one
    firewall: tuple[str, ...] = ()  # nftables rules on packets that come in to pxed from this wire
    mtu: int = 0  # of the link behind pxed's own


WIRES: dict[str, Fault] = {
    "good": Fault(),
    "bare": Fault(dhcp=None),
    "full": Fault(dhcp="dhcp-range={net}.100,{net}.100,255.255.255.0,1h\n"),
    "opt60": Fault(dhcp=GOOD + "dhcp-option-force=60,PXEClient\n"),
    "rival": Fault(
        rival="dhcp-range={net}.0,proxy\npxe-service=x86-64_EFI,Rival,other.efi\nenable-tftp\ntftp-root=/\n"
    ),
    "bootfile": Fault(dhcp=GOOD + "dhcp-boot=grubx64.efi\n"),
    "menu": Fault(
        dhcp=GOOD + "dhcp-match=set:ipxe,175\ndhcp-boot=tag:ipxe,http://{net}.1/menu.ipxe\n",
    ),
    "moves": Fault(
        dhcp="dhcp-match=set:ipxe,175\ndhcp-range=tag:!ipxe,{net}.20,{net}.99,255.255.255.0,1h\n"
        "dhcp-range=tag:ipxe,{net}.150,{net}.250,255.255.255.0,1h\n",
    ),
    "no4011": Fault(firewall=("udp dport 4011 drop",)),
    "no69": Fault(firewall=("udp dport 69 drop",)),
    "cut": Fault(firewall=("udp dport != { 67, 68, 69, 4011 } drop",)),
    "narrow": Fault(mtu=1000),
}


@dataclass(frozen=True, slots=True)
class Wire:
    """One network. `host`: the namespace in which its machines' cards are made, on `eth0`."""

    name: str
    interface: str  # of pxed
    net: str
    host: str

    @property
    def pxed(self) -> str:
        return f"{self.net}.2"


@dataclass(frozen=True, slots=True)
class Wires:
    """All of them."""

    network: netns.Network
    wires: dict[str, Wire]

    @property
    def interfaces(self) -> list[str]:
        return [wire.interface for wire in self.wires.values()]


def plug(place: Wires, name: str, machine: int) -> None:
    """A tap for a virtual machine on one wire."""
    tap, switch = f"tap{machine}", place.network.switch
    bridge = f"b{place.wires[name].interface.removeprefix('w')}"
    run("ip", "netns", "exec", switch, "ip", "tuntap", "add", tap, "mode", "tap")
    run("ip", "-n", switch, "link", "set", tap, "addrgenmode", "none", "master", bridge, "up")


@contextlib.contextmanager
def wires(directory: Path, names: tuple[str, ...] = tuple(WIRES)) -> Iterator[Wires]:
    """The networks for the length of the block."""
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(netns.network(0))
        made = {name: _wire(net, name, number, directory, stack) for number, name in enumerate(names)}
        rules = [f"iifname {wire.interface} {rule}" for name, wire in made.items() for rule in WIRES[name].firewall]
        _firewall(net.pxe, rules)
        yield Wires(net, made)


def _wire(net: netns.Network, name: str, number: int, directory: Path, stack: contextlib.ExitStack) -> Wire:
    fault, wire = WIRES[name], Wire(name, f"w{number}", f"10.88.{number}", f"{net.prefix}-{name}")
    bridge = f"b{number}"
    run("ip", "-n", net.switch, "link", "add", bridge, "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
    run("ip", "-n", net.switch, "link", "set", bridge, "addrgenmode", "none", "up")
    _plug(net, bridge, f"p{number}", net.pxe, wire.interface, f"{wire.net}.2", mtu=fault.mtu)
    _host(net, wire.host, bridge, f"m{number}", "", stack)
    for kind, last, settings in (("dhcp", 1, fault.dhcp), ("rival", 7, fault.rival)):
        if settings is not None:
            host = f"{net.prefix}-{name}{kind}"  # one dash: netns.sweep() takes the part before the last for the owner
            _host(net, host, bridge, f"{kind[0]}{number}", f"{wire.net}.{last}", stack)
            _serve(host, f"{kind}-{name}", settings.replace("{net}", wire.net), directory, stack)
    return wire


def _host(net: netns.Network, host: str, bridge: str, port: str, address: str, stack: contextlib.ExitStack) -> None:
    run("ip", "netns", "add", host)
    stack.callback(run, "ip", "netns", "del", host, quiet=True)
    run("ip", "-n", host, "link", "set", "lo", "up")
    _plug(net, bridge, port, host, "eth0", address)


def _plug(net: netns.Network, bridge: str, port: str, host: str, interface: str, address: str, *, mtu: int = 0) -> None:
    run("ip", "-n", net.switch, "link", "add", port, "type", "veth", "peer", "name", interface, "netns", host)
    run("ip", "-n", net.switch, "link", "set", port, "addrgenmode", "none", "master", bridge, "up")
    if mtu:  # what is longer is dropped where it leaves the cable, and pxed's own interface knows nothing of it
        run("ip", "-n", net.switch, "link", "set", port, "mtu", str(mtu))
    if address:
        run("ip", "-n", host, "addr", "add", f"{address}/24", "dev", interface)
    run("ip", "-n", host, "link", "set", interface, "up")


def _serve(host: str, name: str, settings: str, directory: Path, stack: contextlib.ExitStack) -> None:
    config = directory / f"{name}.conf"
    config.write_text(_SERVER.format(leases=directory / f"{name}.leases") + settings)
    argv = [
        "dnsmasq",
        "--keep-in-foreground",
        f"--conf-file={config}",
        "--pid-file=",
        "--log-facility=-",
        "--user=root",
    ]
    program = spawn(argv, log=directory / f"{name}.log", namespace=host, name=name)
    stack.callback(program.stop)
    started = program.output.wait(lambda line: line if "started, version" in line else None, timeout=10)
    assert started is not None, program.output.end()


def _firewall(namespace: str, rules: list[str]) -> None:
    table = "table inet fault { chain input { type filter hook input priority 0;\n" + "\n".join(rules) + "\n}\n}"
    run("ip", "netns", "exec", namespace, "nft", table)
