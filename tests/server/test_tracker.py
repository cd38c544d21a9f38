"""What the tracker tells of boots: each end once, and what becomes known after it."""

from __future__ import annotations

import pytest

from pxed.events import Event, Kind
from pxed.server.tracker import Tracker
from pxed.status.boots import Boot, Outcome, Stage
from tests.status.scene import START, Scene


class Listener:
    """Listens to a tracker as the store does."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.tracker = Tracker(self.events.append)
        self.scene = Scene(timeline=self.tracker._timeline)
        self.ended: list[tuple[Outcome, Stage]] = []
        self.amended: list[tuple[Outcome, Stage]] = []
        self.tracker.ended.append(lambda boot: self.ended.append(self._said(boot)))
        self.tracker.amended.append(lambda boot: self.amended.append(self._said(boot)))

    @staticmethod
    def _said(boot: Boot) -> tuple[Outcome, Stage]:
        return boot.outcome, boot.stage

    def look(self) -> None:
        self.tracker.tick(self.scene.now)


@pytest.fixture
def heard() -> Listener:
    return Listener()


def test_an_end_is_told_once(heard: Listener) -> None:
    heard.scene.discover()
    heard.look()
    heard.scene.emit(Kind.RUNNING)
    heard.look()
    heard.look()
    assert (heard.ended, heard.amended) == ([(Outcome.RUNNING, Stage.RUNNING)], [])


def test_a_report_that_comes_after_the_end_is_told_as_a_change_of_it(heard: Listener) -> None:
    heard.scene.discover()
    heard.scene.ipxe()
    heard.scene.script("local")
    heard.look()
    heard.scene.emit(Kind.RUNNING)
    heard.look()
    heard.look()
    assert heard.ended == [(Outcome.LOCAL, Stage.SCRIPT)]
    assert heard.amended == [(Outcome.RUNNING, Stage.RUNNING)]
    assert heard.scene.boot.began == START
