"""iPXE: loops, builds that cannot boot, another server's file, a script that is not fetched or not given."""

from __future__ import annotations

from pxed.status.boots import Stage
from pxed.status.diagnose.view import ALONE, View, ago, port_of
from pxed.status.faults import Finding
from pxed.status.wordings import Fault

LOOP = 3  # loaders without a script
_HOLDS = "shows it the waiting screen"


def unanswered(view: View) -> Finding | None:
    """pxed does not answer this iPXE."""
    trail, boot = view.trail, view.boot
    if not trail.left_out or trail.ipxe_offered:
        return None
    fault = Fault.NOT_LISTED if boot.machine == boot.mac and not boot.profile else Fault.NOT_SERVED
    return view.found(fault, boot.began, trail.left_out, does=ALONE, reason=trail.left_out)


def looping(view: View) -> Finding | None:
    """The loader is fetched again and again."""
    trail = view.trail
    if trail.loaders < LOOP:
        return None
    flow = trail.flow(Stage.LOADER)
    since = flow.done if flow is not None and flow.done else view.boot.since
    got = f"it got its boot loader {trail.loaders} times and never asked for a script"
    if trail.lacks:
        return lacking(view)
    return view.found(Fault.IPXE_LOOP, since, got, count=trail.loaders)


def lacking(view: View) -> Finding | None:
    """Its build has not what a boot takes, and comes back with the same build."""
    trail = view.trail
    if not trail.lacks or not trail.ipxe_offered or _is_script(trail.ipxe_offered):
        return None
    ipxe = view.span(Stage.IPXE)
    patient = view.now - trail.ipxe_at < view.patience.ipxe
    if patient and (ipxe is None or ipxe.count < LOOP) and trail.loaders < LOOP:
        return None
    says = f"its option 175 does not list {trail.lacks}; it was sent to {trail.ipxe_offered} instead of a script"
    return view.found(Fault.IPXE_LACKS_FEATURE, trail.ipxe_at, says, feature=trail.lacks)


def refused(view: View) -> Finding | None:
    """Its request for the script is answered by an error."""
    refusal = view.trail.refusals.get("boot")
    if refusal is None or refusal.time < view.trail.scripted:
        return None
    fault = Fault.IMAGE_NOT_READY if refusal.why == "arriving" else Fault.SCRIPT_REFUSED
    asked = f"it asked for its script {ago(view.now, refusal.time)}, the answer was {refusal.status or 'an error page'}"
    return view.found(fault, refusal.time, asked, reason=refusal.reason)


def without_script(view: View) -> Finding | None:
    """It was told where its script is, and does not come for it."""
    trail, now = view.trail, view.now
    ipxe = view.span(Stage.IPXE)
    last = max(trail.ipxe_at, trail.asked_last if trail.asked_last >= trail.ipxe_at else 0.0)
    if ipxe is None or now - last < view.patience.ipxe or not _is_script(trail.ipxe_offered):
        return None
    told = f"pxed told it {trail.ipxe_offered} {ago(now, trail.ipxe_at)}"
    for server in view.others():
        if server.ipxe_file or (server.file and (server.gives_addresses or server.address in trail.replies)):
            file = server.ipxe_file or server.file
            seen = f"{server.address} offers {file}, last seen {ago(now, server.last)}"
            return view.found(Fault.RIVAL_IN_IPXE, trail.ipxe_at, told, seen, server=server.address)
    lease = trail.lease
    if not lease.time and not _has_givers(view):
        none = "it asked for no address after that, and no DHCP server is known here"
        return view.found(Fault.NO_DHCP_SERVER, trail.ipxe_at, told, none)
    leased = (
        f"it asked for the address {lease.address} {ago(now, lease.time)}" if lease.time else "it asked for no address"
    )
    return view.found(
        Fault.SCRIPT_NEVER, trail.ipxe_at, told, leased, url=trail.ipxe_offered, port=port_of(trail.ipxe_offered)
    )


def unmatched(view: View) -> Finding | None:
    """It waits for an operator: it is not listed, or a group or policy holds it."""
    trail, boot = view.trail, view.boot
    if not trail.left_out or boot.profile:
        return None
    return view.found(Fault.NOT_LISTED, boot.began, trail.left_out, does=_HOLDS if boot.way == "held" else ALONE)


def problem(view: View) -> Finding | None:
    """Its script says only why it cannot be booted."""
    trail, boot = view.trail, view.boot
    if not trail.plan.problem or boot.way not in ("memory", "install", "held", "announce"):
        return None
    if boot.way == "announce" and view.now - trail.scripted < view.patience.script:
        return None
    waits = any(word in trail.plan.problem for word in ("mirror", "arriving", "download"))
    fault = Fault.IMAGE_NOT_READY if waits else Fault.SCRIPT_REFUSED
    return view.found(fault, trail.scripted, f"said to it {ago(view.now, trail.scripted)}", reason=trail.plan.problem)


def _is_script(file: str) -> bool:
    """pxed tells iPXE the URL of its script; anything else is a boot loader."""
    return ".ipxe" in file.partition("?")[0]


def _has_givers(view: View) -> bool:
    return bool(view.network.givers(view.boot.interface, view.now))
