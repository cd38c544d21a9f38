"""The boot loader: TFTP that is cut off, a loader that is not there, not for this machine, or never speaks."""

from __future__ import annotations

from pxed.architecture import loader_is_for
from pxed.status.boots import Stage
from pxed.status.diagnose.view import View, ago
from pxed.status.faults import Finding
from pxed.status.trail import Flow
from pxed.status.wordings import Fault

SMALL_BLOCK = 1024  # bytes that pass any link in use


def refused(view: View) -> Finding | None:
    """The file that it was told to fetch is not there."""
    trail = view.trail
    for route in ("tftp", "loader"):
        refusal = trail.refusals.get(route)
        flow = trail.flow(Stage.LOADER)
        if refusal is not None and not (flow is not None and flow.done > refusal.time):
            asked = f"it asked for {refusal.what} {ago(view.now, refusal.time)}: {refusal.reason}"
            return view.found(Fault.LOADER_MISSING, refusal.time, asked, file=refusal.what.rpartition("/")[2])
    return None


def transfer(view: View) -> Finding | None:
    """A transfer that does not get anywhere."""
    flow = view.trail.flow(Stage.LOADER)
    if flow is None or flow.done:
        return None
    if flow.transport == "http":
        return _stalled(view, flow)
    if flow.bytes:
        return _stalled(view, flow)
    if view.now - flow.first < view.patience.first_block:
        return None
    asked = (
        f"it asked for {flow.file} {flow.starts} time{'s' if flow.starts > 1 else ''}, last {ago(view.now, flow.began)}"
    )
    if flow.heard and flow.blksize > SMALL_BLOCK:
        small = f"it acknowledged the options of the transfer, but no block of {flow.blksize} bytes"
        return view.found(Fault.MTU_BLACK_HOLE, flow.first, asked, small, blksize=flow.blksize)
    return view.found(Fault.TFTP_BLOCKED, flow.first, asked, "nothing of the transfer was acknowledged", file=flow.file)


def silent(view: View) -> Finding | None:
    """It was sent whole, and nothing came after it."""
    trail, boot, now = view.trail, view.boot, view.now
    flow = trail.flow(Stage.LOADER)
    if flow is None or not flow.done:
        return None
    got = f"it got {flow.file}, {flow.bytes} bytes, {ago(now, flow.done)}"
    made_for = loader_is_for(flow.file)
    if made_for and boot.arch and made_for != boot.arch and now - flow.done > view.patience.broken:
        return view.found(Fault.WRONG_LOADER, flow.done, got, file=flow.file.rpartition("/")[2], made_for=made_for)
    if now - flow.done < view.patience.loader:
        return None
    return view.found(Fault.LOADER_SILENT, flow.done, got, "no DHCP of iPXE since", file=flow.file)


def _stalled(view: View, flow: Flow) -> Finding | None:
    wait = view.patience.broken if flow.broke else view.patience.stall
    if view.now - max(flow.moved, flow.broke) < wait:
        return None
    seen = f"its last byte was acknowledged {ago(view.now, flow.moved)}" + (f": {flow.why}" if flow.why else "")
    return view.found(Fault.DOWNLOAD_STALLED, flow.moved, seen, file=flow.file, sent=flow.bytes, due=flow.due or "?")
