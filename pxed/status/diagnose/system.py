"""The booted system: its Ignition config, its report, its installation."""

from __future__ import annotations

from pxed.status.diagnose.view import View, ago
from pxed.status.faults import Finding
from pxed.status.wordings import Fault

_FAULTS = {401: Fault.IGNITION_TOKEN, 403: Fault.IGNITION_TOKEN, 410: Fault.IGNITION_TOKEN, 406: Fault.IGNITION_SPEC}
_TEMPLATE = (500, 503)
FROM_ELSEWHERE = 5  # times the usual wait for a system whose files pxed does not send: their download is not seen


def config_refused(view: View) -> Finding | None:
    """Its request for its config was answered by an error."""
    trail = view.trail
    refusal = trail.refusals.get("ignition") or trail.refusals.get("archive")
    if refusal is None or trail.fetched > refusal.time:
        return None
    fault = (
        Fault.IGNITION_TEMPLATE if refusal.status in _TEMPLATE else _FAULTS.get(refusal.status, Fault.IGNITION_REFUSED)
    )
    asked = f"it asked {ago(view.now, refusal.time)}, the answer was {refusal.status}"
    return view.found(fault, refusal.time, asked, reason=refusal.reason)


def after_loading(view: View) -> Finding | None:
    """It has all its files; now the system starts, and fetches its config."""
    trail, patience, now = view.trail, view.patience, view.now
    if not trail.loaded:
        return None
    if trail.plan.config == "url" and trail.plan.first_boot and not trail.fetched:
        got = f"it got its last file {ago(now, trail.loaded)}"
        if trail.spoke and now - trail.spoke >= patience.config:
            spoke = f"its system asked for an address {ago(now, trail.spoke)}"
            return view.found(Fault.IGNITION_NEVER, trail.spoke, got, spoke, url=trail.plan.config_url or "pxed")
        start = patience.start if trail.plan.files else patience.start * FROM_ELSEWHERE
        if not trail.spoke and now - trail.loaded >= start:
            return view.found(Fault.IGNITION_NO_NETWORK, trail.loaded, got, "nothing was heard of it since")
        return None
    return report(view)


def report(view: View) -> Finding | None:
    """It should have reported by now."""
    trail, now = view.trail, view.now
    if not trail.plan.report_by or now < trail.plan.report_by:
        return None
    since = trail.fetched or trail.loaded or trail.scripted
    minutes = max(1, round((now - since) / 60))
    if trail.fetched:
        last = f"it fetched its Ignition config {ago(now, trail.fetched)}"
    else:
        last = f"it got its last file {ago(now, trail.loaded or trail.scripted)}"
    spoke = f"its system was heard {ago(now, trail.spoke)}" if trail.spoke else "its system was never heard"
    if not trail.plan.first_boot and trail.plan.root and not trail.fetched:
        return view.found(Fault.IGNITION_NO_FIRST_BOOT, since, last, spoke, root=trail.plan.root)
    return view.found(Fault.NO_REPORT, since, last, spoke, minutes=minutes)


def install(view: View) -> Finding | None:
    """Its installation fails, or is given up."""
    state, boot = view.trail.install, view.boot
    reason = state.reason or "no reason was given"
    told = f"it was told so {ago(view.now, state.since)}" if state.since else ""
    if state.held:
        return view.found(
            Fault.INSTALL_HELD, state.since, told, attempts=state.attempts or state.attempt, reason=reason
        )
    if state.state == "failed":
        return view.found(Fault.REPORTED_FAILURE, state.since, told, reason=reason)
    if state.reason and state.attempt and state.state in ("wanted", "installing"):
        figures = {"attempt": state.attempt, "attempts": state.attempts or "?", "reason": reason}
        return view.found(Fault.INSTALL_FAILING, state.since or boot.began, told, **figures)
    return None
