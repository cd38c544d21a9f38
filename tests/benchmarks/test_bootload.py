"""The load generator counts an answer only when all of it is right: each row is a server that is wrong in one way."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from benchmarks import bootload, tools
from benchmarks.bootload import Answers
from tests.benchmarks.peers import http_peer, offer, tftp, udp_peer

CONTENT = random.Random(1).randbytes(40_000)
CHANGED = CONTENT[:30_000] + bytes([CONTENT[30_000] ^ 1]) + CONTENT[30_001:]
RELAY = "127.0.0.9"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def read_by_tftp(local: Path, sent: bytes, tsize: int) -> Answers:
    with udp_peer(tftp(sent, tsize)) as port:
        arguments = ["--path", "file", "--local", str(local), "--clients", "2", "--count", "4", "--seconds", "10"]
        return bootload.run([str(tools.bootload()), "tftp", "--server", "127.0.0.1", "--port", str(port), *arguments])


def test_whole_files_by_tftp_are_counted(local: Path) -> None:
    answers = read_by_tftp(local, CONTENT, len(CONTENT))
    assert (answers.checked, answers.wrong, answers.lost) == (4, 0, 0)
    assert (answers.bytes, answers.blksize) == (4 * len(CONTENT), 512)


@pytest.mark.parametrize(
    ("sent", "tsize", "problem"),
    [
        pytest.param(CHANGED, len(CONTENT), "the bytes differ from the file", id="one flipped bit"),
        pytest.param(CONTENT[:-100], len(CONTENT), "the file ended early", id="a short file"),
        pytest.param(CONTENT + b"more", len(CONTENT), "more bytes than the file has", id="a long file"),
        pytest.param(CONTENT, 1, "tsize is not the size of the file", id="another tsize"),
    ],
)
def test_wrong_files_by_tftp_are_not_counted(local: Path, sent: bytes, tsize: int, problem: str) -> None:
    answers = read_by_tftp(local, sent, tsize)
    assert (answers.checked, answers.wrong, answers.problem) == (0, 4, problem)


def test_a_tftp_error_is_told(local: Path) -> None:
    with udp_peer(lambda _: [b"\0\5\0\1File not found\0"]) as port:
        command = [str(tools.bootload()), "tftp", "--server", "127.0.0.1", "--port", str(port), "--path", "x"]
        answers = bootload.run([*command, "--local", str(local)])
    assert (answers.checked, answers.wrong, answers.problem) == (0, 1, "error 1: File not found")


def get_by_http(local: Path, response: bytes) -> Answers:
    with http_peer(response) as port:
        command = [str(tools.bootload()), "http", "--server", "127.0.0.1", "--port", str(port), "--path", "/file"]
        return bootload.run([*command, "--local", str(local), "--clients", "1", "--count", "3", "--seconds", "10"])


def http_response(body: bytes, length: int, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n".encode() + body


def test_whole_files_by_http_are_counted(local: Path) -> None:
    answers = get_by_http(local, http_response(CONTENT, len(CONTENT)))
    assert (answers.checked, answers.wrong, answers.lost, answers.bytes) == (3, 0, 0, 3 * len(CONTENT))


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        pytest.param(http_response(CHANGED, len(CONTENT)), "the bytes differ from the file", id="one flipped bit"),
        pytest.param(
            http_response(CONTENT, len(CONTENT) - 1), "Content-Length is not the size of the file", id="another length"
        ),
        pytest.param(http_response(CONTENT + b"x", len(CONTENT)), "more bytes than the file has", id="a byte too many"),
        pytest.param(http_response(b"", 0, "404 Not Found"), "HTTP/1.1 404 Not Found", id="not found"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT, "no Content-Length", id="no length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "a file came chunked", id="chunked"
        ),
    ],
)
def test_wrong_files_by_http_are_not_counted(local: Path, response: bytes, problem: str) -> None:
    answers = get_by_http(local, response)
    assert (answers.checked, answers.wrong, answers.problem) == (0, 3, problem)


def ask_by_dhcp(change: dict[str, bytes], seconds: float = 10) -> Answers:
    if os.geteuid() != 0:
        pytest.skip("a relay's port 67 needs root")
    with udp_peer(lambda discover: [offer(discover, **change)], to=(RELAY, 67)) as port:
        command = [str(tools.bootload()), "dhcp", "--server", "127.0.0.1", "--port", str(port), "--giaddr", RELAY]
        return bootload.run([*command, "--clients", "1", "--count", "20", "--seconds", str(seconds)])


@pytest.mark.net
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="a boot file at siaddr"),
        pytest.param({"file": bytes(128), "end": b"\x2b\x03\x06\x01\x08\xff"}, id="option 43 and no file"),
        pytest.param({"file": bytes(128)}, id="UEFI sent to port 4011 by siaddr"),
    ],
)
def test_proper_offers_are_counted(change: dict[str, bytes]) -> None:
    answers = ask_by_dhcp(change)
    assert (answers.checked, answers.wrong, answers.lost) == (20, 0, 0)


@pytest.mark.net
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"op": b"\1"}, "op, htype or hlen", id="a request"),
        pytest.param({"yiaddr": b"\x0a\0\0\1"}, "yiaddr is not 0.0.0.0: not a proxy's offer", id="an address"),
        pytest.param({"siaddr": b"\x0a\0\0\1"}, "siaddr is another server", id="another next server"),
        pytest.param({"siaddr": bytes(4)}, "a boot file without siaddr", id="no next server"),
        pytest.param({"giaddr": bytes(4)}, "giaddr was not kept", id="no giaddr"),
        pytest.param({"chaddr": b"\x52\x54" + bytes(14)}, "chaddr is another client's", id="another client's MAC"),
        pytest.param({"type": b"\x35\1\5"}, "no OFFER (option 53)", id="an ACK"),
        pytest.param({"server": b""}, "option 54 is not the server", id="no server identifier"),
        pytest.param({"class": b"\x3c\x0aHTTPClient"}, "option 60 is not PXEClient", id="another class"),
        pytest.param({"uuid": b""}, "option 97 was not echoed", id="no option 97"),
        pytest.param({"uuid": b"\x61\x11" + bytes(17)}, "option 97 was not echoed", id="another UUID"),
        pytest.param({"end": b""}, "the options have no end", id="no end"),
        pytest.param({"end": b"\x2b\x09\x00"}, "an option runs over the end", id="an option cut off"),
        pytest.param({"cookie": bytes(4)}, "not a DHCP packet of the server", id="no cookie"),
    ],
)
def test_wrong_offers_are_not_counted(change: dict[str, bytes], problem: str) -> None:
    answers = ask_by_dhcp(change, 0.5 if "cookie" in change else 10)
    assert answers.checked == 0
    assert answers.wrong >= 1
    assert answers.problem == problem


@pytest.mark.net
def test_answers_to_questions_never_asked_are_strays() -> None:
    answers = ask_by_dhcp({"xid": b"\xff\xff\xff\xff"}, 0.3)
    assert (answers.checked, answers.wrong, answers.stray) == (0, 0, 1)
