"""Rules about the host's network settings, and the facts they need."""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pxed.server.host.wordings import Code, Finding, finding
from pxed.server.interfaces import Interface

STRICT = 1  # of rp_filter, RFC 3704
FEW_MACHINES = 250  # whose DISCOVERs the usual receive buffer holds, if all are switched on in one second
_TIME_ERROR = 5  # <sys/timex.h>
_TIMEX_BYTES = 512  # struct timex has 208
_SETTINGS = Path("/proc/sys/net")


def reverse_path(name: str) -> int:
    """What counts of net.ipv4.conf.*.rp_filter for an interface: the greater one of its own and of `all`."""
    return max(_number(f"ipv4/conf/{one}/rp_filter", 0) for one in (name.replace(".", "/"), "all"))


def receive_buffer() -> int:
    """net.core.rmem_max in bytes."""
    return _number("core/rmem_max", 1 << 30)


def _number(setting: str, otherwise: int) -> int:
    try:
        return int((_SETTINGS / setting).read_text())
    except (OSError, ValueError):
        return otherwise


def shared_networks(interfaces: Sequence[Interface], strictness: Mapping[str, int]) -> list[Finding]:
    """Two interfaces of one network, or of one address."""
    found = []
    for number, one in enumerate(interfaces):
        for other in interfaces[number + 1 :]:
            same = set(one.addresses) & set(other.addresses)
            if same:
                pair = {"address": sorted(same)[0], "one": one.name, "other": other.name}
                found.append(finding(Code.ADDRESS_TWICE, **pair))
            elif any(a.overlaps(b) for a in one.networks for b in other.networks):
                strict = [name for name in (one.name, other.name) if strictness.get(name) == STRICT]
                if strict:
                    network = next(str(a) for a in one.networks for b in other.networks if a.overlaps(b))
                    values = {"one": one.name, "other": other.name, "network": network}
                    commands = " && ".join(f"sysctl -w net/ipv4/conf/{name}/rp_filter=2" for name in strict)
                    found.append(finding(Code.REVERSE_PATH, **values, commands=commands))
    return found


def buffer_finding(machines: int, most: int, wanted: int) -> list[Finding]:
    """A receive buffer that many machines fill at once."""
    if machines <= FEW_MACHINES or most >= wanted:
        return []
    return [finding(Code.RECEIVE_BUFFER, machines=str(machines), most=str(most), wanted=str(wanted))]


def descriptor_finding(limit: int, transfers: int, others: int) -> list[Finding]:
    """A limit of open files below what server.tftp.max_transfers needs."""
    needed = 2 * transfers + others
    return [finding(Code.FEW_DESCRIPTORS, limit=str(limit), needed=str(needed))] if limit < needed else []


def mirror_finding(url: str) -> list[Finding]:
    """A release server whose name cannot be looked up."""
    host = urlsplit(url.replace("{channel}", "stable")).hostname or ""
    return [] if _has_address(host) else [finding(Code.MIRROR_UNKNOWN, host=host)]


def _has_address(host: str) -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        words = ["getent", "ahosts", host]
        return subprocess.run(words, capture_output=True, check=False, timeout=5).returncode == 0  # noqa: S603
    return False


def is_clock_set() -> bool:
    """Whether the kernel counts its clock as synchronised: adjtimex(2) gives TIME_ERROR if not."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) not in (_TIME_ERROR, -1))
