"""Rules about network interfaces: those of `server.interfaces`, and what the host has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pxed.server.host.wordings import Code, Finding, finding

MOST_NAMES = 12  # of a host with hundreds of bridges and taps


@dataclass(frozen=True, slots=True)
class Link:
    """One interface as the kernel has it. `addresses` are dotted IPv4.

    `up` is the operator's word, `running` also the wire's: a bridge without machines is up and does not run.
    """

    up: bool
    running: bool
    addresses: tuple[str, ...] = ()
    loopback: bool = False


def link_findings(wanted: Sequence[str], links: Mapping[str, Link]) -> list[Finding]:
    """What keeps machines from being answered on the interfaces that are served; all of them when none is `wanted`."""
    if not wanted:
        served = any(link.running and link.addresses and not link.loopback for link in links.values())
        return [] if served else [finding(Code.INTERFACE_NONE)]
    return [found for name in wanted if (found := _fault_of(name, links)) is not None]


def _fault_of(name: str, links: Mapping[str, Link]) -> Finding | None:
    link = links.get(name)
    if link is None:
        return finding(Code.INTERFACE_MISSING, interface=name, known=known(name, links))
    if not link.up:
        return finding(Code.INTERFACE_DOWN, interface=name)
    if not link.addresses:
        return finding(Code.INTERFACE_NO_ADDRESS, interface=name)
    return None


def known(name: str, links: Mapping[str, Link]) -> str:
    """ "this host has eth0, lo; the nearest is eth0": to find a misspelling by."""
    from difflib import get_close_matches  # only where something is wrong

    names = sorted(links, key=lambda one: (links[one].loopback, one))
    nearest = get_close_matches(name, names, 1)
    shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    return f"this host has {shown or 'none'}" + (f"; the nearest is {nearest[0]}" if nearest else "")
