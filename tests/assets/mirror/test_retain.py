"""Which versions stay on disk: the newest ones, what is pinned or booted, what a machine is booting just now."""

from __future__ import annotations

import json
import time

import pytest

from pxed.assets.mirror.events import Removed
from pxed.assets.mirror.index import Index, Release, Rollout, release_directory
from pxed.assets.mirror.layout import KERNEL
from pxed.assets.mirror.retain import booting, retention
from tests.assets.mirror.site import STABLE, A, B, C

D = "4620.2.0"
PINNED = f"pinned: {{flatcar: {{channel: stable, arch: amd64, version: {A}}}}}"
CANARY = STABLE.replace("version: current", "version: current, percent: 10")


def index_of(*versions, current=D, rollouts=None, channel="stable"):
    keys = [(channel, "amd64", version) for version in versions]
    releases = {key: Release(*key, {}, 0.0, "") for key in keys}
    return Index(releases, {(channel, "amd64", "current"): current}, rollouts or {})


@pytest.mark.parametrize(
    ("images", "keep", "in_use", "rollouts", "gone"),
    [
        pytest.param([STABLE], 2, [], {}, {A, B}, id="the two newest stay"),
        pytest.param([STABLE], 1, [], {}, {A, B, C}, id="with keep: 1 only the newest stays"),
        pytest.param([STABLE], 9, [], {}, set(), id="fewer than keep all stay"),
        pytest.param([STABLE, PINNED], 1, [], {}, {B, C}, id="a pinned version stays"),
        pytest.param([STABLE], 1, [B], {}, {A, C}, id="what a machine is booting stays"),
        pytest.param([CANARY], 1, [], {"flatcar": Rollout(B)}, {A, C}, id="the promoted version of a rollout stays"),
        pytest.param([STABLE], 1, [], {"flatcar": Rollout(C, (D,))}, {A, B}, id="what a rollback went back to stays"),
        pytest.param(["x: {kernel: k}"], 2, [], {}, {A, B}, id="of a channel without an image the newest stay"),
    ],
)
def test_what_goes(site, images, keep, in_use, rollouts, gone):
    inventory = site.inventory(*images, keep=str(keep))
    used = [("stable", "amd64", version) for version in in_use]
    plan = retention(inventory, index_of(A, B, C, D, rollouts=rollouts), used)
    assert {release.version for release in plan.drop} == gone
    assert {key[2] for key in plan.keep} == {A, B, C, D} - gone


def test_each_kept_version_has_its_reason(site):
    plan = retention(
        site.inventory(STABLE, PINNED, keep="2"),
        index_of(A, B, C, D),
        [("stable", "amd64", B), ("stable", "amd64", "x")],
    )
    assert {key[2]: reason for key, reason in plan.keep.items()} == {
        A: "booted by image flatcar, pinned",
        B: "a machine is booting it",
        C: "one of the 2 newest",
        D: "booted by image flatcar",
    }


def test_channels_do_not_count_for_each_other(site):
    both = index_of(A, B)
    beta = index_of("4757.1.0", channel="beta")
    index = Index({**both.releases, **beta.releases}, {**both.current, **beta.current}, {})
    assert [release.version for release in retention(site.inventory(keep="1"), index, []).drop] == [A]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('{"stable/amd64/1.0.0": 9000, "beta/arm64/2.0.0": 5000}', {("stable", "amd64", "1.0.0")},
                     id="an hour is remembered"),
        pytest.param('{"odd": 9999, "a/b/c/d": 9999}', set(), id="odd names are left out"),
        pytest.param("[]", set(), id="a list is as good as none"),
        pytest.param("{", set(), id="half a file is as good as none"),
        pytest.param('{"a/b/c": "soon"}', set(), id="a time that is none is as good as none"),
    ],
)  # fmt: skip
def test_the_daemon_says_what_is_being_booted(tmp_path, text, found):
    (tmp_path / "booting.json").write_text(text)
    assert booting(tmp_path, 10_000.0) == found


def test_a_mirror_without_a_daemon_boots_nothing(tmp_path):
    assert booting(tmp_path, 0.0) == frozenset()


def mirror_all(site, *versions, **settings):
    for version in versions:
        site.server.publish("stable", "amd64", version)
        site.sync(site.inventory(**settings))


def test_a_sync_removes_what_is_too_old_and_says_so(site):
    mirror_all(site, A, B, C, keep="2")
    (removed,) = (event for event in site.events if isinstance(event, Removed))
    assert (removed.version, removed.size > 0) == (A, True)
    assert site.versions() == {B, C}
    assert not release_directory(site.mirror_dir, ("stable", "amd64", A)).exists()
    assert site.partials() == []


def test_a_version_that_is_being_booted_is_removed_by_a_later_sync(site):
    mirror_all(site, A, keep="1")
    (site.mirror_dir / "booting.json").write_text(json.dumps({f"stable/amd64/{A}": time.time()}))
    mirror_all(site, B, keep="1")
    assert site.versions() == {A, B}
    (site.mirror_dir / "booting.json").write_text(json.dumps({f"stable/amd64/{A}": time.time() - 4000}))
    mirror_all(site, B, keep="1")
    assert site.versions() == {B}


def test_what_was_left_half_removed_is_removed_by_the_next_sync(site):
    """A power cut after the release left its place and before it left the index."""
    mirror_all(site, A, B, C, keep="3")
    gone = release_directory(site.mirror_dir, ("stable", "amd64", A))
    trash = site.mirror_dir / ".partial" / "trash-x"
    trash.mkdir(parents=True)
    gone.rename(trash / A)
    site.sync(site.inventory(keep="2"))
    assert site.versions() == {B, C}
    assert not trash.exists()


def test_a_staged_version_is_mirrored_and_current_stays_until_it_is_promoted(site):
    """Update engines poll current/version.txt: the version of a few canaries there would make all others restart."""
    site.server.publish("stable", "amd64", A, kernel=b"old")
    site.sync(site.inventory(CANARY))
    site.server.publish("stable", "amd64", B, kernel=b"new")
    site.sync(site.inventory(CANARY))
    assert site.index.rollouts["flatcar"].promoted == A
    assert site.index.current["stable", "amd64", "current"] == B
    assert site.read("current", KERNEL) == b"old"
    assert site.read(B, KERNEL) == b"new"


def test_a_rollout_that_begins_later_keeps_what_machines_boot(site):
    site.server.publish("stable", "amd64", A, kernel=b"old")
    site.sync(site.inventory(STABLE))
    site.server.publish("stable", "amd64", B, kernel=b"new")
    site.sync(site.inventory(CANARY))
    assert site.read("current", KERNEL) == b"old"
