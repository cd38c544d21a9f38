"""Downloads in pieces, and the durable record of first boots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.server import deliveries as module
from pxed.server import firstboot
from pxed.server.deliveries import Deliveries, Delivery
from pxed.server.firstboot import FirstBoots
from pxed.status.records import FirstBoot
from pxed.status.store.errors import StoreError
from tests.server.keeper import Keeper


def test_a_whole_file_is_a_delivery_at_once() -> None:
    assert Deliveries().add("x", 0, 10, 10, 5.0) == Delivery(5.0)


def test_pieces_are_a_delivery_when_the_last_gap_closes_counted_from_the_first() -> None:
    pieces = Deliveries()
    assert pieces.add("x", 5, 10, 10, 1.0) is None
    assert pieces.add("x", 0, 3, 10, 2.0) is None
    assert pieces.add("y", 3, 5, 10, 3.0) is None, "another client's piece closes nothing"
    assert pieces.add("x", 2, 6, 10, 4.0) == Delivery(1.0)
    assert pieces.add("x", 0, 3, 10, 9.0) is None, "the next download begins anew"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=12))
def test_a_delivery_comes_exactly_when_every_byte_was_sent(spans: list[tuple[int, int]]) -> None:
    pieces, covered = Deliveries(), set[int]()
    for start, stop in (span for span in spans if span[0] <= span[1]):
        covered |= set(range(start, stop))
        done = pieces.add("x", start, stop, 20, 0.0) is not None
        assert done == (covered == set(range(20)))
        covered = set() if done else covered


def test_unfinished_downloads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DELIVERIES", 2)
    pieces = Deliveries()
    for key in "abc":
        pieces.add(key, 0, 1, 2, 0.0)
    assert pieces.add("a", 1, 2, 2, 0.0) is None, "the oldest was forgotten"


async def test_a_first_boot_is_remembered_over_a_restart_for_its_root() -> None:
    keeper = Keeper()
    boots = FirstBoots(keeper, {})
    assert not boots.done("node1", "LABEL=A")
    assert await boots.mark("node1", "LABEL=A")
    assert not await boots.mark("node1", "LABEL=A"), "known already"
    again = FirstBoots(keeper, keeper.restarted().contents.first_boots)
    assert again.done("node1", "LABEL=A")
    assert not again.done("node1", "LABEL=B"), "a new root has a first boot of its own"
    assert not again.done("node1", None)
    assert not again.done("node2", "LABEL=A")


async def test_a_forgotten_machine_has_a_first_boot_again() -> None:
    keeper = Keeper()
    boots = FirstBoots(keeper, {})
    await boots.mark("node1", "LABEL=A")
    assert await boots.forget("node1")
    assert not await boots.forget("node1")
    assert not boots.done("node1", "LABEL=A")
    assert keeper.restarted().contents.first_boots == {}


@pytest.mark.parametrize("known", [False, True], ids=["the first root", "another root"])
async def test_a_first_boot_that_cannot_be_kept_is_none(known: bool) -> None:
    keeper = Keeper()
    boots = FirstBoots(keeper, {"node1": FirstBoot("node1", "LABEL=A", 1.0)} if known else {})
    keeper.failing = True
    with pytest.raises(StoreError, match="the disk is full"):
        await boots.mark("node1", "LABEL=B")
    assert (boots.done("node1", "LABEL=A"), boots.done("node1", "LABEL=B")) == (known, False)


async def test_first_boots_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firstboot, "MAX_ENTRIES", 2)
    keeper = Keeper()
    boots = FirstBoots(keeper, {})
    for name in ("node1", "node2", "node3"):
        await boots.mark(name, "LABEL=A")
    assert [boots.done(name, "LABEL=A") for name in ("node1", "node2", "node3")] == [False, True, True]
    assert set(keeper.restarted().contents.first_boots) == {"node2", "node3"}


async def test_first_boots_of_invented_macs_push_out_none_of_a_listed_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firstboot, "MAX_ENTRIES", 2)
    boots = FirstBoots(Keeper(), {})
    await boots.mark("node1", "LABEL=A", ("52:54:00:00:00:01",))
    invented = [f"02:00:00:00:00:0{number}" for number in range(3)]
    for mac in invented:
        await boots.mark(mac, "LABEL=A", (mac,))
    assert boots.done("node1", "LABEL=A")
    assert [boots.done(mac, "LABEL=A") for mac in invented] == [False, False, True]
