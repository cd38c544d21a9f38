"""`pxed-probe tftp` against servers that go wrong, on the loopback."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pxed.probe.main import app
from pxed.tftp.packet import Ack, Data, Error, Oack, Rrq, decode, encode

FILE = bytes(range(256)) * 20  # 5120 bytes
Answer = Callable[[Rrq, int], list[bytes]]
"""(the request, the block that was acknowledged, -1 before the first) -> what is sent."""


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A TFTP server of one socket; its address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(sock, answer))
        thread.start()
        try:
            yield "127.0.0.1:{1}".format(*sock.getsockname())
        finally:
            sock.sendto(b"end", sock.getsockname())
            thread.join()


def serve(sock: socket.socket, answer: Answer) -> None:
    requests: dict[tuple[str, int], Rrq] = {}
    while True:
        datagram, peer = sock.recvfrom(2048)
        if datagram == b"end":
            return
        packet = decode(datagram)
        if isinstance(packet, Rrq):
            requests[peer] = packet
        block = packet.block if isinstance(packet, Ack) else -1
        if isinstance(packet, (Rrq, Ack)) and peer in requests:
            for sent in answer(requests[peer], block):
                sock.sendto(sent, peer)


def honest(request: Rrq, acked: int) -> list[bytes]:
    """Options granted as asked."""
    if request.filename != "a.efi":
        return [encode(Error(1, "File not found"))]
    options = dict(request.options)
    if acked < 0 and options:
        return [encode(Oack((*((n, v) for n, v in request.options if n != "tsize"), ("tsize", str(len(FILE))))))]
    size, window = int(options.get("blksize", 512)), int(options.get("windowsize", 1))
    first = max(acked, 0)
    blocks = range(first, min(first + window, len(FILE) // size + 1))
    return [encode(Data(block + 1, FILE[block * size : (block + 1) * size])) for block in blocks]


def only_small(request: Rrq, acked: int) -> list[bytes]:
    """A link that loses what is longer than 600 bytes."""
    return [sent for sent in honest(request, acked) if len(sent) <= 600]


def only_refusals(request: Rrq, acked: int) -> list[bytes]:
    """A firewall that lets nothing but answers of port 69 itself pass."""
    return honest(request, acked) if request.filename != "a.efi" else []


def forbidding(request: Rrq, acked: int) -> list[bytes]:
    return [encode(Error(2, "Access violation"))]


def silent(request: Rrq, acked: int) -> list[bytes]:
    return []


def probe(server: str, *words: str, file: str = "a.efi") -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, ["tftp", server, file, "--timeout", "0.1", "--json", *words])
    return done.exit_code, json.loads(done.stdout)


HOW = {
    "big blocks": (["--blksize", "1468"], "tftp, blksize 1468"),
    "windows": (["--windowsize", "4"], "tftp, blksize 1468, windowsize 4"),
    "plain": (["--blksize", "512"], "tftp, no options"),
}


@pytest.mark.parametrize(("words", "how"), HOW.values(), ids=HOW)
def test_a_file_is_read_whole(words: list[str], how: str, tmp_path: Path) -> None:
    with serving(honest) as server:
        code, told = probe(server, *words, "--out", str(tmp_path / "a.efi"))
    assert (code, told["ok"], told["bytes"], told["how"]) == (0, True, len(FILE), how)
    assert told["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert (tmp_path / "a.efi").read_bytes() == FILE
    assert told["program"] == "unknown format"


FAULTS = {
    "no such file": (honest, "b.efi", "loader-missing"),
    "not allowed": (forbidding, "a.efi", "file-missing"),
    "big blocks are lost": (only_small, "a.efi", "mtu-black-hole"),
    "only its refusals come": (only_refusals, "a.efi", "tftp-blocked"),
    "nothing comes": (silent, "a.efi", "tftp-unreached"),
}


@pytest.mark.parametrize("words", [[], ["--windowsize", "4"]], ids=["lock step", "windows"])
@pytest.mark.parametrize(("answer", "file", "fault"), FAULTS.values(), ids=FAULTS)
def test_why_a_file_does_not_come(answer: Answer, file: str, fault: str, words: list[str]) -> None:
    with serving(answer) as server:
        code, told = probe(server, *words, file=file)
    verdict = told["verdict"]
    assert isinstance(verdict, dict), told
    assert (code, verdict["fault"]) == (1, fault), verdict
    assert verdict["evidence"]


def test_what_is_no_address_is_bad_use() -> None:
    done = CliRunner().invoke(app, ["tftp", "boot.example", "a.efi"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no IPv4 address" in done.stderr
