"""DHCP events into the boot: ROM, iPXE, initramfs and OS are four clients with one MAC (design section 6).

Options 60, 77, 93 and 175 tell firmware and iPXE (`client` of the event, pxed.dhcp.pxe); what has none of them is a
booted system: in the initramfs when the boot has had its kernel, from the disk when it has not.
"""

from __future__ import annotations

from pxed.events import Event
from pxed.status.boots import ORDER, Outcome, Speaker, Stage
from pxed.status.network import note_reply
from pxed.status.timeline import spans
from pxed.status.timeline.book import Book
from pxed.status.trail import LOADS, Lease, Trail

FIRMWARE = ("PXE firmware", "UEFI HTTP Boot")
IPXE = "iPXE"
TAKING_TURNS = 120.0  # seconds in which two UUIDs on one MAC are two machines, not a board that was replaced
_MOST_REPLIES = 8
_MOST_UUIDS = 4


def on_offer(book: Book, event: Event) -> None:
    """pxed has answered a firmware's DISCOVER."""
    trail = _firmware(book, event)
    if trail is None:
        return
    data, boot = event.data, trail.boot
    trail.offers += 1
    trail.offered, trail.server = str(data.get("file", "")), str(data.get("server", ""))
    trail.left_out = trail.unsent = ""
    boot.loader, boot.profile = trail.offered, str(data.get("profile", "")) or boot.profile
    spans.enter(boot, Stage.OFFER, Speaker.ROM, event.time, event.text)


def on_bootserver(book: Book, event: Event) -> None:
    """pxed has answered a firmware on port 4011."""
    trail = book.open_trail(event, Stage.BOOTSERVER)
    if trail is None:
        return
    book.network.wire(str(event.data.get("interface", ""))).bootserver = event.time
    trail.bootservers += 1
    trail.bootserver_last = trail.asked_last = event.time
    trail.offered = str(event.data.get("file", "")) or trail.offered
    book.learn(trail, str(event.data.get("address", "")))
    spans.enter(trail.boot, Stage.BOOTSERVER, Speaker.ROM, event.time, event.text)


def on_ipxe(book: Book, event: Event) -> None:
    """pxed has answered iPXE, with a script's URL or, where the build cannot boot, with a boot loader."""
    trail = book.trail(event)
    if trail is None or not trail.is_open or _ipxe_begins_anew(trail, event):
        name = book.name(event)
        if not name or (trail is None and not book.admits(event)):
            return
        trail = book.begin(name, event, Stage.IPXE)
    book.touched(trail, event)
    boot, data = trail.boot, event.data
    if boot.stage is not Stage.IPXE or not trail.ipxe_at:
        trail.lease = Lease()
        trail.ipxe_at = event.time
    trail.ipxe_offered, trail.lacks = str(data.get("file", "")), str(data.get("lacks", ""))
    trail.server = str(data.get("server", "")) or trail.server
    _identify(book, trail, event, IPXE)
    spans.enter(boot, Stage.IPXE, Speaker.IPXE, event.time, event.text)


def on_unanswered(book: Book, event: Event) -> None:
    """A DHCP message that pxed leaves to others."""
    client = event.data.get("client")
    if client in FIRMWARE:
        _firmware_unanswered(book, event)
    elif client == IPXE:
        _ipxe_unanswered(book, event)
    elif client == "other":
        _system(book, event)


def on_reply(book: Book, event: Event) -> None:
    """Another server's answer, to this machine or to pxed's own question."""
    interface = str(event.data.get("interface", ""))
    book.network.on_reply(interface, event.time, event.data)
    trail = book.trail(event)
    if trail is None or not trail.is_open or event.data.get("survey"):
        return
    if event.data.get("message") == "NAK":
        trail.lease.refused = str(event.data.get("server", ""))
    elif len(trail.replies) < _MOST_REPLIES or event.data.get("server") in trail.replies:
        note_reply(trail.replies, event.time, event.data)
    given = str(event.data.get("given", ""))
    if event.data.get("message") == "ACK" and given:
        trail.lease.refused = ""  # two machines that are offered one address: one of them asks again
        book.learn(trail, given)
    book.touched(trail, event)


def _firmware(book: Book, event: Event) -> Trail | None:
    """The boot of a firmware that asks; a new one when the last had come further than its loader."""
    trail = book.trail(event)
    if trail is None or not trail.is_open or _firmware_begins_anew(book, trail, event):
        name = book.name(event)
        if not name:
            return None
        trail = book.begin(name, event, Stage.DISCOVER)
    book.touched(trail, event)
    trail.asked_last = event.time
    client = str(event.data.get("client", ""))
    if trail.boot.firmware != client:
        _takes_another_way(trail, event, client)
    _identify(book, trail, event, client)
    if trail.boot.stage is not Stage.OFFER:
        spans.enter(trail.boot, Stage.DISCOVER, Speaker.ROM, event.time)
    return trail


def _takes_another_way(trail: Trail, event: Event, client: str) -> None:
    """Firmware that got nowhere by PXE tries HTTP Boot, or the other way round: it asks for all anew."""
    if trail.boot.firmware:
        spans.note(trail.boot, event.time, f"the firmware goes on as {client}")
    trail.boot.firmware, trail.asked_first = client, event.time
    trail.lease, trail.offers, trail.bootservers, trail.offered = Lease(), 0, 0, ""
    trail.refusals.clear()


