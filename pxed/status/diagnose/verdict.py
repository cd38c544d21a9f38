"""The order of the rules, and what they may look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pxed.status.boots import Boot, Outcome, Stage
from pxed.status.diagnose import firmware, identity, ipxe, loader, loading, system
from pxed.status.diagnose.view import View
from pxed.status.faults import Finding
from pxed.status.network import Network
from pxed.status.patience import Patience
from pxed.status.trail import Trail

_Rule = Callable[[View], Finding | None]


class Surroundings(NamedTuple):
    """What is known beside the boot itself."""

    network: Network
    patience: Patience
    past: Sequence[Boot] = ()  # the machine's boots just before this one that did not come up, newest first


# By the stage that a boot stands in.
_BY_STAGE: dict[Stage, tuple[_Rule, ...]] = {
    Stage.DISCOVER: (firmware.unanswered, firmware.unsent, firmware.without_lease),
    Stage.OFFER: (firmware.unsent, loader.refused, firmware.without_lease, firmware.with_lease),
    Stage.BOOTSERVER: (firmware.unsent, loader.refused, firmware.after_bootserver),
    Stage.LOADER: (ipxe.looping, loader.refused, loader.transfer, loader.silent),
    Stage.IPXE: (ipxe.unanswered, ipxe.looping, ipxe.lacking, ipxe.refused, ipxe.without_script),
    Stage.SCRIPT: (
        system.install,
        ipxe.unmatched,
        ipxe.refused,
        ipxe.problem,
        loading.refused,
        loading.never,
        system.config_refused,
        system.after_loading,
    ),
    Stage.KERNEL: (loading.refused, loading.transfer, loading.next_file, system.config_refused, system.after_loading),
    Stage.INITRD: (loading.refused, loading.transfer, loading.next_file, system.config_refused, system.after_loading),
    Stage.IGNITION: (loading.refused, loading.transfer, loading.next_file, system.config_refused, system.report),
    Stage.INSTALLING: (system.config_refused,),
    Stage.RUNNING: (),
    Stage.INSTALLED: (),
}
_ALWAYS: tuple[_Rule, ...] = (identity.mac_twice,)
_LAST: tuple[_Rule, ...] = (identity.reboot_loop, system.install, identity.declined)
_GOOD = (Outcome.RUNNING, Outcome.INSTALLED, Outcome.LOCAL, Outcome.SUPERSEDED)
_INFO: tuple[_Rule, ...] = (identity.address_changed, identity.retransmits)
_RULES = {stage: (*_ALWAYS, *rules, *_LAST, *_INFO) for stage, rules in _BY_STAGE.items()}


def diagnose(trail: Trail, around: Surroundings, now: float) -> Finding | None:
    """The cause that a boot stands still for, or something to know of it; None when all is well at `now`."""
    view = View(trail, around.network, around.patience, around.past, now)
    boot = trail.boot
    if boot.outcome is Outcome.STUCK:
        return boot.finding
    if boot.outcome in _GOOD:
        return _first(_INFO, view)
    return _first(_RULES[boot.stage], view)


def _first(rules: Sequence[_Rule], view: View) -> Finding | None:
    for rule in rules:
        if (found := rule(view)) is not None:
            return found
    return None
