"""Offers kept ready are, byte for byte, what the whole way gives; everything else goes the whole way."""

import random
from pathlib import Path

import pytest

from pxed.boot.decide import Offer
from pxed.boot.endpoint import Endpoint
from pxed.dhcp.simulate import boot_server_request, discover
from pxed.errors import DecodeError
from pxed.inventory.loader import loads
from pxed.probe.capture import read
from pxed.server import ready as ready_module
from pxed.server.dhcp_events import outcome_event
from pxed.server.ready import ReadyOffers, hit_event
from pxed.server.respond import respond

CAPTURES = sorted((Path(__file__).parent.parent / "data" / "captures").glob("*.pcap"))
HERE, THERE = Endpoint("10.77.0.2", 8080, "eth1"), Endpoint("10.88.0.2", 8080, "eth2")
UUID = bytes(range(16))
INVENTORY = loads(
    """\
server: {unknown: rest}
images: {i: {kernel: vmlinuz}}
profiles:
  rest: {image: i}
  worker: {image: i}
groups:
  - {match: {mac: "52:54:00:aa:*"}, profile: worker}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: worker}
  node2: {mac: 52:54:00:00:00:02, profile: worker, loader: ipxe.efi}
  node3: {mac: 52:54:00:00:00:03, profile: worker, pxe: {opt43: bypass}}
  node4: {uuid: 00010203-0405-0607-0809-0a0b0c0d0e0f, profile: worker}
  node5: {mac: 52:54:00:00:00:05, args: [own]}
""",
    Path("/inventory.yaml"),
)
MACS = [f"52:54:00:00:00:{last:02x}" for last in range(1, 9)]
MACS += ["52:54:00:aa:00:01", "52:54:00:aa:00:02", "dc:a6:32:00:00:01"]


def whole_way(datagram: bytes, endpoint: Endpoint):
    try:
        return respond(INVENTORY, datagram, 67, ("0.0.0.0", 68), endpoint)
    except DecodeError:
        return None


def check(offers: ReadyOffers, datagram: bytes, endpoint: Endpoint = HERE) -> bool:
    """Whether a reply was ready; if so it is the right one. If not, the whole way's is kept."""
    outcome = whole_way(datagram, endpoint)
    hit = offers.find(datagram, endpoint)
    if hit is None:
        if outcome is not None:
            offers.keep(datagram, endpoint, outcome)
        return False
    assert outcome is not None
    assert (hit.reply, hit.destination) == (outcome.reply, outcome.destination)
    event = hit_event(1.0, hit, endpoint.interface)
    assert event == outcome_event(1.0, outcome, endpoint.interface, 67, lambda mac: "")
    return True


def relayed(datagram: bytes, relay: bytes = b"\x0a\x01\x00\x01", xid: bytes = b"\x11\x22\x33\x44") -> bytes:
    return datagram[:4] + xid + datagram[8:24] + relay + datagram[28:]


@pytest.mark.parametrize("arch", [0, 7, 9, 11, 16])
@pytest.mark.parametrize("ipxe", [False, True], ids=["ROM", "iPXE"])
def test_the_second_machine_of_a_kind_is_answered_at_once(arch, ipxe):
    offers = ReadyOffers(INVENTORY)
    other = bytes(reversed(UUID))
    assert not check(offers, discover(MACS[0], other, arch, ipxe=ipxe))
    assert check(offers, discover(MACS[0], other, arch, ipxe=ipxe))
    assert check(offers, relayed(discover(MACS[0], bytes(16), arch, ipxe=ipxe)))


def test_machines_never_get_each_others_offers():
    offers = ReadyOffers(INVENTORY)
    hits = 0
    for turn in range(3):
        for mac in MACS:
            for uuid in (UUID, bytes([turn] * 16), None):
                for arch in (0, 7):
                    for endpoint in (HERE, THERE):
                        hits += check(offers, discover(mac, uuid, arch), endpoint)
    assert hits > 100


PLAIN = discover(MACS[0], bytes(16), 7)
ALWAYS_THE_WHOLE_WAY = {
    "a machine known by its UUID": discover("02:00:00:00:00:09", UUID, 7),
    "a Raspberry Pi": discover("dc:a6:32:00:00:01", bytes(16), 0),
    "a client without option 97": discover(MACS[0], None, 7),
    "a REQUEST": boot_server_request(MACS[0], UUID, 7, "10.77.0.9"),
    "a client that has an address": PLAIN[:12] + b"\x0a\x4d\0\x09" + PLAIN[16:],
    "a reply": b"\2" + PLAIN[1:],
    "not Ethernet": b"\1\6\6" + PLAIN[3:],
    "a wrong magic cookie": PLAIN[:236] + b"xxxx" + PLAIN[240:],
}


@pytest.mark.parametrize("datagram", ALWAYS_THE_WHOLE_WAY.values(), ids=ALWAYS_THE_WHOLE_WAY)
def test_goes_the_whole_way(datagram):
    offers = ReadyOffers(INVENTORY)
    check(offers, discover(MACS[0], bytes(16), 7))
    check(offers, discover(MACS[0], bytes(16), 0))
    assert not any(check(offers, datagram) for _ in range(3))


def test_the_packets_of_real_firmware_and_what_becomes_of_them_in_transit():
    """Captured requests, each changed in one to three places: 40,000 of them against one set of ready offers."""
    seeds = [d.payload for path in CAPTURES for d in read(path) if d.dport == 67]
    seeds += [discover(mac, UUID, arch) for mac in MACS for arch in (0, 7)]
    rng, offers, hits = random.Random(2131), ReadyOffers(INVENTORY), 0
    for _ in range(40_000):
        datagram = bytearray(rng.choice(seeds))
        for _change in range(rng.randint(0, 3)):
            datagram[rng.randrange(len(datagram))] = rng.choice((0, 1, 82, 97, 255, rng.randrange(256)))
        if rng.random() < 0.05:
            del datagram[rng.randrange(len(datagram)) :]
        hits += check(offers, bytes(datagram))
    assert hits > 5_000


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(ready_module, "KEPT_KINDS", 4)
    monkeypatch.setattr(ready_module, "KEPT_PROFILES", 2)
    offers = ReadyOffers(INVENTORY)
    for arch in range(200):
        for mac in MACS:
            check(offers, discover(mac, bytes(16), arch))
    assert len(offers._kinds) <= 4
    assert all(len(kind.ready) <= 2 for kind in offers._kinds.values())


def test_a_request_that_is_ignored_is_never_ready():
    inventory = loads("server: {unknown: ignore}\n", Path("/inventory.yaml"))
    offers = ReadyOffers(inventory)
    datagram = discover(MACS[0], bytes(16), 7)
    outcome = respond(inventory, datagram, 67, ("0.0.0.0", 68), HERE)
    offers.keep(datagram, HERE, outcome)
    assert not isinstance(outcome.decision, Offer)
    assert offers.find(datagram, HERE) is None
