"""Every fault is named from what the daemon sees of it, within its stage's time, with evidence and a remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pxed.events import Kind
from pxed.status.patience import Patience
from pxed.status.wordings import Severity
from tests.status.scene import DHCP, SERVER, Scene

_HTTP = "UEFI HTTP Boot"


def _known_server(scene: Scene) -> None:
    """Another machine has got its address from the DHCP server a minute ago."""
    other = Scene("node9", "52:54:00:00:00:09", timeline=scene.timeline, now=scene.now - 60, address="10.0.0.99")
    other.discover().request().bootserver().loader().ipxe().script(way="local")


def no_dhcp(scene: Scene) -> None:
    scene.discover().wait(4).discover().wait(9)


def pool_exhausted(scene: Scene) -> None:
    _known_server(scene)
    scene.discover().wait(4).discover().wait(9)


def exhausted_as_the_survey_shows(scene: Scene) -> None:
    _known_server(scene)
    scene.discover().wait(4).discover().wait(9)
    scene.timeline.network.wire("eth1").surveyed = scene.now
    scene.wait(3)


def nak(scene: Scene) -> None:
    scene.discover().reply(message="NAK", given="").wait(13)


def option_60(scene: Scene) -> None:
    scene.discover().reply(vendor="PXEClient").wait(4).request().wait(11)


def option_60_of_a_survey(scene: Scene) -> None:
    scene.discover().wait(4).request().wait(11).reply(vendor="PXEClient", survey=True).wait(6)


def option_60_without_a_request(scene: Scene) -> None:
    scene.discover().reply(vendor="PXEClient").wait(4).discover().wait(9)


def another_proxy(scene: Scene) -> None:
    scene.discover().reply("10.0.0.7", given="", vendor="PXEClient", file="pxelinux.0").wait(4).request().wait(11)


def a_dhcp_server_with_a_boot_file(scene: Scene) -> None:
    scene.discover().reply(file="grubx64.efi").wait(4).request().wait(11)


def another_server_in_ipxe(scene: Scene) -> None:
    scene.to_loader().wait(2).ipxe().reply(file="http://10.0.0.1/menu.ipxe", client="iPXE").request("iPXE").wait(46)


def another_server_in_ipxe_that_a_survey_shows(scene: Scene) -> None:
    scene.to_loader().wait(2).ipxe().reply(client="").request("iPXE").wait(46)
    scene.reply(file="http://10.0.0.1/menu.ipxe", client="iPXE", survey=True).wait(6)


def firmware_drops_the_offer_and_asks_for_nothing(scene: Scene) -> None:
    scene.discover().reply().wait(4).discover().wait(9)


def firmware_drops_the_offer_after_its_lease(scene: Scene) -> None:
    _known_server(scene)
    scene.discover().wait(4).request().wait(11)


def port_4011_blocked(scene: Scene) -> None:
    scene.discover().wait(4).request().wait(11)


def answers_of_4011_blocked(scene: Scene) -> None:
    scene.discover().wait(4).request().bootserver().wait(2).bootserver().wait(2).bootserver().wait(9)


def tftp_never_arrives(scene: Scene) -> None:
    scene.discover().wait(4).request().bootserver().wait(9)


def tftp_blocked_after_the_first_packet(scene: Scene) -> None:
    scene.discover().wait(4).request().bootserver().start("snponly.efi", "loader", 284_672, "tftp").wait(3)
    scene.start("snponly.efi", "loader", 284_672, "tftp").wait(6)


def tftp_blocked_and_given_up(scene: Scene) -> None:
    scene.discover().wait(4).request().bootserver()
    for _ in range(3):
        scene.start("snponly.efi", "loader", 284_672, "tftp").wait(2)
        scene.broken("snponly.efi", "loader", 0, result="timed-out", transport="tftp", heard=False)
    scene.wait(9)


def big_blocks_lost(scene: Scene) -> None:
    scene.discover().wait(4).request().bootserver().start("snponly.efi", "loader", 284_672, "tftp").wait(1)
    scene.progress("snponly.efi", "loader", 0, 284_672, "tftp", heard=True, blksize=1468, retransmits=2).wait(9)


def loader_not_there(scene: Scene) -> None:
    scene.discover(file="missing.efi").wait(4).request()
    scene.refused("", 1, "no such file", transport="tftp", file="missing.efi", url="").wait(1)


def http_loader_not_there(scene: Scene) -> None:
    scene.discover(_HTTP, "http://10.0.0.2:8080/loaders/x.efi").wait(4).request(_HTTP)
    scene.refused("loader", 404, "There is no loader x.efi", "/loaders/x.efi").wait(1)


def http_loader_not_fetched(scene: Scene) -> None:
    scene.discover(_HTTP, "http://10.0.0.2:8080/loaders/x.efi").wait(4).request(_HTTP).wait(11)


def loader_of_another_architecture(scene: Scene) -> None:
    scene.discover(file="undionly.kpxe").wait(4).request().bootserver().loader("undionly.kpxe").wait(15)


def loader_never_speaks(scene: Scene) -> None:
    scene.to_loader().wait(46)


def loader_again_and_again(scene: Scene) -> None:
    for _ in range(3):
        scene.discover().wait(2).request().bootserver().loader().wait(3)
    scene.wait(1)


def ipxe_without_http(scene: Scene) -> None:
    for _ in range(3):
        scene.ipxe("undionly.kpxe", lacks="http").wait(1).request("iPXE").loader("undionly.kpxe").wait(2)


def script_never_fetched(scene: Scene) -> None:
    scene.to_loader().wait(2).ipxe().wait(1).request("iPXE").wait(46)


def script_refused(scene: Scene) -> None:
    scene.to_ipxe().refused("boot", 400, "arch is not one of ...", "/boot.ipxe").wait(1)


def script_says_why_not(scene: Scene) -> None:
    scene.to_ipxe().emit(Kind.REFUSED, "cannot be booted", reason="profile worker has no image", address="10.0.0.50")
    scene.script().wait(1)


def kernel_never(scene: Scene) -> None:
    scene.to_script().wait(21)


def kernel_missing(scene: Scene) -> None:
    scene.to_script().refused("image", 404, "vmlinuz is not there", "/images/flatcar/vmlinuz").wait(1)


def initrd_missing(scene: Scene) -> None:
    scene.to_script().fetch(Kind.KERNEL, "vmlinuz")
    scene.refused("image", 404, "not there", "/images/flatcar/image.cpio.gz?version=1").wait(1)


def still_mirroring(scene: Scene) -> None:
    scene.to_script().refused("image", 503, "still being mirrored", "/images/flatcar/vmlinuz").wait(1)


def digest_mismatch(scene: Scene) -> None:
    scene.to_script().refused("image", 500, "its digest is another", "/images/flatcar/vmlinuz", why="digest").wait(1)


def download_stalls(scene: Scene) -> None:
    scene.to_script().start("vmlinuz", "kernel").wait(1).progress("vmlinuz", "kernel", 200_000)
    for _ in range(11):
        scene.wait(2).progress("vmlinuz", "kernel", 200_000)


def download_breaks_off(scene: Scene) -> None:
    scene.to_script().start("vmlinuz", "kernel").wait(1).broken("vmlinuz", "kernel", 300_000).wait(13)


def initrd_never(scene: Scene) -> None:
    scene.to_script().fetch(Kind.KERNEL, "vmlinuz").wait(16)


def ignition_never(scene: Scene) -> None:
    scene.to_script().files().wait(8).system().wait(61)


def ignition_without_network(scene: Scene) -> None:
    scene.to_script().files().wait(121)


def ignition_without_first_boot(scene: Scene) -> None:
    scene.to_script(first_boot=False, root="LABEL=ROOT", report=True, report_within=100).files().system().wait(101)


def token_spent(scene: Scene) -> None:
    scene.to_script().files().wait(5).system().refused("ignition", 403, "the token was used", "/ignition/node1").wait(1)


def spec_too_new(scene: Scene) -> None:
    scene.to_script().files().wait(5).system().refused("ignition", 406, "version 3.4.0 ...", "/ignition/node1").wait(1)


def template_error(scene: Scene) -> None:
    scene.to_script().files().wait(5).system().refused("ignition", 503, "undefined 'role'", "/ignition/node1").wait(1)


def no_report(scene: Scene) -> None:
    scene.to_script(report=True, report_within=300).files().wait(5).system().ignition().wait(301)


def reboot_loop(scene: Scene) -> None:
    for number in range(3):
        scene.to_script(boot=f"b{number}").files().wait(20)


def install_fails(scene: Scene) -> None:
    scene.to_script(way="install").files().ignition()
    scene.emit(Kind.STATE, state="wanted", attempt=1, attempts=3, reason="no disk /dev/sda", held=False).wait(1)


def install_held(scene: Scene) -> None:
    scene.to_script(way="install").files().ignition()
    scene.emit(Kind.STATE, state="failed", attempt=3, attempts=3, reason="no disk /dev/sda", held=True).wait(1)


def reported_failure(scene: Scene) -> None:
    scene.to_script().files().ignition().emit(Kind.FAILED, reason="unit x failed", address="10.0.0.50").wait(1)


def not_listed(scene: Scene) -> None:
    scene.name = ""
    scene.unanswered("not in the inventory").wait(1)


def not_listed_held(scene: Scene) -> None:
    scene.name = ""
    scene.to_ipxe().emit(Kind.HELD, "shows the waiting screen", uuid="", address="10.0.0.50").wait(1)


def not_served(scene: Scene) -> None:
    scene.unanswered("no boot loader for arch-99").wait(1)


def two_machines_with_one_mac(scene: Scene) -> None:
    scene.discover().wait(2)
    scene.uuid = "ffffffff445566778899aabbccddeeff"
    scene.discover().wait(1)


def address_in_use(scene: Scene) -> None:
    scene.discover().wait(4).request().wait(0.5).request(message="DECLINE").wait(9)


def address_changed(scene: Scene) -> None:
    scene.to_loader().wait(2)
    scene.address = "10.0.0.77"
    scene.ipxe().wait(1).request("iPXE").script().wait(9)


def reply_not_sent(scene: Scene) -> None:
    scene.discover().emit(Kind.REFUSED, transport="dhcp", reason="Operation not permitted", address="10.0.0.50").wait(1)


def lossy_tftp(scene: Scene) -> None:
    scene.discover().wait(4).request().bootserver().start("snponly.efi", "loader", 284_672, "tftp").wait(1)
    scene.sent(Kind.LOADER, "snponly.efi", 284_672, "tftp", blksize=1468, retransmits=40).wait(9)


CASES: dict[str, tuple[Callable[[Scene], None], ...]] = {
    "no-dhcp-server": (no_dhcp,),
    "dhcp-no-lease": (pool_exhausted, exhausted_as_the_survey_shows),
    "dhcp-refused": (nak,),
    "dhcp-option-60": (option_60, option_60_of_a_survey, option_60_without_a_request),
    "rival-proxy": (another_proxy, a_dhcp_server_with_a_boot_file),
    "rival-in-ipxe": (another_server_in_ipxe, another_server_in_ipxe_that_a_survey_shows),
    "offer-dropped": (firmware_drops_the_offer_and_asks_for_nothing, firmware_drops_the_offer_after_its_lease),
    "bootserver-blocked": (port_4011_blocked, answers_of_4011_blocked),
    "reply-unsent": (reply_not_sent,),
    "tftp-unreached": (tftp_never_arrives,),
    "tftp-blocked": (tftp_blocked_after_the_first_packet, tftp_blocked_and_given_up),
    "mtu-black-hole": (big_blocks_lost,),
    "loader-missing": (loader_not_there, http_loader_not_there),
    "loader-unreached": (http_loader_not_fetched,),
    "wrong-loader": (loader_of_another_architecture,),
    "loader-silent": (loader_never_speaks,),
    "ipxe-loop": (loader_again_and_again,),
    "ipxe-lacks-feature": (ipxe_without_http,),
    "script-never": (script_never_fetched,),
    "script-refused": (script_refused, script_says_why_not),
    "kernel-never": (kernel_never,),
    "file-missing": (kernel_missing, initrd_missing),
    "image-not-ready": (still_mirroring,),
    "image-digest": (digest_mismatch,),
    "download-stalled": (download_stalls,),
    "download-broken": (download_breaks_off,),
    "initrd-never": (initrd_never,),
    "ignition-never": (ignition_never,),
    "ignition-no-network": (ignition_without_network,),
    "ignition-no-first-boot": (ignition_without_first_boot,),
    "ignition-token": (token_spent,),
    "ignition-spec": (spec_too_new,),
    "ignition-template": (template_error,),
    "no-report": (no_report,),
    "reboot-loop": (reboot_loop,),
    "install-failing": (install_fails,),
    "install-held": (install_held,),
    "reported-failure": (reported_failure,),
    "not-listed": (not_listed, not_listed_held),
    "not-served": (not_served,),
    "mac-twice": (two_machines_with_one_mac,),
    "address-changed": (address_changed,),
    "address-in-use": (address_in_use,),
    "retransmits": (lossy_tftp,),
}
_ALL = [(fault, play) for fault, plays in CASES.items() for play in plays]


@pytest.mark.parametrize(("fault", "play"), _ALL, ids=[f"{f}: {p.__name__.replace('_', ' ')}" for f, p in _ALL])
def test_a_fault_is_named_with_evidence_and_a_remedy(fault, play):
    scene = Scene()
    play(scene)
    assert scene.fault() == fault, scene.finding
    assert scene.finding.evidence
    assert scene.finding.remedy
    assert "{" not in scene.finding.sentence


@pytest.mark.parametrize("more", [{"wanted": False}, {"wanted": True, "silent": True}], ids=["colocated", "to disk"])
def test_silence_on_purpose_is_no_fault(more):
    scene = Scene()
    scene.unanswered("server.dhcp is colocated", **more).wait(4).request().wait(3)
    assert scene.fault() == ""


def test_the_bios_rom_that_never_asks_by_tftp():
    scene = Scene(arch="x86-bios")
    scene.discover(file="undionly.kpxe").wait(4).request().wait(11)
    assert scene.fault() == "tftp-unreached"


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_all_times_scale_with_the_patience(factor):
    scene = Scene(patience=Patience().scaled(factor))
    scene.discover().wait(11 * factor)
    assert scene.fault() == ""
    scene.wait(2 * factor + 2)
    assert scene.fault() == "no-dhcp-server"


def test_a_finding_goes_when_the_boot_goes_on():
    scene = Scene()
    scene.to_script().wait(25)
    assert scene.fault() == "kernel-never"
    scene.start("vmlinuz", "kernel").wait(1)
    assert scene.fault() == ""
    assert [f.fault if f else None for f in scene.found] == ["kernel-never", None]


def test_an_address_that_was_refused_first_and_given_then_is_no_fault():
    scene = Scene()
    scene.discover().reply(message="NAK", given="").request().reply(message="ACK").wait(11)
    assert scene.fault() == "bootserver-blocked"


def test_the_same_fault_is_told_once():
    scene = Scene()
    scene.to_script().wait(200)
    assert [str(f.fault) for f in scene.found if f] == ["kernel-never"]


def test_the_server_that_is_named_is_the_one_at_fault():
    scene = Scene()
    option_60(scene)
    assert DHCP in scene.finding.cause
    assert SERVER not in scene.finding.cause


def test_a_stuck_boot_that_the_next_one_ends_stays_in_the_history_with_its_cause():
    scene = Scene()
    scene.to_script().wait(25).discover().wait(1)
    assert scene.boot.outcome == ""
    before = scene.timeline.recent("node1")[1]
    assert (before.outcome, before.finding.fault, before.finding.severity) == ("stuck", "kernel-never", Severity.STUCK)


def test_files_that_come_from_elsewhere_are_not_missed():
    scene = Scene()
    scene.to_script(files="", config="none").wait(100)
    assert scene.fault() == ""
    scene.wait(120)
    assert scene.boot.outcome == "running"


def test_a_config_in_an_initrd_is_fetched_by_ipxe_and_the_system_starts_later():
    scene = Scene()
    scene.to_script(config="embedded").files().ignition().wait(5)
    assert scene.boot.outcome == ""
    scene.wait(100).system().wait(3)
    assert (scene.boot.outcome, scene.fault()) == ("running", "")


def test_a_system_from_elsewhere_that_never_fetches_its_config_is_told_so():
    scene = Scene()
    scene.to_script(files="").wait(300)
    assert scene.fault() == ""
    scene.wait(310)
    assert scene.fault() == "ignition-no-network"
