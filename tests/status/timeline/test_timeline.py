"""The boot over time: stages, clients, repetitions, two NICs, reboots in the middle, bounds, renames."""

from __future__ import annotations

import pytest

from pxed.events import Event, Kind
from pxed.status.boots import MOST_SAMPLES, MOST_SPANS, Outcome, Speaker, Stage, as_dict
from pxed.status.timeline import Timeline, book
from tests.status.scene import MAC, START, Scene

SECOND = "52:54:00:00:00:02"


def stages(scene: Scene) -> list[tuple[str, str]]:
    return [(str(span.stage), str(span.speaker)) for span in scene.boot.spans]


def test_every_stage_of_a_boot_with_who_was_active():
    scene = Scene()
    scene.to_script(report=True, report_within=600).files().wait(5).system().wait(1).ignition().wait(5)
    scene.emit(Kind.RUNNING, "running", address=scene.address).wait(1)
    assert stages(scene) == [
        ("discover", "rom"),
        ("offer", "rom"),
        ("bootserver", "rom"),
        ("loader", "rom"),
        ("ipxe", "ipxe"),
        ("script", "ipxe"),
        ("kernel", "ipxe"),
        ("initrd", "ipxe"),
        ("ignition", "initramfs"),
        ("running", "os"),
    ]
    boot = scene.boot
    assert (boot.outcome, boot.version, boot.image, boot.loader) == ("running", "4593.2.5", "flatcar", "snponly.efi")
    assert all(span.ended >= span.began for span in boot.spans)
    assert [span.bytes for span in boot.spans if span.bytes] == [284_672, 1_000_000, 5_000_000, 1000]


def test_repetitions_are_counted_and_begin_no_boot():
    scene = Scene()
    for _ in range(4):
        scene.discover().wait(2)
    scene.request().wait(1)
    for _ in range(3):
        scene.bootserver().wait(1)
    assert len(scene.timeline.recent("node1")) == 1
    assert {str(span.stage): span.count for span in scene.boot.spans} == {"discover": 1, "offer": 4, "bootserver": 3}


def test_two_cards_of_one_machine_are_one_boot():
    scene = Scene()
    scene.discover().wait(2)
    scene.mac = SECOND
    scene.discover().wait(2).request().bootserver().loader().wait(1)
    assert len(scene.timeline.recent("node1")) == 1
    assert scene.boot.macs == (MAC, SECOND)


@pytest.mark.parametrize("after", ["loader", "ipxe", "script", "files"])
def test_a_reboot_in_the_middle_is_another_boot(after: str):
    scene = Scene()
    scene.to_loader().wait(2)
    if after != "loader":
        scene.ipxe().wait(1)
    if after in ("script", "files"):
        scene.script().wait(1)
    if after == "files":
        scene.files().wait(1)
    if after == "loader":
        scene.ipxe().wait(1)  # a loader alone may ask again: that is a loop of one boot
    before = scene.boot.id
    scene.wait(5).discover().wait(1)
    assert scene.boot.id != before
    assert [str(boot.outcome) for boot in scene.timeline.recent("node1")] == ["", "superseded"]


def test_ipxe_that_asks_again_for_its_script_goes_on_with_the_same_boot():
    scene = Scene()
    scene.to_ipxe().script(way="announce", boot="").wait(2).ipxe().wait(1).script(boot="b1").wait(1)
    scene.refused("image", 503, "still being mirrored").wait(5).script(boot="b1").wait(1).files().wait(1)
    assert len(scene.timeline.recent("node1")) == 1


def test_a_boot_that_pxed_saw_from_the_script_on_only():
    scene = Scene()
    scene.script().wait(1).files().wait(1).system().ignition().wait(2)
    assert (scene.boot.outcome, scene.boot.spans[0].stage) == ("running", "script")


def test_files_belong_to_the_machine_that_has_the_address():
    scene = Scene()
    scene.discover().wait(4).request().wait(1)
    scene.emit(Kind.PROGRESS, who=False, id=1, file="snponly.efi", bytes=0, due=9, stage="loader", transport="tftp",
               address=scene.address, heard=False)  # fmt: skip
    assert scene.boot.stage is Stage.LOADER


def test_a_machine_that_goes_to_its_disk_when_the_network_gives_nothing():
    scene = Scene()
    scene.discover().wait(20)
    assert scene.fault() == "no-dhcp-server"
    scene.system().wait(15)
    assert scene.boot.outcome == "local"
    assert scene.fault() == ""


def test_a_silent_local_boot_is_over_at_once():
    scene = Scene()
    scene.unanswered("it boots its disk", silent=True).wait(1)
    assert (scene.boot.outcome, scene.boot.way, scene.fault()) == ("local", "local", "")


def test_a_late_report_makes_a_boot_that_was_given_up_a_good_one():
    scene = Scene()
    scene.to_script(report=True, report_within=60).files().wait(5).system().ignition().wait(70)
    assert scene.fault() == "no-report"
    scene.emit(Kind.RUNNING, "running", address=scene.address).wait(1)
    assert (scene.boot.outcome, scene.fault()) == ("running", "")


