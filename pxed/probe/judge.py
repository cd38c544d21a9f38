"""What is wrong with the answers to one DISCOVER, said in the words that the daemon has for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from pxed.probe.client import Client, Reply
from pxed.probe.oracles.choice import Choice
from pxed.probe.oracles.firmware import EDK2, IPXE
from pxed.probe.oracles.verdict import Accepted, Rejected
from pxed.status.faults import Finding, finding
from pxed.status.wordings import Fault

PXE, HTTP = "PXEClient", "HTTPClient"


def shown(reply: Reply) -> str:
    """One reply in one line."""
    gives = f"gives {reply.address}" if reply.address else "gives no address"
    said = [f"{reply.server} [{reply.mac or reply.datagram.src}] {gives}"]
    said += [f"option 60 {reply.vendor}"] if reply.vendor else []
    said += [f"file {reply.file}"] if reply.file else []
    said += [f"next server {reply.next}"] if reply.next else []
    said += [f"option 43 {reply.discovery}"] if reply.discovery else []
    return ", ".join(said)


def offers_boot(reply: Reply) -> bool:
    """Whether the reply would have a client boot from its server."""
    return bool(reply.file) or reply.vendor.startswith((PXE, HTTP))


def findings(client: Client, offers: Sequence[Reply], choice: Choice, interface: str, ours: str = "") -> list[Finding]:
    """The worst first; none when this client would go on. `ours`: the PXE server that is meant to win."""
    found = [
        *_addresses(offers, interface),
        *_option_60(client, offers, choice),
        *_rivals(client, offers, choice, ours),
    ]
    stuck = any(one.fault in (Fault.NO_DHCP_SERVER, Fault.DHCP_OPTION_60) for one in found)
    if not stuck and not isinstance(choice.verdict, Accepted):
        found.append(_nothing_taken(client, offers, choice, interface))
    return found


def _addresses(offers: Sequence[Reply], interface: str) -> list[Finding]:
    if any(offer.address for offer in offers):
        return []
    said = [shown(offer) for offer in offers] or ["no reply of any kind came"]
    found = finding(Fault.NO_DHCP_SERVER, "discover", time.time(), *said, interface=interface)
    if offers:
        return [found]
    return [replace(found, cause=f"No DHCP server answers on {interface}, and no PXE server either (PXE-E51, PXE-E18)")]


def _option_60(client: Client, offers: Sequence[Reply], choice: Choice) -> list[Finding]:
    """A DHCP server that says PXEClient beside a ProxyDHCP server: UEFI asks it."""
    if client.firmware is not EDK2 or choice.boot is None:
        return []
    chosen = offers[choice.boot]
    others = [offer for offer in offers if not offer.address and offers_boot(offer)]
    if not chosen.address or not chosen.vendor.startswith(PXE) or not others or chosen.file:
        return []
    evidence = [shown(chosen), *map(shown, others)]
    return [finding(Fault.DHCP_OPTION_60, "offer", time.time(), *evidence, server=chosen.server)]


def _rivals(client: Client, offers: Sequence[Reply], choice: Choice, ours: str) -> list[Finding]:
    """Several servers that would boot the machine."""
    proxies = [offer for offer in offers if not offer.address and offers_boot(offer)]
    chosen = offers[choice.boot] if choice.boot is not None else None
    if client.firmware is IPXE and chosen is not None and chosen.address and proxies and chosen.server != ours:
        evidence = [shown(chosen), *map(shown, proxies)]
        return [finding(Fault.RIVAL_IN_IPXE, "ipxe", time.time(), *evidence, server=chosen.server)]
    servers = {offer.server: offer for offer in reversed(proxies)}
    if len(servers) < 2:
        return []
    rivals = [offer for server, offer in servers.items() if server != ours]
    rival = chosen if chosen is not None and chosen in rivals else rivals[0]
    won = "" if chosen is None else f"{client.title} takes the offer of {chosen.server}"
    file = rival.file or "a file that it names on port 4011"
    evidence = [*map(shown, servers.values()), won]
    found = finding(
        Fault.RIVAL_PROXY, "offer", time.time(), *evidence, server=rival.server, file=file, mac=client.nic.mac
    )
    if chosen is None or chosen.server != rival.server:
        cause = f"Another PXE server, {rival.server}, answers this machine too: it offers {file}"
        found = replace(found, cause=f"{cause}. This time {ours or 'the other'} was first")
    return [found]


def _nothing_taken(client: Client, offers: Sequence[Reply], choice: Choice, interface: str) -> Finding:
    why = choice.verdict.reason if isinstance(choice.verdict, Rejected) else ""
    boots = [shown(offer) for offer in offers if offers_boot(offer)]
    if boots:
        return finding(Fault.OFFER_DROPPED, "offer", time.time(), f"{client.title}: {why}", *boots)
    said = [shown(offer) for offer in offers]
    reason = f"no server on {interface} offers {client.nic.mac} a boot file"
    found = finding(Fault.NOT_SERVED, "offer", time.time(), why, *said, reason=reason)
    return replace(found, cause=f"{reason[0].upper()}{reason[1:]}")
