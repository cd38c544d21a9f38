"""The HTTPS listener with the real curl and openssl: its pages, files without sendfile(2), what goes wrong, renewal."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pxed.events import Event, Kind, Level
from pxed.server import secure
from pxed.server.certificate import Renewal, Tls
from pxed.server.tls import TlsError
from tests.server.certificates import Pair, authority, signed
from tests.server.httpsite import INITRD, KERNEL, Site, read_answer, serving

VMLINUZ = "/images/rescue/vmlinuz"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(ca: Pair, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return signed(ca, tmp_path_factory.mktemp("pair"))


@pytest.fixture
async def site(ca: Pair, pair: Pair, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(tmp_path, tls=pair.settings(ca.certificate)) as running:
        yield running


def url(site: Site, path: str) -> str:
    return f"https://127.0.0.1:{site.secure_port}{path}"


def trusting(ca: Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca.certificate)


async def opened(site: Site, ca: Pair) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.secure_port, ssl=trusting(ca))
    site.streams.append(writer)
    return reader, writer


PAGES = [
    "/healthz",
    VMLINUZ,
    "/images/rescue/initrd.img",
    "/loaders/snponly.efi",
    "/autoexec.ipxe",
    "/none",
]


@pytest.mark.parametrize("path", PAGES)
async def test_https_has_the_pages_of_http(site: Site, ca: Pair, path: str) -> None:
    _, plain = await site.curl(f"{site.url}{path}")
    code, body = await site.curl("--cacert", str(ca.certificate), url(site, path))
    assert (code, len(body)) == (0, len(plain))
    if path != "/healthz":
        assert body == plain


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        pytest.param(["--range", "5-9"], KERNEL[5:10], id="a range"),
        pytest.param(["--tls-max", "1.2"], KERNEL, id="TLS 1.2"),
        pytest.param(["--tlsv1.3"], KERNEL, id="TLS 1.3"),
        pytest.param(["--http1.0"], KERNEL, id="HTTP/1.0"),
        pytest.param(["--http2"], KERNEL, id="a client that would rather have HTTP/2"),
        pytest.param(["--head", "-o", "/dev/null"], b"", id="its headers"),
    ],
)
async def test_a_file_comes_over_tls(site: Site, ca: Pair, arguments: list[str], body: bytes) -> None:
    assert await site.curl("--cacert", str(ca.certificate), *arguments, url(site, VMLINUZ)) == (0, body)


async def test_a_machines_file_is_a_stage_of_its_boot_over_tls_too(site: Site, ca: Pair) -> None:
    await site.curl("--cacert", str(ca.certificate), url(site, VMLINUZ), url(site, "/images/rescue/initrd.img"))
    sizes = [event.data["bytes"] for kind in (Kind.KERNEL, Kind.INITRD) for event in site.bus.of(kind)]
    assert sizes == [len(KERNEL), len(INITRD)]


async def test_nothing_of_a_file_goes_past_tls(site: Site, ca: Pair) -> None:
    """What is on the wire has no piece of the file: the server's end is read as it arrives, before it is decrypted."""
    (site.home / "data/images/r/vmlinuz").write_bytes(b"plaintext!" * 50_000)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(ca).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    reader, writer = await asyncio.open_connection("127.0.0.1", site.secure_port)
    site.streams.append(writer)
    wire, body = b"", b""

    async def turn() -> None:
        nonlocal wire
        writer.write(outgoing.read())
        wire += (chunk := await reader.read(1 << 16))
        incoming.write(chunk) if chunk else incoming.write_eof()

    async with asyncio.timeout(20):
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                await turn()
        client.write(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while body.count(b"plaintext!") < 50_000:
            try:
                body += client.read(1 << 16)
            except ssl.SSLWantReadError:
                await turn()
    assert b"plaintext" not in wire
    assert len(wire) > 500_000


async def test_a_reader_that_leaves_gives_one_event_and_no_traceback(
    site: Site, ca: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    with (site.home / "data/images/r/vmlinuz").open("wb") as file:
        file.truncate(64 << 20)
    reader, writer = await opened(site, ca)
    writer.write(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readexactly(100_000)
    writer.transport.abort()
    event = await site.bus.wait_for(Kind.TRANSFER)
    assert event.level is Level.WARNING
    sent = event.data["bytes"]
    assert isinstance(sent, int)
    assert 100_000 <= sent < 64 << 20
    assert caplog.records == []


async def test_a_connection_is_kept_and_a_file_is_followed_by_the_next_answer(site: Site, ca: Pair) -> None:
    reader, writer = await opened(site, ca)
    for _ in range(3):
        writer.write(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await read_answer(reader)).body == KERNEL


async def test_draining_lets_what_is_sent_end_and_takes_nothing_new(site: Site, ca: Pair) -> None:
    with (site.home / "data/images/r/vmlinuz").open("wb") as file:
        file.truncate(16 << 20)
    reader, writer = await opened(site, ca)
    writer.write(f"GET {VMLINUZ} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    draining = asyncio.create_task(site.server.drain(20))
    await asyncio.sleep(0)
    with pytest.raises(OSError):
        await opened(site, ca)
    assert len(await reader.readexactly(16 << 20)) == 16 << 20
    await draining


FAILURES = {
    "plain HTTP": (b"GET /?token=secret-of-a-machine HTTP/1.1\r\n\r\n", "it speaks plain HTTP to the HTTPS port"),
    "noise": (b"\x00" * 64, "it does not speak TLS"),
}


@pytest.mark.parametrize(("sent", "words"), FAILURES.values(), ids=FAILURES)
async def test_what_is_no_tls_is_one_quiet_event(
    site: Site, caplog: pytest.LogCaptureFixture, sent: bytes, words: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.secure_port)
    site.streams.append(writer)
    writer.write(sent)
    event = await site.bus.wait_for(Kind.UNDECODABLE)
    assert (event.level, event.data["address"]) == (Level.DEBUG, "127.0.0.1")
    assert words in event.text
    assert b"HTTP/1.1" not in await reader.read()
    assert (len(site.bus.events), caplog.records) == (1, [])


async def test_who_connects_and_leaves_is_one_quiet_event(site: Site) -> None:
    socket.create_connection(("127.0.0.1", site.secure_port)).close()
    event = await site.bus.wait_for(Kind.UNDECODABLE)
    assert (event.level, event.text) == (Level.DEBUG, "no HTTPS with 127.0.0.1: it left before the handshake was over")


async def test_who_does_not_shake_hands_is_left_in_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secure, "HANDSHAKE_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.secure_port)
    site.streams.append(writer)
    assert await reader.read() == b""
    event = await site.bus.wait_for(Kind.UNDECODABLE)
    assert "no handshake within" in event.text


async def test_those_who_do_not_shake_hands_keep_nobody_out(
    ca: Pair, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before their time is over: the oldest has to go for the next one."""
    monkeypatch.setattr(secure, "MAX_HANDSHAKES", 2)
    async with serving(tmp_path, tls=pair.settings(ca.certificate)) as site:
        silent = [await asyncio.open_connection("127.0.0.1", site.secure_port) for _ in range(4)]
        site.streams += [writer for _, writer in silent]
        assert (await site.curl("--cacert", str(ca.certificate), url(site, VMLINUZ)))[1] == KERNEL
        assert await silent[0][0].read() == b""
        pushed_out = site.bus.of(Kind.UNDECODABLE)
        assert [event.level for event in pushed_out] == [Level.DEBUG] * 3
        assert "2 others began theirs before it had shaken hands" in pushed_out[0].text


async def test_every_answer_of_a_connection_counts_as_delivered_before_the_machine_says_more(
    site: Site, ca: Pair
) -> None:
    """What works once is used up by an answer that has arrived, so it must not take until the next request."""
    reader, writer = await opened(site, ca)
    for count in range(1, 5):
        writer.write(b"GET /ignition/node1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_answer(reader)).status == 200
        async with asyncio.timeout(20):
            while len(site.bus.of(Kind.IGNITION)) < count:  # noqa: ASYNC110 -- the event may have come already
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_a_machine_that_does_not_know_the_ca_is_told_of(site: Site, version: str) -> None:
    code, _ = await site.curl("--tls-max", version, url(site, VMLINUZ))
    event = await site.bus.wait_for(Kind.UNDECODABLE)
    assert (code, event.level) == (60, Level.INFO)
    assert event.text == "127.0.0.1 broke off HTTPS: it does not know the CA of pxed's certificate"


async def s_client(site: Site, *arguments: str) -> str:
    """What openssl says of a handshake."""
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{site.secure_port}", *arguments, stdin=-1, stdout=-1, stderr=-2
    )
    output, _ = await process.communicate(b"")
    return output.decode(errors="replace")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "Cipher is (NONE)", id="TLS 1.1 is refused"),
        pytest.param(["-tls1_2"], "Cipher is ECDHE-", id="TLS 1.2 has forward secrecy"),
        pytest.param(["-tls1_3"], "Cipher is TLS_", id="TLS 1.3"),
        pytest.param(["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"], "Cipher is (NONE)", id="nothing goes unencrypted"),
        pytest.param(["-alpn", "h2,http/1.1"], "ALPN protocol: http/1.1", id="HTTP/1.1 is what it speaks"),
    ],
)
async def test_what_openssl_sees(site: Site, arguments: list[str], words: str) -> None:
    assert words in await s_client(site, *arguments)


async def test_an_ipxe_of_2019_finds_a_cipher(ca: Pair, tmp_path: Path) -> None:
    rsa = signed(ca, tmp_path, kind=("-newkey", "rsa:2048", "-nodes"))
    async with serving(tmp_path, tls=rsa.settings(ca.certificate)) as site:
        assert "Cipher is AES256-SHA256" in await s_client(site, "-tls1_2", "-cipher", "AES256-SHA256:AES128-SHA256")


def replace_pair(old: Pair, new: Pair) -> None:
    shutil.copy(new.certificate, old.certificate)
    shutil.copy(new.key, old.key)


async def serial(port: int, ca: Pair) -> str:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(ca))
    found = str(writer.get_extra_info("peercert")["serialNumber"])
    writer.close()
    return found


async def test_new_connections_get_the_renewed_certificate_and_open_ones_go_on(ca: Pair, tmp_path: Path) -> None:
    pair, other = signed(ca, tmp_path), signed(ca, tmp_path, "other")
    events: list[Event] = []
    tls = Tls(pair.settings(ca.certificate))
    renewal = Renewal(tls, lambda: ["127.0.0.1"], events.append)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    secure_listener = secure.SecureListener(listener, Echo, tls, events.append)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(ca))
        before = await serial(port, ca)
        replace_pair(pair, other)
        await renewal.look()
        assert await serial(port, ca) == before, "files that were just written may still change"
        await renewal.look()
        assert await serial(port, ca) != before
        writer.write(b"still here\n")
        assert await reader.readline() == b"still here\n"
        writer.close()
    finally:
        secure_listener.close()
    assert [event.text for event in events] == [f"HTTPS: new connections get the new certificate of {pair.certificate}"]


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(data)


async def test_a_bad_new_pair_keeps_the_old_one_and_is_told_once(ca: Pair, tmp_path: Path) -> None:
    pair, other = signed(ca, tmp_path), signed(ca, tmp_path, "other")
    events: list[Event] = []
    tls = Tls(pair.settings(ca.certificate))
    renewal, old = Renewal(tls, tuple, events.append), tls.context
    shutil.copy(other.certificate, pair.certificate)
    for _ in range(4):
        await renewal.look()
    (event,) = events
    assert event.level is Level.WARNING
    words = f"{pair.key} is not the key of the certificate in {pair.certificate}"
    assert event.text == f"HTTPS: the old certificate stays in force: {words}"
    assert tls.context is old
    shutil.copy(other.key, pair.key)
    for _ in range(2):
        await renewal.look()
    assert tls.context is not old
    assert [event.level for event in events] == [Level.WARNING, Level.INFO]


async def test_what_machines_have_against_it_is_told_at_start_and_again_each_day(
    ca: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pxed.server import certificate

    events: list[Event] = []
    renewal = Renewal(Tls(signed(ca, tmp_path).settings(ca.certificate)), lambda: ["10.0.0.1"], events.append)
    renewal.remind()
    await renewal.look()
    assert len(events) == 1
    assert "has no subjectAltName for 10.0.0.1" in events[0].text
    monkeypatch.setattr(certificate, "REMIND_SECONDS", -1.0)
    await renewal.look()
    assert len(events) == 2


def test_a_ca_that_did_not_sign_the_certificate_stops_the_start(ca: Pair, tmp_path: Path) -> None:
    stranger = authority(tmp_path, "stranger")
    with pytest.raises(TlsError, match="did not sign"):
        Tls(signed(ca, tmp_path).settings(stranger.certificate))
