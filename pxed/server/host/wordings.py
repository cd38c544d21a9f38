"""What a host can lack, in plain sentences: the cause, and what to do. docs/how-to/check-host.md quotes each.

One wording for `pxed check --host` and for the daemon's own log.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """ERROR: the daemon does not start, or serves nobody. WARNING: some machines are not served. NOTE: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """Every finding that pxed can have of a host."""

    INTERFACE_MISSING = "interface-missing"
    INTERFACE_DOWN = "interface-down"
    INTERFACE_NO_ADDRESS = "interface-no-address"
    INTERFACE_NONE = "interface-none"


@dataclass(frozen=True, slots=True)
class Wording:
    """Both sentences are templates over the finding's values."""

    severity: Severity
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the host."""

    code: Code
    severity: Severity
    cause: str
    remedy: str

    @property
    def sentence(self) -> str:
        return f"{self.cause}: {self.remedy}"


WORDINGS = MappingProxyType(
    {
        Code.INTERFACE_MISSING: Wording(
            Severity.WARNING,
            "the interface {interface} of server.interfaces is not there",
            "pxed serves it as soon as it appears; if the name is wrong, correct it ({known})",
        ),
        Code.INTERFACE_DOWN: Wording(
            Severity.WARNING,
            "the interface {interface} of server.interfaces is down, so no machine is answered there",
            "ip link set {interface} up; pxed then serves it at once",
        ),
        Code.INTERFACE_NO_ADDRESS: Wording(
            Severity.WARNING,
            "the interface {interface} of server.interfaces has no IPv4 address, so no machine is answered there",
            "give it one (ip address add ADDRESS/PREFIX dev {interface}, and in the host's network configuration); "
            "pxed then serves it at once",
        ),
        Code.INTERFACE_NONE: Wording(
            Severity.WARNING,
            "no interface is up, connected and has an IPv4 address (loopback left out), so no machine is answered",
            "give one an address (ip address add ADDRESS/PREFIX dev NAME); pxed then serves it at once",
        ),
    }
)


def finding(code: Code, /, **values: str) -> Finding:
    """The finding with its sentence."""
    wording = WORDINGS[code]
    return Finding(code, wording.severity, wording.cause.format_map(values), wording.remedy.format_map(values))
