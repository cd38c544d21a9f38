"""Whether the firewall lets machines' requests in: nftables' rules of the input hook, read only where that is certain.

A rule that cannot be judged (a named set, a mark, an extension of iptables) may let a request in, so nothing is said
then. Left out: what is dropped before the input hook.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from pxed.server.host.ports import Port
from pxed.server.host.wordings import Code, Finding, finding

Rule = Mapping[str, Any]
_OLD_STATES = {"established", "related", "invalid", "untracked"}  # of conntrack: a machine's first request is new
_DEEP = 16  # jumps; the kernel has the same bound


class Fits(IntEnum):
    """Whether a rule is of a request."""

    NO = 0
    PERHAPS = 1
    YES = 2


class Fate(IntEnum):
    """What becomes of a request. OPEN: it may get in."""

    NEXT = 0
    OPEN = 1
    CLOSED = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A first request of a machine."""

    protocol: str  # "udp", "tcp"
    port: int
    interfaces: Collection[str] = ()  # it may come in on; none: any


def rules() -> list[dict[str, Any]]:
    """nftables' ruleset as libnftables-json(5); none where it cannot be read."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired, ValueError):
        done = subprocess.run(["nft", "--json", "list", "ruleset"], capture_output=True, check=False, timeout=5)  # noqa: S607
        found: list[dict[str, Any]] = json.loads(done.stdout)["nftables"] if done.returncode == 0 else []
        return found
    return []


def firewall_findings(ruleset: Sequence[Mapping[str, Any]], ports: Iterable[Port]) -> list[Finding]:
    """Each chain that certainly drops requests to some of the ports."""
    chains: dict[tuple[str, str, str], list[Rule]] = {}
    for entry in ruleset:
        if rule := entry.get("rule"):
            chains.setdefault((rule["family"], rule["table"], rule["chain"]), []).append(rule)
    bases = [entry["chain"] for entry in ruleset if entry.get("chain", {}).get("hook") == "input"]
    served: dict[tuple[str, int], set[str]] = {}
    for port in ports:
        served.setdefault((port.protocol.lower(), port.number), set()).update({port.interface} - {""})
    found = []
    for base in bases:
        if base["family"] in ("ip", "inet"):
            requests = [Request(protocol, number, names) for (protocol, number), names in served.items()]
            closed = [one for one in requests if _fate_of(chains, base, one) is Fate.CLOSED]
            found += [_finding(base, closed)] if closed else []
    return found


def _finding(base: Mapping[str, Any], closed: Sequence[Request]) -> Finding:
    chain = f"{base['family']} {base['table']} {base['name']}"
    numbers = {
        protocol: ", ".join(str(one.port) for one in closed if one.protocol == protocol) for protocol in ("udp", "tcp")
    }
    ports = " and ".join(f"{protocol.upper()} {listed}" for protocol, listed in numbers.items() if listed)
    commands = " && ".join(
        f"nft insert rule {chain} {protocol} dport '{{ {listed} }}' accept"
        for protocol, listed in numbers.items()
        if listed
    )
    return finding(Code.FIREWALL_DROPS, chain=chain, ports=ports, commands=commands)


def _fate_of(chains: Mapping[tuple[str, str, str], Sequence[Rule]], base: Mapping[str, Any], request: Request) -> Fate:
    def walk(name: str, depth: int) -> Fate:
        for rule in chains.get((base["family"], base["table"], name), ()):
            fate = step(rule["expr"], depth)
            if fate is not None:
                return fate
        return Fate.NEXT

    def step(expressions: Sequence[Mapping[str, Any]], depth: int) -> Fate | None:
        """What a rule decides; None when the next one counts."""
        fits = min((_fits(one, request) for one in expressions), default=Fits.YES)
        verdict, one = next(((key, one) for one in expressions for key in one if key in _VERDICTS), ("", {}))
        if fits is Fits.NO or not verdict:
            return None
        if verdict in ("jump", "goto"):
            fate = walk(one[verdict]["target"], depth + 1) if depth < _DEEP else Fate.OPEN
            if fate is Fate.NEXT:
                beyond = Fate.NEXT if fits is Fits.YES else Fate.OPEN
                return None if verdict == "jump" else beyond
            return fate if fate is Fate.OPEN or fits is Fits.YES else None
        if verdict in ("drop", "reject"):
            return Fate.CLOSED if fits is Fits.YES else None
        if verdict == "return":
            return Fate.NEXT if fits is Fits.YES else Fate.OPEN
        return Fate.OPEN  # accept, queue, and maps of verdicts, whose keys are not looked at

    fate = walk(base["name"], 0)
    if fate is Fate.NEXT:
        return Fate.CLOSED if base.get("policy") == "drop" else Fate.OPEN
    return fate


_VERDICTS = ("accept", "drop", "reject", "return", "jump", "goto", "queue", "vmap")


def _fits(expression: Mapping[str, Any], request: Request) -> Fits:
    """Whether one statement of a rule lets it be of the request."""
    if vmap := expression.get("vmap"):
        states = {entry[0] for entry in vmap["data"]["set"]} if isinstance(vmap["data"], dict) else {""}
        only_old = vmap["key"] == {"ct": {"key": "state"}} and all(
            isinstance(state, str) and state in _OLD_STATES for state in states
        )
        return Fits.NO if only_old else Fits.PERHAPS
    if "xt" in expression:
        return Fits.PERHAPS
    match = expression.get("match")
    if match is None:
        return Fits.YES  # counters, logs, verdicts
    fits = _compared(match["left"], _values(match["right"]), request)
    if match["op"] == "!=":
        return Fits(2 - fits)
    return fits if match["op"] in ("==", "in") else Fits.PERHAPS


def _compared(left: Any, values: Sequence[Any] | None, request: Request) -> Fits:
    if values is None or not isinstance(left, dict):
        return Fits.PERHAPS
    if left.get("ct") == {"key": "state"}:
        return Fits.NO if set(map(str, values)) <= _OLD_STATES else Fits.PERHAPS
    key = left.get("meta", {}).get("key")
    if key in ("iif", "iifname"):
        there = [name in values for name in request.interfaces]
        if not there:
            return Fits.NO if values == ["lo"] else Fits.PERHAPS
        return Fits.YES if all(there) else Fits.PERHAPS if any(there) or _patterns(values) else Fits.NO
    payload = left.get("payload", {})
    protocol, field = payload.get("protocol"), payload.get("field")
    if key == "l4proto" or (protocol, field) == ("ip", "protocol"):
        return Fits.YES if request.protocol in values else Fits.NO
    if key == "nfproto":
        return Fits.YES if "ipv4" in values else Fits.NO
    if protocol in ("tcp", "udp", "th") and field == "dport":
        if protocol not in ("th", request.protocol):
            return Fits.NO
        return Fits.YES if any(_has(one, request.port) for one in values) else Fits.NO
    if protocol in ("tcp", "udp", "icmp", "icmpv6", "ip6") and protocol != request.protocol:
        return Fits.NO
    return Fits.PERHAPS


def _values(right: Any) -> list[Any] | None:
    """The values that are compared with; None for a named set."""
    if isinstance(right, str) and right.startswith("@"):
        return None
    if isinstance(right, dict) and "set" in right:
        return list(right["set"])
    return right if isinstance(right, list) else [right]


def _has(value: Any, port: int) -> bool:
    if isinstance(value, dict) and "range" in value:
        low, high = value["range"]
        return bool(low <= port <= high)
    return bool(value == port)


def _patterns(values: Iterable[Any]) -> bool:
    return any("*" in str(value) for value in values)
