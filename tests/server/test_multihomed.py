"""A host with several interfaces and addresses: a reply leaves where the question came in, and names that address."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pxed.dhcp.message import decode
from pxed.dhcp.simulate import boot_server_request, discover

pytestmark = pytest.mark.net

PXED = Path(sys.executable).with_name("pxed")
PREFIX = f"pxmh{os.getpid() % 100000}"
HOST = f"{PREFIX}-h"
SEGMENTS = {"a": "10.81.0", "b": "10.82.0"}
MAC = "52:54:00:00:00:01"
# Sends one datagram and prints the sender and the bytes of what comes back, or null after a second without.
ASK = """
import json, socket, sys
data, target, port, mine = bytes.fromhex(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
sock.bind(("0.0.0.0", mine))
sock.settimeout(float(sys.argv[5]))
sock.sendto(data, (target, port))
try:
    reply, sender = sock.recvfrom(2048)
    print(json.dumps([sender, reply.hex()]))
except TimeoutError:
    print("null")
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """A host with interfaces to two segments, a client in each; on the first the host has two addresses."""
    names = [HOST, *(f"{PREFIX}-{segment}" for segment in SEGMENTS)]
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        for segment, subnet in SEGMENTS.items():
            client = f"{PREFIX}-{segment}"
            ip("-n", HOST, "link", "add", f"eth{segment}", "type", "veth", "peer", "name", "eth0", "netns", client)
            ip("-n", HOST, "addr", "add", f"{subnet}.1/24", "dev", f"eth{segment}")
            ip("-n", client, "addr", "add", f"{subnet}.9/24", "dev", "eth0")
            ip("-n", HOST, "link", "set", f"eth{segment}", "up")
            ip("-n", client, "link", "set", "eth0", "up")
        ip("-n", HOST, "addr", "add", "10.81.0.2/24", "dev", "etha")
        yield
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture(
    scope="module", params=["[]", "[etha, ethb]", "[ethb]"], ids=["every interface", "both named", "one named"]
)
def served(request, network, tmp_path_factory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("multihomed")
    (home / "pxed.yaml").write_text(
        f"server: {{interfaces: {request.param}, data_dir: data, unknown: p}}\n"
        "images: {i: {kernel: vmlinuz}}\nprofiles: {p: {image: i}}\n"
    )
    command = ["ip", "netns", "exec", HOST, PXED, "serve", "-c", home / "pxed.yaml", "--log-format", "json"]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        stack.callback(process.kill)
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["kind"] == "ready"
        yield request.param


def ask(segment: str, data: bytes, target: str, port: int = 67, mine: int = 68, wait: float = 5.0):
    words = [sys.executable, "-c", ASK, data.hex(), target, str(port), str(mine), str(wait)]
    done = subprocess.run(
        ["ip", "netns", "exec", f"{PREFIX}-{segment}", *words], check=True, capture_output=True, text=True
    )
    answer = json.loads(done.stdout)
    return None if answer is None else (answer[0][0], answer[0][1], decode(bytes.fromhex(answer[1])))


def address(value: bytes) -> str:
    return ".".join(map(str, value))


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_broadcast_is_answered_from_the_address_of_its_interface(served, segment):
    hears = segment == "b" or "etha" in served or served == "[]"
    answer = ask(segment, discover(MAC, bytes(16), 7), "255.255.255.255", wait=5.0 if hears else 1.0)
    if not hears:
        assert answer is None
        return
    assert answer is not None
    sender, port, message = answer
    ours = f"{SEGMENTS[segment]}.1"
    assert (sender, port) == (ours, 67)
    assert (address(message.options[54]), address(message.siaddr), message.sname.rstrip(b"\0").decode()) == (ours,) * 3


@pytest.mark.parametrize("ours", ["10.81.0.1", "10.81.0.2"])
def test_a_request_to_one_of_several_addresses_is_answered_from_that_one(served, ours):
    hears = served != "[ethb]"
    request = boot_server_request(MAC, bytes(16), 7, "10.81.0.9")
    answer = ask("a", request, ours, port=4011, mine=4011, wait=5.0 if hears else 1.0)
    if not hears:
        assert answer is None
        return
    assert answer is not None
    sender, port, message = answer
    assert (sender, port, address(message.options[54])) == (ours, 4011, ours)


def test_a_relayed_request_is_answered_to_the_relays_server_port(served):
    data = discover(MAC, bytes(16), 7)
    relayed = data[:24] + bytes((10, 82, 0, 9)) + data[28:]
    for _again in range(2):  # the second time from what was kept ready
        answer = ask("b", relayed, "10.82.0.1", mine=67)
        assert answer is not None
        sender, port, message = answer
        assert (sender, port, address(message.giaddr)) == ("10.82.0.1", 67, "10.82.0.9")
