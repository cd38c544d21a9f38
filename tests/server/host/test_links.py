"""Interfaces that keep machines from being answered."""

from __future__ import annotations

import pytest

from pxed.server.host.links import Link, link_findings

LO = Link(up=True, running=True, addresses=("127.0.0.1",), loopback=True)
GOOD = Link(up=True, running=True, addresses=("10.0.0.1",))
BARE = Link(up=True, running=True)
DOWN = Link(up=False, running=False, addresses=("10.0.0.1",))
EMPTY_BRIDGE = Link(up=True, running=False, addresses=("192.168.122.1",))
CASES = {
    "all named are there": (["eth0"], {"lo": LO, "eth0": GOOD}, []),
    "a bridge without machines yet is good": (["virbr0"], {"lo": LO, "virbr0": EMPTY_BRIDGE}, []),
    "loopback may be named": (["lo"], {"lo": LO}, []),
    "one is not there": (["eth0", "eth1"], {"eth0": GOOD}, ["interface-missing"]),
    "one is down": (["eth0"], {"eth0": DOWN}, ["interface-down"]),
    "one has no address": (["eth0"], {"eth0": BARE}, ["interface-no-address"]),
    "none named, one has an address": ([], {"lo": LO, "eth0": GOOD, "eth1": BARE, "eth2": DOWN}, []),
    "none named, none has an address": ([], {"lo": LO, "eth0": BARE}, ["interface-none"]),
    "none named, the only one is down": ([], {"eth0": DOWN}, ["interface-none"]),
    "none named, the only one has no cable": ([], {"virbr0": EMPTY_BRIDGE}, ["interface-none"]),
}


@pytest.mark.parametrize(("wanted", "links", "codes"), CASES.values(), ids=CASES)
def test_what_is_wrong_with_interfaces(wanted: list[str], links: dict[str, Link], codes: list[str]) -> None:
    assert [found.code for found in link_findings(wanted, links)] == codes


def test_a_misspelt_name_is_answered_with_the_nearest_and_loopback_comes_last() -> None:
    (found,) = link_findings(["enp3s0"], {"lo": LO, "enp3s0f0": GOOD, "br0": BARE})
    assert found.sentence == (
        "the interface enp3s0 of server.interfaces is not there: pxed serves it as soon as it appears; if the name is "
        "wrong, correct it (this host has br0, enp3s0f0, lo; the nearest is enp3s0f0)"
    )


def test_of_hundreds_of_interfaces_a_few_are_listed() -> None:
    links = {f"tap{number}": BARE for number in range(300)}
    (found,) = link_findings(["eth0"], links)
    assert "and 288 more" in found.sentence
    assert len(found.sentence) < 300
