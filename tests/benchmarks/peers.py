"""Small servers on loopback that answer rightly or wrongly in one way: what the load generator must tell apart."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

BLOCK = 512


@contextlib.contextmanager
def udp_peer(answer: Callable[[bytes], list[bytes]], *, to: tuple[str, int] | None = None) -> Iterator[int]:
    """A thread that sends `answer(datagram)` back to its sender, or to `to`; yields its port on 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                datagram, sender = sock.recvfrom(2048)
                if not datagram:  # the sign to stop
                    return
                for packet in answer(datagram):
                    sock.sendto(packet, to or sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
                stopper.sendto(b"", sock.getsockname())
            thread.join()


@contextlib.contextmanager
def http_peer(response: bytes) -> Iterator[int]:
    """A thread that answers every request on every connection with the same bytes; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(ConnectionError):  # a reader that saw a wrong byte hangs up
                    if _answers_all(connection, response):
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with socket.create_connection(listener.getsockname()) as stopper:
                stopper.sendall(b"stop")
            thread.join()


def _answers_all(connection: socket.socket, response: bytes) -> bool:
    """Answer until the client closes; True when it said to stop."""
    while request := connection.recv(65536):
        if request == b"stop":
            return True
        connection.sendall(response)
    return False


def tftp(sent: bytes, tsize: int) -> Callable[[bytes], list[bytes]]:
    """Lock-step TFTP in blocks of 512, all from one port; hands out `sent` with an OACK that says `tsize`."""

    def answer(datagram: bytes) -> list[bytes]:
        opcode, block = struct.unpack("!HH", datagram[:4])
        if opcode == 1:
            return [b"\0\6tsize\0" + str(tsize).encode() + b"\0blksize\0" + str(BLOCK).encode() + b"\0"]
        if opcode != 4 or block * BLOCK > len(sent):
            return []
        return [struct.pack("!HH", 3, block + 1) + sent[block * BLOCK : (block + 1) * BLOCK]]

    return answer


def offer(discover: bytes, **change: bytes) -> bytes:
    """A proper proxy OFFER of 127.0.0.1 to the question; `change` replaces a part by its name."""
    at = discover.index(b"\x61\x11")
    parts = {
        "op": b"\2",
        "hardware": discover[1:4],
        "xid": discover[4:8],
        "secs_flags_ciaddr": bytes(8),
        "yiaddr": bytes(4),
        "siaddr": bytes([127, 0, 0, 1]),
        "giaddr": discover[24:28],
        "chaddr": discover[28:44],
        "sname": bytes(64),
        "file": b"bench.efi".ljust(128, b"\0"),
        "cookie": b"\x63\x82\x53\x63",
        "type": bytes([53, 1, 2]),
        "server": bytes([54, 4, 127, 0, 0, 1]),
        "class": bytes([60, 9]) + b"PXEClient",
        "uuid": discover[at : at + 19],
        "end": b"\xff",
    }
    return b"".join({**parts, **change}.values())
