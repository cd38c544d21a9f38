"""What the events of TFTP's and HTTP's transfers have in common."""

from __future__ import annotations

from pxed.events import Kind

EVERY = 2.0  # seconds between two events that tell how far a transfer is
_STAGES = {Kind.LOADER: "loader", Kind.KERNEL: "kernel", Kind.INITRD: "initrd"}


class _Numbers:
    least = 1  # that was not given


_numbers = _Numbers()


def number() -> int:
    """The id of a transfer, of either protocol."""
    given = _numbers.least
    _numbers.least += 1
    return given


def go_on_after(taken: int) -> None:
    """Give no id again that a transfer of another process has, which goes on here."""
    _numbers.least = max(_numbers.least, taken + 1)


def stage_of(kind: Kind) -> str:
    """The stage that a file is of: loader, kernel, initrd, other."""
    return _STAGES.get(kind, "other")