def _firmware_begins_anew(book: Book, trail: Trail, event: Event) -> bool:
    if event.time - trail.boot.last > book.patience.silence:
        return True
    loaded = trail.loaders > 0 or ORDER[trail.boot.stage] > ORDER[Stage.LOADER]
    # A loader that sends the machine back to its firmware's DHCP within the boot is a loop of that boot.
    return loaded and not (trail.boot.stage is Stage.LOADER and _loops(trail))


def _loops(trail: Trail) -> bool:
    """Whether it was given its loader and asked for it again at once: no time for a restart of a machine."""
    return trail.asked_last > 0 and trail.loaders > 0 and trail.scripted == 0.0


def _ipxe_begins_anew(trail: Trail, event: Event) -> bool:
    """iPXE asks again within a boot: until it has its script, while it waits, and when a file failed."""
    stage = trail.boot.stage
    if ORDER[stage] <= ORDER[Stage.SCRIPT]:
        return stage is Stage.SCRIPT and trail.boot.way in LOADS and not trail.plan.problem
    flow = trail.flow(Stage.KERNEL, Stage.INITRD)
    failed = (flow is not None and not flow.done) or "image" in trail.refusals
    return not (failed and not trail.loaded)


def _firmware_unanswered(book: Book, event: Event) -> None:
    if event.data.get("message") != "DISCOVER":
        _lease(book, event)
        return
    if book.track(book.name(event)) is None and not book.admits(event):
        return
    trail = _firmware(book, event)
    if trail is None:
        return
    reason = str(event.data.get("reason", ""))
    if event.data.get("silent"):  # pxed leaves it to its disk, on purpose
        trail.boot.way = "local"
        book.end(trail, event.time, Outcome.LOCAL)
    elif not trail.offers and event.data.get("wanted", True):  # else pxed has nothing to say on this port
        trail.left_out = reason
        book.alarm(trail)
        spans.enter(trail.boot, Stage.DISCOVER, Speaker.ROM, event.time, reason)


def _ipxe_unanswered(book: Book, event: Event) -> None:
    if event.data.get("message") != "DISCOVER":
        _lease(book, event)
        return
    trail = book.open_trail(event, Stage.IPXE)
    if trail is not None:
        trail.left_out = str(event.data.get("reason", ""))
        book.alarm(trail)
        spans.enter(trail.boot, Stage.IPXE, Speaker.IPXE, event.time, trail.left_out)


def _lease(book: Book, event: Event) -> None:
    """A boot client takes up the offer of a DHCP server."""
    trail = book.trail(event)
    if trail is None or not trail.is_open:
        return
    data, lease = event.data, trail.lease
    book.touched(trail, event)
    if data.get("message") == "DECLINE":
        lease.declined = str(data.get("requested", "")) or lease.address
        return
    if data.get("message") != "REQUEST":
        return
    lease.server = str(data.get("chosen", "")) or lease.server
    lease.address = str(data.get("requested", "")) or str(data.get("ciaddr", "")) or lease.address
    lease.time = lease.time or event.time
    trail.asked_last = event.time
    if lease.server:
        book.network.on_chosen(str(data.get("interface", "")), event.time, lease.server)
    book.learn(trail, lease.address)


def _system(book: Book, event: Event) -> None:
    """A booted system asks for its address."""
    data = event.data
    if data.get("message") == "REQUEST" and data.get("chosen"):
        book.network.on_chosen(str(data.get("interface", "")), event.time, str(data["chosen"]))
    trail = book.trail(event)
    if trail is None:
        return
    address = str(data.get("requested", "")) or str(data.get("ciaddr", ""))
    if data.get("message") == "DECLINE":
        trail.lease.declined = address
    if ORDER[trail.boot.stage] < ORDER[Stage.KERNEL]:
        trail.disk_spoke = event.time
        return
    book.touched(trail, event)
    if not trail.spoke:
        trail.spoke = event.time
        who = "the initramfs" if trail.plan.config and not trail.fetched else "the system"
        spans.note(trail.boot, event.time, f"{who} asks for its address")
    if data.get("message") == "REQUEST":
        book.learn(trail, address)


def _identify(book: Book, trail: Trail, event: Event, client: str) -> None:
    """Architecture and UUID; two UUIDs that take turns on one MAC are two machines."""
    boot, uuid = trail.boot, str(event.data.get("uuid", ""))
    arch = str(event.data.get("arch", ""))
    boot.arch = arch if client != IPXE or not boot.arch else boot.arch
    if not uuid or set(uuid) <= {"0"}:
        return
    if not boot.uuid:
        boot.uuid = uuid
        return
    known = (boot.uuid, *trail.others)
    if any(same_uuid(uuid, one) for one in known):
        if trail.others and not same_uuid(uuid, trail.others[-1]):
            trail.clash = event.time
            book.alarm(trail)
            trail.others = (*trail.others, uuid)[-_MOST_UUIDS:]
        return
    book.alarm(trail)
    trail.others = (*trail.others, uuid)[-_MOST_UUIDS:]
    trail.clash = event.time if event.time - boot.began < TAKING_TURNS or trail.clash else 0.0


def same_uuid(one: str, other: str) -> bool:
    """In either byte order of its first three fields (RFC 4578 2.3 and SMBIOS disagree)."""
    return one == other or one == _swapped(other)


def _swapped(uuid: str) -> str:
    pairs = [uuid[i : i + 2] for i in range(0, 32, 2)]
    return "".join((*pairs[3::-1], *pairs[5:3:-1], *pairs[7:5:-1], *pairs[8:]))
