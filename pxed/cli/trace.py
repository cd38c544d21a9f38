"""`pxed explain capture.pcap`: each packet of a network boot in a capture, and what pxed would have answered to it.

Then each boot in it with its verdict, by the functions that judge live boots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pxed.assets.library import AssetError, Library
from pxed.assets.paths import PathError, is_autoexec
from pxed.boot.decide import Ignore
from pxed.boot.endpoint import Endpoint
from pxed.dhcp.codes import BOOT_SERVER_PORT, SERVER_PORT, MessageType, Op
from pxed.dhcp.message import Message, decode
from pxed.dhcp.reply import BROADCAST, dotted
from pxed.errors import DecodeError
from pxed.inventory.model import Inventory
from pxed.probe.capture import Datagram, read
from pxed.probe.telling import boot_dict, verdict_lines
from pxed.probe.watching import Watcher, read_capture
from pxed.server.live import Snapshot
from pxed.server.respond import Outcome, respond
from pxed.server.tftp_events import printable
from pxed.tftp.packet import Rrq
from pxed.tftp.packet import decode as decode_tftp

TFTP_PORT = 69


@dataclass(frozen=True, slots=True)
class Line:
    """One packet of the capture. `seconds` since the first one."""

    seconds: float
    who: str
    packet: str
    verdict: str


def trace(path: Path, snapshot: Snapshot, endpoint: Endpoint, address: str, as_json: bool) -> int:
    """Print the capture's packets with their verdicts, then its boots; the exit code. `address`: the boot server's."""
    lines = list(lines_of(path, snapshot, endpoint))
    watcher = watched(path, snapshot.inventory, address)
    if as_json:
        boots = [boot_dict(watcher, boot) for boot in watcher.boots()]
        print(json.dumps({"packets": [asdict(line) for line in lines], "boots": boots}, indent=2))
        return 0
    for line in lines:
        print(f"{line.seconds:9.3f}  {line.who}  {line.packet}\n{'':11}-> {line.verdict}")
    if not lines:
        print(f"{path}: no DHCP, port 4011 or TFTP request in it")
    print("\n".join(["", *verdict_lines(watcher, watcher.boots())]))
    return 0


def watched(path: Path, inventory: Inventory, address: str = "") -> Watcher:
    """The boots of a capture, its machines by their names in the inventory."""
    machines = inventory.indexes.by_mac
    watcher = Watcher("the wire", address, lambda mac: machines[mac].name if mac in machines else "")
    read_capture(path, watcher)
    return watcher


def lines_of(path: Path, snapshot: Snapshot, endpoint: Endpoint) -> Iterator[Line]:
    """The packets that concern a network boot, in the capture's order."""
    start: float | None = None
    library = Library(snapshot.inventory.server.data_dir)
    for datagram in read(path):
        start = datagram.time if start is None else start
        found = _line(datagram, snapshot, endpoint, library)
        if found is not None:
            yield Line(round(datagram.time - start, 6), datagram.mac or datagram.src, *found)


def _line(datagram: Datagram, snapshot: Snapshot, endpoint: Endpoint, library: Library) -> tuple[str, str] | None:
    if datagram.dport == TFTP_PORT:
        return _tftp(datagram, library)
    if SERVER_PORT in (datagram.sport, datagram.dport) or BOOT_SERVER_PORT in (datagram.sport, datagram.dport):
        return _dhcp(datagram, snapshot, endpoint)
    return None


def _dhcp(datagram: Datagram, snapshot: Snapshot, endpoint: Endpoint) -> tuple[str, str]:
    try:
        message = decode(datagram.payload)
    except DecodeError as error:
        return f"port {datagram.dport}", f"no answer: {error}"
    if message.op == Op.BOOTREPLY:
        return f"{_kind(message)} from {datagram.src}", _reply_of_another(message)
    if datagram.dst != BROADCAST:
        endpoint = replace(endpoint, address=datagram.dst)  # pxed stands where the server of the capture stood
    source = (datagram.src, datagram.sport)
    outcome = respond(snapshot.inventory, datagram.payload, datagram.dport, source, endpoint)
    return f"{_kind(message)} on port {datagram.dport}", verdict(outcome)


def verdict(outcome: Outcome) -> str:
    """The outcome in one sentence."""
    decision = outcome.decision
    if isinstance(decision, Ignore):
        return f"no answer: {decision.reason}"
    kind = "ACK" if decision.acknowledge else "OFFER"
    option = "no option 43" if decision.discovery == "none" else f"option 43 {decision.discovery}"
    where = ":".join(map(str, outcome.destination))
    return f"{kind} to {where} from {decision.address}: {decision.file}, {option} ({decision.reason})"


def _tftp(datagram: Datagram, library: Library) -> tuple[str, str]:
    try:
        packet = decode_tftp(datagram.payload)
    except DecodeError as error:
        return "TFTP", f"no answer: {error}"
    if not isinstance(packet, Rrq):
        return "TFTP", "only read requests are answered"
    asked = f"TFTP read of {printable(packet.filename)}"
    if is_autoexec(packet.filename):
        return asked, "the dynamic autoexec.ipxe"
    try:
        asset = library.loader(packet.filename)
    except (AssetError, PathError) as error:
        return asked, f"ERROR: {error}"
    return asked, f"{asset.path}, {asset.size} bytes"


def _kind(message: Message) -> str:
    value = message.options.get(53, b"")
    try:
        return MessageType(value[0] if len(value) == 1 else 0).name
    except ValueError:
        return "BOOTP message"


def _reply_of_another(message: Message) -> str:
    """What a server of the capture said, as far as it matters to a boot."""
    file = message.file.split(b"\0")[0] or message.options.get(67, b"").rstrip(b"\0")
    said = [f"address {dotted(message.yiaddr)}" if any(message.yiaddr) else "no address (a ProxyDHCP reply)"]
    if file:
        said.append(f"file {file.decode(errors='replace')} from {dotted(message.siaddr)}")
    if any(message.yiaddr) and message.options.get(60, b"").startswith(b"PXEClient"):
        said.append("and option 60 PXEClient: UEFI then asks this server on port 4011 (PXE-E55), take the option away")
    return ", ".join(said)
