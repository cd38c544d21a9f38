"""The ordinary DHCP server beside pxed, and the relay agent: dnsmasq. It hands out addresses only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.lab.netns import DHCP_ADDRESS, PXE_ADDRESS, RELAY_ADDRESS, Network
from tests.lab.process import LabError, Program, run, spawn

# no-ping: dnsmasq otherwise waits 3 s to see whether a new lease's address is in use.
# enable-ra: without a router advertisement iPXE waits 16 s for one on every boot.
_COMMON = """port=0
bind-interfaces
no-ping
enable-ra
log-dhcp
dhcp-authoritative
dhcp-leasefile={leases}
"""
_FLAT = """interface=eth0
dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0,1h
dhcp-option=option:router
dhcp-range=fd77::,ra-only
"""
_BEHIND_RELAY = f"""interface=eth0
dhcp-range=10.78.0.100,10.78.0.200,255.255.255.0,1h
dhcp-option=option:router,{RELAY_ADDRESS}
dhcp-range=fd77::,ra-only
"""
_RELAY = f"""interface=eth0
dhcp-relay={RELAY_ADDRESS},{DHCP_ADDRESS}
dhcp-relay={RELAY_ADDRESS},{PXE_ADDRESS}
dhcp-range=fd78::,ra-only
"""


def _start(namespace: str, kind: str, settings: str, directory: Path, *, outlive: bool = False) -> Program:
    config = directory / f"{kind}.conf"
    leases = directory / f"{kind}.leases"
    config.write_text(_COMMON.format(leases=leases) + settings)
    argv = [
        "dnsmasq",
        "--keep-in-foreground",
        f"--conf-file={config}",
        "--pid-file=",
        "--log-facility=-",
        "--user=root",
    ]
    program = spawn(argv, log=directory / f"{kind}.log", namespace=namespace, name=kind, outlive=outlive)
    if program.output.wait(lambda line: line if "started, version" in line else None, timeout=10) is None:
        program.stop()
        raise LabError(f"dnsmasq ({kind}) did not start:\n{program.output.end()}")
    return program


def start_server(network: Network, directory: Path, *, outlive: bool = False, more: str = "") -> Program:
    """The DHCP server of this network, its log in `directory`/dhcp.log."""
    settings = (_BEHIND_RELAY if network.relayed else _FLAT) + more
    return _start(network.dhcp, "dhcp", settings, directory, outlive=outlive)


@contextlib.contextmanager
def serving(network: Network, directory: Path, more: str = "") -> Iterator[list[Program]]:
    """The DHCP server, with further lines, and the relay agent if the network has a router, for the block."""
    programs = [start_server(network, directory, more=more)]
    try:
        if network.relayed:
            programs.append(_start(network.router, "relay", _RELAY, directory))
        yield programs
    finally:
        for program in programs:
            program.stop()


@contextlib.contextmanager
def on_bridge(namespace: str, bridge: str, subnet: str, directory: Path) -> Iterator[Program]:
    """A DHCP server that is a host of its own, SUBNET.2, plugged into a bridge of another host, for the block."""
    own = namespace.rsplit("-", 1)[0] + "-dhcp"
    run("ip", "netns", "add", own)
    run("ip", "-n", namespace, "link", "add", "dhcp0", "type", "veth", "peer", "name", "eth0", "netns", own)
    run("ip", "-n", namespace, "link", "set", "dhcp0", "master", bridge, "up")
    run("ip", "-n", own, "addr", "add", f"{subnet}.2/24", "dev", "eth0")
    run("ip", "-n", own, "-6", "addr", "add", "fd77::2/64", "dev", "eth0", "nodad")
    run("ip", "-n", own, "link", "set", "eth0", "up")
    program = _start(own, "dhcp", _FLAT.replace("10.77.0", subnet), directory)
    try:
        yield program
    finally:
        program.stop()
        run("ip", "netns", "del", own, quiet=True)
