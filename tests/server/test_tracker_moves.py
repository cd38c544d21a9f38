"""A boot that one process began and others go on with is told as if there had been one."""

from __future__ import annotations

import random

import pytest

from pxed.events import Event, Kind
from pxed.server.tracker import Tracker
from pxed.status.boots import as_dict
from tests.status.scene import Scene
from tests.status.timeline.test_good_boots import play


def silent(_: Event) -> None:
    return None


class Moved(Scene):
    """A scene before many processes, one after the other: the next one after every third event, but for ended boots,
    which are in the store."""

    moves = 0

    def emit(self, kind: Kind, text: str = "", *, who: bool = True, **data: object) -> Moved:
        self.moves += 1
        if self.moves % 3 == 0 and not self.boot.ended:
            before, after = Tracker(silent), Tracker(silent)
            before._timeline = self.timeline
            after.read(before.written())
            self.timeline = after._timeline
        super().emit(kind, text, who=who, **data)
        return self


@pytest.mark.parametrize("seed", range(40))
def test_a_boot_over_many_processes(seed: int) -> None:
    told = []
    for kind in (Scene, Moved):
        dice = random.Random(seed)
        scene = kind(arch=dice.choice(("x86-bios", "x86_64-efi")))
        play(scene, dice)
        told.append((as_dict(scene.boot), [finding.fault for finding in scene.found if finding]))
    assert told[0] == told[1]


def test_what_is_no_boot_is_refused() -> None:
    for content in (None, "", "[]", '{"tracks": [{"trail": {"boot": 1}}], "wires": {}}', 7):
        with pytest.raises((ValueError, TypeError)):
            Tracker(silent).read(content)
    Tracker(silent).read('{"tracks": [{"trail": null}], "wires": {}}')


def test_what_is_known_of_the_wires_goes_with_them() -> None:
    """Else every boot after a restart would look as if its wire had no DHCP server."""
    before, after = Tracker(silent), Tracker(silent)
    Scene(timeline=before._timeline).discover().reply()
    after.read(before.written())
    assert after.network.servers("eth1") == before.network.servers("eth1") != []
