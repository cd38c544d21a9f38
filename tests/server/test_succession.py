"""Restarts in the middle of transfers: real processes one after the other, real sockets, the bytes compared."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pxed.server.fdstore import FdStore
from pxed.server.systemd import Manager
from pxed.tftp.packet import Error, decode
from tests.ports import free_port
from tests.server.booting import Machine, report_url_of
from tests.server.certificates import authority, signed
from tests.server.succession import BIG, INITRD, KERNEL, SMALL, Download, Unit, digest, unit

KERNEL_URL, INITRD_URL = "/images/rescue/vmlinuz", "/images/rescue/initrd.img"


@pytest.fixture
def pxed(tmp_path: Path) -> Iterator[Unit]:
    with unit(tmp_path) as served:
        yield served


def test_transfers_go_on_over_restarts_byte_for_byte(pxed: Unit) -> None:
    """Two HTTP downloads, TFTP lock-step of a file in memory, and windows of one that is read in pieces."""
    pxed.manager.start()
    kernel = pxed.download(KERNEL_URL, 7 << 20)
    closing = pxed.download(KERNEL_URL, 7 << 20, close=True)
    lockstep = pxed.read("small.efi", 0.006)
    windows = pxed.read("big.efi", 0.02, blksize="1428", windowsize="16", tsize="0")
    for _ in range(2):
        time.sleep(0.3)
        pxed.manager.restart()
    assert digest(kernel.finish()) == digest(closing.finish()) == digest(KERNEL)
    assert digest(lockstep.finish()) == digest(SMALL)
    assert digest(windows.finish()) == digest(BIG)
    assert [len(read.peers) for read in (lockstep, windows)] == [1, 1], "another port took over"
    loaders = {event["file"]: event for event in (pxed.event("loader", name) for name in ("small.efi", "big.efi"))}
    assert {name: event["bytes"] for name, event in loaders.items()} == {"small.efi": len(SMALL), "big.efi": len(BIG)}
    assert loaders["big.efi"]["windowsize"] == 16
    pxed.event("kernel")
    kernels = pxed.events("kernel")
    assert [event["bytes"] for event in kernels] == [len(KERNEL)] * 2, "each is told once, of all its bytes"
    assert all(event["seconds"] > 2 for event in kernels), "from its beginning"
    assert not [event for event in pxed.events() if "broke" in event["text"] or event["level"] == "warning"]


def test_a_connection_goes_on_after_its_download(pxed: Unit) -> None:
    """The rest of the kernel and then the initrd, over the connection that the first process accepted."""
    pxed.manager.start()
    kernel = pxed.download(KERNEL_URL, 12 << 20)
    time.sleep(0.2)
    pxed.manager.restart()
    assert digest(kernel.finish()) == digest(KERNEL)
    assert Download(kernel.sock, 0).begin(INITRD_URL).finish() == INITRD
    assert pxed.event("initrd")["bytes"] == len(INITRD)


def test_a_connection_with_the_next_request_in_it_ends_after_its_download(pxed: Unit) -> None:
    """What the first process has read of it is lost: who is told so, by the end of the connection, asks again."""
    pxed.manager.start()
    kernel = pxed.download(KERNEL_URL, 12 << 20)
    kernel.sock.sendall(f"GET {INITRD_URL} HTTP/1.1\r\nHost: pxed\r\n\r\n".encode())
    time.sleep(0.2)
    pxed.manager.restart()
    assert digest(kernel.finish()) == digest(KERNEL)
    assert kernel.sock.recv(10) == b""


def test_a_connection_whose_request_is_on_its_way_is_answered(pxed: Unit) -> None:
    """Accepted by the first process, which has nothing else to wait for, and asked of it after it was told to end."""
    pxed.manager.start()
    address = ("127.0.0.1", pxed.http)
    with socket.create_connection(address, timeout=10) as early, socket.create_connection(address, timeout=10) as other:
        other.sendall(b"GET /healthz HTTP/1.1\r\nHost: pxed\r\n\r\n")
        assert b"200 OK" in other.recv(4096), "so the other one was accepted before"
        restarting = threading.Thread(target=pxed.manager.restart)
        restarting.start()
        pxed.event("stopping")
        time.sleep(0.1)
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: pxed\r\n\r\n")
        assert b"200 OK" in early.recv(4096)
        assert early.recv(4096) == b"", "and that was the last"
        restarting.join()


def test_a_second_half_after_the_restart_makes_a_file_whole(pxed: Unit) -> None:
    """The first piece is remembered: iPXE and curl resume what broke off."""
    pxed.manager.start()
    for at, piece in enumerate((f"0-{len(INITRD) // 2 - 1}", f"{len(INITRD) // 2}-")):
        if at:
            pxed.manager.restart()
        with socket.create_connection(("127.0.0.1", pxed.http), 20) as sock:
            sock.sendall(f"GET {INITRD_URL} HTTP/1.0\r\nRange: bytes={piece}\r\n\r\n".encode())
            while sock.recv(65536):
                pass
    assert pxed.event("initrd")["bytes"] == len(INITRD)


def test_a_killed_process_leaves_its_ports_open(pxed: Unit) -> None:
    """What comes while nobody runs is answered by the next process."""
    pxed.manager.start()
    pxed.manager.crash()
    waiting = pxed.download(INITRD_URL, 0)
    asking = pxed.read("small.efi", 0.0)
    time.sleep(0.2)
    pxed.manager.start()
    assert waiting.finish() == INITRD
    assert digest(asking.finish()) == digest(SMALL)


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
async def test_a_boot_completes_with_another_process_for_each_request(pxed: Unit, end: str) -> None:
    """Script, kernel, initrd, a config that is given once, the machine's own report: each from another process."""

    def next_process() -> None:
        pxed.manager.end(signal.Signals[end])
        pxed.manager.start()

    pxed.manager.start()
    machine = Machine("node2", "52:54:00:00:00:02", pxed.http)
    script = await machine.script()
    for url, content in ((KERNEL_URL, KERNEL), (INITRD_URL, INITRD)):
        next_process()
        assert (await machine.ask(url)).body == content
    next_process()
    config = await machine.config(script.token())
    assert config.status == 200
    next_process()
    assert (await machine.report(report_url_of(config.body), "running")).status == 200
    pxed.event("running")
    if end == "SIGTERM":  # one that is killed tells nobody what it saw, nor learns whether the config has arrived
        (boot,) = json.loads((await machine.ask("/api/v1/machines/node2/boots")).body)["boots"]
        assert [span["stage"] for span in boot["spans"]] == ["script", "kernel", "initrd", "ignition", "running"]
        assert boot["outcome"] == "running"
        assert (await machine.config(script.token())).status == 403, "it was given once"


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_a_changed_port_is_bound_and_the_old_one_is_let_go(pxed: Unit, end: str) -> None:
    pxed.manager.start()
    pxed.manager.end(signal.Signals[end])
    before = pxed.http, pxed.tftp
    pxed.http, pxed.tftp = before[1], before[0]  # TCP and UDP have ports of their own, so these are free
    pxed.write()
    pxed.manager.start()
    assert pxed.download(INITRD_URL, 0).finish() == INITRD
    assert pxed.read("small.efi", 0.0).finish() == SMALL
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", before[0]), 5)
    pxed.manager.restart()
    assert sorted(pxed.manager.names()) == ["kept-http", "kept-tftp-lo"]


