"""All that a host can lack for one inventory, looked at in one go: `pxed check --host`."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from pxed.inventory.model import Inventory, Server
from pxed.server.host.binding import user
from pxed.server.host.firewall import firewall_findings, rules
from pxed.server.host.holders import Holder, holders
from pxed.server.host.links import link_findings
from pxed.server.host.loaders import loader_findings
from pxed.server.host.manager import has_systemd, no_systemd
from pxed.server.host.network import (
    buffer_finding,
    descriptor_finding,
    is_clock_set,
    mirror_finding,
    receive_buffer,
    reverse_path,
    shared_networks,
)
from pxed.server.host.ports import Port, in_the_way, is_pxed, taken, who
from pxed.server.host.reach import lock_findings, reach_findings
from pxed.server.host.wordings import Code, Finding, HostFindingError, Severity, finding
from pxed.server.interfaces import Interface, picture
from pxed.server.sockets import tcp, udp_binds
from pxed.server.tftp import OTHER_DESCRIPTORS
from pxed.server.udp import RECEIVE_BUFFER

_ASKED = ("dhcp", "bootserver", "tftp", "http", "https")  # by machines, first


def examine(inventory: Inventory, config: Path, files: Iterable[Path] = ()) -> list[Finding]:
    """Every finding, the worst first. `files`: that the inventory's configs are made of."""
    server = inventory.server
    found = [finding(Code.NOT_ROOT, user=user())] if os.geteuid() else []
    found += no_systemd(config)
    links, served = picture(server.interfaces)
    found += link_findings(server.interfaces, links)
    found += port_findings(server)
    found += reach_findings(inventory, config, files)
    if not any(one.code is Code.PXED_RUNS for one in found):
        found += lock_findings(inventory)
    found += loader_findings(inventory)
    found += network_findings(inventory, list(served.values()))
    return sorted(found, key=lambda one: list(Severity).index(one.severity))


def network_findings(inventory: Inventory, served: list[Interface]) -> list[Finding]:
    """What of the host's network and limits is in the way of many machines, or of some."""
    server = inventory.server
    found = shared_networks(served, {one.name: reverse_path(one.name) for one in served})
    if not os.geteuid():
        found += firewall_findings(rules(), [port for port, _ in _ports(server) if port.role in _ASKED])
    found += buffer_finding(len(inventory.machines), receive_buffer(), RECEIVE_BUFFER)
    if not has_systemd():  # the unit sets its own
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        found += descriptor_finding(limit, server.tftp.max_transfers, OTHER_DESCRIPTORS)
    if server.http.tls is not None and not is_clock_set():
        found.append(finding(Code.CLOCK_UNSET))
    mirrors = any(image.flatcar is not None for image in inventory.images.values())
    return [*found, *(mirror_finding(server.mirror.url) if mirrors else ())]


def port_findings(server: Server) -> list[Finding]:
    """Which of pxed's ports cannot be had: each is bound for a moment, as the daemon does it."""
    there = picture(server.interfaces)[0]
    found: dict[object, Finding] = {}
    own: list[Holder] = []
    for port, opened in _ports(server):
        if port.interface and port.interface not in there:
            continue
        fault = _attempt(opened)
        if fault is None:
            continue
        every = in_the_way(port, holders(port.protocol, port.number))
        ours = [one for one in every if is_pxed([one])]
        them = [one for one in every if one not in ours]
        own += ours
        if ours and them:  # systemd shares a port with a program that allows it (SO_REUSEADDR): one of the two is deaf
            found.setdefault((port.role, *them), taken(port, them))
        elif ours:
            continue
        elif fault.code is not Code.PORT_FORBIDDEN:
            found.setdefault((port.role, *them), fault)  # of several interfaces the first: the daemon says no more
        elif them:  # pxed may have a right to bind it that this check has not
            found.setdefault((port.role, *them), taken(port, them))
    running = [finding(Code.PXED_RUNS, who=who(own))] if own else []
    return [*found.values(), *running]


def _ports(server: Server) -> Iterator[tuple[Port, Callable[[], socket.socket]]]:
    """Each port that pxed needs, and what binds it."""
    for role, (number, bind) in udp_binds(server).items():
        for interface in server.interfaces or (None,):
            yield Port(role, "UDP", number, interface or ""), partial(bind, interface)
    numbers = {"http": server.http.port, **({"https": server.http.tls.port} if server.http.tls else {})}
    for role, number in numbers.items():
        yield Port(role, "TCP", number), partial(tcp, number, role)


def _attempt(bound: Callable[[], socket.socket]) -> Finding | None:
    try:
        bound().close()
    except HostFindingError as error:
        return error.finding
    return None
