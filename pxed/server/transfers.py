"""What the events of TFTP's and HTTP's transfers have in common."""

from __future__ import annotations

import itertools

from pxed.events import Kind

EVERY = 2.0  # seconds between two events that tell how far a transfer is
_STAGES = {Kind.LOADER: "loader", Kind.KERNEL: "kernel", Kind.INITRD: "initrd"}
_numbers = itertools.count(1)


def number() -> int:
    """The id of a transfer, of either protocol."""
    return next(_numbers)


def stage_of(kind: Kind) -> str:
    """The stage that a file is of: loader, kernel, initrd, other."""
    return _STAGES.get(kind, "other")
