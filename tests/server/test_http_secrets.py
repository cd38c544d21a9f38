"""Requests that carry a secret and are refused: neither the event nor the answer repeats it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pxed.events import Kind
from tests.server.certificates import authority, signed
from tests.server.httpsite import serving

TOKEN = "Ab3_-Zz9" * 5 + "end"
REQUESTS = {
    "a page that does not exist": f"GET /none?token={TOKEN} HTTP/1.1",
    "a machine that does not exist": f"GET /ignition/none?token={TOKEN} HTTP/1.1",
    "a token that is not known": f"GET /ignition/node1?token={TOKEN} HTTP/1.1",
    "a report of a machine that does not exist": f"POST /report/none?token={TOKEN}&stage=failed HTTP/1.1",
    "a method that is not allowed": f"DELETE /boot.ipxe?token={TOKEN} HTTP/1.1",
    "a request line that is none": f"GET /ignition/node1?token={TOKEN} NONSENSE",
    "a request line with blanks": f"GET /ignition/no de1?token={TOKEN} HTTP/1.1",
    "a header that is none": f"GET / HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\x01",
    "a header name that is none": f"GET / HTTP/1.1\r\nAuth orization: Bearer {TOKEN}",
    "an order without its token": f"POST /api/v1/machines/node1/install HTTP/1.1\r\nAuthorization: Bearer {TOKEN}",
}
REST = "\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("request_text", REQUESTS.values(), ids=REQUESTS)
async def test_a_refused_secret_is_not_repeated(tmp_path: Path, request_text: str) -> None:
    async with serving(tmp_path) as site:
        reader, writer = await site.connect()
        writer.write((request_text + REST).encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
    said = [repr(event) for event in site.bus.events if event.kind in (Kind.REFUSED, Kind.UNDECODABLE)]
    assert said
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 400"))
    assert TOKEN[:12] not in answer.decode() + "".join(said)


async def test_a_secret_sent_to_the_port_of_https_in_plain_is_not_repeated(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    async with serving(tmp_path, tls=signed(ca, tmp_path).settings(ca.certificate)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.secure_port)
        site.streams.append(writer)
        writer.write((REQUESTS["a token that is not known"] + REST).encode())
        event = await site.bus.wait_for(Kind.UNDECODABLE)
        answer = await reader.read()
    assert TOKEN[:12] not in f"{event!r}{answer!r}"