def test_a_wildcard_socket_is_let_go_for_one_of_an_interface_and_back(pxed: Unit) -> None:
    pxed.manager.start()
    pxed.write()
    text = (pxed.home / "pxed.yaml").read_text()
    for interfaces in ("interfaces: []", "interfaces: [lo]"):
        (pxed.home / "pxed.yaml").write_text(text.replace("interfaces: [lo]", interfaces))
        pxed.manager.restart()
        assert pxed.manager.process is not None
        assert ("kept-tftp" in pxed.manager.names()) == (interfaces == "interfaces: []")


def test_descriptors_that_are_nothing_to_pxed_do_not_keep_it_from_starting(pxed: Unit) -> None:
    """A kept name on something that is no such socket, and a hand-over without its descriptors."""
    pxed.manager.store += [
        ("kept-tftp-lo", os.open("/dev/null", os.O_RDONLY)),
        ("kept-", os.memfd_create("x")),
        ("transfers-9", os.memfd_create("y")),
        ("transfers-9", socket.socket(socket.AF_UNIX).detach()),
    ]
    pxed.manager.start()
    assert pxed.read("small.efi", 0.0).finish() == SMALL
    assert sorted(pxed.manager.names()) == ["kept-http", "kept-tftp-lo"]


def test_a_state_that_cannot_be_read_is_dropped_with_a_line_in_the_log(pxed: Unit) -> None:
    pxed.manager.start()
    kernel = pxed.download(KERNEL_URL, 6 << 20)
    time.sleep(0.2)
    pxed.manager.end(signal.SIGTERM)
    state = next(fd for name, fd in pxed.manager.store if name == "handover" and stat.S_ISREG(os.fstat(fd).st_mode))
    os.ftruncate(state, 10)
    pxed.manager.start()
    kernel._thread.join(20)
    assert kernel.ended != "whole", "nobody knows its place, so it has to end"
    assert pxed.event("notice", "is lost")["level"] == "warning"
    assert pxed.download(INITRD_URL, 0).finish() == INITRD
    assert sorted(pxed.manager.names()) == ["kept-http", "kept-tftp-lo"]


