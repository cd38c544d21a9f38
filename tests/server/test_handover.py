"""What is handed over, as data: any transfer's place survives being written and read, and nonsense is refused."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.library import Asset
from pxed.events import Kind
from pxed.server.clients import Clients
from pxed.server.conditions import Selection
from pxed.server.deliveries import Deliveries, Delivery
from pxed.server.fdstore import FdStore, fd_name
from pxed.server.going import HttpState
from pxed.server.handover import VERSION, HandoverError, Incoming, identity, parsed
from pxed.server.memory import Memory
from pxed.server.seen import Seen
from pxed.server.systemd import Manager
from pxed.server.tftp_handover import TftpState
from pxed.server.tracker import Tracker

STORE = FdStore(Manager())
ASSET = Asset("r/vmlinuz", Path("/srv/r/vmlinuz"), 100, 1)
DOWNLOAD = HttpState(
    "socket:1", "file:1:2", ASSET, Kind.KERNEL, "vmlinuz", "", "rescue", "vmlinuz", "", "10.0.0.9", "node1",
    "52:54:00:00:00:01", Selection(200, 0, 100), 50, 1.5, 0, True, 7,
)  # fmt: skip


def incoming(content: bytes, *more: tuple[str, int]) -> Incoming:
    state = os.memfd_create("state")
    os.pwrite(state, content, 0)
    return Incoming(STORE, [("handover", state), *more])


GARBAGE = {
    "nothing": b"",
    "no JSON": b"\x00\xff{",
    "another version": json.dumps({"version": VERSION + 1, "tftp": []}).encode(),
    "no version": b"{}",
    "no object": b"[]",
    "a number": b"1",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_a_state_that_is_none_is_refused_in_words(content: bytes) -> None:
    taken = incoming(content)
    with pytest.raises(HandoverError, match="it"):
        taken.read()
    taken.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON, JSON, JSON)
def test_nonsense_in_a_state_is_left_out(tftp: object, http: object, context: object) -> None:
    taken = incoming(json.dumps({"version": VERSION, "tftp": tftp, "http": http, "context": context}).encode())
    assert taken.read()
    assert taken.states("tftp", TftpState)[0] == []
    assert taken.states("http", HttpState)[0] == []
    Memory(Clients(), Seen(), Deliveries(), Tracker(print)).read(taken.context)
    taken.close()


FIELDS = sorted(asdict(DOWNLOAD))


@given(st.sampled_from(FIELDS), JSON)
def test_a_field_of_another_type_gives_a_download_or_none(field: str, value: object) -> None:
    entry = json.loads(json.dumps(asdict(DOWNLOAD), default=str))
    assert parsed(entry, HttpState) == DOWNLOAD
    found = parsed({**entry, field: value}, HttpState)
    assert found is None or isinstance(found, HttpState)


@pytest.mark.parametrize(
    "place", [{"sent": 101}, {"sent": -1}, {"selection": {"status": 200, "start": 0, "stop": 101}}]
)
def test_a_place_outside_of_the_file_is_none(place: dict[str, object]) -> None:
    entry = json.loads(json.dumps(asdict(DOWNLOAD), default=str))
    assert parsed({**entry, **place}, HttpState) is None


@pytest.fixture
def descriptors() -> Iterator[tuple[int, int]]:
    """A socket and a file, as another process would get them: duplicates."""
    with socket.socket() as sock, os.fdopen(os.memfd_create("file"), "rb") as file:
        yield os.dup(sock.fileno()), os.dup(file.fileno())


def test_descriptors_are_found_by_what_they_are_of(descriptors: tuple[int, int]) -> None:
    names = [identity(fd) for fd in descriptors]
    assert [name.split(":")[0] for name in names] == ["socket", "file"]
    taken = incoming(b"", *(("transfers-0", fd) for fd in descriptors))
    assert taken.take_file(names[0]) is None
    assert taken.take_socket(names[1]) is None
    sock, one, other = taken.take_socket(names[0]), taken.take_file(names[1]), taken.take_file(names[1])
    assert sock is not None
    assert one is not None
    assert other not in (None, one)
    assert taken.take_socket(names[0]) is None, "it has one owner"
    taken.give_back(sock, one)
    taken.give_back(None, other)
    taken.close()


def test_names_are_what_systemd_takes() -> None:
    assert fd_name("kept", "tftp", "") == "kept-tftp"
    assert fd_name("kept", "tftp", "eth0:1\u00e9\n") == "kept-tftp-eth0_1__"
    assert len(fd_name("x" * 300)) < 255


def test_what_is_known_of_boots_survives_being_written() -> None:
    clients, seen, deliveries = Clients(), Seen(), Deliveries()
    clients.learn("10.0.0.9", "52:54:00:00:00:01")
    clients.learn_name("52:54:00:00:00:02", "node2")
    seen.boot("node1", 1000.0)
    seen.refuse("node3", "it came by a relay", 1000.0)
    assert deliveries.add(("10.0.0.9", ASSET), 0, 60, 100, 5.0) is None
    written = json.loads(json.dumps(Memory(clients, seen, deliveries, Tracker(print)).written(), default=_plain))
    clients, seen, deliveries = Clients(), Seen(), Deliveries()
    Memory(clients, seen, deliveries, Tracker(print)).read(written.get)
    assert clients.mac_of("10.0.0.9") == "52:54:00:00:00:01"
    assert clients.name_of("52:54:00:00:00:02") == "node2"
    assert seen.has_begun("node1", 1001.0)
    assert seen.refusal("node3", 1001.0) == "it came by a relay"
    assert deliveries.add(("10.0.0.9", ASSET), 60, 100, 100, 9.0) == Delivery(5.0)


def _plain(value: object) -> object:
    return asdict(value) if isinstance(value, Asset) else str(value)
