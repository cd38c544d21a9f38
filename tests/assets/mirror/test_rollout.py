"""Who boots which version: pinned, following, staged over canaries or a share of machines, promoted, rolled back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.mirror.index import Index, Release, Rollout
from pxed.assets.mirror.rollout import (
    Choice,
    RolloutError,
    bootable,
    bucket,
    choice,
    gets_new,
    lines,
    order,
    promote,
    refused,
    rollback,
    settle,
    version_for,
)
from pxed.inventory.model import Image
from pxed.inventory.releases import FlatcarImage

A, B, C = "4593.2.4", "4593.2.5", "4593.10.0"
FOLLOWING = FlatcarImage()
CANARY = FlatcarImage(canary=("node1",))
YEAR = FlatcarImage(channel="lts", version="current-2023")


def release(version: str, channel: str = "stable", arch: str = "amd64") -> Release:
    return Release(channel, arch, version, {}, 0.0, "F" * 40)


def index(*versions: str, promoted: str = "", refused: Sequence[str] = (), current: str = "") -> Index:
    """An index of stable amd64 versions, the last of which is current; "flatcar" is the image."""
    releases = {(r.channel, r.arch, r.version): r for r in map(release, versions)}
    known = {("stable", "amd64", "current"): current or versions[-1]} if versions else {}
    rollouts = {"flatcar": Rollout(promoted, tuple(refused))} if promoted or refused else {}
    return Index(releases, known, rollouts)


def booted(image: FlatcarImage, known: Index) -> tuple[str, str]:
    """What the canary boots, and what any other machine boots."""
    return version_for("flatcar", image, known, "node1"), version_for("flatcar", image, known, "node2")


@pytest.mark.parametrize(
    ("image", "known", "expected"),
    [
        pytest.param(FOLLOWING, index(), ("", ""), id="nothing is mirrored: none boots"),
        pytest.param(FOLLOWING, index(A, B), (B, B), id="following: the newest for all"),
        pytest.param(FOLLOWING, index(B, C), (C, C), id="versions are compared as numbers: 4593.10.0 is newer"),
        pytest.param(FOLLOWING, index(A, B, promoted=A), (B, B), id="not staged: promotion does not matter"),
        pytest.param(FOLLOWING, index(A, B, refused=[B]), (A, A), id="a refused version is passed over"),
        pytest.param(FOLLOWING, index(A, B, C, refused=[B]), (C, C), id="a version after the refused one is taken"),
        pytest.param(FOLLOWING, index(A, refused=[A]), ("", ""), id="the only version refused: none boots"),
        pytest.param(
            FOLLOWING, index(A, C, current=A), (A, A), id="a pinned version newer than current is not followed"
        ),
        pytest.param(FlatcarImage(version=A), index(A, B), (A, A), id="pinned: that version for all"),
        pytest.param(FlatcarImage(version=A), index(B), ("", ""), id="pinned and not mirrored: none boots"),
        pytest.param(FlatcarImage(channel="beta"), index(A), ("", ""), id="another channel's version is none"),
        pytest.param(FlatcarImage(arch="arm64"), index(A), ("", ""), id="another architecture's version is none"),
        pytest.param(CANARY, index(A, B, promoted=A), (B, A), id="canary: the new version for it alone"),
        pytest.param(CANARY, index(A, promoted=A), (A, A), id="canary without a new version: the promoted for all"),
        pytest.param(CANARY, index(A, B, C, promoted=A, refused=[C]), (B, A), id="canary: what is not refused"),
        pytest.param(CANARY, index(A, B), (B, B), id="canary, never promoted: the newest for all"),
        pytest.param(
            CANARY, index(A, C, promoted=B), (C, A), id="the promoted version was lost: what is older, not what is new"
        ),
        pytest.param(
            CANARY, index(B, promoted=A), (B, B), id="the promoted version was lost and none is older: the newest"
        ),
        pytest.param(FlatcarImage(percent=100), index(A, B, promoted=A), (B, B), id="percent 100: the newest for all"),
        pytest.param(
            FlatcarImage(percent=0), index(A, B, promoted=A), (A, A), id="percent 0: nobody until it is promoted"
        ),
    ],
)
def test_what_a_machine_boots(image, known, expected):
    assert booted(image, known) == expected


def lts(*versions: str) -> Index:
    releases = {(r.channel, r.arch, r.version): r for r in (release(v, "lts") for v in versions)}
    current = {("lts", "amd64", "current"): "4081.3.10", ("lts", "amd64", "current-2023"): "3510.3.8"}
    return Index(releases, current, {"lts": Rollout(refused=("3510.3.8",))})


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        pytest.param("other", FlatcarImage(channel="lts"), "4081.3.10", id="lts: the newest of any year"),
        pytest.param("other", YEAR, "3510.3.8", id="a year: the newest of its major version"),
        pytest.param("lts", YEAR, "", id="a year whose only version is refused: none of an older year"),
    ],
)
def test_years_of_lts(name, image, expected):
    assert version_for(name, image, lts("3033.3.18", "3510.3.8", "4081.3.10"), "node1") == expected


@pytest.mark.parametrize(
    ("image", "known", "upstream", "expected"),
    [
        pytest.param(FOLLOWING, index(A, B), B, Choice(B), id="the newest is booted"),
        pytest.param(FOLLOWING, index(A), B, Choice(A, newer=B), id="a newer one upstream that is not mirrored"),
        pytest.param(FOLLOWING, index(), A, Choice("", newer=A), id="nothing is mirrored, one is upstream"),
        pytest.param(CANARY, index(A, B, promoted=A), B, Choice(A, staged=B), id="a staged version"),
        pytest.param(CANARY, index(A, B, promoted=A), C, Choice(A, B, C), id="staged, and a newer one upstream"),
        pytest.param(FlatcarImage(version=A), index(A, B), "", Choice(A, newer=B), id="pinned, a newer one is there"),
        pytest.param(FOLLOWING, index(A, B, refused=[B]), B, Choice(A), id="a refused version is not called newer"),
        pytest.param(YEAR, lts("3510.3.8"), "", Choice("3510.3.8"), id="another year's version is not called newer"),
    ],
)
def test_the_choice_of_an_image(image, known, upstream, expected):
    assert choice("flatcar", image, known, upstream) == expected


names = st.text(min_size=1, max_size=20)


@given(names, names, st.integers(0, 100), st.integers(0, 100))
def test_raising_the_percentage_takes_no_machine_off(name, machine, one, other):
    lower, higher = sorted((one, other))
    if gets_new(name, FlatcarImage(percent=lower), machine):
        assert gets_new(name, FlatcarImage(percent=higher), machine)


@given(names, names)
def test_a_bucket_stays_the_same_and_is_below_100(name, machine):
    assert bucket(name, machine) == bucket(name, machine)
    assert 0 <= bucket(name, machine) < 100


def test_a_percentage_takes_about_that_share_and_other_machines_for_another_image():
    machines = [f"node{number}" for number in range(2000)]
    image = FlatcarImage(percent=20)
    first = {machine for machine in machines if gets_new("flatcar", image, machine)}
    assert 320 < len(first) < 480
    assert first != {machine for machine in machines if gets_new("other", image, machine)}


@pytest.mark.parametrize(
    ("images", "known", "expected"),
    [
        pytest.param({"flatcar": FOLLOWING}, index(A), A, id="a first sync promotes itself"),
        pytest.param({"flatcar": CANARY}, index(A), A, id="a staged image's first sync promotes itself"),
        pytest.param({"flatcar": CANARY}, index(A, B, promoted=A), A, id="a staged image keeps what is promoted"),
        pytest.param({"flatcar": FOLLOWING}, index(A, B, promoted=A), B, id="an image that is not staged moves on"),
        pytest.param({"flatcar": FlatcarImage(version=A)}, index(A), "", id="a pinned image needs no promotion"),
        pytest.param({"flatcar": FOLLOWING}, index(), "", id="nothing is mirrored: nothing is promoted"),
    ],
)
def test_what_a_sync_promotes(images, known, expected):
    after = settle({name: Image(flatcar=image) for name, image in images.items()}, known)
    assert after.rollouts.get("flatcar", Rollout()).promoted == expected


def test_a_staged_rollout_that_begins_with_a_new_version_keeps_the_old_one_for_the_others():
    before = settle({"flatcar": Image(flatcar=FOLLOWING)}, index(A))
    published = Index(index(A, B).releases, index(A, B).current, before.rollouts)
    assert booted(CANARY, settle({"flatcar": Image(flatcar=CANARY)}, published)) == (B, A)


@pytest.mark.parametrize(
    ("images", "known", "expected"),
    [
        pytest.param({"flatcar": FOLLOWING}, index(A, B), B, id="what the image boots"),
        pytest.param({"flatcar": CANARY}, index(A, B, promoted=A), A, id="never a canary's version"),
        pytest.param({"x": FOLLOWING, "flatcar": CANARY}, index(A, B, promoted=A), A, id="of two images the oldest"),
        pytest.param({"flatcar": FOLLOWING}, index(A, B, refused=[B]), A, id="not what was rolled back"),
        pytest.param({"flatcar": FlatcarImage(version=A)}, index(A, B), B, id="no image follows: the newest"),
    ],
)
def test_where_current_points(images, known, expected):
    wrapped = {name: Image(flatcar=image) for name, image in images.items()}
    assert lines(wrapped, known) == {("stable", "amd64", "current"): expected}


def test_what_some_machine_is_to_boot_is_never_pruned():
    images = {
        "flatcar": Image(flatcar=CANARY),
        "old": Image(flatcar=FlatcarImage(version="4230.2.1")),
        "absent": Image(flatcar=FlatcarImage(version="4230.2.2")),
        "files": Image(kernel="vmlinuz"),
    }
    kept = bootable(images, index("4230.2.1", "4459.2.0", A, B, promoted=A))
    assert {version for _, _, version in kept} == {"4230.2.1", A, B}


def test_what_is_refused_is_kept_while_a_sync_would_bring_it_again():
    images = {"flatcar": Image(flatcar=FOLLOWING)}
    before, after = index(A, B, refused=[B]), index(A, B, C, refused=[B])
    assert bootable(images, before) == {("stable", "amd64", A), ("stable", "amd64", B)}
    assert bootable(images, after) == {("stable", "amd64", C)}
    assert refused(images, after) == {("stable", "amd64", B)}


def test_promote_gives_the_new_version_to_all():
    assert booted(CANARY, promote("flatcar", CANARY, index(A, B, promoted=A))) == (B, B)


def test_promote_of_a_named_version_takes_back_a_rollback():
    before = index(A, B, promoted=A, refused=[B])
    assert booted(CANARY, before) == (A, A)
    assert booted(CANARY, promote("flatcar", CANARY, before, B)) == (B, B)
    assert booted(FOLLOWING, promote("flatcar", FOLLOWING, before, B)) == (B, B)


def test_rollback_of_a_staged_version_takes_it_from_the_canaries():
    after = rollback("flatcar", CANARY, index(A, B, promoted=A))
    assert booted(CANARY, after) == (A, A)
    assert after.rollouts["flatcar"] == Rollout(A, (B,))


@pytest.mark.parametrize("image", [FOLLOWING, CANARY], ids=["an image that is not staged", "a staged image"])
def test_rollback_of_what_all_boot_gives_the_version_before_until_a_newer_one_comes(image):
    after = rollback("flatcar", image, index(A, B, promoted=B))
    assert booted(image, after) == (A, A)
    again = settle({"flatcar": Image(flatcar=image)}, after)
    assert booted(image, again) == (A, A)
    newer = Index(index(A, B, C).releases, index(A, B, C).current, again.rollouts)
    assert booted(image, newer) == ((C, A) if image.staged else (C, C))


@pytest.mark.parametrize(
    ("act", "known", "image", "sentence"),
    [
        pytest.param(rollback, index(A), FOLLOWING, "4593.2.4 is the only version", id="the only version"),
        pytest.param(rollback, index(), FOLLOWING, "there is no version", id="no version cannot be rolled back"),
        pytest.param(rollback, index(A, B), FlatcarImage(version=B), "is pinned to 4593.2.5", id="a pinned image"),
        pytest.param(promote, index(A, B), FlatcarImage(version=B), "is pinned to 4593.2.5", id="pinned, to promote"),
        pytest.param(promote, index(), CANARY, "nothing is mirrored yet", id="nothing to promote"),
        pytest.param(
            lambda *given: promote(*given, A), index(A, B), FOLLOWING, "roll back what is newer than 4593.2.4",
            id="an older version of an image that is not staged",
        ),
        pytest.param(
            lambda *given: promote(*given, C), index(A, B), CANARY, "4593.10.0 is not mirrored: 4593.2.5, 4593.2.4",
            id="a version that is not there",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_why(act, known, image, sentence):
    with pytest.raises(RolloutError, match=sentence):
        act("flatcar", image, known)


def test_the_empty_version_is_the_oldest():
    assert sorted([C, "", A, B], key=order) == ["", A, B, C]