def test_what_finds_no_room_is_drained_and_the_rest_is_handed_over(tmp_path: Path) -> None:
    """Room for the two listening sockets, the state, and a few of twelve transfers."""
    with unit(tmp_path, room=10) as pxed:
        pxed.manager.start()
        reads = [pxed.read("small.efi", 0.006 if number < 3 else 0.001) for number in range(12)]
        time.sleep(0.3)
        pxed.manager.restart()
        assert {digest(read.finish()) for read in reads} == {digest(SMALL)}
        handed = int(pxed.event("notice", "left ")["text"].split()[1])
        assert handed == 3


def test_without_any_room_everything_is_drained(tmp_path: Path) -> None:
    """FileDescriptorStoreMax=0, as a unit of one's own has it."""
    with unit(tmp_path, room=0) as pxed:
        pxed.manager.start()
        kernel, loader = pxed.download(KERNEL_URL, 12 << 20), pxed.read("small.efi", 0.001)
        time.sleep(0.2)
        pxed.manager.restart()
        assert digest(kernel.finish()) == digest(KERNEL)
        assert digest(loader.finish()) == digest(SMALL)
        assert not [event for event in pxed.events("notice") if "left" in event["text"]]


def test_a_stop_ends_transfers_at_once(pxed: Unit) -> None:
    """It cannot be told from a restart: what was left is closed with the store."""
    pxed.manager.start()
    kernel = pxed.download(KERNEL_URL, 6 << 20)
    time.sleep(0.2)
    began = time.monotonic()
    pxed.manager.stop()
    assert time.monotonic() - began < 6
    kernel._thread.join(20)
    assert kernel.ended.startswith(("OSError", "ConnectionReset"))


def test_a_second_signal_hurries(pxed: Unit) -> None:
    """The transfers are handed over all the same."""
    pxed.manager.start()
    kernel = pxed.download(KERNEL_URL, 12 << 20)
    time.sleep(0.2)
    assert pxed.manager.process is not None
    pxed.manager.process.send_signal(signal.SIGTERM)
    pxed.manager.wait_for("STOPPING=1")
    pxed.manager.restart()
    assert digest(kernel.finish()) == digest(KERNEL)


def test_a_stranger_at_the_port_of_a_resumed_transfer_is_told_so(pxed: Unit) -> None:
    """RFC 1350 section 4: the socket for strangers is made anew."""
    pxed.manager.start()
    read = pxed.read("small.efi", 0.004)
    time.sleep(0.2)
    pxed.manager.restart()
    (peer,) = read.peers
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(5)
        stranger.sendto(b"\0\4\0\1", peer)
        packet = decode(stranger.recv(600))
    assert isinstance(packet, Error)
    assert packet.code == 5
    assert digest(read.finish()) == digest(SMALL)


def test_a_download_by_https_is_drained_while_everything_else_is_served(pxed: Unit, tmp_path: Path) -> None:
    """The keys of a TLS connection cannot be handed over."""
    ca = authority(tmp_path)
    pair = signed(ca, tmp_path, "pxed", "IP:127.0.0.1")
    port = free_port(socket.SOCK_STREAM)
    text = (pxed.home / "pxed.yaml").read_text()
    tls = f"tls: {{certificate: {pair.certificate}, key: {pair.key}, port: {port}}}"
    (pxed.home / "pxed.yaml").write_text(text.replace(f"port: {pxed.http}}}", f"port: {pxed.http}, {tls}}}"))
    pxed.manager.start()
    context = ssl.create_default_context(cafile=str(ca.certificate))
    secure = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname="127.0.0.1")
    kernel = Download(secure, 6 << 20).begin(KERNEL_URL)
    time.sleep(0.2)
    assert pxed.manager.process is not None
    pxed.manager.process.send_signal(signal.SIGTERM)
    pxed.manager.wait_for("STOPPING=1")
    time.sleep(1.2)
    assert pxed.download(INITRD_URL, 0).finish() == INITRD
    assert pxed.manager.process.poll() is None, "it waits for the download"
    assert digest(kernel.finish()) == digest(KERNEL)
    assert pxed.manager.process.wait(20) == 0
    pxed.manager.start()
    assert "kept-https" in pxed.manager.names()


def test_a_service_manager_that_does_not_answer_is_waited_for_in_bounds(tmp_path: Path) -> None:
    """And nothing is taken to be kept."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as silent, socket.socket() as sock:
        silent.bind(path)
        store, began = FdStore(Manager(path)), time.monotonic()
        assert not store.barrier(0.2)
        assert not store.keep_all("transfers-0", [sock.fileno()], 0.2)
        assert 0.4 <= time.monotonic() - began < 5
    assert not FdStore(Manager(path)).keep_all("transfers-0", [0], 0.2), "nobody is there any more"
    assert not FdStore(Manager()).barrier(0.2)
