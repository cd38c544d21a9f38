"""pxed's answer to a datagram, for tests: the function that the sockets call, with an inventory of three machines."""

from __future__ import annotations

from pathlib import Path

from pxed.boot.endpoint import Endpoint
from pxed.inventory.loader import loads
from pxed.inventory.model import Inventory
from pxed.probe.oracles.firmware import Responder
from pxed.probe.oracles.wire import Datagram
from pxed.server.respond import respond

SERVER = "10.0.0.2"
URL = f"http://{SERVER}:8080"
PLAIN, BYPASS, NONE = (bytes.fromhex(f"52540000000{n}") for n in (1, 2, 3))
STRANGER = bytes.fromhex("525400ffffff")


def inventory(*, unknown: str = "ignore", dhcp: str = "proxy") -> Inventory:
    """`plain`, `bypass` and `none` by their `pxe: opt43`, at the MACs of the same names."""
    text = f"""
    server: {{unknown: {unknown}, dhcp: {dhcp}}}
    profiles:
      local: {{boot: local}}
    machines:
      plain: {{mac: "52:54:00:00:00:01", profile: local}}
      bypass: {{mac: "52:54:00:00:00:02", profile: local, pxe: {{opt43: bypass}}}}
      none: {{mac: "52:54:00:00:00:03", profile: local, pxe: {{opt43: none}}}}
    """
    return loads(text, Path("/nowhere/pxed.yaml"))


def pxed(known: Inventory, address: str = SERVER) -> Responder:
    """The responder at `address`."""
    endpoint = Endpoint(address)

    def answer(request: Datagram) -> Datagram | None:
        outcome = respond(known, request.payload, request.dport, (request.src, request.sport), endpoint)
        if outcome.reply is None:
            return None
        return Datagram(address, request.dport, *outcome.destination, outcome.reply)

    return answer
