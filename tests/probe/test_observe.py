"""Packets of a wire, forged one by one, and what the observer and the timeline make of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pxed.events import Event, Kind
from pxed.probe.capture import Datagram, Packet, Segment
from pxed.probe.observe import Observer
from pxed.probe.oracles.clients import Client, Option, address, bios_rom, efi, ipxe, message, plain_dhcp
from pxed.probe.oracles.wire import parse
from pxed.probe.watching import AFTER, Watcher
from pxed.status.boots import Outcome, Stage
from pxed.tftp.packet import Ack, Data, Error, Oack, Rrq, encode

MAC, LEASE = "52:54:00:00:00:01", "10.0.0.77"
DHCP, PXE, RIVAL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
PORTS = (67, 68, 69, 80, 4011, 3000, 2000)
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
UEFI, BIOS, IPXE = efi(7), bios_rom(), ipxe(7)
VENDOR = (60, b"PXEClient")
SCRIPT = (
    b"#!ipxe\nkernel http://10.0.0.2/images/lab/vmlinuz initrd=i ignition.config.url=http://10.0.0.2/ignition/n?token=x\
 flatcar.first_boot=1\ninitrd http://10.0.0.2/images/lab/initrd.img\nboot\n"
)
LOCAL = b"#!ipxe\niseq ${platform} efi && exit 1 ||\nsanboot --no-describe --drive 0x80 || exit 1\n"


@dataclass
class Wire:
    """Packets in their order, a tenth of a second apart unless told otherwise."""

    now: float = 1000.0
    packets: list[Packet] = field(default_factory=list)
    xid: int = 1

    def wait(self, seconds: float) -> Wire:
        self.now += seconds
        return self

    def datagram(self, src: str, sport: int, dst: str, dport: int, payload: bytes) -> Wire:
        mac = MAC if src in ("0.0.0.0", LEASE) else "02:00:00:00:00:02"
        self.packets.append(Datagram(self.now, src, sport, dst, dport, mac, payload))
        return self.wait(0.1)

    # DHCP

    def discover(self, client: Client) -> Wire:
        self.xid += 1
        return self.datagram("0.0.0.0", 68, "255.255.255.255", 67, client.discover(xid=self.xid).payload)

    def request(self, client: Client, server: str = DHCP) -> Wire:
        return self.datagram("0.0.0.0", 68, "255.255.255.255", 67, client.request(LEASE, server, xid=self.xid).payload)

    def ask(self, client: Client, server: str = PXE) -> Wire:
        self.xid += 1
        return self.datagram(LEASE, 4011, server, 4011, client.ask(server, xid=self.xid, leased=LEASE).payload)

    def reply(self, kind: int, server: str, *options: Option, gives: str = "", file: str = "", port: int = 67) -> Wire:
        payload = message(
            ((53, bytes([kind])), (54, address(server)), *options),
            op=2, xid=self.xid, yiaddr=gives or "0.0.0.0", siaddr=server if file else "0.0.0.0", file=file.encode(),
        )  # fmt: skip
        dst, dport = ("255.255.255.255", 68) if port == 67 else (LEASE, 4011)
        return self.datagram(server, port, dst, dport, payload)

    def lease(self, client: Client, file: str, *, bootserver: bool = False) -> Wire:
        """Offers of both servers, and the lease."""
        self.discover(client).reply(OFFER, DHCP, gives=LEASE).reply(OFFER, PXE, VENDOR, file=file)
        self.request(client).reply(ACK, DHCP, gives=LEASE)
        return self.ask(client).reply(ACK, PXE, VENDOR, file=file, port=4011) if bootserver else self

    # files

    def tftp(self, file: str, body: bytes, *, port: int = 2000, blksize: int = 1024) -> Wire:
        self.datagram(LEASE, port, PXE, 69, encode(Rrq(file, "octet", (("blksize", "1024"), ("tsize", "0")))))
        self.datagram(PXE, 3000, LEASE, port, encode(Oack((("blksize", str(blksize)), ("tsize", str(len(body)))))))
        self.datagram(LEASE, port, PXE, 3000, encode(Ack(0)))
        for block, at in enumerate(range(0, len(body) + 1, blksize), 1):
            self.datagram(PXE, 3000, LEASE, port, encode(Data(block & 0xFFFF, body[at : at + blksize])))
            self.datagram(LEASE, port, PXE, 3000, encode(Ack(block & 0xFFFF)))
        return self

    def http(
        self,
        path: str,
        body: bytes,
        *,
        status: str = "200 OK",
        method: str = "GET",
        said: bytes = b"",
        acked: int = -1,
        sent: int = -1,
    ) -> Wire:
        """One request on a connection of its own; of the body `sent` bytes leave and `acked` arrive, all by default."""
        port = 40000 + len(self.packets)
        ask = f"{method} {path} HTTP/1.1\r\nHost: {PXE}\r\n\r\n".encode() + said
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self.segment(LEASE, port, PXE, 80, 100, 500, ask)
        self.segment(PXE, 80, LEASE, port, 500, 100 + len(ask), head + body[:1000])
        for at in range(1000, len(body) if sent < 0 else sent, 1000):
            self.segment(PXE, 80, LEASE, port, 500 + len(head) + at, 100 + len(ask), body[at : at + 1000])
        got = len(body) if acked < 0 else acked
        return self.segment(LEASE, port, PXE, 80, 100 + len(ask), 500 + len(head) + got, b"")

    def segment(self, src: str, sport: int, dst: str, dport: int, seq: int, ack: int, payload: bytes) -> Wire:
        mac = MAC if src == LEASE else "02:00:00:00:00:02"
        self.packets.append(Segment(self.now, src, sport, dst, dport, mac, 0x18, seq, ack, payload))
        return self.wait(0.1)

    # what is made of it

    def events(self, server: str = "") -> list[Event]:
        observer = Observer("eth0", server)
        found = []
        for packet in self.packets:
            found += observer.tick(packet.time)
            found += observer.packet(packet)
        return found + observer.tick(self.now + 10)

    def watched(self, server: str = "", after: float = AFTER) -> Watcher:
        watcher = Watcher("eth0", server)
        for packet in self.packets:
            watcher.look(packet.time)
            watcher.packet(packet)
        watcher.look(self.now + after)
        return watcher


def kinds(events: list[Event]) -> list[Kind]:
    """Without packets that are only told."""
    return [event.kind for event in events if event.kind not in (Kind.DISCOVER, Kind.PROGRESS, Kind.NOTICE)]


def good_boot(wire: Wire) -> Wire:
    wire.lease(UEFI, "snponly.efi", bootserver=True).tftp("snponly.efi", bytes(3000)).wait(2)
    wire.lease(IPXE, f"http://{PXE}/boot.ipxe").http("/boot.ipxe", b"#!ipxe\nchain http://10.0.0.2/boot.ipxe?mac=x\n")
    wire.http("/boot.ipxe?mac=x", SCRIPT).http("/images/lab/vmlinuz", bytes(5000))
    return wire.http("/images/lab/initrd.img", bytes(7000)).wait(5).http("/ignition/n?token=x", b"{}")


def test_a_whole_boot_is_told_as_the_daemon_tells_it() -> None:
    events = good_boot(Wire()).events()
    assert kinds(events) == [
        *(Kind.REPLY, Kind.OFFER, Kind.IGNORED, Kind.REPLY, Kind.BOOTSERVER, Kind.LOADER),
        *(Kind.REPLY, Kind.IPXE, Kind.IGNORED, Kind.REPLY),
        *(Kind.SCRIPT, Kind.KERNEL, Kind.INITRD, Kind.IGNITION),
    ]
    by_kind = {event.kind: event for event in events}
    assert {event.mac for event in events} == {MAC}
    assert by_kind[Kind.LOADER].data["bytes"] == 3000
    assert (by_kind[Kind.KERNEL].data["bytes"], by_kind[Kind.INITRD].data["file"]) == (5000, "initrd.img")
    script = by_kind[Kind.SCRIPT].data
    assert (script["way"], script["files"], script["config"]) == ("memory", "vmlinuz initrd.img", "url")
    assert "token" not in str(script)


def test_a_whole_boot_ends_well() -> None:
    watcher = good_boot(Wire()).watched()
    [boot] = watcher.boots()
    assert (boot.outcome, boot.finding) == (Outcome.RUNNING, None)
    assert watcher.verdict(boot) == "it has booted"
    assert [span.stage for span in boot.spans] == [
        *(Stage.DISCOVER, Stage.OFFER, Stage.BOOTSERVER, Stage.LOADER, Stage.IPXE, Stage.SCRIPT),
        *(Stage.KERNEL, Stage.INITRD, Stage.IGNITION),
    ]
    assert watcher.observer.server == PXE
    assert {seen.address for seen in watcher.servers()} == {DHCP}


def test_a_report_ends_a_boot() -> None:
    said = b'{"stage": "running", "message": "Linux"}'
    wire = good_boot(Wire()).wait(3).http("/report/n?token=y", b"", status="204 No Content", method="POST", said=said)
    assert kinds(wire.events())[-1] is Kind.RUNNING


def test_a_machine_that_is_told_to_boot_its_disk() -> None:
    wire = Wire().lease(IPXE, f"http://{PXE}/boot.ipxe").http("/boot.ipxe", LOCAL)
    [boot] = wire.watched().boots()
    assert boot.outcome is Outcome.LOCAL


FAULTS = {
    "no server": (Wire().discover(UEFI).wait(4).discover(UEFI), "not-served", "No server on this wire answers"),
    "no address": (
        Wire().discover(UEFI).reply(OFFER, PXE, VENDOR, file="a.efi").wait(4).discover(UEFI)
        .reply(OFFER, PXE, VENDOR, file="a.efi"),
        "no-dhcp-server",
        "the firmware has 10.0.0.2's offer but gets no address",
    ),
    "the boot server leaves it alone": (
        Wire().discover(UEFI).reply(OFFER, DHCP, gives=LEASE).wait(4).discover(UEFI).reply(OFFER, DHCP, gives=LEASE),
        "not-served",
        "10.0.0.2 leaves this machine's request unanswered",
    ),
    "option 60 of the DHCP server": (
        Wire().discover(UEFI).reply(OFFER, PXE, VENDOR, file="a.efi").reply(OFFER, DHCP, VENDOR, gives=LEASE)
        .request(UEFI).reply(ACK, DHCP, VENDOR, gives=LEASE).ask(UEFI, DHCP).wait(2).ask(UEFI, DHCP),
        "dhcp-option-60",
        "The DHCP server 10.0.0.1 sends option 60",
    ),
    "port 4011 is silent": (
        Wire().lease(UEFI, "a.efi").ask(UEFI).wait(2).ask(UEFI),
        "bootserver-blocked",
        "cannot talk on UDP port 4011",
    ),
    "a rival": (
        Wire().discover(BIOS).reply(OFFER, PXE, VENDOR, file="a.0").reply(OFFER, RIVAL, VENDOR, file="b.0")
        .reply(OFFER, DHCP, gives=LEASE).request(BIOS).reply(ACK, DHCP, gives=LEASE),
        "rival-proxy",
        "Another PXE server, 10.0.0.3, answers this machine too",
    ),
    "TFTP is cut off": (
        Wire().lease(BIOS, "a.0").datagram(LEASE, 2000, PXE, 69, encode(Rrq("a.0", "octet")))
        .datagram(PXE, 3000, LEASE, 2000, encode(Data(1, bytes(512)))),
        "tftp-blocked",
        "TFTP dies after its first packet",
    ),
    "big blocks are lost": (
        Wire().lease(BIOS, "a.0")
        .datagram(LEASE, 2000, PXE, 69, encode(Rrq("a.0", "octet", (("blksize", "1456"),))))
        .datagram(PXE, 3000, LEASE, 2000, encode(Oack((("blksize", "1456"),))))
        .datagram(LEASE, 2000, PXE, 3000, encode(Ack(0)))
        .datagram(PXE, 3000, LEASE, 2000, encode(Data(1, bytes(1456)))),
        "mtu-black-hole",
        "Blocks of 1456 bytes do not reach the machine",
    ),
    "no such loader": (
        Wire().lease(BIOS, "a.0").datagram(LEASE, 2000, PXE, 69, encode(Rrq("a.0", "octet")))
        .datagram(PXE, 3000, LEASE, 2000, encode(Error(1, "File not found"))),
        "loader-missing",
        "The boot loader a.0",
    ),
    "no such kernel": (
        Wire().lease(IPXE, f"http://{PXE}/boot.ipxe").http("/boot.ipxe", SCRIPT)
        .http("/images/lab/vmlinuz", b"no such file\n", status="404 Not Found"),
        "file-missing",
        "The kernel vmlinuz cannot be had: HTTP 404: no such file",
    ),
    "a download that stands still": (
        Wire().lease(IPXE, f"http://{PXE}/boot.ipxe").http("/boot.ipxe", SCRIPT)
        .http("/images/lab/vmlinuz", bytes(9000), sent=6000, acked=4000),
        "download-stalled",
        "The download of vmlinuz stands still at 4000 of 9000 bytes",
    ),
    "no script": (
        Wire().lease(IPXE, f"http://{PXE}/boot.ipxe").segment(LEASE, 40000, PXE, 80, 1, 0, b""),
        "script-never",
        "iPXE was told its script, http://10.0.0.2/boot.ipxe, but does not fetch it",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wire", "fault", "cause"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named(wire: Wire, fault: str, cause: str) -> None:
    server = "" if fault == "not-served" and "No server" in cause else PXE
    watcher = wire.watched(server)
    boot = watcher.boots()[-1]
    found = watcher.told(boot, boot.finding)
    assert found is not None, watcher.verdict(boot)
    assert (str(found.fault), cause in found.cause) == (fault, True), found.cause


def test_what_is_not_in_sight_is_not_judged() -> None:
    """A capture of UDP only, and a place behind a switch where only broadcasts come."""
    watcher = Wire().lease(IPXE, f"http://{PXE}/boot.ipxe").watched()
    [boot] = watcher.boots()
    assert watcher.told(boot, boot.finding) is None
    assert "its HTTP is not in sight here" in watcher.verdict(boot)
    watcher = Wire().lease(UEFI, "snponly.efi").watched()
    [boot] = watcher.boots()
    found = watcher.told(boot, boot.finding)
    assert found is not None
    assert "only broadcasts of this machine are seen here" in found.evidence[-1]


def test_the_boot_server_is_the_proxy_and_not_the_dhcp_server_that_names_a_file_too() -> None:
    wire = Wire().discover(UEFI).reply(OFFER, DHCP, gives=LEASE, file="old.efi").reply(OFFER, PXE, VENDOR, file="a.efi")
    assert wire.watched().observer.server == PXE
    alone = Wire().discover(UEFI).reply(OFFER, DHCP, gives=LEASE, file="old.efi")
    watcher = alone.watched()
    assert watcher.observer.server == DHCP
    assert kinds(alone.events()) == [Kind.REPLY, Kind.OFFER]


def test_a_read_is_counted_block_by_block_also_past_65535() -> None:
    body = bytes(70_000 * 8 + 3)
    events = Wire().lease(BIOS, "big").tftp("big", body, blksize=8).events()
    done = next(event for event in events if event.kind is Kind.LOADER)
    assert (done.data["bytes"], done.data["retransmits"]) == (len(body), 0)


def test_a_window_that_is_captured_as_one_datagram_is_its_blocks() -> None:
    wire = Wire().lease(BIOS, "a.0").datagram(LEASE, 2000, PXE, 69, encode(Rrq("a.0", "octet")))
    wire.datagram(PXE, 3000, LEASE, 2000, encode(Oack((("blksize", "512"), ("windowsize", "4")))))
    wire.datagram(LEASE, 2000, PXE, 3000, encode(Ack(0)))
    window = b"".join(encode(Data(block, bytes(512))) for block in (1, 2, 3)) + encode(Data(4, b"end"))
    wire.datagram(PXE, 3000, LEASE, 2000, window).datagram(LEASE, 2000, PXE, 3000, encode(Ack(4)))
    [done] = [event for event in wire.events() if event.kind is Kind.LOADER]
    assert done.data["bytes"] == 3 * 512 + 3


def test_the_last_acknowledgments_of_a_machine_whose_kernel_starts_are_not_waited_for() -> None:
    """As OVMF's iPXE does: the initrd was sent whole, and the connection is left as it is."""
    wire = Wire().lease(IPXE, f"http://{PXE}/boot.ipxe").http("/boot.ipxe", SCRIPT)
    wire.http("/images/lab/vmlinuz", bytes(5000)).http("/images/lab/initrd.img", bytes(90_000), acked=60_000)
    assert kinds(wire.events())[-1] is Kind.INITRD
    [boot] = wire.watched().boots()
    assert boot.finding is None


