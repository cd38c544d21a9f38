"""The oracles say of each reply in the captures what the firmware in them then did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pxed.probe.capture import read
from pxed.probe.oracles import edk2_2015, edk2_current, edk2_http, ipxe
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Url, Verdict
from pxed.probe.oracles.wire import Datagram, parse

CAPTURES = Path(__file__).parents[2] / "data" / "captures"
DHCP_SERVER, PROXY = "10.77.0.1", "10.77.0.2"


def load(name: str) -> list[Datagram]:
    return [Datagram(d.src, d.sport, d.dst, d.dport, d.payload) for d in read(CAPTURES / f"{name}.pcap")]


def offer_oracle(discover: Datagram) -> Callable[[Datagram, Datagram], Verdict]:
    packet = parse(discover.payload)
    if (packet.first(60) or b"").startswith(b"HTTPClient"):
        return edk2_http.offer
    return edk2_current.offer if packet.first(175) is None else ipxe.offer


def offers(datagrams: list[Datagram]) -> Iterator[tuple[int, Datagram, Datagram]]:
    """(position, request, reply) of the proxy's OFFERs."""
    discover = {}
    for at, datagram in enumerate(datagrams):
        if datagram.dport == 67 and parse(datagram.payload).kind == 1:
            discover[parse(datagram.payload).xid] = datagram
        elif datagram.sport == 67 and datagram.src != DHCP_SERVER:
            yield at, discover[parse(datagram.payload).xid], datagram


def answers(datagrams: list[Datagram]) -> Iterator[tuple[int, Datagram, Datagram]]:
    """(position, request, reply) on port 4011."""
    request = None
    for at, datagram in enumerate(datagrams):
        if datagram.dport == 4011 and datagram.dst == PROXY:
            request = datagram
        elif datagram.sport == 4011 and request is not None:
            yield at, request, datagram


def what_it_did(datagrams: list[Datagram], since: int) -> str:
    """The client's next request to port 4011 or 69, up to its next DISCOVER; "" for none (it was HTTP)."""
    for datagram in datagrams[since + 1 :]:
        if datagram.dport == 67 and parse(datagram.payload).kind == 1:
            return ""
        if datagram.dport == 4011 and datagram.dst == PROXY:
            return f"ask {datagram.dst}"
        if datagram.dport == 69:
            return f"tftp {datagram.payload[2:].split(bytes(1))[0].decode()} from {datagram.dst}"
    return ""


def foretold(verdict: Verdict) -> str:
    assert isinstance(verdict, Accepted), verdict
    if isinstance(verdict.next, Ask):
        return f"ask {verdict.next.server}"
    return str(verdict.next) if isinstance(verdict.next, Tftp) else ""


NAMES = sorted(path.stem for path in CAPTURES.glob("*.pcap"))


@pytest.mark.parametrize("name", NAMES)
def test_after_an_offer_the_firmware_did_what_the_oracle_says(name: str) -> None:
    datagrams = load(name)
    for at, discover, reply in offers(datagrams):
        assert foretold(offer_oracle(discover)(reply, discover)) == what_it_did(datagrams, at)


@pytest.mark.parametrize("name", NAMES)
def test_after_an_answer_on_4011_the_firmware_did_what_the_oracle_says(name: str) -> None:
    datagrams = load(name)
    last_offer: dict[int, Datagram] = {at: reply for at, _, reply in offers(datagrams)}
    for at, request, reply in answers(datagrams):
        asked = parse(request.payload)
        if asked.first(175) is None:
            verdict = edk2_current.ack(reply, request)
        elif asked.first(43) is not None:
            verdict = ipxe.boot_server_ack(reply, request)
        else:
            verdict = ipxe.ack(reply, request, last_offer[max(i for i in last_offer if i < at)])
        assert foretold(verdict) == what_it_did(datagrams, at)


def test_the_captures_hold_every_kind_of_next_step() -> None:
    steps = {what_it_did(load(name), at).split(" ")[0] for name in NAMES for at, _, _ in offers(load(name))}
    assert steps == {"ask", "tftp", ""}
    assert sum(1 for name in NAMES for _ in answers(load(name))) > 5


def test_http_boot_takes_the_url_of_the_proxy() -> None:
    [(_, discover, reply)] = offers(load("uefi-httpboot-proxy"))
    assert edk2_http.offer(reply, discover) == Accepted(Url("http://10.77.0.2:8080/snponly.efi"))


def test_the_offer_with_option_43_that_current_firmware_took_is_lost_on_that_of_2015() -> None:
    at_first = next(iter(offers(load("mode-file43-uefi"))))
    _, discover, reply = at_first
    assert edk2_current.offer(reply, discover) == Accepted(Tftp("10.77.0.2", "snponly.efi"))
    verdict = edk2_2015.offer(reply, discover)
    assert isinstance(verdict, Rejected)
    assert "never cached" in verdict.reason


@pytest.mark.parametrize("name", ["mode-file-uefi", "uefi-x64-ovmf-dnsmasq"])
def test_firmware_of_2015_takes_offers_without_option_43_and_their_answers(name: str) -> None:
    datagrams = load(name)
    _, discover, reply = next(iter(offers(datagrams)))
    assert edk2_2015.offer(reply, discover) == Accepted(Ask("10.77.0.2"))
    _, request, answer = next(iter(answers(datagrams)))
    assert edk2_2015.ack(answer, request) == Accepted(Tftp("10.77.0.2", "snponly.efi"))
