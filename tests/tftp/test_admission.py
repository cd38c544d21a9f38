"""Who may start: shares, forged addresses, and requests that wait."""

from __future__ import annotations

from pxed.tftp.admission import UNHEARD_PER_SOURCE, WAIT, Admission


def start(admission: Admission[str], source: str, count: int, *, heard: bool = True) -> int:
    """Start up to `count` transfers; how many were let in."""
    started = 0
    for _ in range(count):
        if not admission.may_start(source):
            break
        admission.started(source)
        if heard:
            admission.heard(source)
        started += 1
    return started


def test_slots_are_bounded() -> None:
    admission = Admission[str](20)
    assert start(admission, "10.0.0.1", 16) + start(admission, "10.0.0.2", 16) == 20
    assert admission.full
    admission.ended("10.0.0.1", heard=True)
    assert not admission.full
    assert start(admission, "10.0.0.3", 9) == 1


def test_one_source_cannot_hold_more_than_half() -> None:
    admission = Admission[str](1024)
    assert start(admission, "10.0.0.1", 1024) == 512
    assert start(admission, "10.0.0.2", 1024) == 512


def test_a_rack_behind_one_address_starts_at_once_even_in_a_small_server() -> None:
    assert start(Admission[str](20), "10.0.0.1", 100) == 16


def test_a_forged_address_gets_few_transfers() -> None:
    admission = Admission[str](1024)
    assert start(admission, "10.0.0.1", 1024, heard=False) == UNHEARD_PER_SOURCE
    admission.heard("10.0.0.1")
    assert admission.may_start("10.0.0.1")
    admission.started("10.0.0.1")
    admission.ended("10.0.0.1", heard=False)
    assert admission.may_start("10.0.0.1")


def test_the_queue_is_bounded_by_clients() -> None:
    admission = Admission[str](2)
    assert admission.wait(("10.0.0.1", 1), "a", 0.0)
    assert admission.wait(("10.0.0.1", 2), "b", 0.0)
    assert not admission.wait(("10.0.0.1", 3), "c", 0.0)
    assert admission.wait(("10.0.0.1", 2), "b again", 0.0)
    assert admission.waiting == 2


def test_the_oldest_that_may_start_is_next() -> None:
    admission = Admission[str](40)
    assert start(admission, "10.0.0.1", 40) == 20
    admission.wait(("10.0.0.1", 1), "first, but has its share", 0.0)
    admission.wait(("10.0.0.2", 1), "second", 0.0)
    assert admission.next() == "second"
    assert admission.next() is None
    admission.ended("10.0.0.1", heard=True)
    assert admission.next() == "first, but has its share"


def test_a_repeated_request_keeps_its_place() -> None:
    admission = Admission[str](2)
    admission.wait(("10.0.0.1", 1), "old", 0.0)
    admission.wait(("10.0.0.2", 1), "other", 1.0)
    admission.wait(("10.0.0.1", 1), "new", 2.0)
    assert admission.waiting == 2
    assert admission.expired(WAIT) == ["new"]
    assert admission.next() == "other"


def test_nothing_is_next_while_all_slots_are_taken() -> None:
    admission = Admission[str](1)
    admission.wait(("10.0.0.2", 1), "waits", 0.0)
    admission.started("10.0.0.1")
    assert admission.next() is None
    admission.ended("10.0.0.1", heard=False)
    assert admission.next() == "waits"


def test_the_counts_do_not_grow_with_the_clients_that_were_served() -> None:
    admission = Admission[str](1024)
    for number in range(3000):
        admission.started(f"10.0.{number // 250}.{number % 250}")
        admission.ended(f"10.0.{number // 250}.{number % 250}", heard=False)
        admission.may_start(f"10.1.{number // 250}.{number % 250}")
    assert admission.active == 0
    assert not admission._held
    assert not admission._unheard


def test_waiting_requests_can_be_forgotten() -> None:
    admission = Admission[str](1)
    admission.wait(("10.0.0.1", 1), "waits", 0.0)
    admission.forget_waiting()
    assert admission.next() is None
