"""A private network: a client segment with taps for virtual machines, a DHCP server's host and pxed's host.

Flat: all on one bridge, 10.77.0.0/24. Relayed: the machines on 10.78.0.0/24 behind a router that has a relay agent.
Nothing of it reaches the real network: every interface lives in a namespace of its own, and there is no route out.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.process import LabError, run

PREFIX = "pxedlab"
DHCP_ADDRESS = "10.77.0.1"
PXE_ADDRESS = "10.77.0.2"
ROUTER_ADDRESS = "10.77.0.254"  # on the servers' segment of a relayed network
RELAY_ADDRESS = "10.78.0.254"  # on the clients' segment: the giaddr of everything that is relayed
_NAMESPACES = ("sw", "dhcp", "pxe", "router", "victim", "attacker", "virt")


@dataclass(frozen=True, slots=True)
class Network:
    """Names of what is up. Machines are plugged into tap0, tap1, ... of the switch's namespace."""

    prefix: str
    taps: int
    relayed: bool

    @property
    def switch(self) -> str:
        return f"{self.prefix}-sw"

    @property
    def dhcp(self) -> str:
        return f"{self.prefix}-dhcp"

    @property
    def pxe(self) -> str:
        return f"{self.prefix}-pxe"

    @property
    def router(self) -> str:
        return f"{self.prefix}-router"

    @property
    def clients(self) -> str:
        """The bridge that the machines are on."""
        return "br0"

    @property
    def servers(self) -> str:
        """The bridge that pxed and the DHCP server are on."""
        return "br1" if self.relayed else "br0"

    def pxe_mac(self) -> str:
        """pxed's own hardware address: what tells its frames apart in a capture."""
        found: str = run("ip", "netns", "exec", self.pxe, "cat", "/sys/class/net/eth0/address").strip()
        return found


def _add_bridge(switch: str, name: str) -> None:
    options = ("stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
    run("ip", "-n", switch, "link", "add", name, "type", "bridge", *options)
    run("ip", "-n", switch, "link", "set", name, "addrgenmode", "none")
    run("ip", "-n", switch, "link", "set", name, "up")


def _plug(network: Network, host: str, interface: str, bridge: str, address: str) -> None:
    """A cable from `bridge` to `interface` of a host's namespace."""
    port = f"{host.removeprefix(network.prefix + '-')}{interface[-1]}"
    run("ip", "-n", network.switch, "link", "add", port, "type", "veth", "peer", "name", interface, "netns", host)
    run("ip", "-n", network.switch, "link", "set", port, "addrgenmode", "none")
    run("ip", "-n", network.switch, "link", "set", port, "master", bridge, "up")
    run("ip", "-n", host, "addr", "add", f"{address}/24", "dev", interface)
    last = address.rsplit(".", 1)[1]
    run("ip", "-n", host, "-6", "addr", "add", f"fd{address.split('.')[1]}::{last}/64", "dev", interface, "nodad")
    run("ip", "-n", host, "link", "set", interface, "up")


def _add_taps(network: Network) -> None:
    for number in range(network.taps):
        run("ip", "netns", "exec", network.switch, "ip", "tuntap", "add", f"tap{number}", "mode", "tap")
        run("ip", "-n", network.switch, "link", "set", f"tap{number}", "addrgenmode", "none")
        run("ip", "-n", network.switch, "link", "set", f"tap{number}", "master", network.clients, "up")


def _add_router(network: Network) -> None:
    """Forwarding between the two segments, and the way back for the servers."""
    run("ip", "netns", "add", network.router)
    run("ip", "-n", network.router, "link", "set", "lo", "up")
    run("ip", "netns", "exec", network.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    _plug(network, network.router, "eth0", network.clients, RELAY_ADDRESS)
    _plug(network, network.router, "eth1", network.servers, ROUTER_ADDRESS)
    for host in (network.dhcp, network.pxe):
        run("ip", "-n", host, "route", "add", "10.78.0.0/24", "via", ROUTER_ADDRESS)


def up(taps: int, *, relayed: bool = False, prefix: str = "") -> Network:
    """Build it. Left to the caller: `down`. See `network` for the safe form."""
    network = Network(prefix or f"{PREFIX}{os.getpid()}", taps, relayed)
    for host in (network.switch, network.dhcp, network.pxe):
        run("ip", "netns", "add", host)
        run("ip", "-n", host, "link", "set", "lo", "up")
    for bridge in sorted({network.clients, network.servers}):
        _add_bridge(network.switch, bridge)
    _plug(network, network.dhcp, "eth0", network.servers, DHCP_ADDRESS)
    _plug(network, network.pxe, "eth0", network.servers, PXE_ADDRESS)
    _add_taps(network)
    if relayed:
        _add_router(network)
    return network


def _empty(namespace: str) -> None:
    """End what still runs in a namespace of ours: dnsmasq changes its credentials, which undoes PR_SET_PDEATHSIG."""
    for pid in run("ip", "netns", "pids", namespace, quiet=True).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def down(prefix: str) -> None:
    """Remove whatever is there of it; never fails."""
    for name in _NAMESPACES:
        if Path(f"/run/netns/{prefix}-{name}").exists():
            _empty(f"{prefix}-{name}")
            run("ip", "netns", "del", f"{prefix}-{name}", quiet=True)


def sweep() -> None:
    """Remove the networks of laboratories that were killed: their prefix holds the number of a process that is gone."""
    for entry in Path("/run/netns").glob(f"{PREFIX}[0-9]*-*"):
        prefix = entry.name.rsplit("-", 1)[0]
        if not Path(f"/proc/{prefix.removeprefix(PREFIX)}").exists():
            down(prefix)


@contextlib.contextmanager
def network(taps: int, *, relayed: bool = False) -> Iterator[Network]:
    """A network for the length of the block."""
    if os.geteuid():
        raise LabError("the laboratory makes network namespaces, which needs root")
    sweep()
    prefix = f"{PREFIX}{os.getpid()}"
    try:
        yield up(taps, relayed=relayed, prefix=prefix)
    finally:
        down(prefix)
