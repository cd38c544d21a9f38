"""A firmware that does not come as far as its boot loader: addresses, rivals, port 4011, lost offers."""

from __future__ import annotations

from pxed.status.boots import Stage
from pxed.status.diagnose.view import ALONE, View, ago, port_of
from pxed.status.faults import Finding
from pxed.status.network import ServerSeen
from pxed.status.wordings import Fault

HTTP_BOOT = "UEFI HTTP Boot"
_TRIES = 2


def unanswered(view: View) -> Finding | None:
    """pxed itself does not answer: the inventory does not list the machine, or policy says no."""
    trail, boot = view.trail, view.boot
    if not trail.left_out or trail.offers:
        return None
    seen = f"its firmware ({boot.arch or 'of unknown architecture'}) asks on {boot.interface}: {trail.left_out}"
    if boot.machine == boot.mac and not boot.profile:
        return view.found(Fault.NOT_LISTED, boot.began, seen, does=ALONE)
    return view.found(Fault.NOT_SERVED, boot.began, seen, reason=trail.left_out)


def unsent(view: View) -> Finding | None:
    """The host does not let the reply out."""
    if not view.trail.unsent:
        return None
    address = view.boot.addresses[-1] if view.boot.addresses else "the machine"
    return view.found(Fault.REPLY_UNSENT, view.boot.began, view.trail.unsent, reason=view.trail.unsent, address=address)


def without_lease(view: View) -> Finding | None:
    """It has pxed's offer but does not ask for an address."""
    trail, boot, now = view.trail, view.boot, view.now
    since = trail.asked_first or boot.began
    if trail.lease.time or trail.bootservers or not trail.offers:
        return None
    if now - since < view.patience.lease:
        return None
    if trail.lease.refused:
        return view.found(Fault.DHCP_REFUSED, since, _asked(view), server=trail.lease.refused)
    offering = [one for one in trail.replies.values() if one.gives_addresses]
    for server in offering:
        if server.vendor.startswith("PXEClient"):
            return _option_60(view, server)
    if (rival := _rival(view)) is not None:
        return rival
    if offering:
        seen = f"{offering[0].address} offered it an address {ago(now, offering[0].last)}, pxed offered {trail.offered}"
        return view.found(Fault.OFFER_DROPPED, since, _asked(view), seen)
    return _no_address(view)


def with_lease(view: View) -> Finding | None:
    """It has an address and does not ask for its boot file."""
    trail, now = view.trail, view.now
    if not trail.lease.time or now - max(trail.lease.time, trail.asked_last) < view.patience.request:
        return None
    if trail.lease.refused:
        return view.found(Fault.DHCP_REFUSED, trail.lease.time, _leased(view), server=trail.lease.refused)
    for server in view.others():
        if server.gives_addresses and server.vendor.startswith("PXEClient") and _chose(view, server):
            return _option_60(view, server)
    if (rival := _rival(view)) is not None:
        return rival
    return _no_request(view)


def after_bootserver(view: View) -> Finding | None:
    """It asked on port 4011 and does not fetch what it was told."""
    trail, now = view.trail, view.now
    if now - trail.bootserver_last < view.patience.bootserver:
        return None
    answered = (
        f"pxed answered its request on port 4011 {_times(trail.bootservers)}, last {ago(now, trail.bootserver_last)}"
    )
    since = trail.bootserver_last
    if trail.bootservers >= _TRIES:
        again = "it asked again after each answer: the answers do not reach it"
        return view.found(Fault.BOOTSERVER_BLOCKED, since, answered, again)
    if trail.offered.startswith("http"):
        return view.found(Fault.LOADER_UNREACHED, since, answered, file=trail.offered, port=port_of(trail.offered))
    return view.found(Fault.TFTP_UNREACHED, since, answered, _tftp_of_others(view), file=trail.offered)


