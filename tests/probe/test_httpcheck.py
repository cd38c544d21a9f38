"""`pxed-probe http` against servers that boot firmware does not understand, on the loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from pxed.probe.main import app

BODY = b"MZ" + bytes(998)
GOOD = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: application/efi\r\nServer: pxed\r\n\r\n"
PART = "HTTP/1.1 206 Partial Content\r\nContent-Length: 16\r\nContent-Range: bytes 0-15/1000\r\n\r\n"


@contextlib.contextmanager
def serving(
    head: str = GOOD, get: str = GOOD, part: str = PART, body: bytes = BODY, close: bool = False
) -> Iterator[str]:
    """A server of these answers, one connection after the other; the URL of a file."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, (head, get, part), body, close))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/a.efi"
        finally:
            with socket.create_connection(listener.getsockname()) as last:
                last.sendall(b"END\r\n\r\n")
            thread.join()


def serve(listener: socket.socket, answers: tuple[str, str, str], body: bytes, close: bool) -> None:
    head, get, part = (answer.encode() for answer in answers)
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            while request := b"".join(iter(lines.readline, b"\r\n")) if lines.peek() else b"":
                if request.startswith(b"END"):
                    return
                if request.startswith(b"HEAD"):
                    connection.sendall(head)
                elif b"Range:" in request:
                    connection.sendall(part + body[:16] if part.startswith(b"HTTP/1.1 206") else part + body)
                else:
                    connection.sendall(get + body)
                if close:
                    break


def probe(url: str) -> tuple[int, dict[str, dict[str, object]], dict[str, object]]:
    done = CliRunner().invoke(app, ["http", url, "--timeout", "0.5", "--json"])
    told = json.loads(done.stdout)
    return done.exit_code, {check["name"].split(" (")[0]: check for check in told["checks"]}, told


def test_a_good_server_passes() -> None:
    with serving() as url:
        code, checks, told = probe(url)
    assert (code, told["ok"], told["bytes"]) == (0, True, 1000)
    assert all(check["ok"] for check in checks.values()), checks
    assert len(checks) == 10


CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD = {
    "no length in HEAD": ({"head": "HTTP/1.1 200 OK\r\n\r\n"}, "HEAD with the Content-Length of GET"),
    "another length in HEAD": ({"head": GOOD.replace("1000", "999")}, "HEAD with the Content-Length of GET"),
    "no HEAD": ({"head": "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"}, "HEAD with the Content-Length of GET"),
    "chunks": ({"get": CHUNKED, "body": b"3e8\r\n" + BODY + b"\r\n0\r\n\r\n"}, "no chunks, no encoding"),
    "a packed body": ({"get": GOOD.replace("Server: pxed", "Content-Encoding: gzip")}, "no chunks, no encoding"),
    "an empty Server": ({"get": GOOD.replace("Server: pxed", "Server:")}, "Server header not empty"),
    "a redirect": (
        {"get": "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", "body": b""},
        "status 200, no redirect",
    ),
    "a file that is not there": (
        {"get": "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "body": b""},
        "status 200, no redirect",
    ),
    "HTTP/1.0": ({"get": GOOD.replace("1.1", "1.0")}, "HTTP/1.1"),
    "a body that ends early": ({"body": BODY[:500], "close": True}, "the whole body"),
}  # fmt: skip
GOOD_TO_HAVE = {
    "no ranges": ({"part": GOOD}, "ranges"),
    "a connection for each request": ({"close": True}, "kept connection"),
    "another type": ({"get": GOOD.replace("application/efi", "text/plain")}, "Content-Type application/efi"),
}


@pytest.mark.parametrize(("how", "name"), BAD.values(), ids=BAD)
def test_what_firmware_cannot_do_with_is_a_failure(how: dict[str, str], name: str) -> None:
    with serving(**how) as url:  # type: ignore[arg-type]
        code, checks, told = probe(url)
    assert (code, told["ok"], checks[name]["ok"], checks[name]["needed"]) == (1, False, False, True), checks


@pytest.mark.parametrize(("how", "name"), GOOD_TO_HAVE.values(), ids=GOOD_TO_HAVE)
def test_what_is_only_good_to_have_is_a_note(how: dict[str, str], name: str) -> None:
    with serving(**how) as url:  # type: ignore[arg-type]
        code, checks, _ = probe(url)
    assert (code, checks[name]["ok"], checks[name]["needed"]) == (0, False, False), checks


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.efi"
    done = CliRunner().invoke(app, ["http", url])
    assert done.exit_code == 1
    assert "FAILED  an answer: the connection is refused" in done.stdout
