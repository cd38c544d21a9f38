"""Which machines have shown on the wire that they boot: their DHCP was answered, and no script was given since.

Secrets are given to such boots only (SECURITY.md). A note ends a boot's way from its ROM to its script.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

FRESH_SECONDS = 900.0  # from a ROM's DHCP to the script: a boot loader over a slow link, a ROM's menu
MOST = 65_536  # machines; names are the inventory's or, where groups choose, MACs that a sender invents


class Seen:
    """Boots that have begun, by the machine's name. `to_disk` hears of machines that are left unanswered."""

    def __init__(self, to_disk: Callable[[str], None] = lambda name: None) -> None:
        self.to_disk = to_disk
        self._begun: OrderedDict[str, float] = OrderedDict()  # a dict looks for its first entry behind all removed ones
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def boot(self, machine: str, now: float) -> None:
        """Its DHCP as a PXE, HTTP or iPXE client was answered."""
        self.boots((machine,), now)

    def boots(self, machines: Iterable[str], now: float) -> None:
        """The same of many: in the path of every offer, so all of a wake-up at once."""
        begun = self._begun
        for machine in machines:
            begun[machine] = now
        while len(begun) > MOST:
            begun.popitem(last=False)

    def has_begun(self, machine: str, now: float) -> bool:
        """Whether a boot of it was seen that has had no script yet."""
        begun = self._begun.get(machine)
        return begun is not None and abs(now - begun) < FRESH_SECONDS

    def refuse(self, machine: str, why: str, now: float) -> None:
        """Its DHCP was answered, but does not show that it boots."""
        self._refused[machine] = now, why
        self._refused.move_to_end(machine)
        if len(self._refused) > MOST:
            self._refused.popitem(last=False)

    def refusal(self, machine: str, now: float) -> str:
        """Why its DHCP of late does not count; "" when there was none."""
        when, why = self._refused.get(machine, (0.0, ""))
        return why if abs(now - when) < FRESH_SECONDS else ""

    def take(self, machine: str) -> None:
        """Its boot has its script now."""
        self._begun.pop(machine, None)
        self._refused.pop(machine, None)

    def written(self) -> object:
        """All of it as plain data."""
        return {"begun": list(self._begun.items()), "refused": [[name, *why] for name, why in self._refused.items()]}

    def read(self, content: Any) -> None:
        """Take what another process has written. Raises TypeError, ValueError or KeyError for anything else."""
        for name, when in content["begun"]:
            self.boot(str(name), float(when))
        for name, when, why in content["refused"]:
            self.refuse(str(name), str(why), float(when))
