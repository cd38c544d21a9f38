"""Firewalls that drop machines' requests: judged only where it is certain, on rules as nft 1.0 writes them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from pxed.server.host.firewall import firewall_findings
from pxed.server.host.ports import Port

pytestmark = pytest.mark.net

PLACE = f"pxfw{os.getpid() % 100000}-h"
PORTS = [
    Port("dhcp", "UDP", 67, "eth1"), Port("bootserver", "UDP", 4011, "eth1"), Port("tftp", "UDP", 69, "eth1"),
    Port("http", "TCP", 8080),
]  # fmt: skip
USUAL = 'ct state established,related accept; ct state invalid drop; iifname "lo" accept; meta l4proto icmp accept;'
WEB = "tcp dport 8080 accept;"
OPEN = f"udp dport {{ 67, 69, 4011 }} accept; {WEB}"
UDP = "UDP 67, 4011, 69"
# The chain's policy, its rules, more chains; which ports are dropped
CASES = {
    "no rules": ("accept", "", "", ""),
    "everything is let in": ("accept", USUAL, "", ""),
    "nothing but what is asked for": ("drop", f"{USUAL} tcp dport 22 accept;", "", f"{UDP} and TCP 8080"),
    "all of pxed's ports are open": ("drop", USUAL + OPEN, "", ""),
    "TFTP was forgotten": ("drop", f"{USUAL} udp dport {{ 67, 4011 }} accept; tcp dport 8080 accept;", "", "UDP 69"),
    "a range has them": ("drop", "udp dport 60-5000 accept; tcp dport 8000-9000 accept;", "", ""),
    "the machines' interface is trusted": ("drop", f'{USUAL} iifname "eth1" accept;', "", ""),
    "another interface is trusted": ("drop", f'iifname "eth0" accept; {WEB}', "", UDP),
    "one interface of several": ("drop", f'iifname {{ "eth0", "eth1" }} udp dport != 53 accept; {WEB}', "", ""),
    "a named set cannot be judged": ("drop", "udp dport @some accept; tcp dport @some accept;", "", ""),
    "a network of machines may": ("drop", f"ip saddr 10.0.0.0/8 {OPEN}", "", ""),
    "a mark cannot be judged": ("drop", "meta mark 7 accept;", "", ""),
    "what is left is rejected": ("accept", f"{USUAL} tcp dport {{ 22, 8080 }} accept; reject;", "", UDP),
    "TFTP alone is rejected": ("accept", "udp dport 69 reject;", "", "UDP 69"),
    "only of some it is rejected": ("accept", "ip saddr 10.9.0.0/16 udp dport 69 reject;", "", ""),
    "the rules are in another chain": ("drop", f"{USUAL} jump services;", f"chain services {{ {OPEN} }}", ""),
    "another chain rejects": ("accept", "goto zone;", f"chain zone {{ {WEB} drop; }}", UDP),
    "another chain goes back": ("drop", f"jump zone; {WEB}", "chain zone { return; }", UDP),
    "a map of verdicts": ("drop", f"ct state vmap {{ established : accept, related : accept }}; {WEB}", "", UDP),
    "a map that cannot be judged": ("drop", f"udp dport vmap {{ 67 : accept }}; {WEB}", "", ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """A host with a firewall of its own."""
    try:
        subprocess.run(["ip", "netns", "add", PLACE], check=True, capture_output=True)
        yield PLACE
    finally:
        subprocess.run(["ip", "netns", "del", PLACE], check=False, capture_output=True)


def nft(place: str, *words: str, rules: str = "") -> Any:
    done = subprocess.run(
        ["ip", "netns", "exec", place, "nft", *words], input=rules, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{rules}: {done.stderr}"
    return json.loads(done.stdout)["nftables"] if done.stdout else []


@pytest.mark.parametrize(("policy", "rules", "chains", "dropped"), CASES.values(), ids=CASES)
def test_what_a_firewall_drops(place: str, policy: str, rules: str, chains: str, dropped: str) -> None:
    hook = f"type filter hook input priority filter; policy {policy};"
    sets = "set some { type inet_service; elements = { 1 } }"
    text = f"flush ruleset; table inet filter {{ {sets}; {chains}\nchain input {{ {hook} {rules} }}\n}}"
    nft(place, "-f", "-", rules=text)
    found = firewall_findings(nft(place, "--json", "list", "ruleset"), PORTS)
    if not dropped:
        assert found == []
        return
    assert [one.code for one in found] == ["firewall-drops"]
    assert f"the firewall drops what machines send to {dropped}" in found[0].sentence
    for command in found[0].remedy.partition(";")[0].split(" && "):
        subprocess.run(["ip", "netns", "exec", place, "bash", "-c", command], check=True)
    assert firewall_findings(nft(place, "--json", "list", "ruleset"), PORTS) == [], "the way out is one"
