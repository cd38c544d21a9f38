"""Whose a standing is after a reload: it follows the MAC, so that no new name installs a machine again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxed.inventory.loader import loads
from pxed.server.heirs import heirs

A, B, C = "52:54:00:00:00:0a", "52:54:00:00:00:0b", "52:54:00:00:00:0c"
CASES: dict[str, tuple[dict[str, list[str]], dict[str, list[str]], dict[str, str]]] = {
    "nothing has changed": ({"n1": [A]}, {"n1": [A]}, {}),
    "a renamed machine": ({"n1": [A]}, {"n2": [A]}, {"n1": "n2"}),
    "a machine that only a group chose is listed": ({A: [A]}, {"n1": [A]}, {A: "n1"}),
    "a machine is listed no more: a group may choose it": ({"n1": [A]}, {}, {"n1": A}),
    "a machine gets another NIC": ({"n1": [A]}, {"n1": [B]}, {}),
    "a machine gets one more NIC": ({"n1": [A]}, {"n1": [B, A]}, {}),
    "a MAC goes to another name, whose old name gets a new machine": (
        {"n1": [A]},
        {"n1": [B], "n2": [A]},
        {"n1": "n2"},
    ),
    "two machines are swapped": ({"n1": [A], "n2": [B]}, {"n1": [B], "n2": [A]}, {"n1": "n2", "n2": "n1"}),
    "a row of machines moves up": (
        {"n1": [A], "n2": [B]},
        {"n2": [A], "n3": [B]},
        {"n1": "n2", "n2": "n3"},
    ),
    "the new name has a standing that stays": ({"n1": [A], "n2": [B]}, {"n2": [B, A]}, {}),
    "two machines become one": ({"n1": [A], "n2": [B]}, {"n3": [A, B]}, {"n1": "n3"}),
    "a MAC comes back to its name, which another one has had meanwhile": (
        {"n1": [C], "n2": [A]},
        {"n1": [A], "n2": [B]},
        {"n1": C, "n2": "n1"},
    ),
    "a MAC comes back, and the one that was there is another name's too": (
        {"n1": [C], "n2": [A]},
        {"n1": [A], "n3": [C]},
        {"n1": "n3", "n2": "n1"},
    ),
    "a machine without a MAC": ({"n1": []}, {"n2": [C]}, {}),
}


@pytest.mark.parametrize(("before", "listed", "moves"), CASES.values(), ids=CASES)
def test_a_standing_goes_with_the_mac(
    before: dict[str, list[str]], listed: dict[str, list[str]], moves: dict[str, str]
) -> None:
    profiles = "profiles: {disk: {boot: local}}\nmachines:\n  spare: {mac: '52:54:00:00:00:ff', profile: disk}\n"
    owned = {
        name: f"mac: {macs}" if macs else "uuid: 00112233-4455-6677-8899-aabbccddeeff" for name, macs in listed.items()
    }
    text = profiles + "".join(f"  {name}: {{{what}, profile: disk}}\n" for name, what in owned.items())
    known = {name: tuple(macs) for name, macs in before.items()}
    assert heirs(loads(text, Path("pxed.yaml")), known) == moves
