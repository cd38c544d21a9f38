"""Which machine asks, and what it gets."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.inventory.lookup import Identity, Match, Unmatched, by_name, find, resolve
from pxed.inventory.model import Inventory
from tests.inventory.support import inventory

UUID1 = UUID("4c4c4544-0051-3510-8053-b4c04f564433")
UUID2 = UUID("03000200-0400-0500-0006-000700080009")
STRANGER = "02:00:00:00:00:99"

LAB = """
server: {unknown: UNKNOWN}
profiles:
  own: {boot: local}
  rack: {boot: local, args: [from=rack]}
  arm: {boot: local}
  rest: {boot: local}
groups:
  - {match: {mac: "52-54-00-*"}, profile: rack, vars: {rack: r1, role: none}}
  - {match: {arch: arm64-*, serial: ["X*", "Y*"]}, profile: arm}
  - {match: {arch: 11}, profile: rest}
machines:
  a:
    mac: ["aa:00:00:00:00:01", "aa:00:00:00:00:02"]
    uuid: 4c4c4544-0051-3510-8053-b4c04f564433
    profile: own
    vars: {x: 1}
  b: {uuid: 03000200-0400-0500-0006-000700080009, serial: SN1, profile: own}
  c: {mac: 52:54:00:00:00:0c, vars: {role: etcd}, args: [from=machine]}
  d: {serial: SN4}