def _no_request(view: View) -> Finding:
    trail, boot, now = view.trail, view.boot, view.now
    wire, since = view.network.wire(boot.interface), trail.lease.time
    if boot.firmware == HTTP_BOOT:
        return view.found(Fault.LOADER_UNREACHED, since, _leased(view), file=trail.offered, port=port_of(trail.offered))
    asks_bootserver = boot.arch not in ("", "x86-bios")
    if asks_bootserver and not wire.bootserver:
        never = f"no machine has reached port 4011 on {boot.interface} since pxed started"
        return view.found(Fault.BOOTSERVER_BLOCKED, since, _leased(view), never)
    if not asks_bootserver and not wire.tftp:
        never = f"no machine has reached TFTP on {boot.interface} since pxed started"
        return view.found(Fault.TFTP_UNREACHED, since, _leased(view), never, file=trail.offered)
    when = wire.bootserver if asks_bootserver else wire.tftp
    others = f"another machine reached {'port 4011' if asks_bootserver else 'TFTP'} {ago(now, when)}: the way is open"
    return view.found(Fault.OFFER_DROPPED, since, _leased(view), others)


def _no_address(view: View) -> Finding:
    """No server gave it one: is there any?"""
    boot, now = view.boot, view.now
    givers = view.network.givers(boot.interface, now)
    surveyed = view.network.wire(boot.interface).surveyed
    asked_now = surveyed > boot.began
    if not givers:
        none = f"none was heard on {boot.interface} in the last hour"
        own = f"pxed asked itself {ago(now, surveyed)}: no answer" if asked_now else ""
        return view.found(Fault.NO_DHCP_SERVER, boot.began, _asked(view), none, own)
    server = givers[-1]
    there = f"{server.address} was heard {ago(now, server.last)}"
    own = ""
    if asked_now:
        own = (
            f"it offers pxed's own test client an address ({ago(now, server.surveyed)})"
            if server.surveyed > boot.began
            else "it offers pxed's own test client no address either: the pool is exhausted"
        )
    return view.found(Fault.DHCP_NO_LEASE, boot.began, _asked(view), there, own, server=server.address)


def _rival(view: View) -> Finding | None:
    """Another server that offers this machine, or machines on its wire, something to boot."""
    boot = view.boot
    for server in view.others():
        if server.file:
            what = "as a ProxyDHCP" if not server.gives_addresses else "with its addresses"
            seen = f"{server.address} offers {server.file} {what}, last seen {ago(view.now, server.last)}"
            return view.found(
                Fault.RIVAL_PROXY, boot.began, seen, _leased(view), server=server.address, file=server.file
            )
    for server in view.others():
        if not server.gives_addresses and server.is_pxe and boot.stage in (Stage.DISCOVER, Stage.OFFER):
            seen = f"{server.address} answers as a ProxyDHCP too ({server.vendor}), last {ago(view.now, server.last)}"
            return view.found(Fault.RIVAL_PROXY, boot.began, seen, server=server.address, file="a boot menu")
    return None


def _option_60(view: View, server: ServerSeen) -> Finding:
    seen = f'{server.address} sent option 60 "{server.vendor}" with an address, last seen {ago(view.now, server.last)}'
    return view.found(Fault.DHCP_OPTION_60, view.boot.began, seen, _leased(view), server=server.address)


def _chose(view: View, server: ServerSeen) -> bool:
    return view.trail.lease.server in ("", server.address)


def _asked(view: View) -> str:
    span = view.span(Stage.DISCOVER)
    count = view.trail.offers or (span.count if span else 1)
    began = view.trail.asked_first or view.boot.began
    return f"{count} DISCOVER{'s' if count > 1 else ''} since {ago(view.now, began)}, no REQUEST"


def _leased(view: View) -> str:
    lease = view.trail.lease
    if not lease.time:
        return ""
    of = f" of {lease.server}" if lease.server else ""
    return f"it asked for the address {lease.address or '(unknown)'}{of} {ago(view.now, lease.time)}"


def _tftp_of_others(view: View) -> str:
    when = view.network.wire(view.boot.interface).tftp
    return f"the last TFTP request on {view.boot.interface} came {ago(view.now, when)}" if when else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
