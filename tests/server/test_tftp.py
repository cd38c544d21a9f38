"""The TFTP server on loopback: requests, refusals, strangers, slots, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pxed.assets import library
from pxed.events import Kind, Level
from pxed.server import tftp_sessions, tftp_socket
from pxed.server.tftp import Settings
from pxed.tftp.packet import Ack, Data, Error, ErrorCode, Oack, Packet, Wrq
from tests.server.tftp_site import AUTOEXEC, Client, Site, open_files, serving

FAST = Settings(first_timeout=0.05)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path) as site:
        yield site


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    async with Client(site) as client:
        yield client


async def fetch(client: Client, name: str, *options: tuple[str, str], mode: str = "octet") -> bytes:
    """Read a file in lock-step or with windows, without losses."""
    client.ask(name, *options, mode=mode)
    content, window, blksize = b"", 1, 512
    packet, block, count = await client.hear(), 0, 0
    if isinstance(packet, Oack):
        granted = {key.lower(): int(value) for key, value in packet.options}
        window, blksize = granted.get("windowsize", 1), granted.get("blksize", 512)
        client.send(Ack(0))
        packet = await client.hear()
    while True:
        assert isinstance(packet, Data), packet
        block, count = block + 1, count + 1
        assert packet.block == block % 65536
        content += packet.data
        last = len(packet.data) < blksize
        if last or count == window:
            client.send(Ack(block))
            count = 0
        if last:
            return content
        packet = await client.hear()


# What is served


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 1468 * 3, 100_000])
@pytest.mark.parametrize("windowsize", [1, 4, 64])
async def test_a_file_arrives(site: Site, client: Client, size: int, windowsize: int) -> None:
    content = site.write("x.efi", os.urandom(size))
    options = [("blksize", "1468"), ("windowsize", str(windowsize))] if windowsize > 1 else []
    assert await fetch(client, "x.efi", *options) == content


async def test_the_end_of_a_transfer_is_one_event(site: Site, client: Client) -> None:
    site.write("boot/snponly.efi", bytes(3000))
    await fetch(client, "/boot/snponly.efi", ("blksize", "1468"), ("windowsize", "4"))
    event = await site.ended()
    assert (event.kind, event.machine, event.mac, event.level) == (
        Kind.LOADER,
        "node1",
        "52:54:00:00:00:01",
        Level.INFO,
    )
    assert event.text.startswith("sent boot/snponly.efi, 3000 bytes in ")
    assert dict(event.data) | {"seconds": 0} == {
        "address": "127.0.0.1",
        "interface": "lo",
        "transport": "tftp",
        "file": "boot/snponly.efi",
        "stage": "loader",
        "bytes": 3000,
        "due": 3000,
        "blocks": 3,
        "heard": True,
        "result": "complete",
        "seconds": 0,
        "retransmits": 0,
        "blksize": 1468,
        "windowsize": 4,
    }
    assert site.events == [event]


@pytest.mark.parametrize("name", ["autoexec.ipxe", "/boot/autoexec.ipxe", "a\\b\\AUTOEXEC.IPXE"])
async def test_autoexec_is_in_every_directory_and_no_loader(site: Site, client: Client, name: str) -> None:
    assert await fetch(client, name) == AUTOEXEC.format("127.0.0.1").encode()
    assert (await site.event()).kind is Kind.TRANSFER


async def test_autoexec_knows_the_address_that_was_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, address="0.0.0.0") as site, Client(site) as client:
        client.server = ("127.0.0.2", site.port)
        assert await fetch(client, "autoexec.ipxe") == AUTOEXEC.format("127.0.0.2").encode()
        assert client.peer[0] == "127.0.0.2"
        client.ask("missing.efi")
        await client.hear()
        assert client.peer[0] == "127.0.0.2"


async def test_netascii_is_converted_and_its_size_is_that_of_the_text(site: Site, client: Client) -> None:
    site.write("menu.cfg", b"a\nb\r\n" * 100)
    text = await fetch(client, "menu.cfg", ("tsize", "0"), mode="netascii")
    assert text == b"a\r\nb\r\0\r\n" * 100
    client.ask("menu.cfg", ("tsize", "0"), mode="NETASCII")
    assert await client.hear() == Oack((("tsize", str(len(text))),))


async def test_a_big_file_is_read_in_pieces(site: Site, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "WHOLE", 1000)
    content = site.write("big", os.urandom(1_000_000))
    assert await fetch(client, "big", ("blksize", "1468"), ("windowsize", "16")) == content


async def test_a_file_that_changed_is_read_anew(site: Site, client: Client) -> None:
    site.write("x", b"old")
    assert await fetch(client, "x") == b"old"
    site.write("x", b"newer")
    assert await fetch(client, "x") == b"newer"


async def test_two_clients_at_once_get_what_each_asked_for(site: Site) -> None:
    contents = [site.write(f"file{number}", os.urandom(200_000 + number)) for number in range(20)]
    clients = [Client(site) for _ in contents]
    got = await asyncio.gather(*(fetch(client, f"file{number}") for number, client in enumerate(clients)))
    for client in clients:
        client.sock.close()
    assert got == contents
    assert site.server.active == 0


async def test_blocks_fit_the_mtu_of_the_interface(site: Site, client: Client) -> None:
    site.write("x", bytes(5000))
    client.ask("x", ("blksize", "65464"))
    assert await client.hear() == Oack((("blksize", "1468"),))


# What is refused

REFUSED = {
    "a file that is not there": ("missing.efi", ErrorCode.NOT_FOUND),
    "a directory": ("sub", ErrorCode.NOT_FOUND),
    "no name": ("", ErrorCode.NOT_FOUND),
    "a climb": ("../secret", ErrorCode.ACCESS_VIOLATION),
    "a climb by backslashes": ("..\\..\\secret", ErrorCode.ACCESS_VIOLATION),
    "a climb inside of an URL": ("tftp://127.0.0.1/../secret", ErrorCode.ACCESS_VIOLATION),
    "a link out of the root": ("escape", ErrorCode.ACCESS_VIOLATION),
    "an absolute name of the host": ("/etc/passwd", ErrorCode.NOT_FOUND),
    "a name that is too long": ("a" * 256, ErrorCode.ACCESS_VIOLATION),
    "a path that is too long": ("a/" * 520, ErrorCode.ACCESS_VIOLATION),
}


@pytest.mark.parametrize(("name", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_is_refused(site: Site, client: Client, tmp_path: Path, name: str, code: ErrorCode) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (site.root / "escape").symlink_to(tmp_path / "secret")
    (site.root / "sub").mkdir()
    client.ask(name)
    packet = await client.hear()
    assert isinstance(packet, Error)
    assert packet.code == code
    event = await site.ended(Kind.REFUSED)
    assert event.data["status"] == code
    assert event.level is (Level.WARNING if code is ErrorCode.ACCESS_VIOLATION else Level.INFO)


async def test_a_write_is_an_access_violation(site: Site, client: Client) -> None:
    client.send(Wrq("x.efi", "octet", (("tsize", "100"),)), client.server)
    assert isinstance(packet := await client.hear(), Error)
    assert packet.code == ErrorCode.ACCESS_VIOLATION
    assert not (site.root / "x.efi").exists()


@pytest.mark.parametrize(
    ("options", "mode", "code"),
    [
        ((("blksize", "4"),), "octet", ErrorCode.OPTION_NEGOTIATION),
        ((("windowsize", "0"),), "octet", ErrorCode.OPTION_NEGOTIATION),
        ((), "mail", ErrorCode.ILLEGAL_OPERATION),
    ],
)
async def test_a_request_without_a_meaning_is_refused(
    site: Site, client: Client, options: tuple[tuple[str, str], ...], mode: str, code: ErrorCode
) -> None:
    site.write("x", b"x")
    client.ask("x", *options, mode=mode)
    assert isinstance(packet := await client.hear(), Error)
    assert packet.code == code


async def test_a_text_too_big_to_convert_is_refused(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pxed.server.tftp_files.WHOLE", 1000)
    site.write("big", bytes(1001))
    client.ask("big", mode="netascii")
    assert isinstance(await client.hear(), Error)


async def test_what_is_no_request_gets_no_answer(site: Site, client: Client) -> None:
    site.write("x", b"x")
    for datagram in (b"", b"\0", b"\0\1x", b"\xff" * 100, b"\0\4\0\0", b"\0\3\0\1x", b"\0\5\0\0\0", b"\0\6a\x001\0"):
        client.send_raw(datagram, client.server)
    client.ask("x")  # answered after the others were read
    assert await client.hear() == Data(1, b"x")
    assert client.pending() == []
    assert site.server.undecodable == 4
    assert [event.kind for event in site.events] == [Kind.UNDECODABLE] * 4


async def test_names_of_a_peer_are_escaped_in_events(site: Site, client: Client) -> None:
    client.ask("evil\n\x1b[31m\udcff\udcc3(")
    await client.hear()
    event = await site.ended(Kind.REFUSED)
    assert event.data["file"] == "evil\\n\\x1b[31m\\xff\\xc3("
    assert event.text.isprintable()


# How a transfer goes on the wire


async def test_a_question_for_the_size_is_no_loader_sent(site: Site, client: Client) -> None:
    """OVMF: tsize, ERROR 8 after the OACK, then the same file from the same port (T1)."""
    content = site.write("snponly.efi", os.urandom(9000))
    client.ask("snponly.efi", ("tsize", "0"), ("blksize", "1468"), ("windowsize", "4"))
    assert isinstance(await client.hear(), Oack)
    client.send(Error(ErrorCode.OPTION_NEGOTIATION, "User aborted the transfer"))
    event = await site.event()
    assert (event.kind, event.level, event.text) == (
        Kind.TRANSFER,
        Level.DEBUG,
        "told the size of snponly.efi, 9000 bytes",
    )
    assert await fetch(client, "snponly.efi", ("blksize", "1468"), ("windowsize", "4")) == content
    assert client.pending() == []


async def test_a_stranger_is_told_and_the_transfer_goes_on(site: Site, client: Client) -> None:
    site.write("x", bytes(600))
    client.ask("x")
    await client.hear()
    async with Client(site) as stranger:
        for packet in (Ack(1), Error(0, "no"), Data(1, b"x")):
            stranger.send(packet, client.peer)
        answers = [await stranger.hear(), await stranger.hear()]
        assert [packet.code for packet in answers if isinstance(packet, Error)] == [ErrorCode.UNKNOWN_TID] * 2
        assert stranger.peer == client.peer
        assert stranger.pending() == []
    client.send(Ack(1))
    assert await client.hear() == Data(2, bytes(88))


async def test_an_address_that_never_answers_gets_two_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxed.tftp.transfer.STRANGER_PATIENCE", 0.5)
    async with serving(tmp_path, FAST) as site, Client(site) as client:
        site.write("x", bytes(5000))
        client.ask("x")
        first = await client.hear()
        event = await site.event()
        assert (event.kind, event.level) == (Kind.TRANSFER, Level.DEBUG)
        assert event.data["reason"] == "the client does not answer"
        assert client.pending() == [first]


async def test_a_repeated_request_opens_no_second_transfer(site: Site, client: Client) -> None:
    site.write("x", bytes(600))
    for _ in range(5):
        client.ask("x")
    assert isinstance(await client.hear(), Data)
    assert site.server.active == 1
    assert client.pending() == []
    client.send(Ack(1))
    assert await client.hear() == Data(2, bytes(88))
    client.ask("x")  # one that was late
    client.send(Ack(2))
    assert (await site.ended()).data["bytes"] == 600


async def test_another_request_from_the_same_port_takes_the_place_of_the_first(site: Site, client: Client) -> None:
    site.write("x", bytes(600))
    site.write("y", b"y")
    client.ask("x")
    await client.hear()
    first = client.peer
    client.ask("y")
    assert await client.hear() == Data(1, b"y")
    assert client.peer != first
    assert site.server.active == 1


async def test_a_rebooted_client_may_ask_the_same_from_the_same_port(tmp_path: Path) -> None:
    """ROMs that always use one port: the old transfer is theirs no more."""
    async with serving(tmp_path, FAST) as site, Client(site) as client:
        site.write("x", bytes(2000))
        client.ask("x")
        first = await client.hear()
        client.send(Ack(1))
        await client.hear()
        await client.hear()  # the timer's: the client was silent for a whole timeout
        client.ask("x")
        while await client.hear() != first:
            pass
        assert site.server.active == 1


async def test_a_client_that_went_away_ends_its_transfer_at_once(site: Site) -> None:
    site.write("x", bytes(600))
    async with Client(site) as client:
        client.ask("x", ("blksize", "8"))
        await client.hear()
        client.send(Ack(0))
        await client.hear()
        client.send(Ack(1))
    event = await site.ended(Kind.TRANSFER)
    assert event.data["reason"] == "the client closed its port"
    assert site.server.active == 0


async def test_a_client_that_went_away_after_the_last_block_was_served(site: Site) -> None:
    site.write("x", bytes(8))
    async with Client(site) as client:
        client.ask("x", ("blksize", "8"))
        await client.hear()
        client.send(Ack(0))
        await client.hear()
        client.send(Ack(1))
    assert (await site.ended()).data["bytes"] == 8


async def test_a_lost_block_comes_again_by_the_timer(tmp_path: Path) -> None:
    async with serving(tmp_path, FAST) as site, Client(site) as client:
        site.write("x", bytes(600))
        client.ask("x")
        await client.hear()
        client.send(Ack(1))
        assert await client.hear() == Data(2, bytes(88))
        assert await client.hear() == Data(2, bytes(88))
        client.send(Ack(2))
        event = await site.ended()
        assert event.data["retransmits"] >= 1
        assert "retransmits" in event.text


async def test_a_client_that_falls_silent_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxed.tftp.transfer.PATIENCE", 0.2)
    async with serving(tmp_path, FAST) as site, Client(site) as client:
        site.write("x", bytes(6000))
        client.ask("x")
        for block in (1, 2):
            await client.hear()
            client.send(Ack(block))
        event = await site.ended(Kind.TRANSFER)
        assert event.level is Level.WARNING
        assert "the client does not answer" in event.text
        assert event.data["bytes"] == 1024


async def test_a_file_cut_short_during_the_transfer_is_an_error(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "WHOLE", 1000)
    site.write("big", bytes(1_000_000))
    client.ask("big", ("windowsize", "64"))
    packet, block = await client.hear(), 0
    os.truncate(site.root / "big", 100)
    while not isinstance(packet, Error):
        if not isinstance(packet, Data) or packet.block % 64 == 0:
            client.send(Ack(block))
        packet = await client.hear()
        block += 1
    assert "changed" in packet.message
    assert (await site.ended(Kind.TRANSFER)).data["reason"] == packet.message


# Sending


@pytest.fixture
def windows_as_single_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(tftp_socket.Segmenter, "_send_segmented", staticmethod(refuse))


@pytest.mark.usefixtures("windows_as_single_packets")
async def test_an_interface_without_segmentation_gets_single_packets(site: Site, client: Client) -> None:
    content = site.write("x", os.urandom(300_000))
    assert await fetch(client, "x", ("blksize", "1468"), ("windowsize", "16")) == content
    assert site.server._sessions._segmenter._refused == {socket.if_nametoindex("lo")}


def test_a_window_bigger_than_a_datagram_leaves_in_several_calls() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
    ):
        there.bind(("127.0.0.1", 0))
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        here.connect(there.getsockname())
        packets = [bytes([number]) * 1472 for number in range(63)] + [b"short"]
        segmenter = tftp_socket.Segmenter()
        segmenter.send(here, packets, 1)
        there.settimeout(10)
        assert [there.recv(2000) for _ in packets] == packets
        assert not segmenter._refused


@pytest.mark.parametrize(
    "error", [BlockingIOError(11, "try again"), OSError(105, "no buffer space"), OSError(101, "unreachable")]
)
@pytest.mark.parametrize("windowsize", [1, 4])
async def test_what_the_host_does_not_take_is_sent_later(
    site: Site, client: Client, error: OSError, windowsize: int
) -> None:
    content = site.write("x", os.urandom(20_000))
    client.ask("x", ("windowsize", str(windowsize)))
    await client.hear()
    session = next(iter(site.server._sessions._by_client.values()))
    real_send, real_segments, refusals = session.send, site.server._sessions._segmenter.send, 3

    def send(*arguments: object) -> int | None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise error
        return real_send(*arguments) if len(arguments) == 1 else real_segments(*arguments)  # type: ignore[arg-type]

    session.send = send  # type: ignore[assignment]
    site.server._sessions._segmenter.send = send  # type: ignore[method-assign, assignment]
    client.send(Ack(0))
    got, block = b"", 0
    while len(got) < len(content):
        packet = await client.hear()
        if isinstance(packet, Data) and packet.block == block + 1:
            block += 1
            got += packet.data
            if block % windowsize == 0 or len(packet.data) < 512:
                client.send(Ack(block))
    assert got == content
    assert refusals == 0


# Slots


async def hold(site: Site, client: Client) -> None:
    """Have a transfer in progress that acknowledged its OACK."""
    client.ask("x", ("tsize", "0"))
    assert isinstance(await client.hear(), Oack)
    client.send(Ack(0))
    assert isinstance(await client.hear(), Data)


async def test_a_request_waits_for_a_slot(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings(max_transfers=1)) as site, Client(site) as first, Client(site) as second:
        site.write("x", bytes(100))
        await hold(site, first)
        second.ask("x")
        first.ask("missing")  # from the same port: it ends the transfer, after the other request was read
        assert await second.hear() == Data(1, bytes(100))
        assert site.server.active == 1


async def test_a_request_that_waits_too_long_is_dropped_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pxed.tftp.admission.WAIT", 0.05)
    monkeypatch.setattr("pxed.server.tftp.WAIT", 0.05)
    async with serving(tmp_path, Settings(max_transfers=1)) as site, Client(site) as first, Client(site) as second:
        site.write("x", bytes(100))
        await hold(site, first)
        second.ask("x")
        event = await site.ended(Kind.IGNORED)
        assert event.level is Level.WARNING
        assert event.text == "left x unanswered: too many transfers at once"
        assert second.pending() == []


async def test_more_requests_than_may_wait_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings(max_transfers=1)) as site, Client(site) as first:
        site.write("x", bytes(100))
        await hold(site, first)
        async with Client(site) as second, Client(site) as third:
            second.ask("x")
            third.ask("x")
            assert await third.hear() == Error(ErrorCode.UNDEFINED, "too many transfers; try again")


async def test_a_transfer_to_nobody_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxed.server.tftp.EVICTABLE", 0.0)
    async with serving(tmp_path, Settings(max_transfers=1)) as site, Client(site) as first, Client(site) as second:
        site.write("x", bytes(100))
        first.ask("x")
        await first.hear()
        second.ask("x")
        assert await second.hear() == Data(1, bytes(100))
        assert (await site.event()).data["reason"] == "made room for another client"


async def test_a_rack_from_one_address_is_served_though_few_may_start_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pxed.tftp.admission.UNHEARD_PER_SOURCE", 4)
    async with serving(tmp_path) as site:
        content = site.write("x", os.urandom(5000))
        clients = [Client(site) for _ in range(60)]
        got = await asyncio.gather(*(fetch(client, "x") for client in clients))
        for client in clients:
            client.sock.close()
        assert got == [content] * 60


async def test_without_descriptors_a_client_is_told(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise OSError(24, "Too many open files")

    site.write("x", b"x")
    monkeypatch.setattr("pxed.server.tftp.open_pair", exhausted)
    client.ask("x")
    assert isinstance(packet := await client.hear(), Error)
    assert "Too many open files" in packet.message


# The end


async def test_a_drained_server_lets_transfers_end_and_takes_no_more(site: Site, client: Client) -> None:
    site.write("x", bytes(600))
    client.ask("x")
    await client.hear()
    site.server.stop_accepting()
    assert not await site.server.drain(0)
    async with Client(site) as late:
        late.ask("x")
        client.send(Ack(1))
        assert await client.hear() == Data(2, bytes(88))
        client.send(Ack(2))
        assert await site.server.drain(20)
        assert late.pending() == []
    assert site.server.active == 0


async def test_a_closed_server_tells_its_clients_and_leaves_nothing_open(tmp_path: Path) -> None:
    before = open_files()
    async with serving(tmp_path) as site:
        clients = [Client(site) for _ in range(5)]
        site.write("x", bytes(600))
        for client in clients:
            client.ask("x")
            await client.hear()
        site.server.close()
        for client in clients:
            packet: Packet = await client.hear()
            assert packet == Error(ErrorCode.UNDEFINED, "the server is shutting down")
            client.sock.close()
        site.server.close()  # twice does no harm
    assert open_files() == before


async def test_ended_transfers_leave_nothing_open(site: Site, client: Client) -> None:
    site.write("x", bytes(600))
    await fetch(client, "x")
    await site.ended()
    before = open_files()
    for _ in range(20):
        await fetch(client, "x")
    await site.event(lambda _: len(site.events) == 21)
    assert open_files() == before
    sessions: tftp_sessions.Sessions = site.server._sessions
    assert not (sessions._by_client or sessions._by_fd or sessions._by_strangers_fd or sessions._unheard)


async def test_transfers_leave_from_the_ports_of_the_range_until_they_are_used_up(tmp_path: Path) -> None:
    ports = (20211, 20212)  # below the ports that the kernel hands out
    async with serving(tmp_path, Settings(port_range=ports)) as site, contextlib.AsyncExitStack() as stack:
        site.write("x", bytes(100))
        clients = [await stack.enter_async_context(Client(site)) for _ in range(3)]
        for client in clients[:2]:
            await hold(site, client)
        assert sorted(client.peer[1] for client in clients[:2]) == list(ports)
        clients[2].ask("x")
        refusal = await clients[2].hear()
        assert isinstance(refusal, Error)
        assert "no socket for the transfer" in refusal.message