def test_a_read_without_its_last_acknowledgment_is_whole() -> None:
    wire = Wire().lease(BIOS, "a.0").tftp("a.0", bytes(3000))
    wire.packets.pop()
    assert kinds(wire.events())[-1] is Kind.LOADER


def test_edk2s_question_for_the_size_is_no_failure() -> None:
    wire = Wire().lease(UEFI, "a.efi").datagram(LEASE, 2000, PXE, 69, encode(Rrq("a.efi", "octet", (("tsize", "0"),))))
    wire.datagram(PXE, 3000, LEASE, 2000, encode(Oack((("tsize", "99"),))))
    wire.datagram(LEASE, 2000, PXE, 3000, encode(Error(8, "User aborted the transfer")))
    [ended] = [event for event in wire.events() if event.kind is Kind.TRANSFER]
    assert ended.data["result"] == "probed"


def test_a_systems_own_requests_are_none_of_its_firmware() -> None:
    [event] = [event for event in Wire().discover(plain_dhcp()).events() if event.kind is Kind.IGNORED]
    assert (event.data["client"], event.data["message"]) == ("other", "DISCOVER")


def test_other_peoples_http_is_left_alone() -> None:
    assert not Wire().http("/private?token=x", b"secret").events()


def test_garbage_is_told_and_raises_nothing() -> None:
    wire = Wire().lease(BIOS, "a.0")
    for payload in (b"", b"\0", bytes(240), b"\1\1\6" + bytes(400), encode(Rrq("a", "octet"))[:5]):
        wire.datagram("0.0.0.0", 68, "255.255.255.255", 67, payload).datagram(LEASE, 2001, PXE, 69, payload)
    for payload in (b"GET / HTTP/1.1\r\n", b"HTTP/1.1 999 x", b"GET \xff\xff HTTP/1.0\r\n\r\n"):
        wire.segment(LEASE, 5, PXE, 80, 1, 1, payload).segment(PXE, 80, LEASE, 5, 0xFFFFFFFF, 1, payload)
    assert wire.events()