def test_throughput_and_bars_are_bounded_however_long_it_takes():
    scene = Scene()
    scene.to_script()
    for number in range(2000):
        scene.now += 1
        scene.progress("vmlinuz", "kernel", number, 10_000)
    for number in range(100):
        scene.fetch(Kind.KERNEL, f"file{number}")
    assert len(scene.boot.samples) <= MOST_SAMPLES
    assert len(scene.boot.spans) <= MOST_SPANS
    sent = [sample for _, sample in scene.boot.samples]
    assert sent == sorted(sent)


def test_invented_macs_push_out_no_listed_machine_and_leave_no_history(monkeypatch):
    monkeypatch.setattr(book, "MOST_STRANGERS", 10)
    scene = Scene()
    scene.to_script()
    for number in range(100):
        Scene("", f"02:00:00:00:00:{number:02x}", timeline=scene.timeline).unanswered("not in the inventory")
    assert len(list(scene.timeline.names())) == 11
    assert scene.boot.stage is Stage.SCRIPT
    assert scene.timeline.take_ended() == []


def test_the_whole_table_is_bounded_too():
    timeline = Timeline(most=5)
    for number in range(20):
        Scene(f"node{number}", f"02:00:00:00:00:{number:02x}", timeline=timeline).discover()
    assert list(timeline.names()) == [f"node{number}" for number in range(15, 20)]
    assert len(timeline.take_ended()) == 15


def test_readers_learn_what_changed_since_they_looked():
    timeline = Timeline()
    one, two = (Scene(f"node{n}", f"02:00:00:00:00:0{n}", timeline=timeline) for n in (1, 2))
    one.discover()
    two.discover()
    version, names = timeline.changed(0)
    assert names is not None and set(names) == {"node1", "node2"}
    two.request()
    later, names = timeline.changed(version)
    assert (names, later > version) == (["node2"], True)
    assert timeline.changed(later) == (later, [])
    assert timeline.changed(later + 5) == (later, None)


def test_a_machine_with_another_name_keeps_its_boot_and_is_looked_at():
    scene = Scene()
    scene.to_script()
    scene.timeline.move({"node1": "rack7"})
    scene.name = "rack7"
    assert (scene.boot.machine, scene.timeline.current("node1")) == ("rack7", None)
    scene.wait(25)
    assert scene.fault() == "kernel-never"
    scene.emit(Kind.PROGRESS, who=False, id=9, file="vmlinuz", bytes=0, due=9, stage="kernel", transport="http",
               address=scene.address, heard=False)  # fmt: skip
    assert scene.boot.stage is Stage.KERNEL


def test_an_ended_boot_is_told_once():
    scene = Scene()
    scene.to_script().files().system().ignition().wait(5)
    assert [boot.outcome for boot in scene.timeline.take_ended()] == [Outcome.RUNNING]
    assert scene.timeline.take_ended() == []


def test_a_boot_as_the_api_has_it():
    scene = Scene()
    scene.to_script().wait(25)
    shown = as_dict(scene.boot)
    assert shown["verdict"]["fault"] == "kernel-never"
    assert shown["spans"][0] == {
        "stage": "discover", "speaker": str(Speaker.ROM), "began": START, "ended": START, "count": 1, "ok": True,
        "file": None, "transport": "dhcp", "bytes": 0, "due": None, "retransmits": 0, "text": None,
    }  # fmt: skip


@pytest.mark.parametrize("kind", list(Kind), ids=str)
@pytest.mark.parametrize("who", ["node1", ""])
def test_whatever_an_event_lacks_nothing_is_raised(kind: Kind, who: str):
    scene = Scene()
    scene.to_script()
    strange = (
        {},
        {"bytes": "x", "id": None, "stage": "loader"},
        {"message": 5, "client": "PXE firmware", "uuid": "zz"},
    )
    for data in strange:
        scene.timeline.fold(Event(kind, scene.now, who, "" if who else MAC, "text", data=data))
    scene.wait(30)


def test_a_flood_of_the_same_offer_is_counted_only_and_hides_no_second_machine():
    scene = Scene()
    scene.discover()
    for _ in range(1000):
        scene.now += 0.001
        scene.discover()
    assert (scene.timeline.trail("node1").offers, scene.boot.spans[-1].count) == (1001, 1)
    scene.uuid = "ff" * 16
    scene.discover().wait(1)
    assert scene.fault() == "mac-twice"


def test_a_flood_of_invented_macs_is_followed_in_part_and_listed_machines_in_full():
    timeline = Timeline()
    for number in range(2000):
        Scene("", f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}", timeline=timeline).discover()
        Scene(f"node{number}", f"52:54:00:00:{number >> 8:02x}:{number & 255:02x}", timeline=timeline).discover()
    names = list(timeline.names())
    assert sum(name.startswith("node") for name in names) == 2000
    assert len(names) == 2000 + book.NEW_STRANGERS
    late = Scene("", "02:00:00:00:07:cf", timeline=timeline, now=START + 2)
    late.script().wait(1)
    assert late.boot.stage is Stage.SCRIPT
