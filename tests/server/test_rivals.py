"""Other servers' replies become events, once; what takes machines away from pxed is an alert."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pxed.dhcp.codes import MessageType, Option
from pxed.dhcp.message import decode
from pxed.errors import HostError
from pxed.events import Event, Kind, Level
from pxed.ignition.load import load_configs
from pxed.inventory.loader import loads
from pxed.server import rivals as rivals_module
from pxed.server import udp
from pxed.server.alerts import Alerts
from pxed.server.clients import Clients
from pxed.server.host.links import Link
from pxed.server.interfaces import Interface, Interfaces
from pxed.server.live import Live, Snapshot
from pxed.server.rivals import Rivals
from tests.dhcp.test_others import reply
from tests.server.httpsite import until
from tests.server.keeper import Keeper

MAC = "52:54:00:00:00:01"  # as reply() has it
GIVEN = bytes((192, 0, 2, 50))
OTHER = "127.0.0.9"


@dataclass
class Site:
    """Rivals on a loopback port, and whoever writes to it."""

    rivals: Rivals
    sock: socket.socket
    other: socket.socket
    events: list[Event] = field(default_factory=list)

    def of(self, kind: Kind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]

    async def hear(self, *datagrams: bytes) -> list[Event]:
        """The REPLY events that these lead to; a last reply of its own kind shows that all were read."""
        for datagram in (*datagrams, reply(MessageType.NAK, options={60: b"the end"})):
            self.other.sendto(datagram, self.sock.getsockname())
        await until(lambda: any(event.data["vendor"] == "the end" for event in self.of(Kind.REPLY)))
        return [event for event in self.of(Kind.REPLY) if event.data["vendor"] != "the end"]


def lo(_wanted: Iterable[str]) -> tuple[dict[str, Link], dict[int, Interface]]:
    """The loopback interface with a MAC, as others have one."""
    index = socket.if_nametoindex("lo")
    return {}, {index: Interface(index, "lo", ("127.0.0.1",), 65536, mac="52:54:00:00:00:99")}


@asynccontextmanager
async def listening(home: Path, survey: str = "stalled") -> AsyncIterator[Site]:
    text = (
        f"server: {{interfaces: lo, survey: {survey}}}\nimages: {{i: {{kernel: x}}}}\n"
        f'profiles: {{p: {{image: i}}}}\nmachines: {{node1: {{mac: "{MAC}", profile: p}}}}\n'
    )
    inventory = loads(text, home / "pxed.yaml")
    live = Live(Snapshot(inventory, load_configs(inventory, Path.read_bytes, lambda _: {})[0]))  # type: ignore[arg-type,return-value]
    interfaces, events = Interfaces(inventory.server), list[Event]()
    interfaces.refresh()
    rivals = Rivals(live, interfaces, events.append, Clients(home / "absent"), Alerts(Keeper(), events.append))
    sock = udp.bind(0, None, "127.0.0.1")
    rivals.attach(sock)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((OTHER, 0))
        try:
            yield Site(rivals, sock, other, events)
        finally:
            rivals.close()


async def test_another_servers_reply_is_told(tmp_path: Path) -> None:
    async with listening(tmp_path) as site:
        (event,) = await site.hear(reply(yiaddr=GIVEN, siaddr=bytes((192, 0, 2, 7)), file=b"pxelinux.0"))
    assert (event.machine, event.mac, event.level) == ("node1", MAC, Level.DEBUG)
    assert event.text == "OFFER of another server, 192.0.2.1: gives 192.0.2.50, names pxelinux.0"
    assert event.data == {
        "interface": "lo", "server": "192.0.2.1", "message": "OFFER", "given": "192.0.2.50", "vendor": "",
        "file": "pxelinux.0", "next": "192.0.2.7", "xid": "abcd0001", "client": "", "survey": False,
    }  # fmt: skip


async def test_the_same_is_told_once_in_ten_seconds_and_what_differs_each_time(tmp_path: Path) -> None:
    same, ack = reply(yiaddr=GIVEN), reply(MessageType.ACK, yiaddr=GIVEN)
    another = reply(yiaddr=bytes((192, 0, 2, 51)))  # of the same kind
    async with listening(tmp_path) as site:
        events = await site.hear(same, same, ack, another, reply())
    assert [(event.data["message"], event.data["given"]) for event in events] == [
        ("OFFER", "192.0.2.50"), ("ACK", "192.0.2.50"), ("OFFER", ""),
    ]  # fmt: skip


async def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals_module, "MOST_REPLIES", 2)
    kinds = [reply(options={60: f"kind {number}".encode()}) for number in range(3)]
    async with listening(tmp_path) as site:
        events = await site.hear(*kinds, kinds[0], kinds[2])
    assert [event.data["vendor"] for event in events] == ["kind 0", "kind 1", "kind 2", "kind 0"]


async def test_pxeds_own_replies_and_what_is_none_are_silence(tmp_path: Path) -> None:
    async with listening(tmp_path) as site:
        ours = reply(options={54: bytes((127, 0, 0, 1))})
        assert await site.hear(ours, b"", bytes(300), reply(op=1), reply()[:100]) == []


ALERTS: dict[str, tuple[bytes, str]] = {
    "a ProxyDHCP": (
        reply(options={60: b"PXEClient", 67: b"other.efi"}),
        "another PXE server, 192.0.2.1, answers network boots and names other.efi: machines may take its offer (lo)",
    ),
    "a DHCP server with a boot file": (
        reply(yiaddr=GIVEN, file=b"pxelinux.0"),
        "the DHCP server 192.0.2.1 names a boot file, pxelinux.0: machines may take it instead of pxed's (lo)",
    ),
    "a DHCP server with option 60": (
        reply(yiaddr=GIVEN, options={60: b"PXEClient"}),
        "the DHCP server 192.0.2.1 sends option 60 'PXEClient': firmware then asks it for the boot file (PXE-E55) (lo)",
    ),
}
NONE = {
    "a DHCP server that only gives addresses": reply(yiaddr=GIVEN),
    "one that sends its clients to pxed": reply(yiaddr=GIVEN, siaddr=bytes((127, 0, 0, 1)), file=b"snponly.efi"),
    "one that names pxed's script": reply(yiaddr=GIVEN, options={67: b"http://127.0.0.1:8080/boot.ipxe"}),
    "the answer to an INFORM": reply(MessageType.ACK, options={67: b"x.efi"}),
    "a refusal": reply(MessageType.NAK),
}


@pytest.mark.parametrize(("datagram", "text"), ALERTS.values(), ids=ALERTS)
async def test_what_takes_machines_away_is_an_alert_once(tmp_path: Path, datagram: bytes, text: str) -> None:
    async with listening(tmp_path) as site:
        await site.hear(datagram, datagram[:28] + b"\x02" + datagram[29:])
        (alert,) = site.of(Kind.ALERT)
    assert (alert.text, alert.data) == (text, {"what": "rival", "address": "192.0.2.1"})


@pytest.mark.parametrize("datagram", NONE.values(), ids=NONE)
async def test_a_good_neighbour_is_none(tmp_path: Path, datagram: bytes) -> None:
    async with listening(tmp_path) as site:
        await site.hear(datagram)
        assert site.of(Kind.ALERT) == []


async def test_forged_servers_raise_a_bounded_number_of_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals_module, "MOST_ALERTS", 3)
    forged = [reply(options={54: bytes((192, 0, 2, last)), 60: b"PXEClient"}) for last in range(1, 9)]
    async with listening(tmp_path) as site:
        assert len(await site.hear(*forged)) == 8
        assert len(site.of(Kind.ALERT)) == 3


async def test_of_a_flood_of_replies_a_part_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals_module, "PER_SECOND", 4)
    async with listening(tmp_path) as site:
        for number in range(30):
            site.other.sendto(reply(options={60: f"kind {number}".encode()}), site.sock.getsockname())
        site.rivals._drain(site.sock)
    assert [event.data["vendor"] for event in site.of(Kind.REPLY)][:4] == [f"kind {number}" for number in range(4)]
    assert len(site.of(Kind.REPLY)) < 30


async def test_a_url_of_another_host_that_begins_as_ours_does_is_no_friend(tmp_path: Path) -> None:
    async with listening(tmp_path) as site:
        await site.hear(reply(yiaddr=GIVEN, options={67: b"http://127.0.0.10/boot.ipxe"}))
        assert len(site.of(Kind.ALERT)) == 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, tuple[str, int], int, bytes]]:
    """What is sent: a broadcast of port 68 would need a network of its own (test_rivals_net.py)."""
    monkeypatch.setattr("pxed.server.interfaces.picture", lo)
    sent: list[tuple[bytes, tuple[str, int], int, bytes]] = []
    monkeypatch.setattr("pxed.server.rivals.udp.send", lambda _sock, *words: sent.append(words))
    return sent


async def test_a_survey_asks_once_as_the_machine_would(
    tmp_path: Path, asked: list[tuple[bytes, tuple[str, int], int, bytes]]
) -> None:
    async with listening(tmp_path) as site:
        assert await site.rivals.survey("lo", "arm64-efi", False)
        assert not await site.rivals.survey("lo", "arm64-efi", False)
        assert await site.rivals.survey("lo", "arm64-efi", True)
        assert not await site.rivals.survey("eth9", "arm64-efi", False)
        ((data, destination, index, address), (as_ipxe, *_)) = asked
        message = decode(data)
        assert site.rivals.questions[data[4:8]].mac == message.chaddr[:6]
    assert (destination, index, address) == (
        ("255.255.255.255", 67), socket.if_nametoindex("lo"), bytes((127, 0, 0, 1)),
    )  # fmt: skip
    assert (message.mac, message.flags, message.ciaddr) == ("52:54:00:00:00:99", 0x8000, bytes(4))
    assert message.options[53] == bytes((MessageType.DISCOVER,))
    assert message.options[Option.CLIENT_ARCHITECTURE] == b"\x00\x0b"
    assert message.options[12] == b"pxed-survey"
    assert (Option.USER_CLASS in message.options, decode(as_ipxe).options[Option.USER_CLASS]) == (False, b"iPXE")
    assert data[4:8] != as_ipxe[4:8]


@pytest.mark.usefixtures("asked")
async def test_replies_to_a_survey_are_told_as_such(tmp_path: Path) -> None:
    async with listening(tmp_path) as site:
        await site.rivals.survey("lo", "x86_64-efi", True)
        (xid,) = site.rivals.questions
        (event,) = await site.hear(reply(yiaddr=GIVEN, xid=int.from_bytes(xid, "big")))
    assert (event.machine, event.data["survey"], event.data["client"]) == ("", True, "iPXE")


async def test_an_operator_can_forbid_it(
    tmp_path: Path, asked: list[tuple[bytes, tuple[str, int], int, bytes]]
) -> None:
    async with listening(tmp_path, survey="never") as site:
        assert not await site.rivals.survey("lo", "x86_64-efi", False)
    assert asked == []


def test_a_port_that_somebody_else_has_alone_is_told_and_leaves_no_socket() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as alone:
        alone.bind(("0.0.0.0", 0))
        with pytest.raises(HostError, match="is taken"):
            rivals_module.open_socket(None, alone.getsockname()[1])