"""


def lab(unknown: str = "ignore") -> Inventory:
    return inventory(LAB.replace("UNKNOWN", unknown))


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        pytest.param(Identity(mac="aa:00:00:00:00:01"), "a", id="the first MAC"),
        pytest.param(Identity(mac="aa:00:00:00:00:02"), "a", id="the second MAC"),
        pytest.param(Identity(mac=STRANGER, uuid=UUID1.bytes), "a", id="the UUID in network byte order"),
        pytest.param(Identity(mac=STRANGER, uuid=UUID1.bytes_le), "a", id="the UUID with its first fields swapped"),
        pytest.param(Identity(serial="sn1"), "b", id="the serial number in another case"),
        pytest.param(Identity(mac="aa:00:00:00:00:01", uuid=UUID2.bytes, serial="SN1"), "a", id="the MAC goes first"),
        pytest.param(Identity(uuid=UUID2.bytes, serial="SN4"), "b", id="the UUID goes before the serial number"),
        pytest.param(Identity(mac=STRANGER), None, id="a stranger"),
        pytest.param(Identity(), None, id="a request that tells nothing"),
        pytest.param(Identity(mac=STRANGER, uuid=bytes(16), serial="None"), None, id="placeholders of the firmware"),
        pytest.param(Identity(uuid=b"\xff" * 16, serial="To be filled by O.E.M."), None, id="other placeholders"),
    ],
)
def test_a_machine_is_found_by_mac_then_uuid_then_serial(identity: Identity, name: str | None) -> None:
    found = find(lab(), identity)
    assert (found.name if found else None) == name


def test_a_listed_machine_gets_its_own_profile_and_variables() -> None:
    loaded = lab()
    match = resolve(loaded, Identity(mac="aa:00:00:00:00:01", uuid=UUID1.bytes_le))
    assert isinstance(match, Match)
    assert (match.name, match.profile_name, match.vars) == ("a", "own", {"x": 1})
    assert match.machine is loaded.machines["a"]
    assert match.profile is loaded.profiles["own"]
    assert match.reason == "listed as a, by its MAC"


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (Identity(mac="aa:00:00:00:00:01", uuid=bytes(16)), "listed as a, by its MAC"),
        (Identity(mac="aa:00:00:00:00:01", uuid=UUID2.bytes), "listed as a, by its MAC; but its UUID is that of b"),
        (
            Identity(mac="aa:00:00:00:00:01", uuid=UUID2.bytes_le, serial="SN4"),
            "listed as a, by its MAC; but its UUID is that of b; but its serial number is that of d",
        ),
        (Identity(mac=STRANGER, uuid=UUID1.bytes), "listed as a, by its UUID"),
        (Identity(uuid=UUID1.bytes, serial="SN1"), "listed as a, by its UUID; but its serial number is that of b"),
        (Identity(mac=STRANGER, serial="SN1"), "listed as b, by its serial number"),
        (Identity(mac="aa:00:00:00:00:01", serial="other"), "listed as a, by its MAC"),
    ],
)
def test_the_reason_says_by_what_and_tells_a_conflict(identity: Identity, reason: str) -> None:
    match = resolve(lab(), identity)
    assert isinstance(match, Match)
    assert match.reason == reason


def test_a_listed_machine_without_profile_gets_its_groups_with_its_own_overrides() -> None:
    loaded = lab()
    match = resolve(loaded, Identity(mac="52:54:00:00:00:0c"))
    assert isinstance(match, Match)
    assert (match.name, match.profile_name) == ("c", "rack")
    assert match.vars == {"rack": "r1", "role": "etcd"}, "the group's variables are the base, the machine's win"
    assert match.profile.args == ("from=machine",)
    assert loaded.profiles["rack"].args == ("from=rack",)
    assert match.reason == "listed as c, by its MAC, without a profile of its own; group 1 matches"


def test_a_machine_that_is_not_listed_gets_its_groups_profile_under_its_mac() -> None:
    loaded = lab()
    match = resolve(loaded, Identity(mac="52:54:00:00:00:99"))
    assert isinstance(match, Match)
    assert (match.name, match.machine, match.profile_name) == ("52:54:00:00:00:99", None, "rack")
    assert match.profile is loaded.profiles["rack"]
    assert (match.vars, match.reason) == ({"rack": "r1", "role": "none"}, "not listed; group 1 matches")


@pytest.mark.parametrize(
    ("identity", "profile"),
    [
        (Identity(mac="52:54:00:00:00:99", arch="arm64-efi"), "rack"),
        (Identity(mac=STRANGER, arch="arm64-efi", serial="y7"), "arm"),
        (Identity(mac=STRANGER, arch="arm64-efi", serial="z7"), "rest"),
        (Identity(mac=STRANGER, arch="arm64-efi"), "rest"),
    ],
)
def test_the_first_group_that_matches_wins(identity: Identity, profile: str) -> None:
    match = resolve(lab(), identity)
    assert isinstance(match, Match)
    assert match.profile_name == profile


@pytest.mark.parametrize(
    ("unknown", "outcome"),
    [
        ("ignore", Unmatched(False, "not listed, no group matches, and unknown is ignore")),
        ("hold", Unmatched(True, "not listed, no group matches, and unknown is hold")),
    ],
)
def test_what_happens_to_a_stranger(unknown: str, outcome: Unmatched) -> None:
    assert resolve(lab(unknown), Identity(mac=STRANGER)) == outcome


def test_a_stranger_may_get_a_profile() -> None:
    match = resolve(lab("rest"), Identity(mac=STRANGER))
    assert isinstance(match, Match)
    assert (match.name, match.machine, match.profile_name, match.vars) == (STRANGER, None, "rest", {})
    assert match.reason == "not listed, no group matches; unknown names this profile"


@pytest.mark.parametrize("unknown", ["ignore", "hold"])
def test_a_listed_machine_that_nothing_matches_is_unmatched_with_its_name(unknown: str) -> None:
    loaded = lab(unknown)
    assert resolve(loaded, Identity(serial="SN4")) == Unmatched(
        unknown == "hold",
        f"listed as d, by its serial number, without a profile of its own; no group matches, and unknown is {unknown}",
        loaded.machines["d"],
    )


def test_a_listed_machine_that_nothing_matches_may_get_the_profile_of_strangers() -> None:
    match = resolve(lab("rest"), Identity(serial="SN4"))
    assert isinstance(match, Match)
    assert (match.name, match.profile_name) == ("d", "rest")


@pytest.mark.parametrize("spelling", ["a", "aa:00:00:00:00:02", "AA-00-00-00-00-02", "aa00.0000.0001"])
def test_by_name_takes_a_name_or_a_mac_in_any_spelling(spelling: str) -> None:
    loaded = lab()
    assert by_name(loaded, spelling) is loaded.machines["a"]


@pytest.mark.parametrize("text", ["", "A", "zz", STRANGER, "ff:ff:ff:ff:ff:ff"])
def test_by_name_knows_no_others(text: str) -> None:
    assert by_name(lab(), text) is None


@given(st.binary(min_size=16, max_size=16).filter(lambda raw: raw not in (bytes(16), b"\xff" * 16)))
def test_any_listed_uuid_is_found_in_both_byte_orders(raw: bytes) -> None:
    loaded = inventory(f"profiles: {{p: {{boot: local}}}}\nmachines: {{m: {{uuid: {UUID(bytes=raw)}, profile: p}}}}")
    assert find(loaded, Identity(uuid=UUID(bytes=raw).bytes)) is loaded.machines["m"]
    assert find(loaded, Identity(uuid=UUID(bytes=raw).bytes_le)) is loaded.machines["m"]


@given(
    st.text(max_size=20),
    st.none() | st.binary(max_size=20) | st.sampled_from([UUID1.bytes, UUID1.bytes_le, UUID2.bytes]),
    st.none() | st.text(max_size=10) | st.sampled_from(["SN1", "X1"]),
    st.none() | st.sampled_from(["arm64-efi", "x86-bios", "arch-99"]),
)
def test_any_identity_gets_an_answer(mac: str, uuid: bytes | None, serial: str | None, arch: str | None) -> None:
    for loaded in _LABS:
        outcome = resolve(loaded, Identity(mac, uuid, serial, arch))
        assert isinstance(outcome, Match | Unmatched)
        assert outcome.reason


_LABS = [lab("ignore"), lab("hold"), lab("rest")]
