"""The journal keeps the last events of each machine and never grows past its bounds."""

from pxed.events import Event, Kind
from pxed.status.journal import Journal


def event(number: int, machine: str = "node1", mac: str = "") -> Event:
    return Event(Kind.OFFER, float(number), machine, mac)


def test_events_come_back_oldest_first():
    journal = Journal()
    for number in range(3):
        journal.add(event(number))
    assert [e.time for e in journal.events("node1")] == [0.0, 1.0, 2.0]


def test_an_unlisted_machine_is_kept_by_its_mac_and_the_daemons_own_events_not_at_all():
    journal = Journal()
    journal.add(event(1, "", "52:54:00:00:00:09"))
    journal.add(event(2, ""))
    assert list(journal.machines()) == ["52:54:00:00:00:09"]
    assert journal.events("node1") == ()


def test_how_far_a_transfer_is_takes_nobodys_place():
    journal = Journal()
    journal.add(event(1))
    journal.add(Event(Kind.PROGRESS, 2.0, "node1"))
    assert [e.time for e in journal.events("node1")] == [1.0]


def test_a_machine_keeps_its_newest_events():
    journal = Journal(per_machine=3)
    for number in range(10):
        journal.add(event(number))
    assert [e.time for e in journal.events("node1")] == [7.0, 8.0, 9.0]
    assert len(journal) == 3


def test_the_machine_that_was_quiet_for_longest_is_forgotten_first():
    journal = Journal(per_machine=10, in_all=4)
    for number, name in enumerate(["a", "a", "b", "b", "a", "c"]):
        journal.add(event(number, name))
    assert list(journal.machines()) == ["a", "c"]
    assert len(journal) == 4


def test_a_flood_of_invented_macs_stays_within_the_bound():
    journal = Journal(per_machine=10, in_all=1000)
    for number in range(5000):
        journal.add(event(number, "", f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}"))
    assert len(journal) == 1000
    assert len(list(journal.machines())) == 1000
