"""Kernel and initrds: not asked for, not there, not what was verified, standing still."""

from __future__ import annotations

from pxed.status.boots import Stage
from pxed.status.diagnose.view import View, ago, size
from pxed.status.faults import Finding
from pxed.status.trail import LOADS, Flow
from pxed.status.wordings import Fault


def refused(view: View) -> Finding | None:
    """A file of its image was asked for and refused."""
    refusal = view.trail.refusals.get("image")
    if refusal is None:
        return None
    flow = view.trail.flow(Stage.KERNEL, Stage.INITRD)
    if flow is not None and flow.moved > refusal.time:
        return None
    asked = f"it asked for {refusal.what.partition('?')[0]} {ago(view.now, refusal.time)}: status {refusal.status}"
    if refusal.why == "digest":
        return view.found(Fault.IMAGE_DIGEST, refusal.time, asked, reason=refusal.reason)
    if refusal.status == 503:
        return view.found(Fault.IMAGE_NOT_READY, refusal.time, asked, reason=refusal.reason)
    file = refusal.what.partition("?")[0].rpartition("/")[2]
    files = view.trail.plan.files
    role = "kernel" if not files or file == files[0] else "initrd"
    return view.found(Fault.FILE_MISSING, refusal.time, asked, file=file, role=role, reason=refusal.reason)


def never(view: View) -> Finding | None:
    """The script was given, and no file asked for."""
    trail = view.trail
    if (
        view.boot.way not in LOADS
        or trail.plan.problem
        or trail.loaded
        or view.now - trail.scripted < view.patience.script
    ):
        return None
    given = f"it got its script {ago(view.now, trail.scripted)}"
    return view.found(Fault.KERNEL_NEVER, trail.scripted, given, where=trail.server or "pxed")


def transfer(view: View) -> Finding | None:
    """A file on its way that does not move, or that broke off."""
    for flow in view.trail.flows.values():
        if flow.stage not in (Stage.KERNEL, Stage.INITRD) or flow.done:
            continue
        if flow.broke and view.now - flow.broke >= view.patience.broken:
            return _of_flow(view, flow, Fault.DOWNLOAD_BROKEN)
        if not flow.broke and view.now - flow.moved >= view.patience.stall:
            return _of_flow(view, flow, Fault.DOWNLOAD_STALLED)
    return None


def next_file(view: View) -> Finding | None:
    """One file came whole, the next is not asked for."""
    trail = view.trail
    files = trail.plan.files
    last = max((flow.done for flow in trail.flows.values() if flow.file in files), default=0.0)
    if not files or trail.loaded or not last or view.now - last < view.patience.next_file:
        return None
    missing = next((file for file in files if file not in trail.flows), None)
    if missing is None:
        return None
    got = f"it got {_names(view)} {ago(view.now, last)} and asked for nothing since"
    fault = Fault.INITRD_NEVER if missing != files[0] else Fault.KERNEL_NEVER
    return view.found(fault, last, got, file=missing, memory=_memory(view), where=trail.server)


def _of_flow(view: View, flow: Flow, fault: Fault) -> Finding:
    moved = f"its last byte was acknowledged {ago(view.now, flow.moved)}"
    again = f"it asked for it {flow.starts} times" if flow.starts > 1 else ""
    why = f"the connection ended: {flow.why}" if flow.why else ""
    figures = {"file": flow.file, "sent": flow.bytes, "due": flow.due or "?", "memory": _memory(view)}
    return view.found(fault, flow.broke or flow.moved, moved, again, why, **figures)


def _memory(view: View) -> str:
    total = sum(flow.due for flow in view.trail.flows.values() if flow.stage in (Stage.KERNEL, Stage.INITRD))
    return f"the files have {size(total)}; Flatcar needs 3 GB of RAM"


def _names(view: View) -> str:
    return ", ".join(
        flow.file for flow in view.trail.flows.values() if flow.done and flow.file in view.trail.plan.files
    )
