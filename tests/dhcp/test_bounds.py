"""What datagrams of strangers can make pxed keep is bounded: not only the number of entries, their size too."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from pxed.probe.oracles.clients import message
from pxed.probe.oracles.wire import Datagram
from tests.dhcp.responder import inventory, pxed

DATAGRAMS = 30
KEPT = 1 << 20  # bytes, for DATAGRAMS of 60 kB each; 4096 such entries would be 0.25 to 1.2 GB


def floods(tag: int) -> Iterator[Datagram]:
    """DISCOVERs whose option `tag` is 60 kB long (RFC 3396), another one each time."""
    for number in range(DATAGRAMS):
        value = number.to_bytes(4, "big") + bytes(60_000)
        parts = tuple((tag, value[at : at + 255]) for at in range(0, len(value), 255))
        payload = message(((53, b"\1"), (60, b"PXEClient"), *parts))
        yield Datagram("0.0.0.0", 68, "255.255.255.255", 67, payload)


@pytest.mark.parametrize("tag", [93, 175, 77, 60], ids=lambda tag: f"option {tag}")
def test_huge_options_of_strangers_are_not_kept(tag: int) -> None:
    responder = pxed(inventory(unknown="hold"))
    tracemalloc.start()
    try:
        for datagram in floods(tag):
            responder(datagram)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < KEPT