def test_the_forged_packets_are_what_firmware_sends() -> None:
    assert parse(Wire().discover(UEFI).packets[0].payload).kind == DISCOVER


def test_what_a_peer_names_does_nothing_on_a_terminal() -> None:
    wire = Wire().lease(BIOS, "a.0")
    wire.datagram(LEASE, 2000, PXE, 69, b"\0\1\x1b[2J\xff\0octet\0").http(
        "/\x1b]0;x\x07.efi", b"", status="404 \x1b[1m"
    )
    for event in wire.events():
        assert event.text.isprintable(), event.text
        assert all(str(value).isprintable() for value in event.data.values()), event.data


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS), st.binary(max_size=400)), max_size=30))
def test_no_packet_whatever_raises(packets: list[tuple[int, int, bytes]]) -> None:
    """What a peer sends is told or left out."""
    observer = Observer("eth0", PXE)
    good = Wire().lease(IPXE, f"http://{PXE}/boot.ipxe").packets
    for packet in good:
        observer.packet(packet)
    for number, (sport, dport, body) in enumerate(packets):
        ends = (LEASE, sport, PXE, dport) if number % 2 else (PXE, sport, LEASE, dport)
        observer.packet(Datagram(2000.0 + number, *ends, MAC, body))
        observer.packet(Segment(2000.0 + number, *ends, MAC, number & 0x1F, number, number, body))
        observer.packet(Segment(2000.0 + number, *ends, MAC, 0x18, 0, 0, b"GET /boot.ipxe HTTP/1.1\r\n\r\n" + body))
        observer.packet(Segment(2000.0 + number, *ends, MAC, 0x18, 0, 0, b"HTTP/1.1 200 OK\r\n\r\n#!ipxe\n" + body))
        observer.tick(2000.0 + number)
