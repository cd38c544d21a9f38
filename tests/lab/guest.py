"""What a machine itself printed: the only witness of what really arrived in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MARK = "PXED-LAB"


@dataclass(frozen=True, slots=True)
class Printout:
    """The print-out of `guest_init.sh`. Empty texts for what it did not come to."""

    cmdline: str = ""
    firmware: str = ""  # "efi" or "bios"
    address: str = ""
    ignition_url: str = ""
    ignition: str = ""  # the body, byte for byte but for line ends
    reported: bool = False
    done: bool = False

    @property
    def arguments(self) -> list[str]:
        """The kernel command line's words."""
        return self.cmdline.split()

    @property
    def config(self) -> Any:
        """The Ignition body as JSON."""
        return json.loads(self.ignition)


def said(line: str) -> tuple[str, str] | None:
    """("cmdline", "console=...") of a line of ours; None for any other. Kernel messages may stand before the mark."""
    found = re.search(rf"{MARK} ([a-z-]+) ?(.*)$", line)
    return (found[1], found[2]) if found else None


def read(lines: Iterable[str]) -> Printout:
    """The print-out of one boot."""
    facts: dict[str, str] = {}
    body: list[str] | None = None
    for line in lines:
        words = said(line)
        if words:
            facts[words[0]] = words[1]
        if words and words[0] == "ignition-begin":
            body = []
        elif words and words[0] == "ignition-end" and body is not None:
            facts["ignition"] = "\n".join(body)
            body = None
        elif body is not None:
            body.append(line)
    return _printout(facts)


def _printout(facts: dict[str, str]) -> Printout:
    return Printout(
        cmdline=facts.get("cmdline", ""),
        firmware=facts.get("firmware", ""),
        address=facts.get("address", ""),
        ignition_url=facts.get("ignition-url", ""),
        ignition=facts.get("ignition", "").rstrip("\n"),
        reported="reported" in facts,
        done="done" in facts,
    )
