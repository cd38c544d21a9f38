"""The events of DHCP tell who asked for what and of whom: the status page and the diagnosis have nothing else."""

from pathlib import Path

import pytest

from pxed.boot.endpoint import Endpoint
from pxed.dhcp.codes import MessageType, Option
from pxed.dhcp.message import decode, encode
from pxed.dhcp.simulate import boot_server_request, discover
from pxed.events import Event, Kind, Level
from pxed.inventory.loader import loads
from pxed.server.dhcp_events import outcome_event, unsent_event
from pxed.server.respond import respond

HERE = Endpoint("192.0.2.1", "http://192.0.2.1:8080", "tftp://192.0.2.1", "eth1")
MAC, STRANGER = "52:54:00:00:00:01", "52:54:00:00:00:99"
UUID = bytes(range(16))
INVENTORY = loads(
    """
images: {debian: {kernel: linux, initrd: [initrd.gz]}}
profiles: {worker: {image: debian}}
machines: {node1: {mac: 52:54:00:00:00:01, profile: worker}}
""",
    Path("/inventory.yaml"),
)


def changed(datagram: bytes, without: tuple[Option, ...] = (), **options: bytes) -> bytes:
    """The datagram with other options; the names are those of Option."""
    message = decode(datagram)
    kept = {code: value for code, value in message.options.items() if code not in without}
    new = {int(Option[name]): value for name, value in options.items()}
    return encode(message._replace(options=kept | new))


def told(datagram: bytes, port: int = 67) -> Event:
    """The event that a datagram leads to."""
    outcome = respond(INVENTORY, datagram, port, ("192.0.2.50", 68), HERE)
    return outcome_event(1.5, outcome, "eth1", port, lambda mac: "node1" if mac == MAC else "")


def test_an_offer_tells_what_was_asked_and_what_was_given():
    event = told(discover(MAC, UUID, 7))
    assert (event.kind, event.time, event.machine, event.mac) == (Kind.OFFER, 1.5, "node1", MAC)
    assert event.data == {
        "interface": "eth1", "xid": "00000001", "message": "DISCOVER", "client": "PXE firmware", "arch": "x86_64-efi",
        "port": 67, "uuid": UUID.hex(), "lacks": "", "file": "snponly.efi", "server": "192.0.2.1",
        "address": "255.255.255.255", "why": "PXE firmware gets its boot loader by TFTP", "profile": "worker",
        "reason": "listed as node1, by its MAC",
    }  # fmt: skip


def test_an_answer_on_4011_tells_its_port_and_where_it_went():
    event = told(boot_server_request(MAC, UUID, 7, "192.0.2.50"), 4011)
    assert event.kind is Kind.BOOTSERVER
    assert (event.data["message"], event.data["port"], event.data["address"]) == ("REQUEST", 4011, "192.0.2.50")


@pytest.mark.parametrize(
    ("arch", "features", "lacks"),
    [
        (0, b"\x13\x01\x01\x18\x01\x01", ""),
        (0, b"\x18\x01\x01", "http"),
        (0, b"\x15\x01\x01", "http bzImage"),
        (7, b"\x24\x01\x01", "http"),
    ],
    ids=["a complete build", "one without HTTP", "one with TFTP only", "one for EFI needs no bzImage"],
)
def test_what_an_ipxe_build_lacks_is_named(arch: int, features: bytes, lacks: str):
    event = told(changed(discover(MAC, UUID, arch, ipxe=True), ETHERBOOT=features))
    assert (event.kind, event.data["lacks"]) == (Kind.IPXE, lacks)


def test_an_operating_systems_request_to_its_dhcp_server_tells_both():
    """An initramfs has no option 60: what it asks for, and of whom, is all that is seen of it."""
    request = changed(
        discover(MAC, None, 7), without=(Option.VENDOR_CLASS, Option.CLIENT_ARCHITECTURE),
        MESSAGE_TYPE=bytes((MessageType.REQUEST,)), SERVER_IDENTIFIER=bytes((192, 0, 2, 254)),
        REQUESTED_ADDRESS=bytes((192, 0, 2, 77)),
    )  # fmt: skip
    event = told(request)
    assert (event.kind, event.machine, event.mac, event.level) == (Kind.IGNORED, "node1", MAC, Level.DEBUG)
    assert event.data == {
        "reason": "not a network boot: option 60 is absent, not PXEClient or HTTPClient", "wanted": False,
        "silent": False,
        "interface": "eth1", "xid": "00000001", "message": "REQUEST", "client": "other", "arch": "", "port": 67,
        "uuid": "", "lacks": "", "chosen": "192.0.2.254", "requested": "192.0.2.77", "ciaddr": "", "vendor": "",
    }  # fmt: skip


def test_a_firmwares_request_to_another_server_tells_which():
    request = changed(
        discover(MAC, UUID, 7),
        MESSAGE_TYPE=bytes((MessageType.REQUEST,)),
        SERVER_IDENTIFIER=bytes((192, 0, 2, 254)),
    )
    event = told(request)
    figures = {key: event.data[key] for key in ("client", "arch", "chosen", "wanted", "uuid", "message")}
    assert figures == {
        "client": "PXE firmware", "arch": "x86_64-efi", "chosen": "192.0.2.254", "wanted": False, "uuid": UUID.hex(),
        "message": "REQUEST",
    }  # fmt: skip


@pytest.mark.parametrize("kind", [MessageType.DECLINE, MessageType.RELEASE, MessageType.INFORM])
def test_other_messages_are_named(kind: MessageType):
    datagram = changed(discover(MAC, None, 7), (Option.VENDOR_CLASS,), MESSAGE_TYPE=bytes((kind,)))
    assert told(datagram).data["message"] == kind.name


def test_a_message_without_a_type_that_is_known_has_no_name():
    assert told(changed(discover(MAC, None, 7), MESSAGE_TYPE=b"\x63")).data["message"] == ""


def test_a_machine_that_policy_leaves_alone_asked_for_a_boot():
    event = told(discover(STRANGER, UUID, 7))
    assert (event.kind, event.machine, event.mac, event.level) == (Kind.IGNORED, "", STRANGER, Level.INFO)
    assert (event.data["wanted"], event.data["client"]) == (True, "PXE firmware")


def test_a_renewal_tells_the_address_that_it_has():
    message = decode(discover(MAC, None, 7))
    renewal = message._replace(ciaddr=bytes((192, 0, 2, 77)), options={53: b"\x03"})
    assert told(encode(renewal)).data["ciaddr"] == "192.0.2.77"


def test_a_vendor_class_cannot_forge_a_line_or_fill_the_log():
    event = told(changed(discover(MAC, None, 7), VENDOR_CLASS=b"MSFT\n\x1b[2J\xff" + b"x" * 200))
    assert event.data["vendor"] == "MSFT??[2J?" + "x" * 22


def test_a_reply_that_the_host_did_not_take_is_the_machines():
    reply = bytes(28) + bytes.fromhex(MAC.replace(":", "")) + bytes(206)
    event = unsent_event(1.0, reply, ("255.255.255.255", 68), "eth1", "No buffer space available", lambda _: "node1")
    assert (event.kind, event.machine, event.mac) == (Kind.REFUSED, "node1", MAC)
    assert event.data == {
        "address": "255.255.255.255", "interface": "eth1", "reason": "No buffer space available", "transport": "dhcp",
    }  # fmt: skip
